"""Which answers count, for which port, and what is left when a scan stops."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.scan.board import Board, Int64s
from fourtuple.scan.model import ScanOptions, verdict_of
from fourtuple.scan.raw.answers import Answers, read_answers
from fourtuple.scan.strategy import PROBES
from fourtuple.wire import ACK, RST, SYN, Icmp, Ipv4, Tcp, Udp, frame

from .engines import done_mask

OWN = range(61000, 61016)
TARGETS, PORTS = ("10.0.0.2", "10.0.0.3"), (22, 80, 443)


def board(method: str = "syn", shard: tuple[int, int] = (1, 1), done: bytes = b"") -> Board:
    return Board(ScanOptions(method, shard=shard), TARGETS, PORTS, OWN, done)


def cookie(on: Board, target: int, port: int, attempt: int = 0) -> int:
    columns = (np.array([number]) for number in (target, port, OWN[attempt]))
    return int(on.cookies(*columns)[0])


def learn(on: Board, *packets: bytes, t_ns: int = 0) -> tuple[list[tuple[str, int, str]], int]:
    """What the board learns of packets: [(address, port, state)], and how many say nothing."""
    data = np.zeros((len(packets), 176), dtype=np.uint8)
    for row, packet in zip(data, packets, strict=True):
        row[: len(packet)] = np.frombuffer(packet, dtype=np.uint8)
    captured = np.array([len(packet) for packet in packets])
    answers = read_answers(data, captured)
    matched, foreign = on.match(answers, np.full(len(packets), t_ns))
    rows = on.settle(matched.cells, matched.codes)
    targets, ports = on.split(matched.cells[rows])
    states = [verdict_of(code)[0] for code in matched.codes[rows].tolist()]
    addresses = [TARGETS[target] for target in targets.tolist()]
    return list(zip(addresses, ports.tolist(), states, strict=True)), foreign


def answer(on: Board, target: int, port: int, flags: int = RST | ACK, wrong: int = 0) -> bytes:
    acknowledged = (cookie(on, target, port) + 1 + wrong) & 0xFFFFFFFF
    ip = Ipv4(TARGETS[target], "10.0.0.1")
    return frame(ip, Tcp(port, OWN[0], acknowledgment=acknowledged, flags=flags))


def test_true_answers_count_once() -> None:
    on = board()
    packets = [answer(on, 0, 22, SYN | ACK), answer(on, 1, 443), answer(on, 0, 22, SYN | ACK)]
    assert learn(on, *packets)[0] == [("10.0.0.2", 22, "open"), ("10.0.0.3", 443, "closed")]
    assert learn(on, packets[0]) == ([], 0)
    assert (on.answered, on.total) == (2, 6)


@given(st.integers(1, 2**32 - 2))
def test_a_forged_answer_does_not_count(wrong: int) -> None:
    on = board()
    assert learn(on, answer(on, 0, 22, SYN | ACK, wrong)) == ([], 1)


def test_an_answer_for_another_port_of_ours_needs_that_ports_cookie() -> None:
    on = board()
    packet = frame(
        Ipv4("10.0.0.2", "10.0.0.1"),
        Tcp(22, OWN[1], acknowledgment=cookie(on, 0, 22, attempt=0) + 1, flags=SYN | ACK),
    )
    assert learn(on, packet) == ([], 1)


@pytest.mark.parametrize(("address", "port"), [("10.0.0.4", 22), ("10.0.0.2", 23)])
def test_what_was_not_asked_is_not_answered(address: str, port: int) -> None:
    packet = frame(Ipv4(address, "10.0.0.1"), Tcp(port, OWN[0], flags=RST))
    assert learn(board(), packet) == ([], 1)


@pytest.mark.parametrize("method", [m for m in PROBES if m != "udp"])
def test_a_reset_as_linux_makes_it_counts_for_every_method(method: str) -> None:
    """RFC 9293, section 3.10.7.1: to an ACK, its acknowledgment as sequence number; else the
    segment's end is acknowledged."""
    on = board(method)
    number = cookie(on, 0, 80)
    if PROBES[method].acknowledges:
        reset = Tcp(80, OWN[0], number, flags=RST, window=0)
    else:
        end = (number + PROBES[method].consumed) & 0xFFFFFFFF
        reset = Tcp(80, OWN[0], 0, end, flags=RST | ACK, window=0)
    state = "unfiltered" if method == "ack" else "closed"
    assert learn(on, frame(Ipv4("10.0.0.2", "10.0.0.1"), reset))[0] == [("10.0.0.2", 80, state)]


def test_a_routers_error_counts_where_it_quotes_our_cookie() -> None:
    on = board()
    for number, expected in (
        (cookie(on, 1, 80), [("10.0.0.3", 80, "filtered")]),
        (cookie(on, 1, 80) ^ 1, []),
    ):
        quoted = frame(Ipv4("10.0.0.1", "10.0.0.3"), Tcp(OWN[0], 80, number, flags=SYN))
        on.verdicts[:] = 0
        packet = frame(Ipv4("192.0.2.1", "10.0.0.1"), Icmp(3, 13), quoted[:28])
        assert learn(on, packet)[0] == expected


def test_udp_is_answered_by_datagram_or_error() -> None:
    on = board("udp")
    quoted = frame(Ipv4("10.0.0.1", "10.0.0.2"), Udp(OWN[3], 80))
    packets = (
        frame(Ipv4("10.0.0.2", "10.0.0.1"), Udp(22, OWN[0]), b"yes"),
        frame(Ipv4("10.0.0.2", "10.0.0.1"), Icmp(3, 3), quoted),
    )
    assert learn(on, *packets)[0] == [("10.0.0.2", 22, "open"), ("10.0.0.2", 80, "closed")]


def test_a_round_trip_is_measured_from_the_attempt_that_was_answered() -> None:
    on = board()
    cells = np.concatenate(list(on.cells()))
    on.asked(cells, 0, np.full(len(cells), 1000))
    on.asked(cells, 1, np.full(len(cells), 500_000))
    data = np.zeros((1, 176), dtype=np.uint8)
    packet = answer(on, 0, 22)
    data[0, : len(packet)] = np.frombuffer(packet, dtype=np.uint8)
    matched, _ = on.match(read_answers(data, np.array([40])), np.array([3000]))
    assert matched.rtts_ns.tolist() == [2000]
    assert matched.attempts.tolist() == [0]


def test_a_probe_whose_turn_to_be_sent_comes_later_is_measured_from_then() -> None:
    on = board()
    cells, stamps = np.concatenate(list(on.cells())), np.zeros(6, dtype=np.int64)
    on.asked(cells, 0, stamps)
    assert on.match(*answered(on, 80, 9000))[0].rtts_ns.tolist() == [-1]
    stamps[:] = 4000
    assert on.match(*answered(on, 443, 9000))[0].rtts_ns.tolist() == [5000]


def answered(on: Board, port: int, t_ns: int) -> tuple[Answers, Int64s]:
    data = np.zeros((1, 176), dtype=np.uint8)
    packet = answer(on, 0, port)
    data[0, : len(packet)] = np.frombuffer(packet, dtype=np.uint8)
    return read_answers(data, np.array([40])), np.array([t_ns])


def names(on: Board, cells: Sequence[int]) -> set[tuple[str, int]]:
    targets, ports = on.split(np.array(cells, dtype=np.int64))
    return {(TARGETS[t], p) for t, p in zip(targets.tolist(), ports.tolist(), strict=True)}


EVERYTHING = {(target, port) for target in TARGETS for port in PORTS}


def test_shards_ask_everything_between_them() -> None:
    asked = [np.concatenate(list(board(shard=(k, 4)).cells())).tolist() for k in (1, 2, 3, 4)]
    assert sorted(cell for part in asked for cell in part) == list(range(6))
    assert set.union(*(names(board(), part) for part in asked)) == EVERYTHING


def test_what_was_done_before_is_not_asked_again() -> None:
    done = {("10.0.0.2", 22), ("10.0.0.3", 443)}
    on = board(done=done_mask(6, 0, 5))
    assert names(on, np.concatenate(list(on.cells())).tolist()) == EVERYTHING - done
    assert on.total == 4
