"""Kernels of TCP and UDP."""

from __future__ import annotations

from fourtuple.wire._row import (
    ACKNOWLEDGMENT,
    BAD_HEADER_LENGTH,
    BAD_OPTION,
    FAST_OPEN,
    FLAGS,
    LENGTH_BEYOND_PACKET,
    LENGTH_TOO_SMALL,
    MORE_FRAGMENTS,
    MSS,
    MULTIPATH_JOIN,
    NOTHING,
    PAYLOAD_LENGTH,
    PROBLEMS,
    SACK_COUNT,
    SACK_EDGES,
    SACK_PERMITTED,
    SEQUENCE,
    TCP,
    TS_ECHO,
    TS_VALUE,
    UDP,
    UNFINISHED_CHECKSUM,
    URGENT_POINTER,
    VXLAN_HEADER,
    WINDOW,
    WINDOW_SCALE,
    missing_part,
    note_payload,
    note_ports,
    u8,
    u16,
    u32,
    unfinished,
)

Bytes = memoryview
Table = memoryview


def udp(
    buffer: Bytes, row: int, at: int, end: int, stop: int, partial: bool, out: Table
) -> tuple[int, int, int]:
    """Where the header and the datagram end, and what is inside."""
    missing = missing_part(at, 8, end, stop)
    if missing:
        out[row, PROBLEMS] |= missing
        return at, stop, NOTHING
    declared = u16(buffer, at + 4)
    if declared > 0 and declared < 8:
        out[row, PROBLEMS] |= LENGTH_TOO_SMALL
        return at, stop, NOTHING
    if declared > stop - at and not partial:
        out[row, PROBLEMS] |= LENGTH_BEYOND_PACKET
    note_ports(buffer, row, at, out)
    last = min(at + declared, stop) if declared else stop
    note_payload(row, UDP, at + 8, end, last, out)
    if declared and not partial and unfinished(buffer, row, at + 6, 17, declared, out):
        out[row, PROBLEMS] |= UNFINISHED_CHECKSUM
    if out[row, MORE_FRAGMENTS] == 1 and declared > 0:
        # The first fragment tells how long the whole datagram is.
        out[row, PAYLOAD_LENGTH] = declared - 8
    tunneled = not partial and u16(buffer, at + 2) == 4789
    return at + 8, last, VXLAN_HEADER if tunneled else NOTHING


def tcp(buffer: Bytes, row: int, at: int, end: int, stop: int, out: Table) -> None:
    """A segment; of one in fragments, the first does not tell how long it is."""
    if out[row, MORE_FRAGMENTS] == 1:
        return
    limit = min(end, stop)
    size = max((u8(buffer, at + 12) >> 4) * 4, 20) if at + 13 <= limit else 20
    out[row, PROBLEMS] |= missing_part(at, size, end, stop)
    if at + 20 > limit:
        return
    if u8(buffer, at + 12) >> 4 < 5:
        out[row, PROBLEMS] |= BAD_HEADER_LENGTH
        return
    if at + size > stop:
        return
    note_ports(buffer, row, at, out)
    out[row, SEQUENCE] = u32(buffer, at + 4)
    out[row, ACKNOWLEDGMENT] = u32(buffer, at + 8)
    out[row, FLAGS] = u16(buffer, at + 12) & 0x1FF
    out[row, WINDOW] = u16(buffer, at + 14)
    out[row, URGENT_POINTER] = u16(buffer, at + 18)
    note_payload(row, TCP, at + size, end, stop, out)
    if unfinished(buffer, row, at + 16, 6, stop - at, out):
        out[row, PROBLEMS] |= UNFINISHED_CHECKSUM
    legal = _tcp_options(buffer, row, at + 20, min(at + size, limit), out)
    if not legal and at + size <= limit:
        out[row, PROBLEMS] |= BAD_OPTION


def _tcp_options(buffer: Bytes, row: int, at: int, limit: int, out: Table) -> bool:
    """Note the options; whether all are legal. Of several of a kind the last one counts."""
    legal = True
    while at < limit:
        kind = u8(buffer, at)
        if kind == 0:
            break
        size = 1
        if kind != 1:
            size = u8(buffer, at + 1) if at + 1 < limit else 0
            if size < 2 or at + size > limit:
                return False
            if not _tcp_option(buffer, row, kind, at + 2, size - 2, out):
                legal = False
        at += size
    return legal


def _tcp_option(buffer: Bytes, row: int, kind: int, at: int, size: int, out: Table) -> bool:
    """Note an option with a body of `size` bytes; whether its RFC allows it so."""
    if kind == 2 and size == 2:
        out[row, MSS] = u16(buffer, at)
    elif kind == 3 and size == 1:
        out[row, WINDOW_SCALE] = min(u8(buffer, at), 14)
        return u8(buffer, at) <= 14
    elif kind == 4 and size == 0:
        out[row, SACK_PERMITTED] = 1
    elif kind == 5 and (size == 8 or size == 16 or size == 24 or size == 32):
        out[row, SACK_COUNT] = size // 8
        for edge in range(8):
            there = edge * 4 < size
            out[row, SACK_EDGES + edge] = u32(buffer, at + edge * 4) if there else 0
    elif kind == 8 and size == 8:
        out[row, TS_VALUE] = u32(buffer, at)
        out[row, TS_ECHO] = u32(buffer, at + 4)
    elif kind == 34 and (size == 0 or (4 <= size <= 16 and size % 2 == 0)):
        out[row, FAST_OPEN] = size
    elif kind == 30 and size > 0 and u8(buffer, at) >> 4 == 1:
        out[row, MULTIPATH_JOIN] = 1
    else:
        return not (2 <= kind <= 5 or kind == 8 or kind == 34)
    return True
