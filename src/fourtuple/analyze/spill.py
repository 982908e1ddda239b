"""Rows of numbers that are put aside: in memory while they are few, then in a file without a name.

What is on disk ends with the process, however it ends. Rows come back in any order one likes.
"""

import os
import tempfile
from dataclasses import dataclass, field
from io import BufferedRandom

import numpy as np
import numpy.typing as npt

__all__ = ["Ordered", "Spill"]

Int64s = npt.NDArray[np.int64]

_IN_MEMORY_BYTES = 32 * 1024 * 1024


@dataclass(slots=True)
class Spill:
    """Takes rows of `width` numbers."""

    width: int
    limit: int = _IN_MEMORY_BYTES
    _pieces: list[Int64s] = field(default_factory=list)
    _held: int = 0
    _written: int = 0
    _file: BufferedRandom | None = None

    def __len__(self) -> int:
        return self._written + self._held

    def add(self, rows: Int64s) -> None:
        """Put rows aside: int64[n, width]."""
        if len(rows):
            self._pieces.append(rows.copy())
            self._held += len(rows)
        if self._held * self.width * 8 > self.limit:
            self._write()

    def _write(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115
        for piece in self._pieces:
            self._file.write(piece.data)
        self._file.flush()
        self._written, self._held = len(self), 0
        self._pieces.clear()

    def everything(self) -> Int64s:
        """All rows, in the order in which they came; those on disk stay there."""
        if self._file is None:
            return np.concatenate([np.zeros((0, self.width), np.int64), *self._pieces])
        if self._pieces:
            self._write()
        os.lseek(self._file.fileno(), 0, os.SEEK_SET)
        shape = (self._written, self.width)
        return np.memmap(self._file, np.int64, "r", shape=shape).view(np.ndarray)

    def order(self, column: int) -> "Ordered":
        """The rows by what a column says."""
        rows = self.everything()
        keys = np.ascontiguousarray(rows[:, column])
        order = np.argsort(keys, kind="stable")
        return Ordered(rows, order, keys[order])


@dataclass(frozen=True, slots=True)
class Ordered:
    """Rows put aside, in order of a key."""

    everything: Int64s
    order: Int64s
    keys: Int64s

    def rows(self, first: int, last: int) -> Int64s:
        """Those whose key is from `first` up to, not including, `last`."""
        begin, end = np.searchsorted(self.keys, [first, last]).tolist()
        return self.everything[self.order[begin:end]]
