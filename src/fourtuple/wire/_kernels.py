"""Many frames -> rows of numbers: the hot loop, as plain functions over arrays.

`wire._row` has the columns of a row and the rules of a kernel; here are the loop over the headers
of a frame, and IP.
"""

from __future__ import annotations

from fourtuple.wire._links import (
    is_bare,
    link_layer,
    typed,
)
from fourtuple.wire._quotes import (
    icmp,
)
from fourtuple.wire._row import (
    ARP,
    ARP_LAYER,
    BAD_HEADER_LENGTH,
    BAD_OPTION,
    BAD_VERSION,
    DEEPEST,
    DESTINATION_HIGH,
    DESTINATION_LOW,
    DESTINATION_PORT,
    ETHERNET_LAYER,
    EXTENSION_LAYER,
    FAMILY,
    FAST_OPEN,
    FRAGMENT,
    FRAGMENT_LENGTH,
    FRAGMENT_OFFSET,
    FRAGMENT_START,
    GRE_LAYER,
    HOP_LIMIT,
    ICMP,
    ICMP6,
    ICMP_LAYER,
    IP_ID,
    IP_LENGTH,
    IPV4_LAYER,
    IPV4_PROTOCOL,
    IPV6_LAYER,
    IPV6_PROTOCOL,
    KIND,
    LENGTH_BEYOND_FRAME,
    LENGTH_TOO_SMALL,
    MORE_FRAGMENTS,
    MSS,
    NONE,
    NOTHING,
    PAYLOAD_LENGTH,
    PAYLOAD_START,
    PROBLEMS,
    PROTOCOL,
    SOURCE_HIGH,
    SOURCE_LOW,
    SOURCE_PORT,
    TCP_LAYER,
    TOO_DEEP,
    TOO_SHORT,
    TS_ECHO,
    TS_VALUE,
    TUNNEL,
    UDP_LAYER,
    VLAN_LAYER,
    VXLAN_HEADER,
    VXLAN_LAYER,
    WINDOW_SCALE,
    i64,
    missing_part,
    note_payload,
    options_whole,
    u8,
    u16,
    u32,
)
from fourtuple.wire._transport import (
    tcp,
    udp,
)
from fourtuple.wire._tunnels import (
    gre,
    gre_key,
    tunnel_number,
    vxlan,
    vxlan_number,
)

Bytes = memoryview
Column = memoryview
Table = memoryview


def decode_rows(
    buffer: Bytes,
    start: Column,
    captured: Column,
    original: Column,
    link: Column,
    out: Table,
) -> int:
    """Decode every frame: see `columns.Columns` for what a row means; `out` comes in as zeros. How
    many are fragments, ICMP messages or have a problem: mostly none, and nobody need look."""
    odd = 0
    for row in range(len(start)):
        for column in (MSS, WINDOW_SCALE, TS_VALUE, TS_ECHO, FAST_OPEN):
            out[row, column] = -1
        at = min(max(0, start[row]), len(buffer))
        end = min(at + max(0, captured[row]), len(buffer))
        stop = max(end, at + original[row])
        _decode(buffer, row, at, end, stop, link[row] + 0, out)
        icmp_message = out[row, KIND] == ICMP or out[row, KIND] == ICMP6
        if icmp_message or out[row, FRAGMENT_START] != 0 or out[row, PROBLEMS] != 0:
            odd += 1
    return odd


def _decode(buffer: Bytes, row: int, at: int, end: int, stop: int, link: int, out: Table) -> None:
    """Header after header. The row tells of the innermost IP packet that is sound, of a fragment
    nothing that is inside of a tunnel; `tunnel` is the one that the present header is in."""
    at, following = link_layer(buffer, row, at, end, stop, link, out)
    depth = 0 if is_bare(link) else 1
    partial, tunnel = 0, 0
    while True:
        layer = _layer(following)
        in_ip = IPV4_PROTOCOL <= following < VXLAN_HEADER
        nested = in_ip and layer in (IPV4_LAYER, IPV6_LAYER, GRE_LAYER)
        if layer == NONE or (nested and partial == 1):
            return
        if depth == DEEPEST:
            out[row, PROBLEMS] |= TOO_DEEP
            return
        depth += 1
        if layer in (IPV4_LAYER, IPV6_LAYER):
            if in_ip:
                tunnel = tunnel_number(row, 4, 0, out)
            if layer == IPV4_LAYER:
                at, stop, following = _ipv4(buffer, row, at, end, stop, tunnel, out)
            else:
                at, stop, following = _ipv6(buffer, row, at, end, stop, tunnel, out)
            partial = out[row, MORE_FRAGMENTS] + 0
        elif layer == TCP_LAYER:
            tcp(buffer, row, at, end, stop, out)
            return
        elif layer == UDP_LAYER:
            at, stop, following = udp(buffer, row, at, end, stop, partial == 1, out)
        elif layer == ETHERNET_LAYER:
            at, following = typed(buffer, row, at, 14, 12, end, stop, out)
        elif layer == VLAN_LAYER:
            at, following = typed(buffer, row, at, 4, 2, end, stop, out)
        elif layer == EXTENSION_LAYER:
            protocol = following & 0xFF
            before = at
            at, following = _extension(buffer, row, at, following, end, stop, out)
            if protocol == 43 and following != NOTHING and u8(buffer, before + 3) > 0:
                partial = 1
            partial |= out[row, MORE_FRAGMENTS] + 0
        elif layer == GRE_LAYER:
            tunnel = tunnel_number(row, 47, gre_key(buffer, at, min(end, stop)), out)
            at, following = gre(buffer, row, at, end, stop, out)
        elif layer == VXLAN_LAYER:
            tunnel = tunnel_number(row, 17, vxlan_number(buffer, at, min(end, stop)), out)
            at, following = vxlan(buffer, row, at, end, stop, out)
        elif layer == ICMP_LAYER:
            icmp(buffer, row, at, end, stop, out)
            return
        else:
            if out[row, FAMILY] == 0:
                out[row, KIND] = ARP
            return


def _layer(following: int) -> int:
    """The kind of the header that comes next."""
    if following < IPV4_PROTOCOL:
        if following == 0x0800:
            return IPV4_LAYER
        if following == 0x86DD:
            return IPV6_LAYER
        if following == 0x0806:
            return ARP_LAYER
        if following in (0x8100, 0x88A8, 0x9100):
            return VLAN_LAYER
        return ETHERNET_LAYER if following == 0x6558 else NONE
    if following == VXLAN_HEADER:
        return VXLAN_LAYER
    protocol, six = following & 0xFF, following >= IPV6_PROTOCOL
    if protocol == 6:
        return TCP_LAYER
    if protocol == 17:
        return UDP_LAYER
    if protocol == (58 if six else 1):
        return ICMP_LAYER
    if protocol == 51 or (six and protocol in (0, 43, 44, 60)):
        return EXTENSION_LAYER
    if protocol == 47:
        return GRE_LAYER
    if protocol == 4:
        return IPV4_LAYER
    return IPV6_LAYER if protocol == 41 else NONE


def _ipv4(
    buffer: Bytes, row: int, at: int, end: int, stop: int, tunnel: int, out: Table
) -> tuple[int, int, int]:
    """Where the header and the packet end, and what is inside."""
    if min(end, stop) - at < 20:
        out[row, PROBLEMS] |= missing_part(at, _ipv4_size(buffer, at, min(end, stop)), end, stop)
        return at, stop, NOTHING
    size = _ipv4_size(buffer, at, end)
    total = u16(buffer, at + 2)
    extent = total if total else stop - at
    problems = missing_part(at, size, end, stop)
    if u8(buffer, at) >> 4 != 4:
        problems |= BAD_VERSION
    if u8(buffer, at) & 15 < 5:
        problems |= BAD_HEADER_LENGTH
    if extent < size:
        problems |= LENGTH_TOO_SMALL
    if extent > stop - at:
        problems |= LENGTH_BEYOND_FRAME
    if at + size <= min(end, stop) and not options_whole(buffer, at + 20, at + size, 0, 1, 0):
        problems |= BAD_OPTION
    out[row, PROBLEMS] |= problems
    if problems & (TOO_SHORT | BAD_VERSION | BAD_HEADER_LENGTH | LENGTH_TOO_SMALL):
        return at, stop, NOTHING
    place, protocol = u16(buffer, at + 6), u8(buffer, at + 9)
    _enter(row, tunnel, out)
    out[row, FAMILY] = 4
    out[row, PROTOCOL] = protocol
    out[row, IP_LENGTH] = extent
    out[row, IP_ID] = u16(buffer, at + 4)
    out[row, FRAGMENT_OFFSET] = place & 0x1FFF
    out[row, MORE_FRAGMENTS] = place >> 13 & 1
    out[row, HOP_LIMIT] = u8(buffer, at + 8)
    out[row, SOURCE_LOW] = u32(buffer, at + 12)
    out[row, DESTINATION_LOW] = u32(buffer, at + 16)
    if place & 0x3FFF:
        _fragment(row, at + size, end, at + extent, out)
    if place & 0x1FFF:
        return at, stop, NOTHING
    return at + size, at + extent, IPV4_PROTOCOL + protocol


def _ipv4_size(buffer: Bytes, at: int, limit: int) -> int:
    return max((u8(buffer, at) & 15) * 4, 20) if at < limit else 20


def _ipv6(
    buffer: Bytes, row: int, at: int, end: int, stop: int, tunnel: int, out: Table
) -> tuple[int, int, int]:
    """Where the header and the packet end, and what is inside."""
    missing = missing_part(at, 40, end, stop)
    if missing:
        out[row, PROBLEMS] |= missing
        return at, stop, NOTHING
    declared = u16(buffer, at + 4)
    extent = declared + 40 if declared else stop - at
    if extent > stop - at:
        out[row, PROBLEMS] |= LENGTH_BEYOND_FRAME
    if u8(buffer, at) >> 4 != 6:
        out[row, PROBLEMS] |= BAD_VERSION
        return at, stop, NOTHING
    _enter(row, tunnel, out)
    out[row, FAMILY] = 6
    out[row, PROTOCOL] = u8(buffer, at + 6)
    out[row, IP_LENGTH] = extent
    out[row, HOP_LIMIT] = u8(buffer, at + 7)
    out[row, SOURCE_HIGH] = i64(buffer, at + 8)
    out[row, SOURCE_LOW] = i64(buffer, at + 16)
    out[row, DESTINATION_HIGH] = i64(buffer, at + 24)
    out[row, DESTINATION_LOW] = i64(buffer, at + 32)
    return at + 40, at + extent, IPV6_PROTOCOL + u8(buffer, at + 6)


def _enter(row: int, tunnel: int, out: Table) -> None:
    """A sound IP header: what was noted of one around it goes."""
    if out[row, FAMILY] == 0:
        return
    out[row, KIND] = 0
    out[row, IP_ID] = 0
    out[row, FRAGMENT_OFFSET] = 0
    out[row, MORE_FRAGMENTS] = 0
    out[row, FRAGMENT_START] = 0
    out[row, FRAGMENT_LENGTH] = 0
    out[row, SOURCE_HIGH] = 0
    out[row, DESTINATION_HIGH] = 0
    out[row, SOURCE_PORT] = 0
    out[row, DESTINATION_PORT] = 0
    out[row, PAYLOAD_START] = 0
    out[row, PAYLOAD_LENGTH] = 0
    out[row, TUNNEL] = tunnel


def _fragment(row: int, at: int, end: int, stop: int, out: Table) -> None:
    """A packet that is a part of one: its share goes from `at` to `stop`."""
    out[row, FRAGMENT_START] = min(at, end)
    out[row, FRAGMENT_LENGTH] = stop - at
    note_payload(row, FRAGMENT, at, end, stop, out)


def _extension(
    buffer: Bytes, row: int, at: int, following: int, end: int, stop: int, out: Table
) -> tuple[int, int]:
    """Where an extension header (RFC 8200, section 4; RFC 4302) ends, and what follows it."""
    protocol, family = following & 0xFF, following - (following & 0xFF)
    limit = min(end, stop)
    units = u8(buffer, at + 1) if at + 2 <= limit else 0
    fixed, size = 2, units * 8 + 8
    if protocol == 43:
        fixed = 4
    elif protocol == 44:
        fixed, size = 8, 8
    elif protocol == 51:
        fixed, size = 12, max(units * 4 + 8, 12)
    out[row, PROBLEMS] |= missing_part(at, size, end, stop)
    if at + fixed > limit or at + size > stop:
        return at, NOTHING
    if protocol == 51 and units == 0:
        out[row, PROBLEMS] |= BAD_HEADER_LENGTH
        return at, NOTHING
    has_options = protocol == 0 or protocol == 60
    if has_options and at + size <= end and not options_whole(buffer, at + 2, at + size, -1, 0, 2):
        out[row, PROBLEMS] |= BAD_OPTION
    if protocol == 44 or out[row, MORE_FRAGMENTS] == 0:
        out[row, PROTOCOL] = u8(buffer, at)
    if protocol == 44:
        place = u16(buffer, at + 2)
        out[row, FRAGMENT_OFFSET] = place >> 3
        out[row, MORE_FRAGMENTS] |= place & 1
        out[row, IP_ID] = u32(buffer, at + 4)
        if place & 0xFFF9:
            _fragment(row, at + size, end, stop, out)
        if place >> 3:
            return at, NOTHING
    return at + size, family + u8(buffer, at)
