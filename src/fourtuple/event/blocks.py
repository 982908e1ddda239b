"""The walk over a pcapng capture: which blocks hold frames, and what the others say of them.

Any writer's file is walked: both byte orders, several sections, any number of interfaces, block
types nobody knows. No bytes raise an exception: what is wrong becomes a `Flaw`, and what comes
before it is good. Frames are found by `event._kernels`; here are the blocks that are not many.
"""

import struct
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from fourtuple.event._kernels import (
    AT,
    CUSTOM_BLOCK,
    DUE,
    ENHANCED_BLOCK,
    FOUND,
    FULL,
    HIGH,
    INTERFACE,
    LENGTHS_DIFFER,
    LOW,
    MAX_BLOCK,
    MAX_FRAME,
    MORE,
    OBSOLETE_BLOCK,
    OVERRUNS,
    ROW,
    SECTION_BLOCK,
    SIMPLE_BLOCK,
    TIMED,
    TOLD,
    TOO_LONG,
    UNDESCRIBED,
    WRONG_LENGTH,
)
from fourtuple.event.attachment import SIGNATURE
from fourtuple.event.flaw import (
    BLOCK_CUT,
    BLOCK_LENGTH,
    BLOCK_LENGTHS_DIFFER,
    BYTE_ORDER_UNKNOWN,
    FRAME_CUT,
    FRAME_OVERRUNS,
    FRAME_TOO_LONG,
    INTERFACE_UNKNOWN,
    INTERFACES_TOO_MANY,
    VERSION_UNKNOWN,
    Flaw,
)
from fourtuple.event.frames import Vantage
from fourtuple.event.interfaces import Interface, times
from fourtuple.event.pcapng import (
    BYTE_ORDER_MAGIC,
    SECTION_APPLICATION,
    OptionList,
    options,
)
from fourtuple.event.walk import PLAIN, Kernels, Window, new_state

__all__ = ["MAX_INTERFACES", "BlockWalk"]

#: The most interfaces of a capture: more are nonsense, and memory that never comes back.
MAX_INTERFACES = 65_536

_SECTION_BYTES = SECTION_BLOCK.to_bytes(4, "big")
_SECTION_HEAD, _INTERFACE_HEAD, _CUSTOM_HEAD, _TAIL = 24, 8, 12, 4
_SHORTEST_SECTION = 28
_PACKETS = (ENHANCED_BLOCK, OBSOLETE_BLOCK, SIMPLE_BLOCK)
_TEXTS = {
    WRONG_LENGTH: BLOCK_LENGTH,
    LENGTHS_DIFFER: BLOCK_LENGTHS_DIFFER,
    UNDESCRIBED: INTERFACE_UNKNOWN,
    TOO_LONG: FRAME_TOO_LONG,
    OVERRUNS: FRAME_OVERRUNS,
}

Int64s = npt.NDArray[np.int64]


@dataclass(slots=True)
class BlockWalk:
    """A walk over pcapng blocks (see `event.walk.Walk`).

    `order` is that of the section, as struct writes it; its interfaces begin at `base`.
    `section_options` and `custom_options` (those behind the enterprise number) tell where in the
    window such options lie: noted only with `keep`, for a window that forgets nothing. `ours` where
    a section says that fourtuple wrote it.
    """

    kernels: Kernels = field(default_factory=lambda: PLAIN, repr=False)
    keep: bool = False
    order: str = "<"
    base: int = 0
    flaw: Flaw | None = None
    interfaces: list[Interface] = field(default_factory=list)
    section_options: list[OptionList] = field(default_factory=list)
    custom_options: list[OptionList] = field(default_factory=list)
    latest_ns: int = 0
    ours: bool = False

    @property
    def vantages(self) -> list[Vantage]:
        return [interface.vantage for interface in self.interfaces]

    def step(self, window: Window, table: Int64s) -> int:
        state = new_state(window)
        outcome = TOLD
        while self.flaw is None and outcome == TOLD:
            first = int(state[ROW])
            outcome = self._walk(window, state, table)
            table[INTERFACE, first : state[ROW]] += self.base
            window.position = int(state[AT])
            if outcome == TOLD:
                outcome = self._read(window)
                state[AT] = window.position
            if outcome not in (MORE, FULL, TOLD):
                self.flaw = _flaw(outcome, window.offset, int(state[FOUND]), int(state[DUE]))
        return int(state[ROW])

    def _walk(self, window: Window, state: Int64s, table: Int64s) -> int:
        own = self.interfaces[self.base : self.base + 1]
        snap = own[0].vantage.snap_length if own else 0
        described = len(self.interfaces) - self.base
        big = int(self.order == ">")
        walk = self.kernels["walk_pcapng"]
        given = (window.octets, window.filled, big, described, snap, state, table)
        return walk(*given, table.shape[1])

    def _read(self, window: Window) -> int:
        """Take in a block that is no packet: TOLD where that went well, MORE where it is cut."""
        if window.begins(_SECTION_BYTES):
            return self._read_section(window)
        at = window.position
        kind, length = struct.unpack_from(self.order + "II", window.buffer, at)
        following = at + (length + 3 & ~3)
        if kind == CUSTOM_BLOCK:
            self._keep(self.custom_options, at + _CUSTOM_HEAD, following)
        elif len(self.interfaces) == MAX_INTERFACES:
            self.flaw = Flaw(window.offset, INTERFACES_TOO_MANY, {"limit": MAX_INTERFACES})
            return MORE
        else:
            begin, end = at + _INTERFACE_HEAD, following - _TAIL
            self.interfaces.append(Interface.of(window.buffer, begin, end, self.order))
        window.position = following
        return TOLD

    def _read_section(self, window: Window) -> int:
        at, there = window.position, window.filled - window.position
        if there < _SHORTEST_SECTION:
            return MORE
        order, self.flaw = _section_order(window)
        (length,) = struct.unpack_from(order + "I", window.buffer, at + 4)
        if self.flaw is None and not _SHORTEST_SECTION <= length <= MAX_BLOCK:
            self.flaw = _flaw(WRONG_LENGTH, window.offset, length, _SHORTEST_SECTION)
        following = at + (length + 3 & ~3)
        if self.flaw or following > window.filled:
            return MORE
        (repeated,) = struct.unpack_from(order + "I", window.buffer, following - _TAIL)
        if repeated != length:
            self.flaw = _flaw(LENGTHS_DIFFER, window.offset, length, repeated)
            return MORE
        self.order, self.base = order, len(self.interfaces)
        self._keep(self.section_options, at + _SECTION_HEAD, following)
        self.ours |= _written_by_us(window, at + _SECTION_HEAD, following - _TAIL, order)
        window.position = following
        return TOLD

    def _keep(self, lists: list[OptionList], begin: int, following: int) -> None:
        if self.keep:
            lists.append(OptionList(begin, following - _TAIL, self.order))

    def finish(self, window: Window) -> None:
        if self.flaw is None and window.position < window.filled:
            begun = window.buffer[window.position : window.filled][:4]
            order: Literal["little", "big"] = "little" if self.order == "<" else "big"
            in_frame = len(begun) == 4 and int.from_bytes(begun, order) in _PACKETS
            self.flaw = Flaw(window.offset, FRAME_CUT if in_frame else BLOCK_CUT)

    def times(self, table: Int64s) -> Int64s:
        ticks = table[HIGH].astype(np.uint64) << np.uint64(32) | table[LOW].astype(np.uint64)
        timed = table[TIMED] != 0
        found = times(ticks, table[INTERFACE], timed, self.interfaces, self.latest_ns)
        self.latest_ns = int(found[-1]) if len(found) else self.latest_ns
        return found


def _section_order(window: Window) -> tuple[str, Flaw | None]:
    """The byte order of the section that the window stands at, as struct writes it."""
    for order in "<>":
        magic, major, _ = struct.unpack_from(order + "IHH", window.buffer, window.position + 8)
        if magic == BYTE_ORDER_MAGIC:
            known = major == 1
            flaw = None if known else Flaw(window.offset, VERSION_UNKNOWN, {"version": major})
            return order, flaw
    return "<", Flaw(window.offset, BYTE_ORDER_UNKNOWN)


def _written_by_us(window: Window, begin: int, end: int, order: str) -> bool:
    return any(
        code == SECTION_APPLICATION and value.startswith(SIGNATURE)
        for code, value in options(window.buffer, begin, end, order)
    )


def _flaw(outcome: int, offset: int, found: int, due: int) -> Flaw:
    """What stopped the kernel, with the numbers that it told."""
    numbers = {
        WRONG_LENGTH: {"length": found, "least": due, "limit": MAX_BLOCK},
        LENGTHS_DIFFER: {"length": found, "other": due},
        UNDESCRIBED: {"interface": found},
        TOO_LONG: {"length": found, "limit": MAX_FRAME},
        OVERRUNS: {"length": found, "room": due},
    }
    return Flaw(offset, _TEXTS[outcome], numbers[outcome])
