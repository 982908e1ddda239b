"""Frames from a shared ring: each once, whole or as much as is kept, and none uncounted."""

import socket
import struct
import time
from collections.abc import Iterator

import pytest

from fourtuple.errors import CapabilityMissing
from fourtuple.system.tapping import SNAP_BYTES, FrameTap, Tapped, frames_of
from fourtuple.wire import dissect

pytestmark = [pytest.mark.kernel, pytest.mark.root]


@pytest.fixture
def tap() -> Iterator[FrameTap]:
    try:
        with FrameTap(blocks=8) as found:
            yield found
    except CapabilityMissing as missing:
        pytest.skip(str(missing))


def taken(tap: FrameTap, port: int, count: int) -> list[Tapped]:
    """The first frames of a port; waits for them."""
    found: list[Tapped] = []
    until_s = time.monotonic() + 60
    while len(found) < count and time.monotonic() < until_s:
        for block in tap.blocks():
            for frame in frames_of(block):
                packet = dissect(frame.data, frame.link_type)
                ports = packet.tcp or packet.udp
                if ports and port in (ports.source_port, ports.destination_port):
                    found.append(frame)
        time.sleep(0.01)
    return found


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_handshake_over_loopback_is_three_frames(tap: FrameTap, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection((address, port)) as client:
            frames = taken(tap, port, 3)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    flags = [dissect(frame.data, 1).tcp.flags for frame in frames]  # type: ignore[union-attr]
    assert flags == [0x02, 0x12, 0x10]
    assert sorted(frame.t_ns for frame in frames) == [frame.t_ns for frame in frames]
    assert abs(frames[0].t_ns - time.time_ns()) < 60 * 10**9


def test_of_a_long_frame_the_beginning_is_kept_and_its_length(tap: FrameTap) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(bytes(20_000))
            frames = taken(tap, port, 4)
    longest = max(frames, key=lambda frame: frame.original)
    assert longest.original > SNAP_BYTES == len(longest.data)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_datagram_over_loopback_is_one_frame(tap: FrameTap, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.bind((address, 0))
        port = one.getsockname()[1]
        for _ in range(3):
            one.sendto(b"x" * 1000, one.getsockname())
        frames = taken(tap, port, 3)
    assert [frame.original for frame in frames] == [frames[0].original] * 3
    assert frames[0].original > 1000


def test_what_finds_no_room_is_counted(tap: FrameTap) -> None:
    """Eight blocks are 8 MiB; more than that is sent in full segments of 2 KiB and over."""
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    with listener, client, server:
        for _ in range(12_000):
            client.sendall(bytes(2048))
            server.recv(4096)
    frames = sum(1 for block in tap.blocks() for _ in frames_of(block))
    assert tap.dropped() > 0
    assert frames + tap.dropped() >= 12_000
    assert tap.dropped() == tap.dropped()  # it does not begin anew


def test_bytes_that_are_no_block_end_it() -> None:
    assert list(frames_of(b"")) == []
    assert list(frames_of(bytes(100))) == []
    assert len(list(frames_of(b"\xff" * 100))) <= 1
