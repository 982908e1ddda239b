"""Whether every process of a session waits: what they did so far, they have done.

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
_RUNNING = b"RD"


class Stillness:
    """Looks at all descendants of `root` (a pid as /proc knows it), and at itself; not at the
    process that asks."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._own = int(os.readlink("/proc/self"))
        self._patience_s = _PATIENCE_S

    def wait(self) -> bool:
        """Wait until all is still; False where some program went on for too long."""
        end_s = time.monotonic() + self._patience_s
        before: list[bytes] | None = None
        while True:
            now = self._look()
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
        """How often each thread was given a processor; None where one runs."""
        found: list[bytes] = []
        waiting = [self._root]
        while waiting:
            pid = waiting.pop()
            if pid == self._own:
                continue
            with suppress(FileNotFoundError, ProcessLookupError):
                for thread in os.listdir(f"/proc/{pid}/task"):
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
