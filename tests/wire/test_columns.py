"""Columns: many frames at once say what the views say one by one."""

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.wire import (
    ACK,
    PSH,
    SYN,
    Arp,
    Ethernet,
    FastOpen,
    Icmp,
    Icmp6,
    Ipv4,
    Ipv6,
    Ipv6Fragment,
    MaximumSegmentSize,
    NoOperation,
    Sack,
    SackPermitted,
    Tcp,
    Timestamps,
    Udp,
    UnknownOption,
    Vlan,
    WindowScale,
    dissect,
    frame,
)
from fourtuple.wire import _row as kernels
from fourtuple.wire.columns import (
    ARP,
    FRAGMENT,
    OTHER,
    PROBLEM_NAMES,
    TCP,
    UDP,
    Columns,
    decode_columns,
)

from .naive import naive
from .strategies import captures

Capture = tuple[bytes, int, int]  # data, link type, bytes that were not captured


def columns_of(*frames: Capture, gap: bytes = b"") -> Columns:
    """The frames decoded in one go, `gap` before each of them in the buffer."""
    buffer = np.frombuffer(b"".join(gap + data for data, _, _ in frames), dtype=np.uint8)
    captured = np.array([len(data) for data, _, _ in frames], dtype=np.int64)
    start = np.cumsum(captured + len(gap)) - captured
    original = captured + np.array([missing for _, _, missing in frames], dtype=np.int64)
    return decode_columns(buffer, start, captured, original, [link for _, link, _ in frames])


def row_of(columns: Columns, row: int = 0) -> dict[str, Any]:
    return {name: getattr(columns, name)[row].tolist() for name in columns.__struct_fields__}


def moved(row: dict[str, Any], by: int) -> dict[str, Any]:
    """The row of the same frame `by` bytes further on in the buffer."""
    places = ["payload_start"] * (row["kind"] in (TCP, UDP, FRAGMENT))
    places += ["fragment_start"] * (row["fragment_start"] > 0)
    return row | {name: row[name] + by for name in places}


missing_bytes = st.sampled_from((0, 0, 0, 7, 60))


@given(captures, missing_bytes)
def test_a_row_says_what_the_views_say(capture: tuple[bytes, int], missing: int) -> None:
    data, link = capture
    packet = dissect(data, link, len(data) + missing)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        columns = columns_of((data, link, missing))
    assert row_of(columns) == naive(packet)
    for end, address, port in (
        (columns.source(0), "source", "source_port"),
        (columns.destination(0), "destination", "destination_port"),
    ):
        sound = packet.ip if packet.ip and packet.ip.sound else None
        inside = packet.tcp or packet.udp
        here = inside if columns.kind[0] in (TCP, UDP) else None
        assert end == (getattr(sound, address, ""), getattr(here, port, 0))


@given(st.lists(st.tuples(captures, missing_bytes), max_size=4), st.binary(max_size=20))
def test_a_frame_is_decoded_alike_wherever_it_lies(
    drawn: list[tuple[tuple[bytes, int], int]], gap: bytes
) -> None:
    frames = [(data, link, missing) for (data, link), missing in drawn]
    together = columns_of(*frames, gap=gap)
    assert len(together) == len(frames)
    at = 0
    for row, one in enumerate(frames):
        at += len(gap)
        assert row_of(together, row) == moved(row_of(columns_of(one)), at)
        at += len(one[0])


@given(
    st.binary(max_size=80),
    st.lists(st.tuples(*[st.integers(-100, 1 << 40)] * 3), min_size=1, max_size=3),
)
def test_positions_outside_the_buffer_do_no_harm(
    data: bytes, rows: list[tuple[int, int, int]]
) -> None:
    places = np.array(rows, dtype=np.int64).T
    buffer = np.frombuffer(data, dtype=np.uint8)
    start, captured, original = places
    columns = decode_columns(buffer, start, captured, original, [1] * len(rows))
    assert (columns.payload_start <= len(data)).all()


def test_a_known_syn() -> None:
    options = (
        *(MaximumSegmentSize(1460), SackPermitted(), Timestamps(100)),
        *(NoOperation(), WindowScale(7)),
    )
    syn = Tcp(40000, 8888, 19806791, 0, SYN, 64240, options=options)
    data = frame(Ethernet(), Ipv4("10.77.0.1", "10.77.0.2", identification=7), syn)
    columns = columns_of((data, 1, 0))
    assert columns.source(0) == ("10.77.0.1", 40000)
    assert columns.destination(0) == ("10.77.0.2", 8888)
    row = row_of(columns)
    expected = {
        "kind": TCP,
        "family": 4,
        "source_low": 0x0A4D0001,
        "ip_length": 60,
        "ip_id": 7,
        "hop_limit": 64,
        "sequence": 19806791,
        "flags": SYN,
        "window": 64240,
        "payload_length": 0,
        "payload_start": 74,
        "mss": 1460,
        "window_scale": 7,
        "sack_permitted": 1,
        "ts_value": 100,
        "ts_echo": 0,
        "fast_open": -1,
        "problems": 0,
    }
    assert {name: row[name] for name in expected} == expected


def test_a_short_snap_length_does_not_change_the_payload_length() -> None:
    data = frame(Ethernet(), Ipv4("10.0.0.1", "10.0.0.2"), Tcp(1, 2, flags=PSH | ACK), bytes(1000))
    columns = columns_of((data[:64], 1, len(data) - 64))
    assert columns.payload_length.tolist() == [1000]
    assert columns.problems.tolist() == [0]


def test_padding_is_no_payload() -> None:
    short = frame(Ethernet(), Ipv4("10.0.0.1", "10.0.0.2"), Tcp(1, 2, flags=ACK))
    assert columns_of((short + bytes(6), 1, 0)).payload_length.tolist() == [0]


def test_sack_blocks_are_in_their_places() -> None:
    ack = Tcp(1, 2, flags=ACK, options=(Sack(((5, 7), (9, 0xFFFFFFFF))),))
    columns = columns_of((frame(Ethernet(), Ipv6("::1", "::2"), ack), 1, 0))
    assert columns.sack_count.tolist() == [2]
    assert columns.sack_edges.tolist() == [[5, 7, 9, 0xFFFFFFFF, 0, 0, 0, 0]]


def test_kinds() -> None:
    arp = Arp(1, "02:00:00:00:00:01", "10.0.0.1", "00:00:00:00:00:00", "10.0.0.2")
    later = Ipv4("10.0.0.1", "10.0.0.2", 17, fragment_offset=1)
    frames = (
        frame(Ethernet(), arp),
        frame(Ethernet(), Ipv4("10.0.0.1", "10.0.0.2"), Udp(1, 2)),
        frame(Ethernet(), later, b"the rest"),
        b"",
    )
    columns = columns_of(*((data, 1, 0) for data in frames))
    assert columns.kind.tolist() == [ARP, UDP, FRAGMENT, OTHER]
    assert columns.source(0) == ("", 0)
    assert columns.source(2) == ("10.0.0.1", 0)


def test_no_frames_make_no_rows() -> None:
    assert len(columns_of()) == 0
    assert columns_of().sack_edges.shape == (0, 8)


def test_the_columns_are_named_as_the_kernel_numbers_them() -> None:
    names = [name.upper() for name in Columns.__struct_fields__]
    assert [getattr(kernels, name) for name in names] == list(range(len(names)))
    bits = [getattr(kernels, name.upper().replace("-", "_")) for name in PROBLEM_NAMES]
    assert bits == [1 << index for index in range(len(PROBLEM_NAMES))]


OPTIONS = (
    *(MaximumSegmentSize(1460), WindowScale(7), SackPermitted(), Timestamps(1, 2)),
    *(Sack(((5, 7),)), FastOpen(b"1234")),
)
JOIN = (UnknownOption(30, b"\x10\1" + bytes(8)), UnknownOption(30, b"\x20\1"))
AH = bytes.fromhex("0604 0000 00000001 00000002" + "cc" * 12)
CHAIN = bytes.fromhex("3c00 0502 0000 0100  2b00 0104 00000000  3300 0400 00000000") + AH
SEGMENT = Tcp(1, 2, 3, 4, ACK).emit(b"hello", Ipv6("::1", "::2"))
SPECIMENS = {
    "all options": (frame(Ethernet(), Ipv4("10.0.0.1", "10.0.0.2"), Tcp(1, 2, options=OPTIONS)), 1),
    "Multipath TCP": (frame(Ethernet(), Ipv4("1.1.1.1", "2.2.2.2"), Tcp(1, 2, options=JOIN)), 1),
    "IPv4 options": (
        frame(Ethernet(), Ipv4("1.1.1.1", "2.2.2.2", options=b"\x94\4\0\0"), Udp(1, 2), b"hi"),
        1,
    ),
    "tags": (frame(Ethernet(), Vlan(1), Vlan(2), Ipv6("::1", "::2"), Udp(1, 2), b"hi"), 1),
    "fragment": (frame(Ipv6("::1", "::2"), Ipv6Fragment(7), Tcp(1, 2), b"hi"), 101),
    "later fragment": (frame(Ipv6("::1", "::2"), Ipv6Fragment(7, 3), b"the rest"), 229),
    "chain": (Ipv6("::1", "::2", 0).emit(CHAIN + SEGMENT), 229),
    "AH": (Ipv4("1.1.1.1", "2.2.2.2", 51).emit(AH + SEGMENT), 228),
    "ICMP": (bytes.fromhex("02000000") + frame(Ipv4("1.1.1.1", "2.2.2.2"), Icmp(8)), 0),
    "ICMPv6": (bytes.fromhex("0000001e") + frame(Ipv6("::1", "::2"), Icmp6(128)), 108),
    "cooked": (bytes(14) + b"\x08\0" + frame(Ipv4("1.1.1.1", "2.2.2.2"), Udp(1, 2)), 113),
    "cooked 2": (b"\x86\xdd" + bytes(18) + frame(Ipv6("::1", "::2"), Udp(1, 2)), 276),
    "unknown": (bytes(30), 147),
}


@pytest.mark.parametrize(("data", "link"), SPECIMENS.values(), ids=SPECIMENS)
def test_every_cut_and_every_damaged_byte_agrees_too(data: bytes, link: int) -> None:
    cuts = [(data[:kept], len(data) - kept) for kept in range(len(data) + 1)]
    damages = [
        (data[:at] + bytes((new,)) + data[at + 1 :], 0)
        for at in range(len(data))
        for new in (0, 1, 2, 7, 0x11, 0x80, 0xFF, data[at] ^ 0x10)
    ]
    shorter = [(changed, 0) for changed, _ in cuts]
    frames = [(changed, link, missing) for changed, missing in cuts + shorter + damages]
    columns = columns_of(*frames)
    before = 0
    for row, (changed, _, missing) in enumerate(frames):
        found = moved(row_of(columns, row), -before)
        assert found == naive(dissect(changed, link, len(changed) + missing)), changed.hex(" ")
        before += len(changed)
