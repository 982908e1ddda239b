"""Whether every process of a session waits: what they were to do, they have done.

The wire carries a frame only then. So what a program does between two frames does not depend on
which of the two was given a processor first, and the same script has the same trace.

A process that is woken runs, as /proc tells it, before the call that woke it returns. What looks
still twice in a row, without any thread having been given a processor in between, is still.
"""

import os
import time
from contextlib import suppress

__all__ = ["Stillness"]

_PAUSE_S = 50e-6
#: how long a program that computes is waited for; and after that, until all was still again
_PATIENCE_S, _LITTLE_S = 0.02, 0.001
#: with more threads a look would take longer than what it waits for: then nobody is waited for,
#: and only each so many times it is seen whether they have become fewer
_MOST_THREADS, _CROWDED_TIMES = 64, 200
_RUNNING = b"RD"


class Stillness:
    """Looks at `root` (a pid as /proc knows it) and all its descendants, but for the process that
    asks."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._own = int(os.readlink("/proc/self"))
        self._patience_s = _PATIENCE_S
        self._passes = 0

    def wait(self) -> bool:
        """Wait until all is still; False where that did not come about, or cannot be seen."""
        if self._passes:
            self._passes -= 1
            return False
        end_s = time.monotonic() + self._patience_s
        before: list[bytes] | None = None
        while True:
            now = self._look()
            if now is not None and len(now) > _MOST_THREADS:
                self._passes = _CROWDED_TIMES
                return False
            if now is not None and now == before:
                self._patience_s = _PATIENCE_S
                return True
            if time.monotonic() > end_s:
                self._patience_s = _LITTLE_S
                return False
            if now is None:
                time.sleep(_PAUSE_S)
            before = now

    def _look(self) -> list[bytes] | None:
        """How often each thread, as far as they are looked at, was given a processor; None where
        one runs."""
        found: list[bytes] = []
        waiting = [self._root]
        while waiting and len(found) <= _MOST_THREADS:
            pid = waiting.pop()
            if pid == self._own:
                continue
            with suppress(FileNotFoundError, ProcessLookupError):
                for thread in os.listdir(f"/proc/{pid}/task")[: _MOST_THREADS + 1]:
                    directory = f"/proc/{pid}/task/{thread}"
                    if _read(f"{directory}/stat").rpartition(b")")[2].split()[0] in _RUNNING:
                        return None
                    found.append(_read(f"{directory}/schedstat"))
                    waiting += map(int, _read(f"{directory}/children").split())
        return found


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)
