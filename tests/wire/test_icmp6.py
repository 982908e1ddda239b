"""ICMPv6, and Neighbor Discovery in it."""

from hypothesis import given

from fourtuple.wire import Icmp6, Icmp6View, Ipv6, Tcp, dissect, frame, labels

from .strategies import icmp6s, payloads

IP = Ipv6("fe80::1", "ff02::1:ff00:2")
TARGET = bytes.fromhex("fd000000000000000000000000000002")
LINK_ADDRESS = bytes.fromhex("0101 020000000001")


def sent(value: Icmp6, payload: bytes) -> Icmp6View:
    view = dissect(frame(IP, value, payload), 229).icmp
    assert isinstance(view, Icmp6View)
    return view


@given(icmp6s, payloads)
def test_a_message_goes_round(value: Icmp6, payload: bytes) -> None:
    view = sent(value, payload)
    assert view.checksum_holds is True
    assert Icmp6.parse(view) == value
    assert Icmp6.parse(view).emit(view.payload, IP) == value.emit(payload, IP)


def test_an_echo_has_identifier_and_number() -> None:
    view = sent(Icmp6(128, 0, 0x12340007), b"hi")
    assert (view.identifier, view.sequence, view.payload) == (0x1234, 7, b"hi")


def test_a_neighbor_solicitation_is_all_header() -> None:
    view = sent(Icmp6(135), TARGET + LINK_ADDRESS)
    assert view.payload == b""
    assert view.target == "fd00::2"
    target, option = view.fields()[4:]
    assert (target.label, target.text) == ("Target address", "fd00::2")
    assert (option.label, option.text) == ("Source link-layer address", "02:00:00:00:00:01")
    assert {target.label, option.label, *(part.label for part in option.children)} <= set(labels())
    assert view.problems() == ()


def test_a_router_advertisement_has_two_timers_before_its_options() -> None:
    view = sent(Icmp6(134, 0, 0x40000708), bytes.fromhex("00007530 000003e8 0501 0000 000005dc"))
    assert [(f.name, f.text) for f in view.fields()[4:6]] == [
        ("reachable_ms", "30000"),
        ("retransmit_ms", "1000"),
    ]
    assert [field.label for field in view.fields()[6:]] == ["MTU"]


def test_a_redirect_has_two_addresses() -> None:
    view = sent(Icmp6(137), TARGET + TARGET)
    assert [field.label for field in view.fields()[4:]] == ["Target address", "Destination address"]


def test_what_is_wrong_is_named() -> None:
    assert sent(Icmp6(135), TARGET[:8]).problems() == ("too-short",)
    assert sent(Icmp6(135), TARGET + b"\1\0" + bytes(6)).problems() == ("bad-option",)
    damaged = frame(IP, Icmp6(128, 0, 1), b"hi")[:-1] + b"j"
    assert dissect(damaged, 229).problems() == ("bad-checksum",)


def test_an_error_quotes_its_packet() -> None:
    segment = frame(Ipv6("fd00::1", "fd00::2"), Tcp(40000, 80), b"hello")
    packet = dissect(frame(IP, Icmp6(1, 4), segment), 229)
    assert packet.tcp is None
    assert packet.quoted is not None and packet.quoted.tcp is not None
    assert packet.quoted.tcp.payload == b"hello"
    assert sent(Icmp6(128), segment).quoted_bytes == b""
