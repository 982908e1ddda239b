"""The socket filter, run by the kernel itself on a pair of local sockets."""

import socket
from collections.abc import Iterator

import pytest

from fourtuple.scan.raw.filter import answer_filter
from fourtuple.system.ring import attach_filter
from fourtuple.wire import Icmp, Icmp6, Ipv4, Ipv6, Tcp, Udp, frame

OWN = range(61000, 61016)
V4, V6 = Ipv4("10.0.0.2", "10.0.0.1"), Ipv6("fd00::2", "fd00::1")
OPTIONS = Ipv4("10.0.0.2", "10.0.0.1", options=b"\1" * 8)


@pytest.fixture(params=[6, 17])
def protocol(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def pair(protocol: int) -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    attach_filter(ours, answer_filter(protocol, OWN, 2000))
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def passes(pair: tuple[socket.socket, socket.socket], packet: bytes) -> bool:
    ours, theirs = pair
    try:
        theirs.send(packet)
        return ours.recv(4096) == packet
    except BlockingIOError:
        return False
    except OSError:  # a local socket tells its sender that the filter took it
        return False


def transport(protocol: int, to: int) -> Tcp | Udp:
    return Tcp(80, to) if protocol == 6 else Udp(80, to)


@pytest.mark.parametrize("ip", [V4, V6, OPTIONS])
def test_answers_to_our_ports_pass_and_nothing_beside_them(
    pair: tuple[socket.socket, socket.socket], protocol: int, ip: Ipv4 | Ipv6
) -> None:
    seen = {to: passes(pair, frame(ip, transport(protocol, to))) for to in range(60990, 61030)}
    assert [to for to, passed in seen.items() if passed] == list(OWN)


@pytest.mark.parametrize("ip", [V4, V6])
def test_the_other_protocol_stays_out(
    pair: tuple[socket.socket, socket.socket], protocol: int, ip: Ipv4 | Ipv6
) -> None:
    assert not passes(pair, frame(ip, transport(23 - protocol, OWN[0])))


def test_errors_pass_and_other_icmp_stays_out(pair: tuple[socket.socket, socket.socket]) -> None:
    quoted = bytes(28)
    four = [kind for kind in range(20) if passes(pair, frame(V4, Icmp(kind), quoted))]
    six = [kind for kind in range(200) if passes(pair, frame(V6, Icmp6(kind), quoted))]
    assert (four, six) == ([3, 11], [1, 3])


def test_later_fragments_stay_out(pair: tuple[socket.socket, socket.socket], protocol: int) -> None:
    fragment = Ipv4("10.0.0.2", "10.0.0.1", fragment_offset=1)
    assert not passes(pair, frame(fragment, transport(protocol, OWN[0])))


@pytest.mark.parametrize("packet", [b"", b"\x45", bytes(60), b"\x50" * 60])
def test_odd_bytes_stay_out(pair: tuple[socket.socket, socket.socket], packet: bytes) -> None:
    assert not passes(pair, packet)
