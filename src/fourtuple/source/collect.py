"""Chosen frames of a capture that is gone through in blocks, kept as a table of their own."""

import msgspec
import numpy as np
import numpy.typing as npt

from fourtuple.event.frames import FrameTable, Origin
from fourtuple.event.model import Verdict
from fourtuple.source.passes import FrameBlock

__all__ = ["Collected"]

Int64s = npt.NDArray[np.int64]


class Collected(msgspec.Struct):
    """Takes frames in, block by block; `table` has them with their numbers in the capture."""

    _chunks: list[bytes] = msgspec.field(default_factory=list)
    _columns: list[Int64s] = msgspec.field(default_factory=list)

    def add(self, block: FrameBlock, rows: Int64s) -> None:
        """Keep these rows of a block, which are ascending."""
        start, captured = block.start[rows], block.captured[rows]
        ends = (start + captured).tolist()
        self._chunks += [
            block.buffer[begin:end].tobytes()
            for begin, end in zip(start.tolist(), ends, strict=True)
        ]
        number = block.first_number + rows
        file = np.zeros(len(rows), np.int64) if block.file is None else block.file[rows]
        place = number if block.place is None else block.place[rows]
        columns = (captured, block.original[rows], block.t_ns[rows], block.vantage[rows])
        self._columns.append(np.stack((*columns, number, file, place)))

    def table(self) -> FrameTable:
        """The frames kept, in the order in which they were seen."""
        columns = np.concatenate([np.zeros((7, 0), np.int64), *self._columns], axis=1)
        captured, original, t_ns, vantage, number, file, place = columns
        return FrameTable(
            buffer=np.frombuffer(b"".join(self._chunks), np.uint8),
            start=np.cumsum(captured) - captured,
            captured=captured,
            original=original,
            t_ns=t_ns,
            left_ns=t_ns.copy(),
            vantage=vantage,
            verdict=np.full(len(t_ns), Verdict.CAPTURED, np.int64),
            origin=Origin(number, file, place),
        )
