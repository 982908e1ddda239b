"""Rows of numbers that are put aside: in memory while they are few, then in a file without a name.

What is on disk ends with the process, however it ends. Rows come back in any order one likes.
"""

import mmap
from io import BufferedRandom

import msgspec
import numpy as np
import numpy.typing as npt

__all__ = ["Ordered", "Spill"]

Int64s = npt.NDArray[np.int64]

_IN_MEMORY_BYTES = 32 * 1024 * 1024
_AT_ONCE = 65_536


class Spill(msgspec.Struct):
    """Takes rows of `width` numbers."""

    width: int
    limit: int = _IN_MEMORY_BYTES
    _pieces: list[Int64s] = msgspec.field(default_factory=list)
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
            import tempfile

            self._file = tempfile.TemporaryFile()  # noqa: SIM115
        for piece in self._pieces:
            self._file.write(piece.data)
        self._file.flush()
        self._written, self._held = len(self), 0
        self._pieces.clear()

    def column(self, column: int) -> Int64s:
        """One number of each row, in the order in which they came."""
        rows, mapped = self._mapped()
        found = np.empty(len(rows), np.int64)
        for begin in range(0, len(rows), _AT_ONCE):
            found[begin : begin + _AT_ONCE] = rows[begin : begin + _AT_ONCE, column]
            _give_back(mapped)
        return found

    def order(self, column: int) -> "Ordered":
        """The rows by what a column says."""
        keys = self.column(column)
        order = np.argsort(keys, kind="stable")
        return Ordered(*self._mapped(), order, keys[order])

    def _mapped(self) -> tuple[Int64s, mmap.mmap | None]:
        if self._file is None:
            empty = np.zeros((0, self.width), np.int64)
            return np.concatenate([empty, *self._pieces]), None
        if self._pieces:
            self._write()
        mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        return np.frombuffer(mapped, np.int64).reshape(-1, self.width), mapped


def _give_back(mapped: mmap.mmap | None) -> None:
    """What was read of a file need not stay in memory."""
    if mapped is not None:
        mapped.madvise(mmap.MADV_DONTNEED)


class Ordered(msgspec.Struct, frozen=True):
    """Rows put aside, in order of a key."""

    everything: Int64s
    mapped: mmap.mmap | None
    order: Int64s
    keys: Int64s

    def rows(self, first: int, last: int) -> Int64s:
        """Those whose key is from `first` up to, not including, `last`."""
        begin, end = np.searchsorted(self.keys, [first, last]).tolist()
        found: Int64s = self.everything[self.order[begin:end]]
        _give_back(self.mapped)
        return found
