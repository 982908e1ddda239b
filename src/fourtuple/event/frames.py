"""The frames of a timeline: one buffer of bytes, and an array for each thing known of a frame.

A million objects cost a second, arrays cost milliseconds: a frame becomes an object only when
somebody looks at it. Rows count from 0, frame numbers (what people and tshark see) from 1.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from fourtuple.event._kernels import CAPTURED, ORIGINAL, START
from fourtuple.event.model import Verdict

__all__ = [
    "FrameTable",
    "FrameTableBuilder",
    "Origin",
    "Vantage",
    "captured_table",
    "table_of",
]

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Vantage:
    """Where frames were seen: an interface of the recording.

    `link_type` is the LINKTYPE_ number of the capture formats (1 is Ethernet). `snap_length` is 0
    where frames were never cut.
    """

    name: str
    link_type: int = 1
    description: str = ""
    snap_length: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Where the frames of a table come from, if they are not all those of one file.

    number  int64[n]  the number (from 1) of a frame among all that were read, ascending
    file    int64[n]  index into the timeline's meta["files"]
    place   int64[n]  its number (from 1) in that file
    """

    number: Int64s
    file: Int64s
    place: Int64s


@dataclass(frozen=True, slots=True, eq=False)
class FrameTable:
    """Frames in the order of the recording; equal where the same frames were seen in the same way.

    buffer    uint8[bytes]  the captured bytes; whatever else a file held may lie between frames
    start     int64[n]      where a frame begins in `buffer`
    captured  int64[n]      how many of its bytes are there
    original  int64[n]      how many it had on the wire
    t_ns      int64[n]      when it was seen (entered the wire)
    left_ns   int64[n]      when it left the wire for its receiver; 0: never; t_ns in a capture
    vantage   int64[n]      index into the timeline's vantage points
    verdict   int64[n]      a number of `Verdict`
    origin    None where row 0 is frame 1 of the only file, row 1 frame 2 and so on
    """

    buffer: npt.NDArray[np.uint8]
    start: Int64s
    captured: Int64s
    original: Int64s
    t_ns: Int64s
    left_ns: Int64s
    vantage: Int64s
    verdict: Int64s
    origin: Origin | None = None

    def __len__(self) -> int:
        return len(self.start)

    def number(self, row: int) -> int:
        """The number of a row's frame, from 1."""
        return int(self.origin.number[row]) if self.origin else row + 1

    def row(self, number: int) -> int:
        """The row of a frame. IndexError where the table does not have it."""
        row = number - 1
        if self.origin:
            row = int(np.searchsorted(self.origin.number, number))
        if not 0 <= row < len(self) or self.number(row) != number:
            raise IndexError(f"no frame {number}: there are {len(self)}")
        return row

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FrameTable):
            return NotImplemented
        names = ("captured", "original", "t_ns", "left_ns", "vantage", "verdict")
        pairs = ((getattr(self, name), getattr(other, name)) for name in names)
        return all(np.array_equal(a, b) for a, b in pairs) and list(self) == list(other)

    def data(self, row: int) -> bytes:
        """The captured bytes of one frame."""
        begin = int(self.start[row])
        return self.buffer[begin : begin + int(self.captured[row])].tobytes()

    def __iter__(self) -> Iterator[bytes]:
        return (self.data(row) for row in range(len(self)))

    def shifted(self, offset_ns: int) -> "FrameTable":
        """The same frames on a clock that is `offset_ns` ahead."""
        left = np.where(self.left_ns == 0, 0, self.left_ns + offset_ns)
        return replace(self, t_ns=self.t_ns + offset_ns, left_ns=left)


@dataclass(slots=True)
class FrameTableBuilder:
    """Collects frames one by one; `table()` gives them as arrays."""

    _chunks: list[bytes] = field(default_factory=list)
    _rows: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)

    def add(
        self,
        data: bytes,
        t_ns: int,
        *,
        original: int | None = None,
        left_ns: int | None = None,
        vantage: int = 0,
        verdict: int = Verdict.CAPTURED,
    ) -> int:
        """Append a frame and return its number (from 1). `left_ns` None: at once, at `t_ns`."""
        self._chunks.append(data)
        whole = len(data) if original is None else original
        left = t_ns if left_ns is None else left_ns
        self._rows.append((len(data), whole, t_ns, left, vantage, verdict))
        return len(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def table(self) -> FrameTable:
        columns = np.array(self._rows, dtype=np.int64).reshape(-1, 6).T
        captured, original, t_ns, left_ns, vantage, verdict = np.ascontiguousarray(columns)
        start = np.concatenate(([0], np.cumsum(captured)))[:-1].astype(np.int64)
        buffer = np.frombuffer(b"".join(self._chunks), dtype=np.uint8)
        return FrameTable(buffer, start, captured, original, t_ns, left_ns, vantage, verdict)


def table_of(frames: Iterable[tuple[bytes, int]]) -> FrameTable:
    """A table of (bytes, t_ns) pairs: the shortest way to one, for scripts and tests."""
    builder = FrameTableBuilder()
    for data, t_ns in frames:
        builder.add(data, t_ns)
    return builder.table()


def captured_table(
    octets: npt.NDArray[np.uint8], table: Int64s, t_ns: Int64s, vantage: Int64s
) -> FrameTable:
    """The frames that a walk has noted (`event._kernels`), as a capture of another tool has them:
    each left the wire as it was seen."""
    return FrameTable(
        buffer=octets,
        start=table[START],
        captured=table[CAPTURED],
        original=table[ORIGINAL],
        t_ns=t_ns,
        left_ns=t_ns.copy(),
        vantage=vantage,
        verdict=np.full(len(t_ns), Verdict.CAPTURED, np.int64),
    )
