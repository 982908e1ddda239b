"""Whether every process of a session waits: what they were to do, they have done.

The wire carries a frame only then. So what a program does between two frames does not depend on
which of the two was given a processor first, and the same script has the same trace.

A process that is woken runs, as /proc tells it, before the call that woke it returns. What looks
still twice in a row, without any thread having been given a processor in between, is still.
"""

import os
import time
from contextlib import suppress
from dataclasses import dataclass

__all__ = ["Stillness"]

_PAUSE_S, _LONGEST_PAUSE_S = 50e-6, 1e-3
#: how long a program that computes is waited for; and after that, until all was still again. By the
#: processor time that programs were given: one that has to wait for a processor is no busy one
_PATIENCE_NS, _LITTLE_NS = 20_000_000, 1_000_000
#: one that is stopped, or waits for a disk, is given no processor
_LONGEST_S = 1.0
#: with more threads a look would take longer than what it waits for: then nobody is waited for,
#: and only each so many times it is seen whether they have become fewer
_MOST_THREADS, _CROWDED_TIMES = 64, 200
_RUNNING = b"RD"


@dataclass(frozen=True, slots=True)
class _Look:
    """Whether no thread runs, and of each, as far as they were looked at: the processor time that
    it was given, in ns, how long it waited for it, and how often (schedstat)."""

    still: bool
    threads: tuple[bytes, ...]

    def computed_ns(self) -> int:
        return sum(int(thread.split()[0]) for thread in self.threads)


class Stillness:
    """Looks at `root` (a pid as /proc knows it) and all its descendants, but for the process that
    asks."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._own = int(os.readlink("/proc/self"))
        self._patience_ns = _PATIENCE_NS
        self._passes = 0

    def wait(self) -> bool:
        """Wait until all is still; False where that did not come about, or cannot be seen."""
        if self._passes:
            self._passes -= 1
            return False
        pause_s = _PAUSE_S
        before = first = self._look()
        until_s = time.monotonic() + _LONGEST_S
        while len(before.threads) <= _MOST_THREADS:
            if not before.still:
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            now = self._look()
            if now.still and now == before:
                self._patience_ns = _PATIENCE_NS
                return True
            computed_ns = now.computed_ns() - first.computed_ns()
            if computed_ns > self._patience_ns or time.monotonic() > until_s:
                self._patience_ns = _LITTLE_NS
                return False
            before = now
        self._passes = _CROWDED_TIMES
        return False

    def _look(self) -> _Look:
        still = True
        found: list[bytes] = []
        waiting = [self._root]
        while waiting and len(found) <= _MOST_THREADS:
            pid = waiting.pop()
            if pid == self._own:
                continue
            with suppress(FileNotFoundError, ProcessLookupError):
                for thread in os.listdir(f"/proc/{pid}/task")[: _MOST_THREADS + 1]:
                    directory = f"/proc/{pid}/task/{thread}"
                    state = _read(f"{directory}/stat").rpartition(b")")[2].split()[0]
                    still = still and state not in _RUNNING
                    found.append(_read(f"{directory}/schedstat"))
                    waiting += map(int, _read(f"{directory}/children").split())
        return _Look(still, tuple(found))


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)
