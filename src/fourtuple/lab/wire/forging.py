"""Frames that the wire makes itself: ICMP errors, fragments, answers for absent hosts. Bytes only.

What a router on the path would send comes from the address `router_of`, and from a link-layer
address that no host has.
"""

from collections.abc import Iterator

from fourtuple.errors import N_, UsageError
from fourtuple.lab.wire.header_fields import consistent
from fourtuple.wire import (
    Arp,
    Ethernet,
    EthernetView,
    Icmp,
    Icmp6,
    Icmp6View,
    Ipv4,
    Ipv4View,
    Ipv6,
    Ipv6View,
    Packet,
    Value,
    frame,
    ip_bytes,
    ip_text,
    mac_bytes,
)

__all__ = ["answer_for_absent", "asks_for", "flipped", "fragments", "router_of", "too_big"]

BEYOND = N_(
    "corrupt(offset={offset}): the frame that it met has {length} bytes from its transport header "
    "on."
)
ROUTER_MAC = "02:00:00:00:00:fe"
ABSENT_MAC = "02:00:00:00:00:ab"
_HEADER = 14
#: how much an ICMP error quotes: RFC 1812, section 4.3.2.3 (IPv4); RFC 4443, section 2.4 (IPv6)
_LONGEST_ERROR = {4: 576, 6: 1280}
_NEIGHBOR_ADVERTISEMENT, _SOLICITED, _OVERRIDE = 136, 1 << 30, 1 << 29
_TARGET_LINK_ADDRESS = b"\x02\x01"


def router_of(address: str) -> str:
    """The address of the wire in the network of a host: its last byte is 254."""
    return ip_text(ip_bytes(address)[:-1] + b"\xfe")


def too_big(packet: Packet, mtu: int) -> bytes:
    """The error of a router whose next link takes no packet larger than `mtu`, to its sender:
    fragmentation needed (RFC 792, RFC 1191) or packet too big (RFC 4443, section 3.2)."""
    ip = packet.ip
    assert ip is not None
    link = Ethernet(ROUTER_MAC, _mac_of_sender(packet))
    router, quoted = router_of(ip.source), packet.data[ip.offset : ip.offset + ip.extent]
    if isinstance(ip, Ipv4View):
        room = _LONGEST_ERROR[4] - 20 - 8
        error = Icmp(3, 4, mtu)
        return frame(link, Ipv4(router, ip.source, dscp=48), error, quoted[:room])
    room = _LONGEST_ERROR[6] - 40 - 8
    return frame(link, Ipv6(router, ip.source), Icmp6(2, 0, mtu), quoted[:room])


def _mac_of_sender(packet: Packet) -> str:
    view = packet.layer(EthernetView)
    assert view is not None
    return view.source


def fragments(packet: Packet, mtu: int) -> Iterator[bytes]:
    """An IPv4 packet cut into fragments no larger than `mtu` (RFC 791, section 3.2)."""
    ip = packet.ip
    assert isinstance(ip, Ipv4View)
    head = packet.data[: ip.offset + ip.header_length]
    content = packet.data[ip.offset + ip.header_length : ip.offset + ip.extent]
    step = max((mtu - ip.header_length) & ~7, 8)
    for begin in range(0, len(content), step):
        part = content[begin : begin + step]
        more = ip.more_fragments or begin + step < len(content)
        made = bytearray(head + part)
        made[ip.offset + 2 : ip.offset + 4] = (ip.header_length + len(part)).to_bytes(2, "big")
        place = more << 13 | ip.fragment_offset + begin // 8
        made[ip.offset + 6 : ip.offset + 8] = place.to_bytes(2, "big")
        yield consistent(bytes(made))


def flipped(packet: Packet, offset: int | None) -> bytes:
    """The frame with one bit turned over: the lowest of byte `offset`, counted from the first of
    its transport header (or of IP's, or of its own), or of the last byte. UsageError where the
    frame has no such byte."""
    view = packet.tcp or packet.udp or packet.icmp or packet.ip
    begin = view.offset if view else 0
    end = begin + view.extent if view else len(packet.data)
    at = end - 1 if offset is None else begin + offset
    made = bytearray(packet.data)
    if at >= len(made):
        raise UsageError(BEYOND, {"offset": offset, "length": len(made) - begin})
    made[at] ^= 1
    return bytes(made)


def asks_for(packet: Packet, address: str) -> bool:
    """Whether it asks for the link-layer address that belongs to an address."""
    if packet.arp:
        return packet.arp.operation == 1 and packet.arp.target_address == address
    icmp = packet.icmp
    return isinstance(icmp, Icmp6View) and icmp.type == 135 and icmp.target == address


def answer_for_absent(packet: Packet, address: str) -> bytes:
    """The answer to such a question: a link-layer address that nobody has."""
    link = Ethernet(ABSENT_MAC, _mac_of_sender(packet))
    layers: tuple[Value | bytes, ...]
    if packet.arp:
        asker = packet.arp
        answer = Arp(2, ABSENT_MAC, address, asker.sender_hardware, asker.sender_address)
        layers = (answer,)
    else:
        assert isinstance(packet.ip, Ipv6View)
        target = ip_bytes(address) + _TARGET_LINK_ADDRESS + mac_bytes(ABSENT_MAC)
        ip = Ipv6(address, packet.ip.source, hop_limit=255)  # RFC 4861, section 7.1.2
        advertisement = Icmp6(_NEIGHBOR_ADVERTISEMENT, 0, _SOLICITED | _OVERRIDE)
        layers = (ip, advertisement, target)
    return frame(link, *layers)
