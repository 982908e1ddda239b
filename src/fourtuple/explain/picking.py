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
_MARK, _QUOTE, _FIRST, _LAST, _SIZE, _INDEX, _VANTAGE, _REUSED, _PORTS = range(9)
_PORT_SUMS = 2 * 65_536


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
        table["client_port"] + table["server_port"],
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
    _table: Int64s = msgspec.field(default_factory=lambda: np.zeros((0, wire.WIDTH), np.int64))

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
        table = self._room(len(block))
        frames = (block.start, block.captured, block.original, block.link_type)
        keep = np.zeros(len(block), np.bool_)
        if decode(block.buffer, *frames, table):
            keep |= table[:, wire.FRAGMENT_START] > 0
            errors, about = quoted(table)
            keep[errors[among(about.view(np.int64), self.chosen[:, _QUOTE])]] = True
        keep[self._of_lives(block, table, self.chosen[alive])] = True
        return np.flatnonzero(keep)

    def _room(self, frames: int) -> Int64s:
        """A table for as many frames, of zeros: one serves all blocks, for fresh memory is slow."""
        if len(self._table) < frames:
            self._table = np.zeros((frames, wire.WIDTH), np.int64)
        table = self._table[:frames]
        table[:] = 0
        return table

    def _of_lives(self, block: FrameBlock, table: Int64s, alive: Int64s) -> list[int]:
        candidates = _with_ports(table, alive[:, _PORTS])
        found = _marks(table[candidates])
        mine = among(found, alive[:, _MARK])
        lives: dict[int, list[tuple[int, ...]]] = {}
        for life in alive.tolist():
            lives.setdefault(life[_MARK], []).append(tuple(life))
        pairs = zip(candidates[mine].tolist(), found[mine].tolist(), strict=True)
        return [row for row, mark in pairs if self._keeps(lives[mark], block, row)]

    def _keeps(self, lives: list[tuple[int, ...]], block: FrameBlock, row: int) -> bool:
        number, vantage = block.first_number + row, int(block.vantage[row])
        for life in lives:
            if life[_FIRST] <= number <= life[_LAST] and life[_VANTAGE] == vantage:
                self._met[life[_INDEX]] += 1
                met, size = self._met[life[_INDEX]], life[_SIZE]
                if met <= _HEAD or met > size - (LONGEST - _HEAD):
                    return True
        return False


def _with_ports(table: Int64s, sums: Int64s) -> Int64s:
    """The rows of decoded frames whose ports add up to one of these: few, and found fast."""
    wanted = np.zeros(_PORT_SUMS, np.bool_)
    wanted[sums] = True
    return np.flatnonzero(wanted[table[:, wire.SOURCE_PORT] + table[:, wire.DESTINATION_PORT]])


def _marks(table: Int64s) -> Int64s:
    """The four-tuple's mark of each decoded frame; 0 where it is neither TCP nor UDP."""
    kind = table[:, wire.KIND]
    protocol = np.where(kind == wire.TCP, 6, np.where(kind == wire.UDP, 17, 0))
    source = (wire.SOURCE_HIGH, wire.SOURCE_LOW, wire.SOURCE_PORT)
    destination = (wire.DESTINATION_HIGH, wire.DESTINATION_LOW, wire.DESTINATION_PORT)
    ends = [[table[:, column] for column in end] for end in (source, destination)]
    found = marks(ends[0], ends[1], protocol, table[:, wire.FAMILY], table[:, wire.TUNNEL])
    return np.where(protocol > 0, found.view(np.int64), 0)
