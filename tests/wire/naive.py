"""The slow twin of the column kernels: a row made of views."""

from typing import Any

from fourtuple.wire import (
    ExtensionView,
    FastOpen,
    GreView,
    Icmp6View,
    IcmpView,
    Ipv4View,
    Ipv6FragmentView,
    Ipv6View,
    MaximumSegmentSize,
    Packet,
    Sack,
    SackPermitted,
    TcpView,
    Timestamps,
    UdpView,
    View,
    VxlanView,
    WindowScale,
    ip_bytes,
)
from fourtuple.wire.arp import ArpView
from fourtuple.wire.checksum import checksum, pseudo_header
from fourtuple.wire.columns import (
    ARP,
    FRAGMENT,
    ICMP,
    ICMP6,
    OTHER,
    PROBLEM_NAMES,
    TCP,
    UDP,
    Columns,
)

__all__ = ["naive"]

Row = dict[str, Any]
Ip = Ipv4View | Ipv6View


def naive(packet: Packet) -> Row:
    """The row of a frame, by column."""
    row: Row = dict.fromkeys(Columns.__struct_fields__, 0)
    row |= dict.fromkeys(("mss", "window_scale", "ts_value", "ts_echo", "fast_open"), -1)
    row |= {"sack_edges": [0] * 8, "kind": OTHER}
    ip = packet.ip
    if ip is not None and ip.sound:
        row |= _of_ip(ip) | _fragment(packet, ip) | {"protocol": _protocol(packet, ip)}
        row |= {"tunnel": _tunnel(packet)}
        row |= _inside(packet, row)
    elif packet.arp:
        row["kind"] = ARP
    row["problems"] = _problems(packet, row["more_fragments"] == 1)
    if _unfinished(packet, row):
        row["problems"] |= 1 << PROBLEM_NAMES.index("unfinished-checksum")
    return row


def _unfinished(packet: Packet, row: Row) -> bool:
    """Whether the checksum sums the pseudo header alone."""
    ip, view = packet.ip, packet.tcp or packet.udp
    if ip is None or view is None or row["kind"] not in (TCP, UDP) or row["more_fragments"]:
        return False
    length = view.declared_length if isinstance(view, UdpView) else view.extent
    protocol = 17 if isinstance(view, UdpView) else 6
    pseudo = pseudo_header(ip_bytes(ip.source), ip_bytes(ip.destination), protocol, length)
    return length > 0 and view.checksum == 0xFFFF - checksum(pseudo)


def _problems(packet: Packet, partial: bool) -> int:
    # what the columns do not look into
    kinds: tuple[type[View], ...] = (ArpView, IcmpView, Icmp6View)
    kinds += (TcpView,) if partial else ()
    codes = {
        code for view in packet.layers if not isinstance(view, kinds) for code in view.problems()
    }
    codes |= {code for code in packet.problems() if code in ("unknown-link-type", "too-deep")}
    return sum(1 << PROBLEM_NAMES.index(code) for code in codes - {"bad-checksum"})


def _halves(text: str) -> tuple[int, int]:
    data = ip_bytes(text).rjust(16, b"\0")
    return int.from_bytes(data[:8], "big", signed=True), int.from_bytes(
        data[8:], "big", signed=True
    )


def _of_ip(ip: Ip) -> Row:
    row: Row = {"family": ip.family, "ip_length": ip.extent}
    row["source_high"], row["source_low"] = _halves(ip.source)
    row["destination_high"], row["destination_low"] = _halves(ip.destination)
    if isinstance(ip, Ipv6View):
        return row | {"hop_limit": ip.hop_limit}
    return row | {
        "hop_limit": ip.ttl,
        "ip_id": ip.identification,
        "fragment_offset": ip.fragment_offset,
        "more_fragments": int(ip.more_fragments),
    }


def _extensions(packet: Packet, ip: Ip) -> list[ExtensionView]:
    return [v for v in packet.layers if isinstance(v, ExtensionView) and v.offset > ip.offset]


def _fragment(packet: Packet, ip: Ip) -> Row:
    """What a fragment's header says, and where its share is."""
    found = [
        view
        for view in _extensions(packet, ip)
        if isinstance(view, Ipv6FragmentView) and view.sound
    ]
    row: Row = {}
    if found:
        row["ip_id"] = found[-1].identification
        row["fragment_offset"] = found[-1].fragment_offset
        row["more_fragments"] = max(view.more_fragments for view in found)
    for view in (ip, *found):
        if isinstance(view, Ipv4View | Ipv6FragmentView) and (
            view.fragment_offset or view.more_fragments
        ):
            share = _payload(view)
            row |= {"kind": FRAGMENT, "fragment_start": share["payload_start"]}
            row |= {"fragment_length": share["payload_length"]} | share
    return row


def _protocol(packet: Packet, ip: Ip) -> int:
    number = ip.protocol if isinstance(ip, Ipv4View) else ip.next_header
    partial = isinstance(ip, Ipv4View) and ip.more_fragments
    for view in _extensions(packet, ip):
        fragment = isinstance(view, Ipv6FragmentView)
        number = view.next_protocol if view.sound and (fragment or not partial) else number
        partial |= isinstance(view, Ipv6FragmentView) and view.sound and bool(view.more_fragments)
    return number


def _inside(packet: Packet, row: Row) -> Row:
    """What the IP packet carries, and of a fragment what its beginning tells."""
    first = row["more_fragments"] == 1
    if row["fragment_offset"]:
        return {}
    if packet.icmp:
        return _icmp(packet, packet.icmp)
    if packet.udp and packet.udp.sound:
        found = {"kind": UDP} | _ports(packet.udp) | _payload(packet.udp)
        if first and packet.udp.declared_length:
            found["payload_length"] = packet.udp.declared_length - 8
        return found
    return _tcp(packet.tcp) if packet.tcp and packet.tcp.sound and not first else {}


def _ports(view: object) -> Row:
    return {name: getattr(view, name) for name in ("source_port", "destination_port")}


def _payload(view: View) -> Row:
    start = min(view.offset + view.header_length, len(view.data))
    return {"payload_length": view.payload_length, "payload_start": start}


def _tcp(tcp: TcpView) -> Row:
    names = ("sequence", "acknowledgment", "flags", "window", "urgent_pointer")
    row = {"kind": TCP} | _ports(tcp) | _payload(tcp)
    row |= {name: getattr(tcp, name) for name in names}
    if size := tcp.option(MaximumSegmentSize):
        row["mss"] = size.size
    if scale := tcp.option(WindowScale):
        row["window_scale"] = scale.shift
    if times := tcp.option(Timestamps):
        row |= {"ts_value": times.value, "ts_echo": times.echo}
    if cookie := tcp.option(FastOpen):
        row["fast_open"] = len(cookie.cookie)
    if sack := tcp.option(Sack):
        edges = [edge for block in sack.blocks for edge in block]
        row |= {"sack_count": len(sack.blocks), "sack_edges": edges + [0] * (8 - len(edges))}
    return row | {"sack_permitted": int(tcp.option(SackPermitted) is not None)}


def _icmp(packet: Packet, icmp: IcmpView | Icmp6View) -> Row:
    row: Row = {"kind": ICMP if isinstance(icmp, IcmpView) else ICMP6}
    row |= {"payload_start": 0, "payload_length": 0}
    if not icmp.readable:
        return row
    row |= {"icmp_type": icmp.type, "icmp_code": icmp.code, "icmp_mtu": icmp.next_hop_mtu}
    return row | ({"sack_edges": _quote(packet.quoted)} if packet.quoted else {})


def _quote(quoted: Packet) -> list[int]:
    ip = quoted.layers[0]
    assert isinstance(ip, Ipv4View | Ipv6View)
    if not ip.readable or ip.version != ip.family or (isinstance(ip, Ipv4View) and ip.ihl < 5):
        return [0] * 8
    protocol = ip.protocol if isinstance(ip, Ipv4View) else ip.next_header
    at, later = ip.header_length, isinstance(ip, Ipv4View) and ip.fragment_offset > 0
    data = View(quoted.data)
    while isinstance(ip, Ipv6View) and protocol in (0, 43, 44, 60) and not later:
        if data.raw(at, 8) is None:
            break
        later = protocol == 44 and (data.number(at * 8 + 16, 13) or 0) > 0
        size = 8 if protocol == 44 else (data.number(at * 8 + 8, 8) or 0) * 8 + 8
        protocol = data.number(at * 8, 8) or 0
        at += size
    found = [*_halves(ip.source), *_halves(ip.destination), 0, 0, protocol, -1]
    if not later and protocol in (6, 17) and data.raw(at, 4):
        found[4:6] = data.number(at * 8, 16) or 0, data.number(at * 8 + 16, 16) or 0
        sequence = data.number(at * 8 + 32, 32) if protocol == 6 else None
        found[7] = -1 if sequence is None else sequence
    return found


def _tunnel(packet: Packet) -> int:
    """The number of the tunnels that the packet is in: a polynomial of what tells them apart."""
    number = 0
    for header in packet.tunnels:
        around = [v for v in packet.layers if isinstance(v, Ip) and v.offset <= header.offset]
        ends = sorted((_halves(around[-1].source), _halves(around[-1].destination)))
        kind, key = 4, 0
        if isinstance(header, GreView):
            kind, key = 47, 0 if header.key is None else header.key + 1
        elif isinstance(header, VxlanView):
            kind, key = 17, header.network
        words = [
            word
            for half in (number, key, *ends[0], *ends[1])
            for word in divmod(half % 2**64, 2**32)
        ]
        first, second = kind, key % 2147483629
        for word in words:
            first = (first * 1103515245 + word) % 2147483647
            second = (second * 1664525007 + word) % 2147483629
        number = first * 2**31 + second + 1
    return number
