"""A rule of the wire, in a script's hands once it was made (lab.wire.rules makes it)."""

import time
from typing import Any, Protocol

from fourtuple.errors import N_, OutOfTime
from fourtuple.lab.evidence import observed
from fourtuple.lab.wire import orders

__all__ = ["Rule"]

_BETWEEN_LOOKS_S = 0.002

NOT_MET = N_("{rule} has met {count} frames in time, {wanted} were waited for.")


class _Maker(Protocol):
    """The wire that the rule is of."""

    @property
    def deadline_s(self) -> float: ...

    def order(self, order: orders.Order) -> Any: ...

    def report(self, index: int) -> orders.Report: ...


class Rule:
    """A rule of the wire. `str()` is how the script wrote it."""

    def __init__(self, wire: _Maker, index: int, text: str, optional: bool) -> None:
        self._wire = wire
        self._index = index
        self._text = text
        self.optional = optional

    def __str__(self) -> str:
        return self._text

    @property
    def frames(self) -> Any:
        """The numbers of the frames that it met so far."""
        met = self._wire.report(self._index).frames
        return observed(list(met), "frame", met)

    @property
    def count(self) -> Any:
        """How many frames it met so far."""
        met = self._wire.report(self._index).frames
        return observed(len(met), "count", met)

    @property
    def held(self) -> int:
        """How many frames it holds now."""
        return self._wire.report(self._index).held

    def release(self) -> None:
        """Let go on what it holds."""
        self._wire.order(orders.Release(self._index))

    def stop(self) -> None:
        """From now on it is about no frame; what it holds goes on."""
        self._wire.order(orders.StopRule(self._index))

    def wait(self, count: int = 1, limit_s: float | None = None) -> None:
        """Wait until it has met so many frames; OutOfTime where it has not within `limit_s`
        (default: before the run's limit)."""
        latest_s = self._wire.deadline_s
        end_s = latest_s if limit_s is None else min(latest_s, time.monotonic() + limit_s)
        while (met := self.count) < count:
            if time.monotonic() > end_s:
                values = {"rule": self._text, "count": int(met), "wanted": count}
                raise OutOfTime(NOT_MET, values)
            time.sleep(_BETWEEN_LOOKS_S)
