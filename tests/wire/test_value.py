"""Values stack to frames; what no protocol allows is refused."""

import pytest

from fourtuple.errors import ValueNotLegal
from fourtuple.wire import (
    ACK,
    Arp,
    Ethernet,
    Icmp,
    Icmp6,
    Ipv4,
    Ipv6,
    Ipv6Fragment,
    Tcp,
    Udp,
    Value,
    Vlan,
    dissect,
    frame,
)

FOUR = Ipv4("10.0.0.1", "10.0.0.2")
SIX = Ipv6("fd00::1", "fd00::2")
ARP = Arp(1, "02:00:00:00:00:01", "10.0.0.1", "00:00:00:00:00:00", "10.0.0.2")


@pytest.mark.parametrize(
    ("layers", "names"),
    [
        ((Ethernet(), FOUR, Tcp(1, 2)), "Ethernet IPv4 TCP"),
        ((Ethernet(), FOUR, Udp(1, 2)), "Ethernet IPv4 UDP"),
        ((Ethernet(), FOUR, Icmp(8)), "Ethernet IPv4 ICMP"),
        ((Ethernet(), SIX, Tcp(1, 2)), "Ethernet IPv6 TCP"),
        ((Ethernet(), SIX, Icmp6(128)), "Ethernet IPv6 ICMPv6"),
        ((Ethernet(), SIX, Ipv6Fragment(7), Udp(1, 2)), "Ethernet IPv6 IPv6 fragment UDP"),
        ((Ethernet(), Vlan(1), Vlan(2), FOUR, Udp(1, 2)), "Ethernet VLAN VLAN IPv4 UDP"),
        ((Ethernet(), ARP), "Ethernet ARP"),
        ((Ethernet(), Vlan(1), ARP), "Ethernet VLAN ARP"),
    ],
)
def test_each_layer_names_the_next_one(layers: tuple[Value, ...], names: str) -> None:
    packet = dissect(frame(*layers))
    assert " ".join(view.name for view in packet.layers) == names
    assert packet.problems() == ()


def test_bytes_are_the_payload() -> None:
    packet = dissect(frame(Ethernet(), FOUR, Tcp(1, 2, flags=ACK), b"hello"))
    assert packet.tcp is not None
    assert packet.tcp.payload == packet.payload == b"hello"
    assert frame() == b""
    assert frame(b"nothing else") == b"nothing else"


def test_bytes_before_a_header_are_refused() -> None:
    with pytest.raises(ValueNotLegal, match="after every header"):
        frame(Ethernet(), b"?", FOUR)


@pytest.mark.parametrize("value", [Tcp(1, 2), Udp(1, 2), Icmp6(128)])
def test_a_checksum_with_a_pseudo_header_needs_the_ip_header(value: Tcp | Udp | Icmp6) -> None:
    with pytest.raises(ValueNotLegal, match="needs the IP header"):
        frame(Ethernet(), value)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Tcp(65536, 2), "source_port is 65536: it must be from 0 to 65535"),
        (lambda: Tcp(1, -1), "destination_port is -1"),
        (lambda: Tcp(1, 2, sequence=1 << 32), "sequence"),
        (lambda: Tcp(1, 2, flags=512), "flags is 512: it must be from 0 to 511"),
        (lambda: Udp(1, 65536), "destination_port"),
        (lambda: Ipv4("10.0.0.1", "fd00::1"), "not an IPv4 address: 'fd00::1'"),
        (lambda: Ipv4("10.0.0.1", "10.0.0.2", ttl=256), "ttl"),
        (lambda: Ipv4("10.0.0.1", "10.0.0.2", options=b"\1"), "multiple of 4"),
        (lambda: Ipv4("10.0.0.1", "10.0.0.2", options=b"\x94\x09\0\0"), "impossible"),
        (lambda: Ipv6("10.0.0.1", "fd00::1"), "not an IPv6 address: '10.0.0.1'"),
        (lambda: Ipv6("::1", "::1", flow_label=1 << 20), "flow_label"),
        (lambda: Ethernet(type=0x5FF), "0x0600 or more"),
        (lambda: Ethernet(source="02:00"), "not an Ethernet address"),
        (lambda: Vlan(4096), "vlan is 4096"),
        (lambda: Icmp(256), "type is 256"),
        (lambda: frame(FOUR, Udp(1, 2), bytes(65536)), "length"),
        (lambda: frame(FOUR, bytes(65516)), "total_length is 65536"),
        (lambda: frame(SIX, Tcp(1, 2), bytes(65516)), "length is 65536"),
    ],
)
def test_what_no_protocol_allows_is_refused(make: object, complaint: str) -> None:
    assert callable(make)
    with pytest.raises(ValueNotLegal, match=complaint):
        make()


def test_addresses_have_one_form_however_they_were_written() -> None:
    assert Ipv6("FD00:0::1", "::0") == Ipv6("fd00::1", "::")
    assert Ethernet(source="AA:00:00:00:00:01").source == "aa:00:00:00:00:01"
