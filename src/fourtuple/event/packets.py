"""The packets of a pcapng capture, as columns: all headers are read at once.

Enhanced, simple and obsolete packet blocks, in both byte orders, from any number of sections and
interfaces. Blocks come from `event.blocks`, which has checked their
lengths; numbers inside of them are checked here, and the first wrong one ends the capture. What
fourtuple itself puts into a capture is known to `event.recording`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from fourtuple.event.blocks import MAX_BLOCK, BlockWalk
from fourtuple.event.flaw import (
    FRAME_OVERRUNS,
    FRAME_TOO_LONG,
    INTERFACE_UNKNOWN,
    MAX_FRAME,
    Flaw,
)
from fourtuple.event.frames import FrameTable, Vantage
from fourtuple.event.interfaces import Interface, times
from fourtuple.event.model import Verdict
from fourtuple.event.pcapng import (
    BYTE_ORDER_MAGIC,
    CUSTOM_BLOCK,
    INTERFACE,
    OBSOLETE_PACKET,
    PACKET_TYPES,
    SECTION,
    SIMPLE_PACKET,
    options,
)

__all__ = ["OptionList", "Packets", "packets", "words"]

Bools = npt.NDArray[np.bool_]
Int64s = npt.NDArray[np.int64]
Octets = npt.NDArray[np.uint8]


def words(octets: Octets, at: Int64s, count: int, big: Bools) -> Int64s:
    """`count` 32-bit words from each offset on, in its byte order: int64[len(at), count].

    All of them must lie inside of `octets`.
    """
    if not len(at):
        return np.zeros((0, count), np.int64)
    picked = np.lib.stride_tricks.sliding_window_view(octets, 4 * count)[at]
    little = picked.view("<u4").astype(np.int64)
    return np.where(big[:, None], picked.view(">u4"), little) if big.any() else little


@dataclass(frozen=True, slots=True)
class OptionList:
    """Where the options of a block are, and their byte order as struct writes it."""

    begin: int
    end: int
    order: str


@dataclass(frozen=True, slots=True)
class Packets:
    """What a pcapng capture holds.

    `frames.t_ns` counts from 1970. A row of `option_ends` is where the options of a frame's block
    begin and end; `big` tells which are big-endian. `sections` and `customs` have an entry a
    section header and a custom block (there the options that follow its enterprise number).
    """

    buffer: bytearray
    vantages: tuple[Vantage, ...]
    frames: FrameTable
    option_ends: Int64s
    big: Bools
    sections: tuple[OptionList, ...]
    customs: tuple[OptionList, ...]
    flaw: Flaw | None

    def frame_options(self, row: int) -> OptionList:
        """Where the options of one frame's block are; nothing lies there if it has none."""
        begin, end = self.option_ends[row].tolist()
        return OptionList(begin, end, _order(self.big[row]))

    def options(self, where: OptionList) -> Iterator[tuple[int, bytes]]:
        """The (code, value) pairs of an option list."""
        return options(self.buffer, where.begin, where.end, where.order)


def packets(buffer: bytearray, walk: BlockWalk) -> Packets:
    """All packets in the blocks that `walk` has noted in `buffer`."""
    blocks = _Blocks.of(buffer, walk)
    interfaces = [
        Interface.of(buffer, where.begin, where.end, where.order)
        for where in blocks.option_lists(INTERFACE, 8)
    ]
    rows = _rows(blocks, interfaces)
    flaw = _first_flaw(rows)
    if flaw:
        rows = rows.before(flaw.offset)
    return Packets(
        buffer,
        tuple(interface.vantage for interface in interfaces),
        _frame_table(blocks.octets, rows, interfaces),
        np.stack((rows.start + (rows.captured + 3 & ~3), rows.end - 4), axis=1),
        rows.big,
        tuple(blocks.option_lists(SECTION, 24)),
        tuple(blocks.option_lists(CUSTOM_BLOCK, 12)),
        flaw or walk.flaw,
    )


def _order(big: bool | np.bool_) -> str:
    return ">" if big else "<"


@dataclass(frozen=True, slots=True)
class _Blocks:
    """The blocks as columns: where each begins and ends, its type, its byte order.

    `base` is how many interfaces the sections before its own describe, `described` how many its own
    has described before it.
    """

    octets: Octets
    offset: Int64s
    end: Int64s
    type: Int64s
    big: Bools
    base: Int64s
    described: Int64s

    @classmethod
    def of(cls, buffer: bytearray, walk: BlockWalk) -> "_Blocks":
        octets = np.frombuffer(buffer, np.uint8)
        offset, types = np.array(walk.offsets, np.int64), np.array(walk.types, np.int64)
        headers = offset[types == SECTION]
        section = np.cumsum(types == SECTION) - 1
        magic = words(octets, headers + 8, 1, np.zeros(len(headers), np.bool_))[:, 0]
        big = (magic != BYTE_ORDER_MAGIC)[section]
        described = np.cumsum(types == INTERFACE)
        base = described[types == SECTION][section]
        end = offset + (words(octets, offset, 2, big)[:, 1] + 3 & ~3)
        return cls(octets, offset, end, types, big, base, described - base)

    def option_lists(self, kind: int, head: int) -> Iterator[OptionList]:
        """What lies between the first `head` bytes and the last 4 of each block of a type."""
        chosen = self.type == kind
        begins, ends = (self.offset[chosen] + head).tolist(), (self.end[chosen] - 4).tolist()
        for begin, end, big in zip(begins, ends, self.big[chosen], strict=True):
            yield OptionList(begin, end, _order(big))


@dataclass(frozen=True, slots=True)
class _Rows:
    """The packet blocks as columns. `interface` counts from the first one of the capture; it means
    something where `described`. `room` is how many bytes of frame the block can hold.
    """

    offset: Int64s
    end: Int64s
    big: Bools
    simple: Bools
    described: Bools
    interface: Int64s
    number: Int64s
    ticks: npt.NDArray[np.uint64]
    start: Int64s
    captured: Int64s
    original: Int64s
    room: Int64s

    def before(self, offset: int) -> "_Rows":
        """The rows that begin before an offset of the buffer."""
        stop = int(np.searchsorted(self.offset, offset))
        return _Rows(*(getattr(self, column.name)[:stop] for column in fields(self)))


def _rows(blocks: _Blocks, interfaces: list[Interface]) -> _Rows:
    chosen = np.isin(blocks.type, PACKET_TYPES)
    offset, kind, big = blocks.offset[chosen], blocks.type[chosen], blocks.big[chosen]
    simple = kind == SIMPLE_PACKET
    number, high, low, captured, original = _headers(blocks.octets, offset, kind, big)
    described = number < blocks.described[chosen]
    interface = np.where(described, blocks.base[chosen] + number, 0)
    room = blocks.end[chosen] - offset - np.where(simple, 16, 32)
    # A simple packet block does not say how much was captured: all, or what the interface allows.
    snap = np.array([i.vantage.snap_length or MAX_BLOCK for i in interfaces] or [0], np.int64)
    allowed = np.minimum(np.minimum(original, room), snap[interface])
    return _Rows(
        offset=offset,
        end=blocks.end[chosen],
        big=big,
        simple=simple,
        described=described,
        interface=interface,
        number=number,
        ticks=high.astype(np.uint64) << np.uint64(32) | low.astype(np.uint64),
        start=offset + np.where(simple, 12, 28),
        captured=np.where(simple, allowed, captured),
        original=original,
        room=room,
    )


def _headers(octets: Octets, offset: Int64s, kind: Int64s, big: Bools) -> Int64s:
    """Of each packet block: interface, high and low word of its ticks, captured, original length.

    A simple packet block is of interface 0 and has no time; an obsolete one has 16 bits of
    interface number followed by 16 of drops.
    """
    found = np.zeros((5, len(offset)), np.int64)
    simple, obsolete = kind == SIMPLE_PACKET, kind == OBSOLETE_PACKET
    found[:, ~simple] = words(octets, offset[~simple] + 8, 5, big[~simple]).T
    found[4, simple] = words(octets, offset[simple] + 8, 1, big[simple])[:, 0]
    first = found[0]
    first[obsolete] = np.where(big, first >> 16, first & 0xFFFF)[obsolete]
    return found


def _first_flaw(rows: _Rows) -> Flaw | None:
    """The first packet block that cannot be what it says."""
    too_long = (rows.captured > MAX_FRAME) | (rows.captured > rows.room)
    wrong = np.flatnonzero(~rows.described | too_long)
    if not len(wrong):
        return None
    row = int(wrong[0])
    offset, length, room = int(rows.offset[row]), int(rows.captured[row]), int(rows.room[row])
    if not rows.described[row]:
        return Flaw(offset, INTERFACE_UNKNOWN, {"interface": int(rows.number[row])})
    if length > MAX_FRAME:
        return Flaw(offset, FRAME_TOO_LONG, {"length": length, "limit": MAX_FRAME})
    return Flaw(offset, FRAME_OVERRUNS, {"length": length, "room": room})


def _frame_table(octets: Octets, rows: _Rows, interfaces: list[Interface]) -> FrameTable:
    t_ns = times(rows.ticks, rows.interface, ~rows.simple, interfaces)
    captured = np.full(len(t_ns), Verdict.CAPTURED, np.int64)
    return FrameTable(
        octets,
        rows.start,
        rows.captured,
        rows.original,
        t_ns,
        t_ns.copy(),
        rows.interface,
        captured,
    )
