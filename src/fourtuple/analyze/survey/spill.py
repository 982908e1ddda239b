"""Rows of numbers that are put aside: in memory while they are few, then in a file without a name.

What is on disk ends with the process, however it ends. Rows come back in any order one likes.
"""

import mmap
from collections.abc import Mapping
from io import BufferedRandom

import msgspec
import numpy as np
import numpy.typing as npt

from fourtuple.analyze.survey._packing import MOST_WORDS
from fourtuple.compiled import Kernel

__all__ = ["Ordered", "Shelf", "Spill"]

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
        rows, mapped = self.mapped()
        found = np.empty(len(rows), np.int64)
        for begin in range(0, len(rows), _AT_ONCE):
            found[begin : begin + _AT_ONCE] = rows[begin : begin + _AT_ONCE, column]
            _give_back(mapped)
        return found

    def mapped(self) -> tuple[Int64s, mmap.mmap | None]:
        """All rows, and the file that they are in, where they are in one."""
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


class Shelf(msgspec.Struct):
    """Puts rows of facts aside, packed (`_packing`), each under a key of its own; `kernels` are
    those of analyze.survey._kernels."""

    kernels: Mapping[str, Kernel]
    words: Spill = msgspec.field(default_factory=lambda: Spill(1))
    #: of each row its key, and where it begins
    places: Spill = msgspec.field(default_factory=lambda: Spill(2))
    _room: Int64s = msgspec.field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.places)

    def add(self, keys: Int64s, facts: Int64s) -> None:
        """Put rows aside: int64[n, FACT]."""
        most = len(facts) * MOST_WORDS
        if len(self._room) < most:
            self._room = np.zeros(most, np.int64)
        places = np.stack((keys, keys), axis=1)
        starts = np.zeros(len(facts), np.int64)
        used = self.kernels["pack"](facts, starts, self._room)
        places[:, 1] = starts + len(self.words)
        self.places.add(places)
        self.words.add(self._room[:used].reshape(-1, 1))

    def ordered(self) -> "Ordered":
        """The rows by their keys."""
        keys = self.places.column(0)
        order = np.argsort(keys, kind="stable")
        words, mapped = self.words.mapped()
        return Ordered(self.kernels, words[:, 0], mapped, self.places.column(1)[order], keys[order])


class Ordered(msgspec.Struct, frozen=True):
    """Facts put aside, in order of their keys."""

    kernels: Mapping[str, Kernel]
    words: Int64s
    mapped: mmap.mmap | None
    starts: Int64s
    keys: Int64s

    def columns(self, first: int, columns: Int64s) -> None:
        """Fill int64[FACT, n] with those whose keys are `first` and those after it, each at its
        place; places of keys that are not here stay as they are."""
        begin, end = np.searchsorted(self.keys, [first, first + columns.shape[1]]).tolist()
        starts, places = self.starts[begin:end], self.keys[begin:end] - first
        self.kernels["unpack"](self.words, starts, places, columns)
        _give_back(self.mapped)
