"""How far a long command has come: one line on the terminal that is written over."""

import sys
import time
from dataclasses import dataclass, field

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.render.text import width_of

__all__ = ["Progress", "ProgressLine"]

_PATIENCE_S, _STEP_S = 1.0, 0.2
_MEGA = 1_000_000
_OF_KNOWN = N_("Reading: {percent} % of {size} MB")
_OF_UNKNOWN = N_("Reading: {read} MB")


@dataclass(slots=True)
class ProgressLine:
    """How far reading has come, for people who have waited a second: takes the bytes read so far
    and those there are (0: not known). Nothing is shown where standard error is no terminal."""

    translator: Translator
    shown: int = 0
    _begun: float = field(default_factory=time.monotonic)
    _next: float = 0.0
    _silent: bool = field(default_factory=lambda: not sys.stderr.isatty())

    def __call__(self, read: int, size: int) -> None:
        now = time.monotonic()
        if self._silent or now - self._begun < _PATIENCE_S or now < self._next:
            return
        self._next = now + _STEP_S
        numbers = {"read": read // _MEGA, "size": size // _MEGA}
        numbers["percent"] = min(100, 100 * read // size) if size else 0
        self._show(self.translator.text(Message(_OF_KNOWN if size else _OF_UNKNOWN, numbers)))

    def clear(self) -> None:
        """Leave nothing on the line."""
        if self.shown:
            self._show("")

    def _show(self, text: str) -> None:
        blanks = " " * max(0, self.shown - width_of(text))
        sys.stderr.write(f"\r{text}{blanks}" + ("" if text else "\r"))
        sys.stderr.flush()
        self.shown = width_of(text)


class Progress:
    """How many of so many are done. Nothing is shown where standard error is no terminal."""

    def __init__(self, total: int, translator: Translator) -> None:
        self._total = total
        self._translator = translator
        self._seen = sys.stderr.isatty() and total > 1
        self.show(0)

    def show(self, done: int) -> None:
        """So many are done."""
        if self._seen and done < self._total:
            how_far = Message("{done} of {total} done", {"done": done, "total": self._total})
            print(f"\r{self._translator.text(how_far)} ", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away, so that something else can be printed."""
        if self._seen:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
