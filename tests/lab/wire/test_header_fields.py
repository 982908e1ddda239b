"""Fields by name: read, changed, and the frame made consistent again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.errors import UsageError
from fourtuple.lab.wire.header_fields import (
    Changes,
    changed,
    changes_of,
    consistent,
    field_of,
    matches,
)
from fourtuple.wire import (
    ACK,
    PSH,
    SYN,
    Arp,
    Ethernet,
    Ipv4,
    Ipv6,
    MaximumSegmentSize,
    SackPermitted,
    Tcp,
    Udp,
    dissect,
    frame,
)

NOBODY = (None, None)
SEGMENT = frame(
    Ethernet(),
    Ipv4("10.0.0.1", "10.0.0.2", ttl=64, identification=7),
    Tcp(40000, 80, sequence=1005, acknowledgment=2001, flags=PSH | ACK, window=500),
    b"hello",
)
SEGMENT6 = frame(Ethernet(), Ipv6("fd00::1", "fd00::2"), Tcp(40000, 80, flags=SYN), b"")
DATAGRAM = frame(Ethernet(), Ipv4("10.0.0.1", "10.0.0.2"), Udp(40000, 53), b"query")
MESSAGE = frame(
    Ethernet(type=0x0806), Arp(1, "02:00:00:00:00:01", "10.0.0.1", "00:00:00:00:00:00", "10.0.0.2")
)
FRAMES = [SEGMENT, SEGMENT6, DATAGRAM, MESSAGE]


def change(data: bytes, **changes: Any) -> bytes:
    return changed(data, changes_of(changes), (1000, 2000))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seq", 5), ("ack", 1), ("sequence", 1005), ("len", 5), ("flags", PSH | ACK),
        ("window", 500), ("ttl", 64), ("ip_ttl", 64), ("identification", 7),
        ("source_port", 40000), ("source", 0x0A000001), ("ethernet_type", 0x0800), ("mss", None),
        ("arp_operation", None),
    ],
)  # fmt: skip
def test_a_field_is_found_by_its_name(name: str, value: int | None) -> None:
    assert field_of(dissect(SEGMENT), name, (1000, 2000)) == value


def test_a_relative_number_needs_the_number_it_counts_from() -> None:
    assert field_of(dissect(SEGMENT), "seq", NOBODY) is None
    assert not matches(dissect(SEGMENT), "seq", 5, NOBODY)


@pytest.mark.parametrize(
    ("name", "wanted", "holds"),
    [
        ("flags", "PSH ACK", True), ("flags", "ACK", False), ("flags", PSH | ACK, True),
        ("len", (1, 5), True), ("len", (6, 9), False), ("source", "10.0.0.1", True),
        ("destination", "10.0.0.1", False), ("hop_limit", 64, True), ("mss", 1460, False),
    ],
)  # fmt: skip
def test_a_field_matches_a_value_a_range_or_a_name(name: str, wanted: Any, holds: bool) -> None:
    assert matches(dissect(SEGMENT), name, wanted, NOBODY) is holds


def test_only_what_was_asked_for_is_different_and_the_frame_is_legal() -> None:
    packet = dissect(change(SEGMENT, window=9, ttl=3, seq=10, flags="RST"))
    assert packet.problems() == ()
    assert packet.tcp is not None and packet.ip is not None
    tcp = packet.tcp
    assert (tcp.window, tcp.sequence, tcp.flags) == (9, 1010, 4)
    assert (tcp.acknowledgment, tcp.source_port, packet.payload) == (2001, 40000, b"hello")


def test_payload_and_options_may_have_another_length() -> None:
    packet = dissect(change(SEGMENT, payload=b"x" * 90, options=(SackPermitted(),)))
    assert packet.problems() == ()
    assert packet.tcp is not None
    assert (packet.payload, packet.tcp.options) == (b"x" * 90, (SackPermitted(),))
    assert dissect(change(DATAGRAM, payload=b"")).problems() == ()
    assert dissect(change(SEGMENT6, payload=b"abc", ttl=9)).problems() == ()


def test_an_mss_takes_the_place_of_the_one_that_is_there() -> None:
    once = change(SEGMENT6, options=(MaximumSegmentSize(1440), SackPermitted()))
    packet = dissect(change(once, mss=536))
    assert packet.problems() == ()
    assert packet.tcp is not None
    assert sorted(map(str, packet.tcp.options)) == ["MSS 536", "SACK permitted"]


def test_checksums_may_be_left_wrong_or_set() -> None:
    asked = Changes({"window": 9})
    wrong = dissect(changed(SEGMENT, asked, NOBODY, checksums=False))
    assert wrong.problems() == ("bad-checksum",)
    packet = dissect(change(SEGMENT, tcp_checksum=7))
    assert packet.tcp is not None
    assert packet.tcp.checksum == 7


def test_an_address_may_be_changed() -> None:
    packet = dissect(change(SEGMENT, source="192.168.0.7"))
    assert packet.ip is not None
    assert (packet.ip.source, packet.problems()) == ("192.168.0.7", ())


@pytest.mark.parametrize(
    ("data", "changes"),
    [(DATAGRAM, {"window": 1}), (MESSAGE, {"ttl": 1}), (DATAGRAM, {"mss": 536}),
     (MESSAGE, {"payload": b"x"}), (DATAGRAM, {"options": ()})],
)  # fmt: skip
def test_a_field_that_a_frame_lacks_cannot_be_changed(data: bytes, changes: Any) -> None:
    with pytest.raises(UsageError, match="has no field"):
        change(data, **changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"len": 5}, "len is no header field"),
        ({"payload": "text"}, "payload cannot be 'text': bytes wanted"),
        ({"options": [SackPermitted()]}, "tuple wanted"),
        ({"options": ("sack",)}, "TcpOption wanted"),
        ({"window": 1.5}, "window cannot be 1.5: int wanted"),
        ({"ttl": 256}, "ttl is 256: the field has room for numbers from 0 to 255"),
        ({"nothing": 1}, "nothing is no header field. There are seq, ack, mss, payload, options"),
    ],
)
def test_what_cannot_be_a_value_is_refused_before_any_frame(changes: Any, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        changes_of(changes)
    assert told in str(refused.value)


@given(st.sampled_from(FRAMES), st.data())
def test_odd_frames_are_never_an_exception(whole: bytes, chance: st.DataObject) -> None:
    """Cut anywhere, with any byte changed, a frame is read, and changed or refused."""
    data = bytearray(whole[: chance.draw(st.integers(0, len(whole)))])
    if data:
        data[chance.draw(st.integers(0, len(data) - 1))] = chance.draw(st.integers(0, 255))
    packet = dissect(bytes(data))
    for name in ("seq", "len", "mss", "window", "ttl", "source", "ip_checksum"):
        field_of(packet, name, (1, 1))
    consistent(bytes(data))
    for changes in ({"window": 1}, {"payload": b"abc"}, {"mss": 100}, {"ttl": 3}):
        try:
            made = change(bytes(data), **changes)
        except UsageError:
            continue
        assert made


@given(st.sampled_from(FRAMES))
def test_a_frame_that_is_consistent_stays_as_it_is(whole: bytes) -> None:
    assert consistent(whole) == whole
