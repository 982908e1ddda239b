"""PPP and Cisco's HDLC: every way in which captures have their headers."""

import pytest

from fourtuple.errors import ValueNotLegal
from fourtuple.wire import (
    CiscoHdlc,
    CiscoHdlcView,
    Ipv4,
    Ipv6,
    Ppp,
    PppView,
    Tcp,
    dissect,
    frame,
)

FOUR = frame(Ipv4("10.0.0.1", "10.0.0.2"), Tcp(1, 2))


@pytest.mark.parametrize("link", [9, 50])
@pytest.mark.parametrize(
    ("header", "shown"),
    [
        ("ff03 0021", ["0xff", "0x03", "0x0021 (IPv4)"]),
        ("ff03 21", ["0xff", "0x03", "0x0021 (IPv4)"]),
        ("0021", ["0x0021 (IPv4)"]),
        ("21", ["0x0021 (IPv4)"]),
    ],
)
def test_framing_and_compression_of_the_header(header: str, shown: list[str], link: int) -> None:
    packet = dissect(bytes.fromhex(header) + FOUR, link)
    assert isinstance(packet.layers[0], PppView)
    assert [field.text for field in packet.layers[0].fields()] == shown
    assert (packet.tcp is not None, packet.problems()) == (True, ())


@pytest.mark.parametrize(("link", "first"), [(9, 0x0F), (50, 0x8F), (104, 0x0F)])
def test_cisco_speaks_otherwise(link: int, first: int) -> None:
    packet = dissect(bytes((first, 0, 8, 0)) + FOUR, link)
    assert isinstance(packet.layers[0], CiscoHdlcView)
    assert packet.tcp is not None


def test_what_is_not_ip_is_payload() -> None:
    packet = dissect(bytes.fromhex("ff03 c021 01"), 9)
    assert packet.layers[0].fields()[2].text == "0xc021 (LCP)"
    assert (packet.payload, packet.problems()) == (b"\x01", ())


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff\x03", b"\xff\x03\0", b"\0"])
def test_a_header_that_ends_early(data: bytes) -> None:
    assert dissect(data, 9).problems() == ("too-short",)
    assert dissect(data, 9, 60).problems() == ("cut",)


@pytest.mark.parametrize("framed", [True, False])
def test_values_go_round(framed: bool) -> None:
    data = frame(Ppp(framed), Ipv6("::1", "::2"), Tcp(1, 2))
    assert Ppp.parse(PppView(data)) == Ppp(framed, 0x86DD)
    assert dissect(data, 9).problems() == ()
    cisco = frame(CiscoHdlc(broadcast=True), Ipv4("10.0.0.1", "10.0.0.2"), Tcp(1, 2))
    assert CiscoHdlc.parse(CiscoHdlcView(cisco)) == CiscoHdlc(broadcast=True)
    assert dissect(cisco, 104).tcp is not None


def test_what_no_value_can_be() -> None:
    with pytest.raises(ValueNotLegal, match="PPP carries"):
        Ppp(type=0x0806)
    with pytest.raises(ValueNotLegal, match="PPP carries"):
        Ppp.parse(PppView(bytes.fromhex("ff03 c021 01")))
    with pytest.raises(ValueNotLegal, match="address 0x10"):
        CiscoHdlc.parse(CiscoHdlcView(bytes.fromhex("10000800")))
