"""Many frames -> rows of numbers: the hot loop, as plain functions over arrays.

Rules, so that a compiler may take these functions as they are, and the interpreter meanwhile: no
Python objects; every load meets a plain integer before anything else is done with it, which makes
it 64 bits wide for a compiler, while the interpreter is handed memoryviews, whose items are
integers already (numpy's narrow scalars would wrap, and all of them are slow to it); every length
is checked here, for a compiled index may be out of bounds unseen; one output array, a row a
frame, with the columns named below.

`out` comes in as zeros. Positions are indices into `buffer`. In all functions `at` is where a
header begins, `end` where the captured bytes end, and `stop` where the layer around it ends on
the wire: before `end` if there is a trailer, after it if the frame was cut.

The views of this package say the same, slowly; the rules of each protocol stand there.
"""

from __future__ import annotations

Bytes = memoryview  # uint8[bytes]
Column = memoryview  # int64[n]
Table = memoryview  # int64[n, WIDTH]

OTHER, TCP, UDP, ICMP, ICMP6, ARP, FRAGMENT = range(7)

(
    KIND,
    FAMILY,
    SOURCE_HIGH,
    SOURCE_LOW,
    DESTINATION_HIGH,
    DESTINATION_LOW,
    SOURCE_PORT,
    DESTINATION_PORT,
    IP_LENGTH,
    IP_ID,
    HOP_LIMIT,
    FRAGMENT_OFFSET,
    MORE_FRAGMENTS,
    SEQUENCE,
    ACKNOWLEDGMENT,
    FLAGS,
    WINDOW,
    URGENT_POINTER,
    PAYLOAD_LENGTH,
    PAYLOAD_START,
    MSS,
    WINDOW_SCALE,
    SACK_PERMITTED,
    TS_VALUE,
    TS_ECHO,
    FAST_OPEN,
    SACK_COUNT,
    PROBLEMS,
    SACK_EDGES,
) = range(29)
WIDTH = SACK_EDGES + 8

TOO_SHORT = 1
CUT = 2
BAD_VERSION = 4
BAD_HEADER_LENGTH = 8
LENGTH_TOO_SMALL = 16
LENGTH_BEYOND_FRAME = 32
LENGTH_BEYOND_PACKET = 64
BAD_OPTION = 128
UNKNOWN_LINK_TYPE = 256


def decode_rows(
    buffer: Bytes,
    start: Column,
    captured: Column,
    original: Column,
    link: Column,
    out: Table,
) -> None:
    """Decode every frame: see `columns.Columns` for what a row means."""
    for row in range(len(start)):
        for column in (MSS, WINDOW_SCALE, TS_VALUE, TS_ECHO, FAST_OPEN):
            out[row, column] = -1
        at = min(max(0, start[row]), len(buffer))
        end = min(at + max(0, captured[row]), len(buffer))
        stop = max(end, at + original[row])
        at, ethertype = _link(buffer, row, at, end, stop, link[row], out)
        if ethertype == 0x0806:
            out[row, KIND] = ARP
        elif ethertype == 0x0800:
            _ipv4(buffer, row, at, end, stop, out)
        elif ethertype == 0x86DD:
            _ipv6(buffer, row, at, end, stop, out)


def _u8(buffer: Bytes, at: int) -> int:
    return buffer[at] + 0


def _u16(buffer: Bytes, at: int) -> int:
    return buffer[at] * 0x100 + buffer[at + 1]


def _u32(buffer: Bytes, at: int) -> int:
    high = buffer[at] * 0x1000000 + buffer[at + 1] * 0x10000
    return high + buffer[at + 2] * 0x100 + buffer[at + 3]


def _i64(buffer: Bytes, at: int) -> int:
    """Eight bytes in two's complement."""
    high = _u32(buffer, at)
    if high >= 1 << 31:
        high -= 1 << 32
    return high * 0x100000000 + _u32(buffer, at + 4)


def _missing(at: int, size: int, end: int, stop: int) -> int:
    """The problem of a header of `size` bytes that is not all there; 0 for none."""
    if at + size > stop:
        return TOO_SHORT
    return CUT if at + size > end else 0


def _link(
    buffer: Bytes, row: int, at: int, end: int, stop: int, link: int, out: Table
) -> tuple[int, int]:
    """Where the header after the link layer begins, and its ethertype; -1 where unknown."""
    size, type_at = 0, 0
    if link == 1:
        size, type_at = 14, 12
    elif link == 113:
        size, type_at = 16, 14
    elif link == 276:
        size, type_at = 20, 0
    elif link == 0 or link == 108:
        size = 4
    elif link == 101:
        return at, 0x86DD if at < end and _u8(buffer, at) >> 4 == 6 else 0x0800
    elif link == 228:
        return at, 0x0800
    elif link == 229:
        return at, 0x86DD
    else:
        out[row, PROBLEMS] |= UNKNOWN_LINK_TYPE
        return at, -1
    missing = _missing(at, size, end, stop)
    if missing:
        out[row, PROBLEMS] |= missing
        return at, -1
    if size == 4:
        return at + 4, _ethertype_of_family(_u32(buffer, at), link == 0)
    return _vlan(buffer, row, at + size, _u16(buffer, at + type_at), end, stop, out)


def _ethertype_of_family(family: int, either_order: bool) -> int:
    if either_order and family > 0xFFFF:
        swapped = (family & 0xFF) << 24 | (family & 0xFF00) << 8
        family = swapped | family >> 8 & 0xFF00 | family >> 24
    if family == 2:
        return 0x0800
    if family == 10 or family == 24 or family == 28 or family == 30:
        return 0x86DD
    return -1


def _vlan(
    buffer: Bytes, row: int, at: int, ethertype: int, end: int, stop: int, out: Table
) -> tuple[int, int]:
    """What comes after any VLAN tags."""
    while ethertype == 0x8100 or ethertype == 0x88A8:
        missing = _missing(at, 4, end, stop)
        if missing:
            out[row, PROBLEMS] |= missing
            return at, -1
        ethertype = _u16(buffer, at + 2)
        at += 4
    return at, ethertype


def _ipv4(buffer: Bytes, row: int, at: int, end: int, stop: int, out: Table) -> None:
    if min(end, stop) - at < 20:
        out[row, PROBLEMS] |= _missing(at, _ipv4_size(buffer, at, min(end, stop)), end, stop)
        return
    size = _ipv4_size(buffer, at, end)
    total = _u16(buffer, at + 2)
    extent = total if total else stop - at
    problems = _missing(at, size, end, stop)
    if _u8(buffer, at) >> 4 != 4:
        problems |= BAD_VERSION
    if _u8(buffer, at) & 15 < 5:
        problems |= BAD_HEADER_LENGTH
    if extent < size:
        problems |= LENGTH_TOO_SMALL
    if extent > stop - at:
        problems |= LENGTH_BEYOND_FRAME
    if at + size <= min(end, stop) and not _options_whole(buffer, at + 20, at + size, 0, 1, 0):
        problems |= BAD_OPTION
    out[row, PROBLEMS] |= problems
    if problems & (TOO_SHORT | BAD_VERSION | BAD_HEADER_LENGTH | LENGTH_TOO_SMALL):
        return
    place = _u16(buffer, at + 6)
    out[row, FAMILY] = 4
    out[row, IP_LENGTH] = extent
    out[row, IP_ID] = _u16(buffer, at + 4)
    out[row, FRAGMENT_OFFSET] = place & 0x1FFF
    out[row, MORE_FRAGMENTS] = place >> 13 & 1
    out[row, HOP_LIMIT] = _u8(buffer, at + 8)
    out[row, SOURCE_LOW] = _u32(buffer, at + 12)
    out[row, DESTINATION_LOW] = _u32(buffer, at + 16)
    _after_ip(buffer, row, at + size, _u8(buffer, at + 9), end, at + extent, out)


def _ipv4_size(buffer: Bytes, at: int, limit: int) -> int:
    return max((_u8(buffer, at) & 15) * 4, 20) if at < limit else 20


def _options_whole(buffer: Bytes, at: int, limit: int, last: int, single: int, extra: int) -> bool:
    """Whether options of the form kind, length, body fill the space (`tlv.Style`)."""
    while at < limit:
        kind = _u8(buffer, at)
        if kind == last:
            return True
        size = 1
        if kind != single:
            size = _u8(buffer, at + 1) + extra if at + 1 < limit else 0
            if size < 2 or at + size > limit:
                return False
        at += size
    return True


def _ipv6(buffer: Bytes, row: int, at: int, end: int, stop: int, out: Table) -> None:
    missing = _missing(at, 40, end, stop)
    if missing:
        out[row, PROBLEMS] |= missing
        return
    declared = _u16(buffer, at + 4)
    extent = declared + 40 if declared else stop - at
    if extent > stop - at:
        out[row, PROBLEMS] |= LENGTH_BEYOND_FRAME
    if _u8(buffer, at) >> 4 != 6:
        out[row, PROBLEMS] |= BAD_VERSION
        return
    out[row, FAMILY] = 6
    out[row, IP_LENGTH] = extent
    out[row, HOP_LIMIT] = _u8(buffer, at + 7)
    out[row, SOURCE_HIGH] = _i64(buffer, at + 8)
    out[row, SOURCE_LOW] = _i64(buffer, at + 16)
    out[row, DESTINATION_HIGH] = _i64(buffer, at + 24)
    out[row, DESTINATION_LOW] = _i64(buffer, at + 32)
    _after_ip(buffer, row, at + 40, _u8(buffer, at + 6), end, at + extent, out)


def _after_ip(
    buffer: Bytes, row: int, at: int, protocol: int, end: int, stop: int, out: Table
) -> None:
    """Extension headers, then the transport header; a later fragment has neither."""
    six = out[row, FAMILY] == 6
    under_way = False
    while out[row, FRAGMENT_OFFSET] == 0 and _is_extension(protocol, six):
        size = _extension(buffer, row, at, protocol, end, stop, out)
        if size == 0:
            return
        if protocol == 43 and _u8(buffer, at + 3) > 0:
            under_way = True
        protocol = _u8(buffer, at)
        at += size
    if out[row, FRAGMENT_OFFSET] > 0:
        _found(row, FRAGMENT, at, end, stop, out)
    elif protocol == 6:
        _tcp(buffer, row, at, end, stop, out)
    elif protocol == 17:
        partial = under_way or out[row, MORE_FRAGMENTS] == 1
        _udp(buffer, row, at, end, stop, partial, out)
    elif protocol == 1 and not six:
        out[row, KIND] = ICMP
    elif protocol == 58 and six:
        out[row, KIND] = ICMP6


def _is_extension(protocol: int, six: bool) -> bool:
    if protocol == 51:
        return True
    return six and (protocol == 0 or protocol == 43 or protocol == 44 or protocol == 60)


def _extension(
    buffer: Bytes, row: int, at: int, protocol: int, end: int, stop: int, out: Table
) -> int:
    """The size of an extension header (RFC 8200, section 4; RFC 4302); 0 where what follows it
    cannot be found."""
    limit = min(end, stop)
    units = _u8(buffer, at + 1) if at + 2 <= limit else 0
    fixed, size = 2, units * 8 + 8
    if protocol == 43:
        fixed = 4
    elif protocol == 44:
        fixed, size = 8, 8
    elif protocol == 51:
        fixed, size = 12, max(units * 4 + 8, 12)
    out[row, PROBLEMS] |= _missing(at, size, end, stop)
    if at + fixed > limit or at + size > stop:
        return 0
    if protocol == 51 and units == 0:
        out[row, PROBLEMS] |= BAD_HEADER_LENGTH
        return 0
    if protocol == 44:
        out[row, FRAGMENT_OFFSET] = _u16(buffer, at + 2) >> 3
        out[row, MORE_FRAGMENTS] |= _u16(buffer, at + 2) & 1
        out[row, IP_ID] = _u32(buffer, at + 4)
    has_options = protocol == 0 or protocol == 60
    if has_options and at + size <= end and not _options_whole(buffer, at + 2, at + size, -1, 0, 2):
        out[row, PROBLEMS] |= BAD_OPTION
    return size


def _found(row: int, kind: int, payload_at: int, end: int, stop: int, out: Table) -> None:
    """Note the kind and the payload, which goes to `stop`."""
    out[row, KIND] = kind
    out[row, PAYLOAD_START] = min(payload_at, end)
    out[row, PAYLOAD_LENGTH] = stop - payload_at


def _udp(buffer: Bytes, row: int, at: int, end: int, stop: int, partial: bool, out: Table) -> None:
    missing = _missing(at, 8, end, stop)
    if missing:
        out[row, PROBLEMS] |= missing
        return
    declared = _u16(buffer, at + 4)
    if declared > 0 and declared < 8:
        out[row, PROBLEMS] |= LENGTH_TOO_SMALL
        return
    if declared > stop - at and not partial:
        out[row, PROBLEMS] |= LENGTH_BEYOND_PACKET
    _ports(buffer, row, at, out)
    last = min(at + declared, stop) if declared else stop
    _found(row, UDP, at + 8, end, last, out)


def _ports(buffer: Bytes, row: int, at: int, out: Table) -> None:
    out[row, SOURCE_PORT] = _u16(buffer, at)
    out[row, DESTINATION_PORT] = _u16(buffer, at + 2)


def _tcp(buffer: Bytes, row: int, at: int, end: int, stop: int, out: Table) -> None:
    limit = min(end, stop)
    size = max((_u8(buffer, at + 12) >> 4) * 4, 20) if at + 13 <= limit else 20
    out[row, PROBLEMS] |= _missing(at, size, end, stop)
    if at + 20 > limit:
        return
    if _u8(buffer, at + 12) >> 4 < 5:
        out[row, PROBLEMS] |= BAD_HEADER_LENGTH
        return
    if at + size > stop:
        return
    _ports(buffer, row, at, out)
    out[row, SEQUENCE] = _u32(buffer, at + 4)
    out[row, ACKNOWLEDGMENT] = _u32(buffer, at + 8)
    out[row, FLAGS] = _u16(buffer, at + 12) & 0x1FF
    out[row, WINDOW] = _u16(buffer, at + 14)
    out[row, URGENT_POINTER] = _u16(buffer, at + 18)
    _found(row, TCP, at + size, end, stop, out)
    legal = _tcp_options(buffer, row, at + 20, min(at + size, limit), out)
    if not legal and at + size <= limit:
        out[row, PROBLEMS] |= BAD_OPTION


def _tcp_options(buffer: Bytes, row: int, at: int, limit: int, out: Table) -> bool:
    """Note the options; whether all are legal. Of several of a kind the last one counts."""
    legal = True
    while at < limit:
        kind = _u8(buffer, at)
        if kind == 0:
            break
        size = 1
        if kind != 1:
            size = _u8(buffer, at + 1) if at + 1 < limit else 0
            if size < 2 or at + size > limit:
                return False
            if not _tcp_option(buffer, row, kind, at + 2, size - 2, out):
                legal = False
        at += size
    return legal


def _tcp_option(buffer: Bytes, row: int, kind: int, at: int, size: int, out: Table) -> bool:
    """Note an option with a body of `size` bytes; whether its RFC allows it so."""
    if kind == 2 and size == 2:
        out[row, MSS] = _u16(buffer, at)
    elif kind == 3 and size == 1:
        out[row, WINDOW_SCALE] = min(_u8(buffer, at), 14)
        return _u8(buffer, at) <= 14
    elif kind == 4 and size == 0:
        out[row, SACK_PERMITTED] = 1
    elif kind == 5 and (size == 8 or size == 16 or size == 24 or size == 32):
        out[row, SACK_COUNT] = size // 8
        for edge in range(8):
            there = edge * 4 < size
            out[row, SACK_EDGES + edge] = _u32(buffer, at + edge * 4) if there else 0
    elif kind == 8 and size == 8:
        out[row, TS_VALUE] = _u32(buffer, at)
        out[row, TS_ECHO] = _u32(buffer, at + 4)
    elif kind == 34 and (size == 0 or (4 <= size <= 16 and size % 2 == 0)):
        out[row, FAST_OPEN] = size
    else:
        return not (2 <= kind <= 5 or kind == 8 or kind == 34)
    return True
