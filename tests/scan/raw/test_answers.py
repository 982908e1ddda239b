"""Received packets as columns: what they say is what the views say, and no bytes raise."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.scan.raw.answers import ICMP, ICMP6, NOTHING, TCP, UDP, Answers, read_answers
from fourtuple.wire import (
    ACK,
    SYN,
    Icmp,
    Icmp6,
    Ipv4,
    Ipv6,
    Tcp,
    Udp,
    Value,
    dissect,
    frame,
    ip_bytes,
)
from fourtuple.wire.dissect import RAW

WIDTH = 176
ports = st.integers(0, 65535)
numbers = st.integers(0, 2**32 - 1)


def read(*packets: bytes) -> Answers:
    data = np.zeros((len(packets), WIDTH), dtype=np.uint8)
    for row, packet in zip(data, packets, strict=True):
        row[: len(packet[:WIDTH])] = np.frombuffer(packet[:WIDTH], dtype=np.uint8)
    return read_answers(data, np.array([len(packet) for packet in packets], dtype=np.int64))


def address(answers: Answers, row: int = 0) -> bytes:
    high, low = (int(half[row]).to_bytes(8, "big") for half in (answers.high, answers.low))
    return high + low


def ip(family: int, options: bytes = b"") -> Ipv4 | Ipv6:
    if family == 4:
        return Ipv4("10.0.0.2", "10.0.0.1", options=options)
    return Ipv6("fd00::2", "fd00::1")


segments = st.builds(Tcp, ports, ports, numbers, numbers, flags=st.integers(0, 255), window=ports)


@given(st.sampled_from([4, 6]), st.sampled_from([b"", b"\1\1\1\1"]), segments, segments)
def test_a_segment_is_read_as_its_view_reads_it(
    family: int, options: bytes, one: Tcp, other: Tcp
) -> None:
    answers = read(frame(ip(family, options), one), frame(ip(4), other))
    for row, segment in enumerate((one, other)):
        assert answers.kind[row] == TCP
        assert (answers.port[row], answers.own_port[row]) == (
            segment.source_port,
            segment.destination_port,
        )
        assert answers.sequence[row] == segment.sequence
        assert answers.acknowledgment[row] == segment.acknowledgment
        assert (answers.flags[row], answers.window[row]) == (segment.flags, segment.window)
    assert address(answers).endswith(ip_bytes("10.0.0.2" if family == 4 else "fd00::2"))


@given(segments)
def test_a_packet_alone_is_read_as_it_is_among_others(segment: Tcp) -> None:
    """Where all are TCP behind plain headers there is a faster way, which must not differ."""
    packet = frame(ip(4), segment)
    alone = read(packet)
    among = read(packet, frame(ip(4), Udp(1, 2)))
    for name in Answers.__slots__:
        if name not in ("icmp_type", "code"):  # a segment has none
            assert getattr(alone, name)[0] == getattr(among, name)[0]


@given(st.sampled_from([4, 6]), ports, ports, st.binary(max_size=40))
def test_a_datagram_is_read(family: int, source: int, destination: int, data: bytes) -> None:
    answers = read(frame(ip(family), Udp(source, destination), data))
    assert answers.kind[0] == UDP
    assert (answers.port[0], answers.own_port[0]) == (source, destination)


@given(st.integers(0, 15), numbers, ports, ports, st.sampled_from([8, 20, 24]))
def test_an_icmp_error_is_about_the_probe_that_it_quotes(
    code: int, cookie: int, own: int, port: int, quoted: int
) -> None:
    probe = frame(Ipv4("10.0.0.1", "10.9.9.9"), Tcp(own, port, cookie, flags=SYN))
    answers = read(frame(ip(4), Icmp(3, code), probe[: 20 + quoted]))
    assert answers.kind[0] == ICMP
    assert address(answers).endswith(ip_bytes("10.9.9.9"))  # not the router's, who sent it
    assert (answers.own_port[0], answers.port[0]) == (own, port)
    assert answers.sequence[0] == cookie
    assert (answers.icmp_type[0], answers.code[0], answers.protocol[0]) == (3, code, 6)


def test_an_icmp6_error_is_about_the_probe_that_it_quotes() -> None:
    probe = frame(Ipv6("fd00::1", "fd00::9"), Udp(61000, 53))
    answers = read(frame(ip(6), Icmp6(1, 4), probe))
    assert answers.kind[0] == ICMP6
    assert address(answers) == ip_bytes("fd00::9")
    assert (answers.own_port[0], answers.port[0], answers.protocol[0]) == (61000, 53, 17)


def test_a_later_fragment_is_no_answer() -> None:
    packet = frame(Ipv4("10.0.0.2", "10.0.0.1", fragment_offset=3), Tcp(80, 61000, flags=ACK))
    assert read(packet).kind[0] == NOTHING


@given(segments, st.integers(0, 39))
def test_a_segment_cut_short_is_no_answer(segment: Tcp, length: int) -> None:
    assert read(frame(ip(4), segment)[:length]).kind[0] == NOTHING


@given(st.lists(st.binary(max_size=WIDTH), min_size=1, max_size=8))
def test_no_bytes_raise(packets: list[bytes]) -> None:
    answers = read(*packets)
    for row, packet in enumerate(packets):
        view = dissect(packet, RAW)
        if answers.kind[row] == TCP:
            assert view.ip is not None
            assert len(packet) >= view.ip.header_length + 20
        if view.tcp is not None and not view.problems() and view.ip is not None:
            plain: Value | None = None if len(packet) > WIDTH else Tcp.parse(view.tcp)
            assert plain is None or answers.kind[row] in (TCP, NOTHING)
