"""Probes whose answers are counted together: a slice, by which a pace is judged, and a round."""

import time
from collections import deque

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from fourtuple.scan.board import Board
from fourtuple.scan.raw.pace import Pace
from fourtuple.scan.raw.timer import RoundTripTimer

__all__ = ["Round", "Slices"]

Int64s = npt.NDArray[np.int64]

_USUAL, _SMALL = 16, 4


class Round(Struct):
    """What one round came to, in `seconds`, its wait included. `answered` counts answers to its
    own probes, not late ones to those before."""

    sent: int = 0
    answered: int = 0
    seconds: float = 0.0

    @property
    def share(self) -> float:
        return self.answered / self.sent if self.sent else 0.0

    def plus(self, other: "Round") -> "Round":
        return Round(
            self.sent + other.sent, self.answered + other.answered, self.seconds + other.seconds
        )


class _Slice(Struct):
    cells: Int64s
    begin_s: float
    end_s: float


class Slices:
    """The slices of a round, oldest first; `small` ones where few probes go out."""

    def __init__(self, board: Board, timer: RoundTripTimer) -> None:
        self._board, self._timer = board, timer
        self._waiting: deque[_Slice] = deque()
        self.small = False

    @property
    def _least(self) -> int:
        return _SMALL if self.small else _USUAL

    def clear(self) -> None:
        self._waiting.clear()

    def add(self, cells: Int64s, begin_s: float, end_s: float) -> None:
        """Probes that were sent from `begin_s` to `end_s` (CLOCK_MONOTONIC)."""
        last = self._waiting[-1] if self._waiting else None
        if last is not None and len(last.cells) < self._least:
            last.cells = np.concatenate((last.cells, cells))
            last.end_s = end_s
        else:
            self._waiting.append(_Slice(cells, begin_s, end_s))

    def judge(self, pace: Pace) -> None:
        """Tell the pace of slices that are answered, or were waited for long enough."""
        now_s = time.monotonic()
        while self._waiting:
            oldest = self._waiting[0]
            answered = int(np.count_nonzero(self._board.verdicts[oldest.cells]))
            waited = now_s > oldest.end_s + self._timer.timeout_s
            if not waited and (answered < len(oldest.cells) or answered < self._least):
                return
            self._waiting.popleft()
            pace.judge(len(oldest.cells), answered, oldest.begin_s, now_s)
