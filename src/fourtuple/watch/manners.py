"""How a watcher behaves: it ends when it is told to, and lets whom it watches go first."""

import os
import signal
from contextlib import suppress
from types import FrameType
from typing import Self

__all__ = ["Asked", "Modest"]

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: what is watched has about ten times as much of a busy processor (sched(7))
_NICER = 10


class Asked:
    """Within, Ctrl-C, SIGTERM and SIGHUP only count: `times`. The third ends the work at once.

    After SIGTERM and SIGHUP the process ends, once all is done, with their status.
    """

    def __init__(self) -> None:
        self._numbers: list[int] = []

    @property
    def times(self) -> int:
        return len(self._numbers)

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._ask) for number in _NUMBERS}
        return self

    def _ask(self, number: int, _: FrameType | None) -> None:
        self._numbers.append(number)
        if self.times > 2:
            raise KeyboardInterrupt

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for number, action in self._before.items():
            signal.signal(number, action)
        if kind is None and self._numbers and self._numbers[0] != signal.SIGINT:
            raise SystemExit(128 + self._numbers[0])


class Modest:
    """Within, this thread comes after others, until it must `hurry()`."""

    def __enter__(self) -> Self:
        self._usual = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, self._usual + _NICER)
        return self

    def __exit__(self, *_: object) -> None:
        self.hurry()

    def hurry(self) -> None:
        """As quick as before, where that is allowed."""
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, self._usual)
