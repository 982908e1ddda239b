"""The trace of a run: what chance decides is not in it, and what happened is."""

import dataclasses
from typing import Any

import pytest

from fourtuple.analyze import connections
from fourtuple.analyze.trace import Trace, trace
from story import Story, closed, exchange, opened


def traced(story: Story) -> Trace:
    timeline = story.timeline()
    return trace(timeline, connections(timeline))


def told(ports: tuple[int, int] = (40000, 8888), **how: Any) -> Story:
    """A message, with its calls."""
    story = opened(ports=ports, **how)
    client, server = story.client, story.server
    client.calls("connect", f"10.77.0.2:{ports[1]}", result=0)
    client.calls("send", result=14, size=14)
    client.send(b"20240001 Alice")
    server.ack()
    server.calls("recv", result=14)
    return closed(story)


def test_ports_that_a_kernel_chose_numbers_and_times_are_not_in_it() -> None:
    other = told(ports=(51234, 8888), begin_ns=77)
    other.client.isn, other.server.isn = 5, 6
    late = told(begin_ns=9_999)
    for story in (other, late):
        assert str(traced(story)) == str(traced(told()))
        assert traced(story).digest == traced(told()).digest


def test_new_initial_numbers_leave_it_as_it_is() -> None:
    first, second = Story(), Story()
    second.client.isn, second.server.isn = 1, 2
    for story in (first, second):
        story.client.syn()
        story.server.syn_ack()
        story.client.ack()
        story.client.send(b"the same")
    assert traced(first) == traced(second)


def test_it_says_in_order_what_each_did() -> None:
    lanes = traced(told()).lanes
    assert lanes["calls of client/client.py 1"] == (
        "connect(10.77.0.2:8888) -> 0",
        "send() -> 14",
    )
    assert lanes["frames of tcp 0 at 10.77.0.1:*"] == (
        "SYN seq 0 ack None len 0 MSS=1460 SACK_PERM WS=128 delivered",
        "ACK seq 1 ack 1 len 0 delivered",
        "PSH ACK seq 1 ack 1 len 14 b4958fc8 delivered",
        "FIN ACK seq 15 ack 1 len 0 delivered",
        "ACK seq 16 ack 2 len 0 delivered",
    )
    assert lanes["states of tcp 0 at 10.77.0.2:8888"] == (
        "LISTEN -> SYN_RECV",
        "SYN_RECV -> ESTABLISHED",
        "ESTABLISHED -> CLOSE_WAIT",
        "CLOSE_WAIT -> LAST_ACK",
        "LAST_ACK -> CLOSED",
    )


def _two_segments(acks: tuple[int, ...]) -> Trace:
    """A message of 32 bytes in two segments that leave together."""
    story = opened()
    story.client.send(b"the first half, ")
    story.client.send(b"the second half!")
    for number in acks:
        story.server.ack(ack=1 + number)
    return traced(closed(story))


def test_by_how_many_pure_acks_segments_under_way_are_acknowledged_is_not_in_it() -> None:
    """There is one more where 40 ms have passed before the second of them came."""
    late = _two_segments(acks=(16, 32))
    assert str(late) == str(_two_segments(acks=(32,)))
    frames = "frames of tcp 0 at 10.77.0.1:*"
    edge = f"{frames}, 3; {frames}, 4 => frames of tcp 0 at 10.77.0.2:8888, 2: ack 33"
    assert edge in late.edges


def test_by_how_many_pure_acks_a_transfer_is_acknowledged_is_not_in_it() -> None:
    """Each sets further segments free; how far it reaches is decided by when a program reads."""

    def transfer(acks: tuple[int, ...]) -> Trace:
        story = opened()
        for number, size in enumerate((1460, 1460, 1460, 80), start=1):
            story.client.send(size)
            if number in acks:
                story.server.ack()
        return traced(closed(story))

    assert str(transfer(acks=(2, 4))) == str(transfer(acks=(1, 3, 4)))
    assert str(transfer(acks=(2, 4))) != str(transfer(acks=(2,)))


def test_what_only_tells_of_a_window_is_not_in_it_unless_it_is_lost() -> None:
    """How often a window is told of depends on when a program reads."""

    def updated(**how: Any) -> Trace:
        story = opened()
        story.client.send(b"one")
        story.server.ack(window=400)
        if how:
            story.server.ack(window=800, **how)
        return traced(closed(story))

    lane = "frames of tcp 0 at 10.77.0.2:8888"
    assert str(updated(lost=False)) == str(updated())
    assert "ACK seq 1 ack 4 len 0 dropped" in updated(lost=True).lanes[lane]


def test_in_full_segments_psh_is_not_told() -> None:
    story = opened()
    for size in (1460, 1460, 30):
        story.client.send(size)
    frames = traced(story).lanes["frames of tcp 0 at 10.77.0.1:*"][2:]
    assert [line.split(" seq")[0] for line in frames] == ["ACK", "ACK", "PSH ACK"]


def test_an_acknowledgment_that_says_something_else_too_is_in_it() -> None:
    lane = "frames of tcp 0 at 10.77.0.2:8888"
    twice = _two_segments(acks=(32, 32)).lanes[lane]
    assert twice.count("ACK seq 1 ack 33 len 0 delivered") == 2
    story = told()  # of data, and of the FIN that was sent later
    assert [line[:16] for line in traced(story).lanes[lane]][1:3] == [
        "ACK seq 1 ack 15",
        "ACK seq 1 ack 16",
    ]


def _one_lost() -> Story:
    story = opened()
    story.client.send(b"20240001 Alice", lost=True)
    return story


def _other_bytes() -> Story:
    story = opened()
    story.client.send(b"20240001 Alic3")
    return story


def _in_order(first: int, second: int) -> Story:
    story = opened()
    story.client.send(first)
    story.client.send(second)
    return story


def _sent() -> Story:
    story = opened()
    story.client.send(b"20240001 Alice")
    return story


@pytest.mark.parametrize(
    ("one", "other"),
    [(_sent, _one_lost), (_sent, _other_bytes), (opened, _sent),
     (lambda: _in_order(3, 4), lambda: _in_order(4, 3)), (exchange, lambda: exchange(family=6))],
)  # fmt: skip
def test_what_happened_otherwise_has_another_trace(one: Any, other: Any) -> None:
    assert traced(one()).digest != traced(other()).digest


def test_into_how_many_calls_the_bytes_were_cut_is_chance() -> None:
    parts, whole = opened(), opened()
    for story, sizes in ((parts, (5, 9)), (whole, (14,))):
        story.client.send(14)
        for size in sizes:
            story.server.calls("recv", result=size)
        story.server.calls("recv", result=0)
    assert traced(parts) == traced(whole)
    lines = traced(parts).lanes["calls of server/server.py 1"]
    assert lines == ("recv() -> 14 bytes", "recv() -> 0")


def test_an_acknowledgment_is_tied_to_what_it_adds_up_and_a_state_to_its_frame() -> None:
    edges = traced(told()).edges
    assert (
        "frames of tcp 0 at 10.77.0.1:*, 3 => frames of tcp 0 at 10.77.0.2:8888, 2: ack 15" in edges
    )
    assert (
        "frames of tcp 0 at 10.77.0.1:*, 4 => states of tcp 0 at 10.77.0.2:8888: "
        "ESTABLISHED -> CLOSE_WAIT"
    ) in edges


def test_of_two_ends_whose_syns_cross_neither_is_the_first() -> None:
    def crossing(first: str) -> Story:
        story = Story(ports=(7001, 7002))
        ends = [story.client, story.server]
        for end in ends if first == "client" else ends[::-1]:
            end.syn(late_ms=5)
        story.wait(10)
        return story

    assert traced(crossing("client")).lanes == traced(crossing("server")).lanes


def test_a_timeline_without_frames_has_a_trace() -> None:
    empty = dataclasses.replace(Story().timeline())
    assert trace(empty, ()).digest == trace(empty, ()).digest
