"""TCP's header: every flag, every option, and headers that lie."""

import pytest
from hypothesis import given

from fourtuple.errors import ValueNotLegal
from fourtuple.wire import (
    ACK,
    AE,
    CWR,
    ECE,
    FIN,
    PSH,
    RST,
    SYN,
    URG,
    Envelope,
    Ipv4,
    Ipv6,
    MaximumSegmentSize,
    NoOperation,
    SackPermitted,
    Tcp,
    TcpView,
    Timestamps,
    WindowScale,
    flag_names,
    ip_bytes,
)

from .strategies import payloads, tcps

FOUR = Ipv4("10.77.0.1", "10.77.0.2")
SIX = Ipv6("fd00::1", "fd00::2")

# What a Linux client sends first: 40 bytes, written down by hand
SYN_SEGMENT = bytes.fromhex(
    "9c40 22b8 012e3a47 00000000 a002 faf0 0000 00000204 05b4 0402 080a 00000064 00000000 01 030307"
)


def view_of(data: bytes, ip: Ipv4 | Ipv6 = FOUR) -> TcpView:
    return TcpView(data, envelope=Envelope(ip_bytes(ip.source), ip_bytes(ip.destination)))


@pytest.mark.parametrize("ip", [FOUR, SIX], ids=["IPv4", "IPv6"])
@given(value=tcps, payload=payloads)
def test_a_segment_goes_round(ip: Ipv4 | Ipv6, value: Tcp, payload: bytes) -> None:
    data = value.emit(payload, ip)
    view = view_of(data, ip)
    assert view.checksum_holds is True
    assert view.problems() == ()
    assert Tcp.parse(view) == value
    assert Tcp.parse(view).emit(view.payload, ip) == data


def test_a_known_syn_field_by_field() -> None:
    view = TcpView(SYN_SEGMENT)
    assert [field.text for field in view.fields()] == [
        *("40000", "8888", "19806791", "0", "10", "0", "0x02 SYN", "64240", "0x0000", "0"),
        *("1460", "", "100 0", "", "7"),
    ]
    assert view.options == (
        MaximumSegmentSize(1460),
        SackPermitted(),
        Timestamps(100, 0),
        NoOperation(),
        WindowScale(7),
    )
    assert view.has(SYN) and not view.has(SYN | ACK)
    assert view.option(WindowScale) == WindowScale(7)
    assert view.payload == b""
    assert view.problems() == ()


def test_emitting_it_gives_the_same_bytes_but_for_the_checksum() -> None:
    data = Tcp.parse(TcpView(SYN_SEGMENT)).emit(b"", FOUR)
    assert data[:16] + b"\0\0" + data[18:] == SYN_SEGMENT
    words = bytes.fromhex("0a4d 0001 0a4d 0002 0006 0028") + SYN_SEGMENT
    total = sum(int.from_bytes(words[at : at + 2], "big") for at in range(0, len(words), 2))
    assert int.from_bytes(data[16:18], "big") == ~(total % 0xFFFF) & 0xFFFF


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (0, ""),
        (SYN, "SYN"),
        (SYN | ACK, "SYN ACK"),
        (FIN | ACK, "FIN ACK"),
        (PSH | ACK, "PSH ACK"),
        (FIN | PSH | ACK, "FIN PSH ACK"),
        (RST | ACK, "RST ACK"),
        (SYN | ECE | CWR, "SYN ECE CWR"),
        (511, "SYN FIN RST PSH ACK URG ECE CWR AE"),
    ],
)
def test_flags_are_named_as_people_say_them(flags: int, names: str) -> None:
    assert flag_names(flags) == names


@pytest.mark.parametrize(
    ("flag", "name"),
    [
        *((FIN, "fin"), (SYN, "syn"), (RST, "rst"), (PSH, "psh"), (ACK, "ack"), (URG, "urg")),
        *((ECE, "ece"), (CWR, "cwr"), (AE, "ae")),
    ],
)
def test_each_flag_has_its_own_bit(flag: int, name: str) -> None:
    view = view_of(Tcp(1, 2, flags=flag).emit(b"", FOUR))
    children = {child.name: child for field in view.fields() for child in field.children}
    assert [key for key, child in children.items() if child.value] == [name]
    assert view.flags == flag


def test_a_wrong_checksum_is_named() -> None:
    data = bytearray(Tcp(1, 2).emit(b"hello", FOUR))
    data[-1] ^= 1
    assert view_of(bytes(data)).problems() == ("bad-checksum",)


def test_without_all_bytes_or_the_ip_header_the_checksum_cannot_be_told() -> None:
    data = Tcp(1, 2).emit(b"hello", FOUR)
    assert TcpView(data).checksum_holds is None
    assert TcpView(data[:-1], 0, len(data), Envelope(bytes(4), bytes(4))).checksum_holds is None


def test_an_impossible_data_offset_is_named() -> None:
    assert TcpView(SYN_SEGMENT[:12] + b"\x40" + SYN_SEGMENT[13:]).problems() == (
        "bad-header-length",
    )
    assert TcpView(SYN_SEGMENT[:12] + b"\xb0" + SYN_SEGMENT[13:]).problems() == ("too-short",)


def test_options_cut_by_the_capture_are_no_malformed_options() -> None:
    view = TcpView(SYN_SEGMENT[:30], 0, 40)
    assert view.problems() == ("cut",)
    assert view.options == (MaximumSegmentSize(1460), SackPermitted())
    rest = view.fields()[-1]
    assert (rest.label, rest.bit_offset, rest.bits, rest.value) == ("Options", 208, 112, None)


def test_reserved_bits_can_be_seen_but_not_sent() -> None:
    view = TcpView(SYN_SEGMENT[:12] + b"\xa2" + SYN_SEGMENT[13:])
    assert view.reserved == 1
    with pytest.raises(ValueNotLegal, match="reserved is not 0"):
        Tcp.parse(view)
