"""Captures of loopback and of the "any" interface: what stands before the IP header."""

import pytest

from fourtuple.wire import Ipv4, Ipv6, Tcp, dissect, frame

FOUR = frame(Ipv4("127.0.0.1", "127.0.0.1"), Tcp(1, 2), b"hello")
SIX = frame(Ipv6("::1", "::1"), Tcp(1, 2), b"hello")


@pytest.mark.parametrize(
    ("link_type", "header", "packet"),
    [
        (0, "02000000", FOUR),
        (0, "00000002", FOUR),
        *((0, family, SIX) for family in ("0a000000", "18000000", "1c000000", "1e000000")),
        (108, "00000002", FOUR),
        (108, "0000001e", SIX),
        (113, "0000 0304 0006 000000000000 0000 0800", FOUR),
        (113, "0000 0304 0006 000000000000 0000 86dd", SIX),
        (276, "0800 0000 00000001 0304 00 06 000000000000 0000", FOUR),
        (276, "86dd 0000 00000001 0304 00 06 000000000000 0000", SIX),
        (101, "", FOUR),
        (101, "", SIX),
        (228, "", FOUR),
        (229, "", SIX),
    ],
)
def test_the_packet_behind_is_found(link_type: int, header: str, packet: bytes) -> None:
    found = dissect(bytes.fromhex(header) + packet, link_type)
    assert found.payload == b"hello"
    assert found.problems() == ()


def test_loop_has_network_byte_order_only() -> None:
    assert dissect(bytes.fromhex("02000000") + FOUR, 108).ip is None


def test_cooked_headers_are_shown() -> None:
    packet = dissect(bytes.fromhex("0004 0304 0006 020000000001 0000 0800") + FOUR, 113)
    assert [field.text for field in packet.layers[0].fields()] == [
        *("4 (outgoing)", "772 (loopback)", "6", "02:00:00:00:00:01:00:00", "0x0800 (IPv4)")
    ]
