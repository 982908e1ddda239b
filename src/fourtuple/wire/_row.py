"""A row of numbers a frame: its columns, and how bytes are read and noted.

Rules of all kernels, so that a compiler may take these functions as they are, and the interpreter
meanwhile: no Python objects; every load meets a plain integer before anything else is done with it,
which makes it 64 bits wide for a compiler, while the interpreter is handed memoryviews, whose items
are integers already (numpy's narrow scalars would wrap, and all of them are slow to it); every
length is checked here, for a compiled index may be out of bounds unseen; one output array, a row a
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

#: how many headers of a frame are looked at: more are nonsense, and cost time
DEEPEST = 32

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
    PROTOCOL,
    FRAGMENT_START,
    FRAGMENT_LENGTH,
    TUNNEL,
    ICMP_TYPE,
    ICMP_CODE,
    ICMP_MTU,
    MULTIPATH_JOIN,
    SACK_EDGES,
) = range(37)
WIDTH = SACK_EDGES + 8

# An ICMP message has no SACK blocks: in their place stands the packet that it quotes.
(
    QUOTED_SOURCE_HIGH,
    QUOTED_SOURCE_LOW,
    QUOTED_DESTINATION_HIGH,
    QUOTED_DESTINATION_LOW,
    QUOTED_SOURCE_PORT,
    QUOTED_DESTINATION_PORT,
    QUOTED_PROTOCOL,
    QUOTED_SEQUENCE,
) = range(SACK_EDGES, WIDTH)

TOO_SHORT = 1
CUT = 2
BAD_VERSION = 4
BAD_HEADER_LENGTH = 8
LENGTH_TOO_SMALL = 16
LENGTH_BEYOND_FRAME = 32
LENGTH_BEYOND_PACKET = 64
BAD_OPTION = 128
UNKNOWN_LINK_TYPE = 256
TOO_DEEP = 512
FRAGMENT_OVERLAP = 1024
FRAGMENT_MISFIT = 2048
UNFINISHED_CHECKSUM = 4096

# What comes next: an ethertype; a protocol of IPv4 or IPv6 (numbers mean different things there);
# VXLAN; or nothing that is known.
IPV4_PROTOCOL = 0x10000
IPV6_PROTOCOL = 0x20000
VXLAN_HEADER = 0x30000
NOTHING = -1

# Kinds of header.
(
    NONE,
    ETHERNET_LAYER,
    VLAN_LAYER,
    ARP_LAYER,
    IPV4_LAYER,
    IPV6_LAYER,
    EXTENSION_LAYER,
    TCP_LAYER,
    UDP_LAYER,
    ICMP_LAYER,
    GRE_LAYER,
    VXLAN_LAYER,
) = range(12)


#: no buffer has so many bytes: a compiler that knows it makes one load of several
_FARTHEST = 1 << 48


def u8(buffer: Bytes, at: int) -> int:
    return buffer[at] + 0


def u16(buffer: Bytes, at: int) -> int:
    if not 0 <= at < _FARTHEST or at > len(buffer) - 2:
        return buffer[len(buffer)] + 0
    return _unchecked_u16(buffer, at)


def u32(buffer: Bytes, at: int) -> int:
    if not 0 <= at < _FARTHEST or at > len(buffer) - 4:
        return buffer[len(buffer)] + 0
    return _unchecked_u32(buffer, at)


def _unchecked_u16(buffer: Bytes, at: int) -> int:
    return buffer[at] * 0x100 + buffer[at + 1]


def _unchecked_u32(buffer: Bytes, at: int) -> int:
    high = buffer[at] * 0x1000000 + buffer[at + 1] * 0x10000
    return high + buffer[at + 2] * 0x100 + buffer[at + 3]


def i64(buffer: Bytes, at: int) -> int:
    """Eight bytes in two's complement."""
    high = u32(buffer, at)
    if high >= 1 << 31:
        high -= 1 << 32
    return high * 0x100000000 + u32(buffer, at + 4)


def missing_part(at: int, size: int, end: int, stop: int) -> int:
    """The problem of a header of `size` bytes that is not all there; 0 for none."""
    if at + size > stop:
        return TOO_SHORT
    return CUT if at + size > end else 0


def note_payload(row: int, kind: int, payload_at: int, end: int, stop: int, out: Table) -> None:
    """Note the kind and the payload, which goes to `stop`."""
    out[row, KIND] = kind
    out[row, PAYLOAD_START] = min(payload_at, end)
    out[row, PAYLOAD_LENGTH] = stop - payload_at


def note_ports(buffer: Bytes, row: int, at: int, out: Table) -> None:
    out[row, SOURCE_PORT] = u16(buffer, at)
    out[row, DESTINATION_PORT] = u16(buffer, at + 2)


def unfinished(buffer: Bytes, row: int, at: int, protocol: int, length: int, out: Table) -> bool:
    """Whether the two bytes of a checksum are the sum of the pseudo header alone, as a kernel
    leaves them for a network card that sums the rest (Linux: CHECKSUM_PARTIAL, tcp_v4_check). A
    finished checksum is that by chance, once in 65535."""
    total = protocol + (length >> 16) + (length & 0xFFFF)
    total += _words(out[row, SOURCE_LOW] + 0) + _words(out[row, DESTINATION_LOW] + 0)
    if out[row, FAMILY] == 6:
        total += _words(out[row, SOURCE_HIGH] + 0) + _words(out[row, DESTINATION_HIGH] + 0)
    total = (total & 0xFFFF) + (total >> 16)
    return u16(buffer, at) == (total & 0xFFFF) + (total >> 16)


def _words(eight_bytes: int) -> int:
    """The sum of the 16-bit words."""
    low = (eight_bytes & 0xFFFF) + (eight_bytes >> 16 & 0xFFFF)
    return low + (eight_bytes >> 32 & 0xFFFF) + (eight_bytes >> 48 & 0xFFFF)


def options_whole(buffer: Bytes, at: int, limit: int, last: int, single: int, extra: int) -> bool:
    """Whether options of the form kind, length, body fill the space (`tlv.Style`)."""
    while at < limit:
        kind = u8(buffer, at)
        if kind == last:
            return True
        size = 1
        if kind != single:
            size = u8(buffer, at + 1) + extra if at + 1 < limit else 0
            if size < 2 or at + size > limit:
                return False
        at += size
    return True
