"""How far a long command is, on one line of the terminal that is written over."""

import sys

from fourtuple.explain.model import Message
from fourtuple.explain.text import Translator

__all__ = ["Progress"]


class Progress:
    """On standard error, and only where that is a terminal."""

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
