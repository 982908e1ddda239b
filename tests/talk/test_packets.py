"""Whose a packet is."""

from fourtuple.event.model import Endpoint
from fourtuple.talk.packets import addresses_of_rest, ends_of, flow_key, is_of_protocol
from fourtuple.wire import (
    Ethernet,
    Icmp,
    Ipv4,
    Ipv6,
    Ipv6Fragment,
    Packet,
    Tcp,
    Udp,
    dissect,
    frame,
)

HERE, THERE = "10.0.0.1", "10.0.0.2"
DATAGRAM = (Ipv4(HERE, THERE), Udp(40000, 8888), b"hello")


def packet(*layers: object) -> Packet:
    return dissect(frame(Ethernet(), *layers))  # type: ignore[arg-type]


def test_ports_make_ends() -> None:
    assert ends_of(packet(*DATAGRAM)) == (Endpoint(HERE, 40000), Endpoint(THERE, 8888))
    assert not addresses_of_rest(packet(*DATAGRAM))


def test_an_icmp_error_is_theirs_whose_packet_it_quotes() -> None:
    quoted = frame(*DATAGRAM)
    error = packet(Ipv4(THERE, HERE), Icmp(type=3, code=3), quoted)
    assert ends_of(error) == (Endpoint(HERE, 40000), Endpoint(THERE, 8888))


def test_a_later_fragment_has_addresses_and_no_ports() -> None:
    four = packet(Ipv4(HERE, THERE, protocol=17, fragment_offset=185), b"the rest")
    six = packet(Ipv6("fe80::1", "fe80::2"), Ipv6Fragment(17, fragment_offset=181), b"the rest")
    assert not ends_of(four) and not ends_of(six)
    assert addresses_of_rest(four) == {HERE, THERE}
    assert addresses_of_rest(six) == {"fe80::1", "fe80::2"}


def test_packets_of_one_direction_have_one_key_and_no_others_have_it() -> None:
    def key(*layers: object) -> bytes | None:
        return flow_key(packet(*layers).data, 1)

    one = key(*DATAGRAM)
    assert one is not None
    assert key(Ipv4(HERE, THERE, identification=9), Udp(40000, 8888), b"other words") == one
    others = [
        key(Ipv4(THERE, HERE), Udp(8888, 40000), b""),
        key(Ipv4(HERE, THERE), Udp(40001, 8888), b"hello"),
        key(Ipv4(HERE, THERE), Tcp(40000, 8888), b"hello"),
        key(Ipv6("fe80::1", "fe80::2"), Udp(40000, 8888), b"hello"),
    ]
    assert len({one, *others}) == 5
    assert key(Ipv4(HERE, THERE, protocol=17, fragment_offset=185), b"x" * 40) is None
    assert key(Ipv4(HERE, THERE), Icmp(type=3, code=3), frame(*DATAGRAM)) is None
    assert flow_key(packet(*DATAGRAM).data, 113) is None
    assert flow_key(b"\x45" * 30, 1) is None


def test_a_protocol_and_an_address() -> None:
    raw = packet(Ipv4(HERE, THERE, protocol=253), b"hello")
    assert is_of_protocol(raw, 253, {THERE})
    assert not is_of_protocol(raw, 254, {THERE})
    assert not is_of_protocol(raw, 253, {"10.0.0.3"})


def test_bytes_that_are_no_packet_are_nobodys() -> None:
    for data in (b"", b"\0" * 14, bytes(range(64))):
        nonsense = dissect(data)
        assert ends_of(nonsense) == ()
        assert addresses_of_rest(nonsense) == frozenset()
        assert not is_of_protocol(nonsense, 253, {HERE})
