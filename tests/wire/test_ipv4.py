"""IPv4: the header, its options, and lengths that lie."""

import pytest
from hypothesis import given

from fourtuple.errors import ValueNotLegal
from fourtuple.wire import Ipv4, Ipv4View, Tcp, Udp, dissect, frame

from .strategies import ipv4_headers, payloads

KNOWN = bytes.fromhex("45b9 0028 1c46 4000 40 06 0935 0a4d0001 0a4d0002") + bytes(20)
PLAIN = Ipv4("10.0.0.1", "10.0.0.2")


def changed(data: bytes, at: int, new: str) -> bytes:
    """The bytes with others in their place from byte `at`."""
    put = bytes.fromhex(new)
    return data[:at] + put + data[at + len(put) :]


@given(ipv4_headers, payloads)
def test_a_header_goes_round(value: Ipv4, payload: bytes) -> None:
    data = value.emit(payload)
    view = Ipv4View(data)
    assert view.problems() == ()
    assert Ipv4.parse(view) == value
    assert Ipv4.parse(view).emit(view.payload) == data


def test_a_known_header_field_by_field() -> None:
    view = Ipv4View(KNOWN)
    assert {field.name: field.text for field in view.fields()} == {
        "version": "4",
        "ihl": "5",
        "dscp": "46",
        "ecn": "1 (ECT(1))",
        "total_length": "40",
        "identification": "0x1c46",
        "flags": "0x2 DF",
        "fragment_offset": "0",
        "ttl": "64",
        "protocol": "6 (TCP)",
        "checksum": "0x0935",
        "source": "10.77.0.1",
        "destination": "10.77.0.2",
    }
    assert view.problems() == ()
    assert (view.dont_fragment, view.more_fragments) == (True, False)


@pytest.mark.parametrize(
    ("at", "new", "problem"),
    [
        (0, "55", "bad-version"),
        (0, "44", "bad-header-length"),
        (2, "0013", "length-too-small"),
        (2, "0029", "length-beyond-frame"),
        (10, "0000", "bad-checksum"),
        (0, "4f", "too-short"),
    ],
)
def test_each_problem_is_named(at: int, new: str, problem: str) -> None:
    view = Ipv4View(changed(KNOWN, at, new))
    assert problem in view.problems()
    with pytest.raises(ValueNotLegal, match=problem):
        Ipv4.parse(view)


def test_an_option_longer_than_its_room_is_named() -> None:
    data = Ipv4("10.0.0.1", "10.0.0.2", options=b"\x94\x04\0\0").emit()
    assert Ipv4View(data).problems() == ()
    assert "bad-option" in Ipv4View(changed(data, 21, "05")).problems()


def test_the_reserved_flag_can_be_seen_but_not_sent() -> None:
    view = Ipv4View(changed(KNOWN, 6, "c000 4006 8934"))
    assert view.problems() == ()
    flags = next(field for field in view.fields() if field.name == "flags")
    assert [child.value for child in flags.children] == [1, 1, 0]
    with pytest.raises(ValueNotLegal, match="reserved"):
        Ipv4.parse(view)


def test_a_total_length_of_zero_means_to_the_end_of_the_frame() -> None:
    data = changed(frame(PLAIN, Tcp(1, 2), b"x" * 3000), 2, "0000")
    packet = dissect(data, 228)
    assert packet.ip is not None
    assert packet.tcp is not None
    assert packet.tcp.payload_length == 3000
    with pytest.raises(ValueNotLegal, match="total length 0"):
        Ipv4.parse(Ipv4View(changed(KNOWN, 2, "0000 1c46 4000 40 06 095d")))


def test_padding_after_the_total_length_is_not_payload() -> None:
    view = Ipv4View(PLAIN.emit(b"abc") + bytes(23))
    assert view.payload == b"abc"
    assert view.problems() == ()


def test_a_cut_packet_keeps_its_length() -> None:
    view = Ipv4View(PLAIN.emit(bytes(1000))[:60], 0, 1020)
    assert (len(view.payload), view.payload_length) == (40, 1000)
    assert view.problems() == ()


def test_only_the_first_fragment_has_a_transport_header() -> None:
    whole = Udp(1, 2).emit(bytes(32), PLAIN)
    first = Ipv4("10.0.0.1", "10.0.0.2", 17, more_fragments=True).emit(whole[:32])
    later = Ipv4("10.0.0.1", "10.0.0.2", 17, fragment_offset=4).emit(whole[32:])
    begin, rest = dissect(first, 228), dissect(later, 228)
    assert begin.udp is not None
    assert (begin.udp.source_port, begin.udp.payload_length) == (1, 24)
    assert begin.udp.checksum_holds is None
    assert rest.udp is None
    assert rest.payload == whole[32:]
    assert begin.problems() == rest.problems() == ()
