"""Kernels of ICMP: the message, and the four-tuple of the packet that an error quotes."""

from __future__ import annotations

from fourtuple.wire._row import (
    DEEPEST,
    FAMILY,
    ICMP,
    ICMP6,
    ICMP_CODE,
    ICMP_MTU,
    ICMP_TYPE,
    KIND,
    PAYLOAD_LENGTH,
    PAYLOAD_START,
    QUOTED_DESTINATION_HIGH,
    QUOTED_DESTINATION_LOW,
    QUOTED_DESTINATION_PORT,
    QUOTED_PROTOCOL,
    QUOTED_SEQUENCE,
    QUOTED_SOURCE_HIGH,
    QUOTED_SOURCE_LOW,
    QUOTED_SOURCE_PORT,
    i64,
    u8,
    u16,
    u32,
)

Bytes = memoryview
Table = memoryview


def icmp(buffer: Bytes, row: int, at: int, end: int, stop: int, out: Table) -> None:
    """The message, and the four-tuple of what it quotes."""
    six = out[row, FAMILY] == 6
    out[row, KIND] = ICMP6 if six else ICMP
    out[row, PAYLOAD_START] = 0
    out[row, PAYLOAD_LENGTH] = 0
    limit = min(end, stop)
    if at + 8 > limit:
        return
    kind, code = u8(buffer, at), u8(buffer, at + 1)
    out[row, ICMP_TYPE] = kind
    out[row, ICMP_CODE] = code
    if six:
        if kind == 2:
            out[row, ICMP_MTU] = u32(buffer, at + 4)
        if 1 <= kind <= 4:
            _quoted6(buffer, row, at + 8, limit, out)
    else:
        if kind == 3 and code == 4:
            out[row, ICMP_MTU] = u16(buffer, at + 6)
        # RFC 4884: how many words are quoted
        words = u8(buffer, at + 5) if kind in (3, 11, 12) else 0
        if words:
            limit = min(limit, at + 8 + words * 4)
        if kind in (3, 4, 5, 11, 12):
            _quoted4(buffer, row, at + 8, limit, out)


def _quoted4(buffer: Bytes, row: int, at: int, limit: int, out: Table) -> None:
    if at + 20 > limit or u8(buffer, at) >> 4 != 4 or u8(buffer, at) & 15 < 5:
        return
    out[row, QUOTED_SOURCE_LOW] = u32(buffer, at + 12)
    out[row, QUOTED_DESTINATION_LOW] = u32(buffer, at + 16)
    out[row, QUOTED_PROTOCOL] = u8(buffer, at + 9)
    first = u16(buffer, at + 6) & 0x1FFF == 0
    _quoted_ports(buffer, row, at + (u8(buffer, at) & 15) * 4, first, limit, out)


def _quoted6(buffer: Bytes, row: int, at: int, limit: int, out: Table) -> None:
    if at + 40 > limit or u8(buffer, at) >> 4 != 6:
        return
    out[row, QUOTED_SOURCE_HIGH] = i64(buffer, at + 8)
    out[row, QUOTED_SOURCE_LOW] = i64(buffer, at + 16)
    out[row, QUOTED_DESTINATION_HIGH] = i64(buffer, at + 24)
    out[row, QUOTED_DESTINATION_LOW] = i64(buffer, at + 32)
    protocol, first, steps = u8(buffer, at + 6), True, 0
    at += 40
    while protocol in (0, 43, 44, 60) and at + 8 <= limit and first and steps < DEEPEST:
        size = 8 if protocol == 44 else u8(buffer, at + 1) * 8 + 8
        first = protocol != 44 or u16(buffer, at + 2) >> 3 == 0
        protocol = u8(buffer, at)
        at += size
        steps += 1
    out[row, QUOTED_PROTOCOL] = protocol
    _quoted_ports(buffer, row, at, first, limit, out)


def _quoted_ports(buffer: Bytes, row: int, at: int, first: bool, limit: int, out: Table) -> None:
    """The ports, and of TCP the sequence number: the first eight bytes, if that much is quoted."""
    protocol = out[row, QUOTED_PROTOCOL]
    out[row, QUOTED_SEQUENCE] = -1
    if not first or protocol not in (6, 17) or at + 4 > limit:
        return
    out[row, QUOTED_SOURCE_PORT] = u16(buffer, at)
    out[row, QUOTED_DESTINATION_PORT] = u16(buffer, at + 2)
    if protocol == 6 and at + 8 <= limit:
        out[row, QUOTED_SEQUENCE] = u32(buffer, at + 4)
