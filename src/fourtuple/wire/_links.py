"""Kernels of the link layer: where the header after it begins, and what that is."""

from __future__ import annotations

from fourtuple.wire._row import (
    NOTHING,
    PROBLEMS,
    UNKNOWN_LINK_TYPE,
    missing_part,
    u8,
    u16,
    u32,
)

Bytes = memoryview
Table = memoryview


def is_bare(link: int) -> bool:
    """Whether frames of a link type begin with the IP header."""
    return link in (12, 14, 101, 228, 229)


def link_layer(
    buffer: Bytes, row: int, at: int, end: int, stop: int, link: int, out: Table
) -> tuple[int, int]:
    """Where the header after the link layer begins, and what it is."""
    if link == 1:
        return typed(buffer, row, at, 14, 12, end, stop, out)
    if link == 113:
        return typed(buffer, row, at, 16, 14, end, stop, out)
    if link == 276:
        return typed(buffer, row, at, 20, 0, end, stop, out)
    if link == 104:
        return typed(buffer, row, at, 4, 2, end, stop, out)
    if link in (9, 50):
        return _ppp(buffer, row, at, end, stop, out)
    if link == 228:
        return at, 0x0800
    if link == 229:
        return at, 0x86DD
    if is_bare(link):
        return at, 0x86DD if at < end and u8(buffer, at) >> 4 == 6 else 0x0800
    if link not in (0, 108):
        out[row, PROBLEMS] |= UNKNOWN_LINK_TYPE
        return at, NOTHING
    missing = missing_part(at, 4, end, stop)
    if missing:
        out[row, PROBLEMS] |= missing
        return at, NOTHING
    return at + 4, _ethertype_of_family(u32(buffer, at), link == 0)


def typed(
    buffer: Bytes, row: int, at: int, size: int, type_at: int, end: int, stop: int, out: Table
) -> tuple[int, int]:
    """A header of `size` bytes, an ethertype among them: where it ends, and that type."""
    missing = missing_part(at, size, end, stop)
    if missing:
        out[row, PROBLEMS] |= missing
        return at, NOTHING
    return at + size, u16(buffer, at + type_at)


def _ppp(buffer: Bytes, row: int, at: int, end: int, stop: int, out: Table) -> tuple[int, int]:
    """PPP with or without HDLC's address and control, or Cisco's HDLC in its place."""
    limit = min(end, stop)
    first = u8(buffer, at) if at < limit else 0
    if first in (0x0F, 0x8F):
        return typed(buffer, row, at, 4, 2, end, stop, out)
    head = 2 if first == 0xFF else 0
    short = at + head < limit and u8(buffer, at + head) & 1 == 1
    size = head + (1 if short else 2)
    missing = missing_part(at, size, end, stop)
    if missing:
        out[row, PROBLEMS] |= missing
        return at, NOTHING
    protocol = u8(buffer, at + head) if short else u16(buffer, at + head)
    if protocol == 0x21:
        return at + size, 0x0800
    return at + size, 0x86DD if protocol == 0x57 else NOTHING


def _ethertype_of_family(family: int, either_order: bool) -> int:
    if either_order and family > 0xFFFF:
        swapped = (family & 0xFF) << 24 | (family & 0xFF00) << 8
        family = swapped | family >> 8 & 0xFF00 | family >> 24
    if family == 2:
        return 0x0800
    if family == 10 or family == 24 or family == 28 or family == 30:
        return 0x86DD
    return NOTHING
