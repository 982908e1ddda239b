"""Fragments: what the column kernels leave as parts becomes one packet again, if it may."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.wire import (
    ACK,
    Ethernet,
    Gre,
    Ipv4,
    Ipv6,
    Ipv6Fragment,
    Tcp,
    Udp,
    Value,
    Vlan,
    Vxlan,
    frame,
)
from fourtuple.wire._kernels import decode_rows
from fourtuple.wire._row import KIND, WIDTH
from fourtuple.wire.columns import FRAGMENT, PROBLEM_NAMES, TCP, UDP, Columns, Seen, decode_columns
from fourtuple.wire.reassembly import Reassembly

SECOND = 10**9
IP = Ipv4("10.0.0.1", "10.0.0.2", identification=7)
SIX = Ipv6("fd00::1", "fd00::2")


def segment(length: int, ip: Ipv4 | Ipv6 = IP) -> bytes:
    return Tcp(1000, 80, 5, 9, ACK).emit(bytes(length), ip)


def cut(data: bytes, at: Iterable[int], ip: Ipv4 | Ipv6 = IP, protocol: int = 6) -> list[bytes]:
    """The bytes as fragments that begin at these places, each behind an IP header."""
    places = [0, *at, len(data)]
    made = []
    for begin, end in itertools.pairwise(places):
        more = end < len(data)
        if isinstance(ip, Ipv4):
            head: tuple[Value, ...] = (
                Ipv4(
                    *(ip.source, ip.destination, protocol),
                    identification=ip.identification,
                    more_fragments=more,
                    fragment_offset=begin // 8,
                ),
            )
        else:
            head = (ip, Ipv6Fragment(7, begin // 8, more, protocol))
        made.append(frame(*head, data[begin:end]))
    return made


def columns_of(
    frames: Sequence[bytes],
    *,
    t_ns: Sequence[int] = (),
    kept: int = 65535,
    lost: Sequence[bool] | None = None,
    vantage: Sequence[int] = (),
) -> Columns:
    """The frames (LINKTYPE_RAW), each cut after `kept` bytes, decoded and put together."""
    captured = np.array([min(len(data), kept) for data in frames], np.int64)
    original = np.array([len(data) for data in frames], np.int64)
    buffer = np.frombuffer(b"".join(data[:kept] for data in frames), np.uint8)
    times = np.array(t_ns or range(len(frames)), np.int64)
    places = np.array(vantage or [0] * len(frames), np.int64)
    seen = Seen(times, places, None if lost is None else np.array(lost))
    start = np.cumsum(captured) - captured
    return decode_columns(buffer, start, captured, original, [101] * len(frames), seen)


def problems(columns: Columns) -> list[set[str]]:
    return [
        {name for bit, name in enumerate(PROBLEM_NAMES) if mask >> bit & 1}
        for mask in columns.problems.tolist()
    ]


@pytest.mark.parametrize("ip", [IP, SIX], ids=["IPv4", "IPv6"])
def test_the_fragment_that_completes_a_segment_becomes_it(ip: Ipv4 | Ipv6) -> None:
    columns = columns_of(cut(segment(100, ip), (24, 64), ip))
    assert columns.kind.tolist() == [FRAGMENT, FRAGMENT, TCP]
    assert columns.payload_length[2] == 100
    assert columns.sequence[2] == 5
    assert columns.source(2) == (ip.source, 1000)
    assert columns.destination(2) == (ip.destination, 80)
    assert columns.ip_length[2] == 120 + (20 if ip is IP else 40)
    assert (columns.fragment_offset[2], columns.more_fragments[2]) == (8, 0)


@given(
    st.permutations(range(6)),
    st.sets(st.sampled_from(range(8, 120, 8)), min_size=5, max_size=5),
    st.sampled_from((IP, SIX)),
)
def test_the_order_of_arrival_does_not_matter(
    order: list[int], places: set[int], ip: Ipv4 | Ipv6
) -> None:
    """Nor does where the packet was cut, even within the TCP header."""
    parts = cut(segment(110, ip), sorted(places), ip)
    columns = columns_of([parts[index] for index in order])
    assert columns.kind.tolist() == [FRAGMENT] * 5 + [TCP]
    whole = columns_of([parts[0][: len(parts[0])], frame(ip, Tcp(1000, 80, 5, 9, ACK), bytes(110))])
    for name in ("source_port", "sequence", "acknowledgment", "flags", "window", "payload_length"):
        assert getattr(columns, name)[5] == getattr(whole, name)[1]
    assert problems(columns) == [set()] * 6


def test_a_datagram_is_told_by_its_first_fragment() -> None:
    data = Udp(4000, 53).emit(bytes(2926), IP)
    columns = columns_of(cut(data, (1480,), protocol=17))
    assert columns.kind.tolist() == [UDP, FRAGMENT]
    assert columns.payload_length[0] == 2926
    alone = columns_of(cut(data, (1480,), protocol=17)[:1])
    assert (alone.kind[0], alone.payload_length[0]) == (UDP, 2926)


def test_a_short_snap_length_does_no_harm() -> None:
    columns = columns_of(cut(segment(3000), (1480, 2960)), kept=60)
    assert (columns.kind[2], columns.payload_length[2]) == (TCP, 3000)


def test_a_segment_that_lacks_a_fragment_is_none() -> None:
    parts = cut(segment(100), (24, 64))
    for index in range(3):
        left = parts[:index] + parts[index + 1 :]
        assert columns_of(left).kind.tolist() == [FRAGMENT, FRAGMENT]


def test_a_fragment_that_the_wire_dropped_completes_nothing() -> None:
    parts = cut(segment(100), (24,))
    assert columns_of(parts, lost=[True, False]).kind.tolist() == [FRAGMENT, FRAGMENT]


def test_fragments_of_other_packets_are_not_taken() -> None:
    first, last = cut(segment(100), (24,))
    other = cut(segment(100), (24,), Ipv4("10.0.0.1", "10.0.0.2", identification=8))[1]
    stranger = cut(segment(100), (24,), Ipv4("10.0.0.3", "10.0.0.2", identification=7))[1]
    assert TCP not in columns_of([first, other, stranger]).kind
    assert TCP not in columns_of([first, last], vantage=[0, 1]).kind


@pytest.mark.parametrize(("ip", "patience"), [(IP, 30), (SIX, 60)], ids=["IPv4", "IPv6"])
def test_after_a_while_nobody_waits_for_the_rest(ip: Ipv4 | Ipv6, patience: int) -> None:
    parts = cut(segment(100, ip), (24,), ip)
    in_time, too_late = patience * SECOND, patience * SECOND + 1
    assert columns_of(parts, t_ns=[0, in_time]).kind.tolist() == [FRAGMENT, TCP]
    assert columns_of(parts, t_ns=[0, too_late]).kind.tolist() == [FRAGMENT, FRAGMENT]


def test_a_fragment_seen_twice_is_passed_over() -> None:
    first, second, last = cut(segment(100), (24, 64))
    columns = columns_of([first, second, second, first, last])
    assert columns.kind.tolist() == [FRAGMENT] * 4 + [TCP]
    assert problems(columns) == [set()] * 5


def test_overlapping_fragments_end_the_packet() -> None:
    """Teardrop, and whoever hides bytes from a firewall: RFC 5722."""
    data = segment(100)
    first, last = cut(data, (64,))
    across = frame(
        Ipv4("10.0.0.1", "10.0.0.2", identification=7, more_fragments=True, fragment_offset=4),
        data[32:72],
    )
    columns = columns_of([first, across, last])
    assert columns.kind.tolist() == [FRAGMENT] * 3
    assert problems(columns) == [set(), {"fragment-overlap"}, set()]


@pytest.mark.parametrize(
    ("offset", "length", "more"),
    [
        (0x1FFF, 1480, False),  # the ping of death: beyond 65,535 bytes
        (3, 12, True),  # a length that no next fragment can follow
        (0, 0, True),
    ],
)
def test_a_fragment_that_cannot_be_one_is_a_problem_of_its_own(
    offset: int, length: int, more: bool
) -> None:
    odd = Ipv4("1.1.1.1", "2.2.2.2", more_fragments=more, fragment_offset=offset)
    columns = columns_of([frame(odd, bytes(length)), *cut(segment(100), (24,))])
    assert problems(columns)[0] >= {"fragment-misfit"}
    assert columns.kind.tolist()[1:] == [FRAGMENT, TCP]


def test_two_ends_of_one_packet_contradict_each_other() -> None:
    first, *_ = cut(segment(100), (24,))
    ends = [
        frame(Ipv4("10.0.0.1", "10.0.0.2", identification=7, fragment_offset=at), bytes(8))
        for at in (10, 20)
    ]
    columns = columns_of([first, *ends])
    assert problems(columns) == [set(), set(), {"fragment-misfit"}]


def test_a_flood_of_fragments_takes_bounded_memory_and_harms_no_other() -> None:
    flood = [
        frame(Ipv4("6.6.6.6", "10.0.0.2", identification=n, more_fragments=True), bytes(8))
        for n in range(3000)
    ]
    columns = columns_of([*flood, *cut(segment(100), (24,))])
    assert columns.kind.tolist()[-2:] == [FRAGMENT, TCP]


def test_a_tunnel_that_crosses_in_fragments_is_looked_into_when_it_is_whole() -> None:
    inner = frame(Ipv4("192.168.0.1", "192.168.0.2"), Tcp(1, 2, 3, 4, ACK), bytes(200))
    through_gre = Gre(key=5).emit(inner)
    bridged = frame(Ethernet(type=0x8100), Vlan(9, type=0x800), inner)
    vxlan = Udp(5000, 4789).emit(Vxlan(5).emit(bridged), IP)
    for data, protocol in ((through_gre, 47), (vxlan, 17), (inner, 4)):
        columns = columns_of([*cut(data, (64, 128), IP, protocol), frame(IP, data)])
        assert columns.kind[2] == TCP
        assert columns.source(2) == ("192.168.0.1", 1)
        assert columns.payload_length[2] == 200
        whole = columns_of([frame(Ipv4(IP.source, IP.destination, protocol), data)])
        assert columns.tunnel[2] == whole.tunnel[0] != 0


@given(st.lists(st.integers(0, 30), max_size=5), st.permutations(range(9)))
def test_how_the_frames_are_cut_into_steps_changes_nothing(
    cuts: list[int], order: list[int]
) -> None:
    parts = [
        part
        for number in range(3)
        for part in cut(segment(100), (24, 64), replace(IP, identification=number))
    ]
    frames = [parts[index] for index in order]
    together, places = columns_of(frames), [0, *sorted(min(at, 9) for at in cuts), 9]
    reassembly, kinds = Reassembly(), list[int]()
    for begin, end in itertools.pairwise(places):
        piece = frames[begin:end]
        sizes = np.array([len(data) for data in piece], np.int64)
        buffer = np.frombuffer(b"".join(piece), np.uint8)
        table = np.zeros((len(piece), WIDTH), np.int64)
        links = np.full(len(piece), 101)
        given_ = (buffer, np.cumsum(sizes) - sizes, sizes, sizes, links, table)
        decode_rows(*(each.data for each in given_))
        reassembly.step(buffer, table, Seen(np.arange(begin, end), np.zeros(end - begin, np.int64)))
        kinds += table[:, KIND].tolist()
    assert kinds == together.kind.tolist()


headers = st.builds(
    lambda source, number, offset, more, protocol, size: frame(
        Ipv4(source, "10.0.0.2", protocol, 64, number, False, more, offset), bytes(size)
    ),
    st.sampled_from(("10.0.0.1", "10.0.0.3")),
    st.integers(0, 2),
    st.integers(0, 40) | st.integers(0, 0x1FFF),
    st.booleans(),
    st.sampled_from((4, 6, 17, 41, 47)),
    st.integers(0, 200),
)


@given(st.lists(headers, max_size=12), st.integers(0, 60))
def test_any_fragments_are_harmless(frames: list[bytes], kept: int) -> None:
    columns = columns_of(frames, kept=20 + kept)
    assert len(columns) == len(frames)
    for row in range(len(columns)):
        assert columns.source(row)[0] in ("10.0.0.1", "10.0.0.3", "0.0.0.0", "::")
