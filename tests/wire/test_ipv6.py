"""IPv6's fixed header."""

import pytest
from hypothesis import given

from fourtuple.errors import ValueNotLegal
from fourtuple.wire import Ipv6, Ipv6View, Tcp, dissect, frame

from .strategies import ipv6_headers, payloads

KNOWN = bytes.fromhex(
    "6b912345 0014 06 40 fd000000000000000000000000000001 fd000000000000000000000000000002"
) + bytes(20)


@given(ipv6_headers, payloads)
def test_a_header_goes_round(value: Ipv6, payload: bytes) -> None:
    data = value.emit(payload)
    view = Ipv6View(data)
    assert view.problems() == ()
    assert Ipv6.parse(view) == value
    assert Ipv6.parse(view).emit(view.payload) == data


def test_a_known_header_field_by_field() -> None:
    assert {field.name: field.text for field in Ipv6View(KNOWN).fields()} == {
        "version": "6",
        "dscp": "46",
        "ecn": "1 (ECT(1))",
        "flow_label": "0x12345",
        "declared_length": "20",
        "next_header": "6 (TCP)",
        "hop_limit": "64",
        "source": "fd00::1",
        "destination": "fd00::2",
    }


def test_each_problem_is_named() -> None:
    assert Ipv6View(b"\x4b" + KNOWN[1:]).problems() == ("bad-version",)
    assert Ipv6View(KNOWN[:-1]).problems() == ("length-beyond-frame",)
    assert Ipv6View(KNOWN[:-1], 0, 60).problems() == ()
    assert Ipv6View(KNOWN[:39], 0, 60).problems() == ("cut",)


def test_a_payload_length_of_zero_means_to_the_end_of_the_frame() -> None:
    data = frame(Ipv6("::1", "::2"), Tcp(1, 2), bytes(100))
    packet = dissect(data[:4] + b"\0\0" + data[6:], 229)
    assert packet.tcp is not None
    assert packet.tcp.payload_length == 100
    assert packet.problems() == ()
    with pytest.raises(ValueNotLegal, match="payload length 0"):
        Ipv6.parse(Ipv6View(packet.data))
    assert Ipv6.parse(Ipv6View(Ipv6("::1", "::2", 59).emit())) == Ipv6("::1", "::2", 59)


def test_padding_after_the_payload_is_not_payload() -> None:
    assert Ipv6View(KNOWN + b"padding").payload == bytes(20)
