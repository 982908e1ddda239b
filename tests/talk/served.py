"""`fourtuple serve` as its users run it: a process of its own, and what it says."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

#: only what hangs takes so long
WAIT_S = 90.0


class Served:
    """A running server. `urls` are where it says that it serves; `news` what it has said since."""

    def __init__(self, arguments: tuple[str, ...], descriptors: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fourtuple", "serve", *arguments, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            preexec_fn=_with_descriptors(descriptors),
        )
        self.urls: list[str] = []
        self.news: list[str] = []
        self._told_to_stop = False
        self._said = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wanted = sum("://" in each for each in arguments)
        self._await(lambda: len(self.urls) == wanted)

    @property
    def address(self) -> tuple[str, int]:
        where = urlsplit(self.urls[0])
        return str(where.hostname), int(where.port or 0)

    def port(self, at: int = 0) -> int:
        return int(urlsplit(self.urls[at]).port or 0)

    def await_news(self, words: str) -> str:
        """The first line that has these words, as soon as the server has said it."""
        self._await(lambda: any(words in line for line in self.news))
        return next(line for line in self.news if words in line)

    def stop(self, number: int = signal.SIGINT) -> int:
        """Its exit status, once it has ended as it is told to."""
        if self.process.poll() is None and not self._told_to_stop:
            self._told_to_stop = True
            self.process.send_signal(number)
        status = self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        return status

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            news: dict[str, Any] = json.loads(line)
            with self._said:
                if "url" in news and "model" in news:
                    self.urls.append(news["url"])
                else:
                    self.news.append(news["text"])
                self._said.notify_all()
        with self._said:
            self._said.notify_all()

    def _await(self, what: Callable[[], bool]) -> None:
        with self._said:
            assert self._said.wait_for(what, WAIT_S), (self.urls, self.news)


def _with_descriptors(count: int) -> Callable[[], None] | None:
    if not count:
        return None
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


@contextmanager
def served(*arguments: str, descriptors: int = 0) -> Iterator[Served]:
    """A server for these arguments; it ends with status 0 and without a word on standard error."""
    running = Served(arguments, descriptors)
    try:
        yield running
        assert running.stop() == 0
        assert running.process.stderr is not None
        assert running.process.stderr.read() == ""
    finally:
        running.process.kill()
        running.process.wait()
        running.process.stdout.close()
        running.process.stderr.close()
