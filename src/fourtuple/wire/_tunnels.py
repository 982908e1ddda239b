"""Kernels of tunnels: GRE, VXLAN, and a number for the tunnel that a packet is in."""

from __future__ import annotations

from fourtuple.wire._row import (
    DESTINATION_HIGH,
    DESTINATION_LOW,
    NOTHING,
    PROBLEMS,
    SOURCE_HIGH,
    SOURCE_LOW,
    TUNNEL,
    missing_part,
    u8,
    u16,
    u32,
)

Bytes = memoryview
Table = memoryview


def tunnel_number(row: int, kind: int, key: int, out: Table) -> int:
    """A number for the tunnel between the addresses noted, the same in both directions: of the one
    that it is in itself, its kind and key, and both addresses. Other tunnels have other numbers,
    but for a chance of one in 2^62.
    """
    high, low = out[row, SOURCE_HIGH] + 0, out[row, SOURCE_LOW] + 0
    other_high, other_low = out[row, DESTINATION_HIGH] + 0, out[row, DESTINATION_LOW] + 0
    if (high, low) > (other_high, other_low):
        high, low, other_high, other_low = other_high, other_low, high, low
    outer = out[row, TUNNEL] + 0
    first, second = kind * 1, key % 2147483629
    for half in (outer, key, high, low, other_high, other_low):
        for word in (half >> 32 & 0xFFFFFFFF, half & 0xFFFFFFFF):
            # two remainders, so that no product exceeds 64 bits
            first = (first * 1103515245 + word) % 2147483647
            second = (second * 1664525007 + word) % 2147483629
    return first * 0x80000000 + second + 1


def _gre_size(buffer: Bytes, at: int, limit: int) -> int:
    """Bytes of a GRE header by its flags (RFC 2784, RFC 2890)."""
    flags = u8(buffer, at) if at < limit else 0
    return 4 + (4 if flags & 0xC0 else 0) + (flags >> 5 & 1) * 4 + (flags >> 4 & 1) * 4


def gre_key(buffer: Bytes, at: int, limit: int) -> int:
    """A number for the key of a GRE header: 0 where it has none."""
    size = _gre_size(buffer, at, limit)
    if at + size > limit or not u8(buffer, at) & 0x20:
        return 0
    return u32(buffer, at + (8 if u8(buffer, at) & 0xC0 else 4)) + 1


def gre(buffer: Bytes, row: int, at: int, end: int, stop: int, out: Table) -> tuple[int, int]:
    size = _gre_size(buffer, at, min(end, stop))
    missing = missing_part(at, size, end, stop)
    out[row, PROBLEMS] |= missing
    # Version 1 is PPTP's, a source route has a length of its own; neither is looked into.
    if missing or u8(buffer, at + 1) & 7 or u8(buffer, at) & 0x40:
        return at, NOTHING
    return at + size, u16(buffer, at + 2)


def vxlan_number(buffer: Bytes, at: int, limit: int) -> int:
    return u32(buffer, at + 4) >> 8 if at + 8 <= limit else 0


def vxlan(buffer: Bytes, row: int, at: int, end: int, stop: int, out: Table) -> tuple[int, int]:
    """VXLAN (RFC 7348): an Ethernet frame inside, where the flag says that the number is valid."""
    missing = missing_part(at, 8, end, stop)
    out[row, PROBLEMS] |= missing
    if missing or not u8(buffer, at) & 8:
        return at, NOTHING
    return at + 8, 0x6558
