"""Frames that pass by: which are taken, and how many are kept."""

import os
import socket
from contextlib import ExitStack

import pytest

from fourtuple.system.sniffer import Sniffer
from fourtuple.talk.filter import frame_filter
from fourtuple.wire import Ipv4View, dissect

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="packet sockets need CAP_NET_RAW")


def send(port: int, *words: bytes, family: int = socket.AF_INET) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        for word in words:
            sock.sendto(word, ("::1" if family == socket.AF_INET6 else "127.0.0.1", port))


@pytest.fixture
def ports() -> list[int]:
    """Three that nobody has, over IPv4."""
    with ExitStack() as stack:
        socks = [stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(3)]
        for sock in socks:
            sock.bind(("127.0.0.1", 0))
        return [int(sock.getsockname()[1]) for sock in socks]


def payloads(seen: Sniffer) -> list[bytes]:
    """Of the datagrams alone: whatever else goes on here, its ICMP messages are taken too."""
    packets = (dissect(frame.data, frame.link_type) for frame in seen.frames())
    return [packet.payload for packet in packets if packet.udp and not packet.icmp]


def test_only_the_wanted_ports_are_taken(ports: list[int]) -> None:
    with Sniffer(frame_filter(ports[:2])) as seen:
        for port, word in zip(ports, (b"one", b"two", b"not"), strict=True):
            for family in (socket.AF_INET, socket.AF_INET6):
                send(port, word, family=family)
    assert payloads(seen) == [b"one", b"one", b"two", b"two"]
    assert seen.left_out == 0


def test_a_whole_protocol_is_taken_and_no_other() -> None:
    with Sniffer(frame_filter([], [253])) as seen:
        for protocol, word in ((253, b"one"), (254, b"not")):
            with socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol) as sock:
                sock.sendto(word, ("127.0.0.1", 0))
    found = [dissect(frame.data, frame.link_type) for frame in seen.frames()]
    raw = [packet for packet in found if isinstance(packet.ip, Ipv4View) and not packet.icmp]
    assert [packet.ip.protocol for packet in raw if packet.ip] == [253]


def test_more_ports_than_a_program_has_room_for_are_all_ports() -> None:
    assert len(frame_filter(range(1, 51))) > 200
    assert frame_filter(range(1, 52)) == []


def test_the_first_frames_are_kept_and_the_others_counted(ports: list[int]) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", ports[0]))
        with Sniffer(frame_filter(ports[:1]), most_bytes=500) as seen:
            send(ports[0], *(b"%03d" % n for n in range(100)))
    told = payloads(seen)
    assert told == [b"%03d" % n for n in range(len(told))]
    assert len(told) < 20
    assert len(told) + seen.left_out >= 100
