"""Where the blocks of a pcapng capture are.

`BlockWalk` notes where every whole block begins, while the buffer may still grow. Any writer's
file is walked: both byte orders, several sections, block types nobody knows. No bytes raise an
exception: what is wrong becomes a `Flaw`, and what comes before it is good. What is in the blocks
is read by `event.packets`.
"""

import struct
from array import array
from dataclasses import dataclass, field
from typing import Literal

from fourtuple.event.flaw import (
    BLOCK_CUT,
    BLOCK_LENGTH,
    BLOCK_LENGTHS_DIFFER,
    BYTE_ORDER_UNKNOWN,
    FRAME_CUT,
    VERSION_UNKNOWN,
    Flaw,
)
from fourtuple.event.pcapng import (
    BYTE_ORDER_MAGIC,
    ENHANCED_PACKET,
    INTERFACE,
    OBSOLETE_PACKET,
    PACKET_TYPES,
    SECTION,
    SIMPLE_PACKET,
)

__all__ = ["MAX_BLOCK", "BlockWalk"]

#: The longest block, in bytes. A longer one is a corrupt length.
MAX_BLOCK = 256 * 1024 * 1024

_SHORTEST_OF_ANY = 12
_SHORTEST = {
    SECTION: 28,
    INTERFACE: 20,
    OBSOLETE_PACKET: 32,
    SIMPLE_PACKET: 16,
    ENHANCED_PACKET: 32,
}
_SECTION_BYTES = SECTION.to_bytes(4, "big")


@dataclass(slots=True)
class BlockWalk:
    """Notes where blocks begin, in a buffer that grows.

    `step` goes on as far as the buffer reaches; `finish` is told that it grows no more. `position`
    is where the first block begins that is not whole yet; from a `flaw` on nothing is noted.
    """

    position: int = 0
    order: str = "<"
    flaw: Flaw | None = None
    offsets: "array[int]" = field(default_factory=lambda: array("q"))
    types: "array[int]" = field(default_factory=lambda: array("q"))

    def step(self, buffer: bytearray) -> None:
        while self.flaw is None:
            begin = self.position
            if buffer.startswith(_SECTION_BYTES, begin):
                if len(buffer) - begin < _SHORTEST[SECTION]:
                    return
                self.order, self.flaw = _section_order(buffer, begin)
            if self.flaw is None:
                self.position, self.flaw = _walk(
                    buffer, begin, self.order, self.offsets, self.types
                )
            if self.position == begin:
                return

    def finish(self, buffer: bytearray) -> None:
        if self.flaw is None and self.position < len(buffer):
            begun = buffer[self.position : self.position + 4]
            order: Literal["little", "big"] = "little" if self.order == "<" else "big"
            kind = int.from_bytes(begun, order)
            in_frame = len(begun) == 4 and kind in PACKET_TYPES
            self.flaw = Flaw(self.position, FRAME_CUT if in_frame else BLOCK_CUT)


def _section_order(buffer: bytearray, begin: int) -> tuple[str, Flaw | None]:
    """The byte order of the section whose header begins there, as struct writes it."""
    for order in "<>":
        magic, major, _minor = struct.unpack_from(order + "IHH", buffer, begin + 8)
        if magic == BYTE_ORDER_MAGIC:
            known = major == 1
            return order, None if known else Flaw(begin, VERSION_UNKNOWN, {"version": major})
    return "<", Flaw(begin, BYTE_ORDER_UNKNOWN)


def _walk(
    buffer: bytearray, begin: int, order: str, offsets: "array[int]", types: "array[int]"
) -> tuple[int, Flaw | None]:
    """Note the whole blocks from `begin` to the next section header; where that ended, and why."""
    head, tail = struct.Struct(order + "II"), struct.Struct(order + "I")
    position, end = begin, len(buffer)
    while end - position >= _SHORTEST_OF_ANY:
        kind, length = head.unpack_from(buffer, position)
        if kind == SECTION and position != begin:
            break
        least = _SHORTEST.get(kind, _SHORTEST_OF_ANY)
        if not least <= length <= MAX_BLOCK:
            limits = {"length": length, "least": least, "limit": MAX_BLOCK}
            return position, Flaw(position, BLOCK_LENGTH, limits)
        # The format wants multiples of 4; some writers leave the last padding out of the count.
        following = position + ((length + 3) & ~3)
        if following > end:
            break
        (repeated,) = tail.unpack_from(buffer, following - 4)
        if repeated != length:
            lengths = {"length": length, "other": repeated}
            return position, Flaw(position, BLOCK_LENGTHS_DIFFER, lengths)
        offsets.append(position)
        types.append(kind)
        position = following
    return position, None
