"""UDP: a small header with a length of its own."""

import pytest
from hypothesis import given

from fourtuple.errors import ValueNotLegal
from fourtuple.wire import Envelope, Ipv4, Ipv6, Udp, UdpView, ip_bytes

from .strategies import payloads, udps

FOUR, SIX = Ipv4("10.0.0.1", "10.0.0.2"), Ipv6("fd00::1", "fd00::2")
ENVELOPE_4 = Envelope(ip_bytes(FOUR.source), ip_bytes(FOUR.destination))
ENVELOPE_6 = Envelope(ip_bytes(SIX.source), ip_bytes(SIX.destination))


@given(udps, payloads)
def test_a_datagram_goes_round(value: Udp, payload: bytes) -> None:
    for ip, envelope in ((FOUR, ENVELOPE_4), (SIX, ENVELOPE_6)):
        data = value.emit(payload, ip)
        view = UdpView(data, envelope=envelope)
        assert view.checksum_holds is True
        assert Udp.parse(view) == value
        assert Udp.parse(view).emit(view.payload, ip) == data


def test_a_known_datagram() -> None:
    # 0a00+0001+0a00+0002 + 0011+000a + 0035+1389+000a + 6869 = 904f
    data = bytes.fromhex("0035 1389 000a 6fb0 6869")
    assert Udp(53, 5001).emit(b"hi", FOUR) == data
    view = UdpView(data, envelope=ENVELOPE_4)
    assert (view.source_port, view.destination_port, view.payload) == (53, 5001, b"hi")


def test_a_checksum_that_computes_to_zero_is_sent_as_ones() -> None:
    base = Udp(0, 0).emit(b"\0\0", FOUR)
    data = Udp(0, 0).emit(base[6:8], FOUR)
    assert data[6:8] == b"\xff\xff"
    assert UdpView(data, envelope=ENVELOPE_4).checksum_holds is True


def test_over_ipv4_no_checksum_may_be_sent_over_ipv6_it_must() -> None:
    data = Udp(1, 2).emit(b"hi", FOUR)
    silent = data[:6] + b"\0\0" + data[8:]
    assert UdpView(silent, envelope=ENVELOPE_4).problems() == ()
    assert UdpView(silent, envelope=ENVELOPE_6).problems() == ("bad-checksum",)


@pytest.mark.parametrize(
    ("length", "problem"), [("0007", "length-too-small"), ("000b", "length-beyond-packet")]
)
def test_lengths_that_lie_are_named(length: str, problem: str) -> None:
    view = UdpView(
        bytes.fromhex("0035 1389") + bytes.fromhex(length) + bytes(4), envelope=ENVELOPE_4
    )
    assert view.problems() == (problem,)
    with pytest.raises(ValueNotLegal, match=problem):
        Udp.parse(view)


def test_bytes_after_its_length_are_not_payload() -> None:
    assert UdpView(bytes.fromhex("0035 1389 0009 0000 61 62")).payload == b"a"


def test_a_length_of_zero_means_all_there_is() -> None:
    view = UdpView(bytes.fromhex("0035 1389 0000 0000 61 62"))
    assert (view.payload, view.problems()) == (b"ab", ())
    with pytest.raises(ValueNotLegal, match="length 0"):
        Udp.parse(view)
