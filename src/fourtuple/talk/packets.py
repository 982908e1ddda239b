"""Whose a packet is: the two ends that it, or the packet that an ICMP error quotes, goes between.
Pure."""

from collections.abc import Set

from fourtuple.event.model import Endpoint
from fourtuple.wire import Ipv4View, Ipv6FragmentView, Packet

__all__ = ["addresses_of_rest", "ends_of", "flow_key", "is_of_protocol"]

#: LINKTYPE_ number -> where the IP header is, if all is usual
_NETWORK_AT = {1: 14, 101: 0}
_IPV4_PLAIN, _IPV6 = 0x45, 6
_PORTED = (6, 17)  # TCP, UDP


def flow_key(data: bytes, link_type: int) -> bytes | None:
    """Bytes that are the same for all packets between two ends in one direction, of an ordinary TCP
    or UDP packet; None of any other. So a long conversation need not be dissected throughout."""
    at = _NETWORK_AT.get(link_type)
    if at is None or len(data) < at + 24:
        return None
    if data[at] == _IPV4_PLAIN and data[at + 9] in _PORTED:
        whole = not (data[at + 6] & 0x3F or data[at + 7])  # neither MF nor an offset
        return data[at + 9 : at + 10] + data[at + 12 : at + 24] if whole else None
    if data[at] >> 4 == _IPV6 and len(data) >= at + 44 and data[at + 6] in _PORTED:
        return data[at + 6 : at + 7] + data[at + 8 : at + 44]
    return None


def ends_of(packet: Packet) -> tuple[Endpoint, ...]:
    """Sender and receiver; none where it has no ports. An ICMP error concerns what it quotes."""
    packet = packet.quoted or packet
    view = packet.tcp or packet.udp
    if packet.ip is None or view is None:
        return ()
    return (
        Endpoint(str(packet.ip.source), view.source_port),
        Endpoint(str(packet.ip.destination), view.destination_port),
    )


def is_of_protocol(packet: Packet, protocol: int, addresses: Set[str]) -> bool:
    """Whether it is an IP packet of that protocol number from or to one of these addresses."""
    packet = packet.quoted or packet
    if packet.ip is None:
        return False
    number = getattr(packet.ip, "protocol", None) or getattr(packet.ip, "next_header", None)
    here = {str(packet.ip.source), str(packet.ip.destination)}
    return number == protocol and bool(here & addresses)


def addresses_of_rest(packet: Packet) -> frozenset[str]:
    """Whom a fragment goes between that is not the first of its packet: it has no ports of its own.
    None where it is no such fragment."""
    if packet.ip is None:
        return frozenset()
    header = packet.ip if isinstance(packet.ip, Ipv4View) else packet.layer(Ipv6FragmentView)
    if header is None or not header.fragment_offset:
        return frozenset()
    return frozenset((str(packet.ip.source), str(packet.ip.destination)))
