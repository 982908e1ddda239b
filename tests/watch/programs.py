"""Programs of the tests that are watched."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from fourtuple.watch.pairs import News
from fourtuple.watch.session import Session
from fourtuple.watch.wish import Wish

__all__ = ["SERVER", "ended", "running", "script", "watching"]

#: says its port, then answers each connection with what it sent
SERVER = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    peer, _ = listener.accept()
    with peer:
        while data := peer.recv(1000):
            peer.sendall(data)
"""


def script(text: str, *words: object) -> list[str]:
    """A command that runs these lines of Python."""
    return [sys.executable, "-c", text, *map(str, words)]


@contextmanager
def running(text: str, *words: object) -> Iterator[tuple[int, int]]:
    """Such a command in the background: its process, and the number that it says first."""
    command = script(text, *words)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.kill()


def watching(wish: Wish) -> tuple[Session, list[News]]:
    """Watch, until it is enough; the session and what it told."""
    news: list[News] = []
    session = Session(wish, news.append)
    session.run()
    return session, news


def ended(news: Sequence[News]) -> list[News]:
    return [one for one in news if one.what == "ended"]
