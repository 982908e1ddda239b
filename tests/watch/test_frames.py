"""Frames by their connection, and for as long as somebody may ask for them."""

import struct
from ipaddress import ip_address

import pytest

from fourtuple.event.model import Endpoint
from fourtuple.system.tapping import Tapped
from fourtuple.watch.frames import Frames, key_of, pair_key

ONE, OTHER = Endpoint("10.0.0.1", 40000), Endpoint("10.0.0.2", 80)
SIX, SEVEN = Endpoint("fd77::1", 40000), Endpoint("fd77::2", 80)
MACS = bytes(12)


def tcp(source: Endpoint, target: Endpoint) -> bytes:
    return struct.pack("!HHIIHHHH", source.port, target.port, 1, 0, 0x5010, 100, 0, 0)


def packet(source: Endpoint, target: Endpoint, inner: bytes = b"", protocol: int = 6) -> bytes:
    inner = inner or tcp(source, target)
    ends = ip_address(source.address).packed + ip_address(target.address).packed
    if ":" in source.address:
        return struct.pack("!IHBB", 6 << 28, len(inner), protocol, 64) + ends + inner
    return struct.pack("!BBHIBBH", 0x45, 0, 20 + len(inner), 0, 64, protocol, 0) + ends + inner


def frame(data: bytes, tag: bytes = b"") -> bytes:
    kind = b"\x86\xdd" if data[0] >> 4 == 6 else b"\x08\x00"
    return MACS + tag + kind + data


@pytest.mark.parametrize(("one", "other"), [(ONE, OTHER), (SIX, SEVEN)])
def test_both_directions_are_of_one_connection(one: Endpoint, other: Endpoint) -> None:
    key = pair_key(one, other)
    assert key_of(frame(packet(one, other)), 1) == key
    assert key_of(frame(packet(other, one)), 1) == key
    assert key_of(packet(other, one), 101) == key


def test_datagrams_between_the_same_ports_are_another_conversation() -> None:
    ports = struct.pack("!HHHH", ONE.port, OTHER.port, 8, 0)
    key = key_of(frame(packet(ONE, OTHER, ports, protocol=17)), 1)
    assert key == pair_key(ONE, OTHER, "udp") != pair_key(ONE, OTHER)


def test_a_tag_does_not_hide_the_connection() -> None:
    assert key_of(frame(packet(ONE, OTHER), b"\x81\x00\x00\x05"), 1) == pair_key(ONE, OTHER)


def test_an_icmp_error_is_of_the_connection_that_it_quotes() -> None:
    error = struct.pack("!BBHI", 3, 3, 0, 0) + packet(ONE, OTHER)
    quoting = packet(OTHER, ONE, error, protocol=1)
    assert key_of(frame(quoting), 1) == pair_key(ONE, OTHER)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(13),
        MACS + b"\x08\x00",
        MACS + b"\x08\x06" + bytes(28),
        frame(packet(ONE, OTHER, bytes(8), protocol=47)),
    ],
)
def test_what_has_no_ports_is_of_no_connection(data: bytes) -> None:
    assert key_of(data, 1) is None


def tapped(t_ns: int, one: Endpoint = ONE, other: Endpoint = OTHER) -> Tapped:
    data = frame(packet(one, other))
    return Tapped(t_ns, 1, 1, len(data), data)


def test_frames_are_kept_until_nobody_can_want_them() -> None:
    kept = Frames()
    kept.add([tapped(1), tapped(2, SIX, SEVEN), tapped(9, OTHER, ONE)])
    mine = pair_key(ONE, OTHER)
    assert [one.t_ns for one in kept.of(mine)] == [1, 9]
    kept.forget_idle(20, frozenset([mine]))
    assert (len(kept.of(mine)), kept.of(pair_key(SIX, SEVEN))) == (2, [])
    kept.forget([mine])
    assert kept.of(mine) == []


def test_where_a_port_was_asked_for_other_frames_are_not_kept() -> None:
    kept = Frames(frozenset([443]))
    secure = Endpoint("10.0.0.2", 443)
    kept.add([tapped(1), tapped(2, ONE, secure)])
    assert (kept.of(pair_key(ONE, OTHER)), len(kept.of(pair_key(ONE, secure)))) == ([], 1)


def test_frames_for_which_there_is_no_room_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fourtuple.watch.frames._MOST_BYTES", 100)
    kept = Frames()
    kept.add([tapped(1), tapped(2), tapped(3)])
    assert (len(kept.of(pair_key(ONE, OTHER))), kept.left_out) == (1, 2)
