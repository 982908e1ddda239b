"""What the wire does in the place of a network card: cutting, checksums, putting together."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.lab.script import Lab
from fourtuple.lab.wire.offload import HEADER_BYTES, PLAIN, as_on_the_wire, put_together
from fourtuple.lab.wire.select import data
from fourtuple.wire import (
    ACK,
    CWR,
    FIN,
    PSH,
    Ethernet,
    Ipv4,
    Ipv4View,
    Ipv6,
    NoOperation,
    Tcp,
    Timestamps,
    Udp,
    dissect,
    frame,
)
from lab.running import held, run_script, talk

NEEDS_CHECKSUM, TCP4, TCP6, UDP_L4 = 1, 1, 4, 5
OPTIONS = (NoOperation(), NoOperation(), Timestamps(7, 8))


def header(gso_type: int, size: int, flags: int = NEEDS_CHECKSUM) -> bytes:
    return struct.pack("=BBHHHH", flags, gso_type, 0, size, 0, 0)


def segment(payload: bytes, *, family: int = 4, flags: int = PSH | ACK, seq: int = 1000) -> bytes:
    ip = (
        Ipv4("10.0.0.1", "10.0.0.2", identification=65534)
        if family == 4
        else Ipv6("fd00::1", "fd00::2")
    )
    return frame(Ethernet(), ip, Tcp(1, 2, seq, 5, flags=flags, options=OPTIONS), payload)


@given(
    st.binary(min_size=1, max_size=4000),
    st.integers(100, 1460),
    st.sampled_from([4, 6]),
    st.sampled_from([ACK, PSH | ACK, FIN | PSH | ACK, CWR | ACK]),
)
def test_what_is_cut_are_the_same_bytes_with_the_numbers_that_belong_to_them(
    payload: bytes, size: int, family: int, flags: int
) -> None:
    start = 2**32 - 1500  # the numbers wrap
    whole = segment(payload, family=family, flags=flags, seq=start)
    parts = [
        dissect(part) for part in as_on_the_wire(header(TCP4 if family == 4 else TCP6, size), whole)
    ]
    assert b"".join(part.payload for part in parts) == payload
    at = start
    for index, part in enumerate(parts):
        tcp = part.tcp
        assert tcp is not None
        assert part.problems() == ()
        assert tcp.sequence == at % 2**32
        assert tcp.options == (*OPTIONS,)
        assert bool(tcp.flags & FIN) == (bool(flags & FIN) and part is parts[-1])
        assert bool(tcp.flags & PSH) == (bool(flags & PSH) and part is parts[-1])
        assert bool(tcp.flags & CWR) == (bool(flags & CWR) and index == 0)
        if isinstance(part.ip, Ipv4View):
            assert part.ip.identification == (65534 + index) % 65536
        at += len(part.payload)
    assert [len(part.payload) for part in parts[:-1]] == [size] * (len(parts) - 1)


def test_a_large_datagram_becomes_datagrams() -> None:
    whole = frame(Ethernet(), Ipv4("10.0.0.1", "10.0.0.2"), Udp(1, 2), b"a" * 1000 + b"b" * 300)
    parts = [dissect(part) for part in as_on_the_wire(header(UDP_L4, 1000), whole)]
    assert [part.payload for part in parts] == [b"a" * 1000, b"b" * 300]
    assert [part.problems() for part in parts] == [(), ()]


def test_only_a_checksum_is_filled_in_where_nothing_is_to_be_cut() -> None:
    right = segment(b"hello")
    wrong = right[:50] + b"\x12\x34" + right[52:]
    assert dissect(wrong).problems() == ("bad-checksum",)
    assert as_on_the_wire(header(0, 0), wrong) == [right]
    assert as_on_the_wire(PLAIN, wrong) == [wrong]


@given(st.binary(max_size=HEADER_BYTES), st.binary(max_size=200))
def test_odd_bytes_are_no_exception(odd: bytes, rest: bytes) -> None:
    start = odd.ljust(HEADER_BYTES, b"\0")
    for whole in (rest, segment(rest), segment(rest)[:40]):
        assert as_on_the_wire(start, whole)
    assert sum(one.count for one in put_together([rest, segment(rest), segment(rest)])) == 3


@given(st.integers(1, 6), st.integers(1, 1400), st.sampled_from([4, 6]))
def test_what_was_cut_is_put_together_again(full: int, last: int, family: int) -> None:
    size = 1400
    payload = bytes(range(256)) * 40
    payload = payload[: full * size + last]
    kind = TCP4 if family == 4 else TCP6
    whole = segment(payload, family=family)
    (merged,) = put_together(as_on_the_wire(header(kind, size), whole))
    flags, gso_type, _, gso_size, start, offset = struct.unpack("=BBHHHH", merged.header)
    packet = dissect(merged.frame)
    assert (flags, gso_type, gso_size) == (NEEDS_CHECKSUM, kind, size)
    assert packet.payload == payload
    assert packet.tcp is not None
    assert (start, offset) == (packet.tcp.offset, 16)
    assert packet.tcp.flags == PSH | ACK
    assert merged.count == full + 1


@pytest.mark.parametrize(
    "other",
    [
        segment(b"b" * 100, seq=1101),  # a gap
        segment(b"b" * 101, seq=1100),  # larger than the first
        segment(b"", seq=1100),
        segment(b"b" * 100, seq=1100, flags=ACK | CWR),
        frame(Ethernet(), Ipv4("10.0.0.3", "10.0.0.2"), Tcp(1, 2, 1100, 5, flags=ACK), b"b" * 100),
        frame(
            Ethernet(),
            Ipv4("10.0.0.1", "10.0.0.2", identification=65534, ttl=3),
            Tcp(1, 2, 1100, 5, flags=ACK, options=OPTIONS),
            b"b" * 100,
        ),
    ],
)
def test_what_does_not_follow_or_is_not_alike_stays_apart(other: bytes) -> None:
    first = segment(b"a" * 100, flags=ACK)
    assert [one.count for one in put_together([first, other])] == [1, 1]
    fitting = segment(b"b" * 100, seq=1100)
    assert [one.count for one in put_together([first, fitting])] == [2]
    assert [one.count for one in put_together([fitting, first])] == [1, 1]


@pytest.mark.kernel
@pytest.mark.parametrize("family", [4, 6])
def test_a_host_that_offloads_talks_through_the_wire_that_cuts(family: int) -> None:
    """Bulk data both ways, lost segments, and a close: the kernels take what the wire makes."""

    def script(lab: Lab) -> None:
        client, server = lab.pair(offload=True)
        lab.wire.coalesce(data.to(client), frames=4, seconds=0.01)
        lab.wire.drop(data.nth(7, 20, 21))
        sock, peer = talk(lab, client, server, 60_000)
        message = lab.bytes(60_000)
        peer.send(message)
        lab.expect(sock.recv_exactly(60_000), message, "what the client reads")
        sock.close()
        peer.close()
        lab.settle()
        full = lab.payload_per_segment
        most = max(segment.length for segment in lab.segments())
        lab.expect(most <= full, True, "no segment on the wire is larger than the MSS")
        seen = [max(s.length for s in lab.segments(seen_at=host)) for host in (client, server)]
        lab.expect([size > full for size in seen], [True, True], "larger ones at the hosts")

    held(run_script(script, family=family))


@pytest.mark.kernel
def test_a_network_card_hands_over_what_it_has_when_time_is_up() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair(timestamps=False, offload=("server",))
        gathered = lab.wire.coalesce(data.to(server), frames=100, seconds=0.05)
        talk(lab, client, server, 2 * lab.payload_per_segment)
        lab.expect(gathered.count, 2, "gathered")
        lab.expect(len(lab.segments(seen_at=server, payload=True)), 1, "handed over")

    held(run_script(script))
