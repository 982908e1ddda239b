"""Frames that the wire makes itself are what a router, or a host, would send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.errors import UsageError
from fourtuple.lab.wire.forging import (
    answer_for_absent,
    asks_for,
    flipped,
    fragments,
    router_of,
    too_big,
)
from fourtuple.wire import (
    ACK,
    Arp,
    Ethernet,
    Icmp6,
    Icmp6View,
    IcmpView,
    Ipv4,
    Ipv4View,
    Ipv6,
    Tcp,
    Udp,
    dissect,
    frame,
    ip_bytes,
)

CLIENT = "02:00:00:00:00:01"
LARGE = dissect(
    frame(
        Ethernet(),
        Ipv4("10.0.0.1", "10.0.0.2", dont_fragment=True),
        Tcp(1, 2, flags=ACK),
        b"x" * 1460,
    )
)
LARGE6 = dissect(frame(Ethernet(), Ipv6("fd00::1", "fd00::2"), Tcp(1, 2, flags=ACK), b"x" * 1440))
DATAGRAM = dissect(
    frame(
        Ethernet(), Ipv4("10.0.0.1", "10.0.0.2", identification=9), Udp(1, 2), bytes(range(256)) * 5
    )
)


def test_the_wires_own_address_is_in_the_network_of_the_host() -> None:
    assert router_of("10.77.0.1") == "10.77.0.254"
    assert router_of("fd77::2") == "fd77::fe"


def test_fragmentation_needed_names_the_mtu_and_quotes_the_packet() -> None:
    """RFC 792 and RFC 1191; no longer than RFC 1812, section 4.3.2.3, allows."""
    error = dissect(too_big(LARGE, 1280))
    assert error.problems() == ()
    icmp, ip = error.icmp, error.ip
    assert isinstance(icmp, IcmpView)
    assert ip is not None
    assert (icmp.type, icmp.code, icmp.next_hop_mtu) == (3, 4, 1280)
    assert (ip.source, ip.destination, ip.extent) == ("10.0.0.254", "10.0.0.1", 576)
    assert error.quoted is not None
    assert error.quoted.tcp is not None
    assert error.data[:6] == bytes.fromhex(CLIENT.replace(":", ""))
    assert LARGE.data[14:].startswith(icmp.quoted_bytes)


def test_packet_too_big_names_the_mtu_and_quotes_as_much_as_fits() -> None:
    """RFC 4443, section 3.2: as much as fits into the smallest MTU."""
    error = dissect(too_big(LARGE6, 1300))
    assert error.problems() == ()
    icmp, ip = error.icmp, error.ip
    assert isinstance(icmp, Icmp6View)
    assert ip is not None
    assert (icmp.type, icmp.code, icmp.rest) == (2, 0, 1300)
    assert (ip.destination, ip.extent) == ("fd00::1", 1280)
    assert LARGE6.data[14:].startswith(icmp.quoted_bytes)


@given(st.integers(68, 1300))
def test_fragments_are_small_enough_and_make_the_packet_again(mtu: int) -> None:
    parts = [dissect(part) for part in fragments(DATAGRAM, mtu)]
    whole = bytearray()
    for part in parts:
        ip = part.ip
        assert isinstance(ip, Ipv4View)
        assert "bad-checksum" not in ip.problems()
        assert ip.extent <= mtu
        assert ip.fragment_offset * 8 == len(whole)
        assert ip.more_fragments == (part is not parts[-1])
        assert ip.identification == 9
        whole += part.data[ip.offset + 20 :]
    assert DATAGRAM.data.endswith(whole)
    assert len(whole) == 1280 + 8


@pytest.mark.parametrize("offset", [None, 0, 13, 19, 20, 400])
@pytest.mark.parametrize("packet", [LARGE, LARGE6, DATAGRAM])
def test_a_bit_turned_over_is_one_bit_and_no_checksum_hides_it(packet, offset) -> None:
    damaged = flipped(packet, offset)
    changed = [(a ^ b) for a, b in zip(packet.data, damaged, strict=True) if a != b]
    assert changed == [1]
    assert "bad-checksum" in dissect(damaged).problems()


def test_there_is_no_bit_beyond_the_frame() -> None:
    with pytest.raises(UsageError, match="has 1480 bytes from its transport header on"):
        flipped(LARGE, 5000)


def test_an_absent_host_has_a_link_layer_address() -> None:
    asked = Arp(1, CLIENT, "10.77.0.1", "00:00:00:00:00:00", "10.77.0.9")
    question = dissect(frame(Ethernet(CLIENT, "ff:ff:ff:ff:ff:ff"), asked))
    assert asks_for(question, "10.77.0.9")
    assert not asks_for(question, "10.77.0.2")
    answer = dissect(answer_for_absent(question, "10.77.0.9")).arp
    assert answer is not None
    assert (answer.operation, answer.sender_address, answer.target_hardware) == (
        2,
        "10.77.0.9",
        CLIENT,
    )


def test_and_so_it_has_over_ipv6() -> None:
    ip = Ipv6("fd77::1", "ff02::1:ff00:9", hop_limit=255)
    question = dissect(frame(Ethernet(CLIENT), ip, Icmp6(135), ip_bytes("fd77::9")))
    assert asks_for(question, "fd77::9")
    answer = dissect(answer_for_absent(question, "fd77::9"))
    assert answer.problems() == ()
    icmp, sent = answer.icmp, answer.ip
    assert isinstance(icmp, Icmp6View)
    assert sent is not None
    assert (icmp.type, icmp.target, icmp.rest >> 29) == (136, "fd77::9", 0b011)
    assert (sent.source, sent.destination) == ("fd77::9", "fd77::1")
