"""Which frames of a capture belong to chosen connections: what a second pass keeps.

A frame is told by its four-tuple and by when the connection lived; so frames of another life on the
same four-tuple may come along. Blocks in which no chosen connection lived are not even decoded.
"""

from collections import Counter

import msgspec
import numpy as np
import numpy.typing as npt

from fourtuple.analyze.survey.table import ConnectionTable, among, marks, quoted, tuple_marks
from fourtuple.compiled import Kernel
from fourtuple.source.passes import FrameBlock
from fourtuple.wire import _row as wire

__all__ = ["LONGEST", "Picking", "picked", "same_tuple"]

Int64s = npt.NDArray[np.int64]

#: how many frames of one connection are kept, and how many of them from its beginning
LONGEST, _HEAD = 20_000, 4_000
_MARK, _QUOTE, _FIRST, _LAST, _SIZE, _INDEX, _VANTAGE, _REUSED = range(8)


def picked(table: ConnectionTable, chosen: npt.NDArray[np.bool_]) -> Int64s:
    """What `Picking` needs of the chosen connections of a table."""
    columns = (
        tuple_marks(table).view(np.int64),
        table.quotable().view(np.int64),
        table["first_frame"],
        table["last_frame"],
        table["client_packets"] + table["server_packets"],
        table["index"],
        table["vantage"],
        table["reused_ports"],
    )
    return np.stack(columns, axis=1)[chosen]


def same_tuple(table: ConnectionTable, chosen: Int64s) -> npt.NDArray[np.bool_]:
    """Which connections of a table share a four-tuple with one of `chosen`."""
    return among(tuple_marks(table).view(np.int64), chosen[:, _MARK])


class Picking(msgspec.Struct):
    """Finds the frames of the connections in `chosen` (what `picked` gave), block by block; and
    the ICMP errors about them, which may come long after, where the survey `heard` of any."""

    chosen: Int64s
    heard: bool = False
    _met: Counter[int] = msgspec.field(default_factory=Counter)

    @property
    def size(self) -> int:
        """How many frames are kept, if no other life comes along."""
        return int(self.chosen[:, _SIZE].clip(max=LONGEST).sum())

    @property
    def last(self) -> int:
        """The number of the last frame of interest."""
        return int(self.chosen[:, _LAST].max())

    @property
    def index(self) -> dict[int, int]:
        """First frame -> index of the connection."""
        return dict(self.chosen[:, (_FIRST, _INDEX)].tolist())

    @property
    def shortened(self) -> frozenset[int]:
        """The connections of which not all frames are kept."""
        return frozenset(self.chosen[self.chosen[:, _SIZE] > LONGEST, _INDEX].tolist())

    @property
    def reused(self) -> frozenset[int]:
        """The first frames of those that use a four-tuple once more."""
        return frozenset(self.chosen[self.chosen[:, _REUSED] > 0, _FIRST].tolist())

    def rows(self, block: FrameBlock, decode: Kernel) -> Int64s:
        """Which rows of a block to keep."""
        begin, end = block.first_number, block.first_number + len(block)
        alive = (self.chosen[:, _FIRST] < end) & (self.chosen[:, _LAST] >= begin)
        if not alive.any() and not self.heard:
            return np.zeros(0, np.int64)
        table = np.zeros((len(block), wire.WIDTH), np.int64)
        frames = (block.start, block.captured, block.original, block.link_type)
        decode(block.buffer, *frames, table)
        return self._kept(block, table, self.chosen[alive])

    def _kept(self, block: FrameBlock, table: Int64s, alive: Int64s) -> Int64s:
        found = _marks(table)
        fragments = table[:, wire.FRAGMENT_START] > 0
        errors, about = quoted(table)
        told = errors[among(about.view(np.int64), self.chosen[:, _QUOTE])]
        candidates = np.flatnonzero(among(found, alive[:, _MARK]) | fragments)
        lives: dict[int, list[tuple[int, ...]]] = {}
        for life in alive.tolist():
            lives.setdefault(life[_MARK], []).append(tuple(life))
        keep = np.zeros(len(table), np.bool_)
        keep[told] = True
        for row in candidates.tolist():
            keep[row] |= fragments[row] or self._keeps(lives[int(found[row])], block, row)
        return np.flatnonzero(keep)

    def _keeps(self, lives: list[tuple[int, ...]], block: FrameBlock, row: int) -> bool:
        number, vantage = block.first_number + row, int(block.vantage[row])
        for life in lives:
            if life[_FIRST] <= number <= life[_LAST] and life[_VANTAGE] == vantage:
                self._met[life[_INDEX]] += 1
                met, size = self._met[life[_INDEX]], life[_SIZE]
                if met <= _HEAD or met > size - (LONGEST - _HEAD):
                    return True
        return False


def _marks(table: Int64s) -> Int64s:
    """The four-tuple's mark of each decoded frame; 0 where it is neither TCP nor UDP."""
    kind = table[:, wire.KIND]
    protocol = np.where(kind == wire.TCP, 6, np.where(kind == wire.UDP, 17, 0))
    source = (wire.SOURCE_HIGH, wire.SOURCE_LOW, wire.SOURCE_PORT)
    destination = (wire.DESTINATION_HIGH, wire.DESTINATION_LOW, wire.DESTINATION_PORT)
    ends = [[table[:, column] for column in end] for end in (source, destination)]
    found = marks(ends[0], ends[1], protocol, table[:, wire.FAMILY], table[:, wire.TUNNEL])
    return np.where(protocol > 0, found.view(np.int64), 0)
