"""Ctrl-C and SIGTERM as a flag, so that an engine stops between two probes, not within one."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["Interrupt"]


class Interrupt:
    """`with Interrupt() as stop:` - `stop.asked` becomes true; a second signal acts as ever.

    Outside of the main thread, which alone may handle signals, it stays false; a signal that is
    ignored (nohup, a process of a scan) stays ignored.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in self._SIGNALS:
                before = signal.getsignal(number)
                # whoever was asked before us is to stop, and we with him
                self.asked |= getattr(getattr(before, "__self__", None), "asked", False)
                if before is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self.ask)
        return self

    def ask(self, number: int = 0, frame: FrameType | None = None) -> None:
        """Ask to stop: what a signal does."""
        self.asked = True
        self._restore()

    def _restore(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()
