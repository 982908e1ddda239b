"""Whose a packet is: the two ends that it, or the packet that an ICMP error quotes, goes between.
Pure."""

from collections.abc import Set

from fourtuple.event.model import Endpoint
from fourtuple.wire import Ipv4View, Ipv6FragmentView, Packet

__all__ = ["addresses_of_rest", "ends_of", "is_of_protocol"]


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
