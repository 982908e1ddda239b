"""What really happened to numbers that come again: one story for each kind of evidence."""

import pytest

from fourtuple.analyze import connections
from fourtuple.analyze.model import Connection
from fourtuple.analyze.truth import TRUTHS
from fourtuple.wire import Sack, Timestamps
from story import MS, Story, opened


def told(story: Story) -> Connection:
    (connection,) = connections(story.timeline())
    return connection


def truths(story: Story) -> tuple[str, ...]:
    """The truth about the last segment."""
    return tuple(note for note in told(story).segments[-1].notes if note in TRUTHS)


def capture(**how: object) -> Story:
    return opened(complete=False, **how)


def stamped(value: int, echo: int = 0) -> dict[str, tuple[Timestamps]]:
    return {"options": (Timestamps(value, echo),)}


def test_what_nothing_had_asked_for_was_sent_again_by_a_timer():
    story = capture()
    story.client.send(100)
    story.wait(200)
    story.client.send(100, seq=1)
    assert truths(story) == ("by_timer",)


def test_what_three_duplicate_acknowledgments_asked_for_was_sent_again_by_them():
    story = capture()
    story.client.send(100, lost=True)
    for _ in range(4):
        story.client.send(100)
        story.server.ack(ack=1)
    story.wait(100)
    story.client.send(100, seq=1)
    assert truths(story) == ("by_acks",)


def test_one_sack_block_beyond_it_is_enough():
    story = capture()
    story.client.send(100)
    story.client.send(100)
    isn = story.client.isn
    story.server.ack(ack=1, options=(Sack(((isn + 101, isn + 201),)),))
    story.wait(100)
    story.client.send(100, seq=1)
    assert truths(story) == ("by_acks",)


def test_an_older_timestamp_proves_reordering_whatever_duplicate_acknowledgments_suggest():
    story = capture()
    story.client.send(100, seq=101, **stamped(8))
    for _ in range(4):
        story.server.ack(ack=1)
    story.client.send(100, seq=1, **stamped(7))
    words = told(story).segments[-1].notes
    assert "fast_retransmission" in words and "reordered" in words
    assert told(story).counts["fast_retransmission"] == 1


def test_a_newer_timestamp_proves_that_it_was_sent_later_however_soon_it_came():
    story = capture()
    story.client.send(100, seq=101, **stamped(8))
    story.client.send(100, seq=1, **stamped(9))
    assert told(story).segments[-1].notes == ("out_of_order", "by_timer")


def test_without_timestamps_the_ip_id_tells():
    for number, truth in ((6, "reordered"), (8, "by_timer")):
        story = capture()
        story.wait(100)
        story.client.send(100, seq=101, ip_id=7)
        story.wait(100)
        story.client.send(100, seq=1, ip_id=number)
        assert truths(story) == (truth,)


def test_without_either_what_comes_within_a_round_trip_was_overtaken():
    for ms, truth in ((0, "reordered"), (50, "by_timer")):
        story = capture()
        story.client.send(100, seq=101)
        story.wait(ms)
        story.client.send(100, seq=1)
        assert truths(story) == (truth,)


def test_what_was_seen_before_cannot_have_been_overtaken():
    story = capture()
    story.client.send(100, **stamped(7))
    story.client.send(100, **stamped(8))
    story.client.send(100, seq=1, **stamped(7))
    assert truths(story) == ("by_timer",)


def test_where_the_wire_saw_every_frame_nothing_was_overtaken():
    story = opened(complete=True)
    story.client.send(100, seq=101)
    story.client.send(100, seq=1)
    assert truths(story) == ("by_timer",)


@pytest.mark.parametrize("apart_us", [1, 9_000])
def test_the_very_same_packet_twice_is_the_captures_doing(apart_us):
    story = capture()
    story.client.send(100, ip_id=7)
    story.wait(-1 + apart_us / 1000)
    story.client.send(100, seq=1, ip_id=7)
    assert truths(story) == ("captured_twice",)


def test_a_new_ip_id_is_a_new_packet():
    story = capture()
    story.client.send(100, ip_id=7)
    story.wait(-0.999)
    story.client.send(100, seq=1, ip_id=8)
    assert truths(story) == ("by_timer",)


def test_without_an_id_only_what_follows_at_once_is_the_same_packet():
    for between, truth in ((False, "captured_twice"), (True, "by_timer")):
        story = capture()
        story.client.send(100)
        if between:
            story.wait(-0.999)
            story.server.ack(ack=1)
        story.wait(-0.999)
        story.client.send(100, seq=1)
        assert truths(story) == (truth,)


def test_two_timers_may_repeat_a_syn_ack_at_once():
    story = Story(complete=False)
    story.client.syn()
    story.server.syn_ack()
    story.wait(-0.999)
    story.server.syn_ack(seq=0)
    assert truths(story) == ("by_timer",)


def test_a_block_below_the_acknowledgment_reports_what_came_twice():
    story = capture()
    story.client.send(100)
    story.server.ack()
    isn = story.client.isn
    story.server.ack(ack=101, options=(Sack(((isn + 1, isn + 101),)),))
    assert truths(story) == ("dsack",)


def test_a_block_inside_of_the_second_does_so_too():
    story = capture()
    isn = story.client.isn
    inside, around = (isn + 301, isn + 401), (isn + 201, isn + 501)
    story.server.ack(ack=1, options=(Sack((inside, around)),))
    assert truths(story) == ("dsack",)


def test_an_echo_older_than_the_repetition_answers_the_first_one():
    for echo, found in ((7, ("had_arrived",)), (300, ())):
        story = capture()
        story.client.send(100, **stamped(7))
        story.wait(300)
        story.client.send(100, seq=1, **stamped(300))
        story.server.ack(ack=101, **stamped(5, echo))
        assert truths(story) == found


def test_round_trips_are_measured_one_at_a_time_and_not_on_what_was_sent_again():
    story = capture()
    story.client.send(100)  # timed, and answered after 21 ms
    story.client.send(100)
    story.wait(19)
    story.server.ack()
    story.client.send(100)  # sent again: not timed
    story.wait(200)
    story.client.send(100, seq=201)
    story.server.ack()
    ours = told(story).round_trips[0]
    assert (ours.count, ours.least_ns, ours.most_ns) == (2, MS, 21 * MS)
    assert ours.mean_ns == 11 * MS


def test_what_is_in_flight_is_what_was_sent_and_not_acknowledged():
    story = capture()
    story.client.send(1000)
    story.client.send(400)
    story.server.ack()
    story.client.send(100)
    assert told(story).flight_bytes == (1400, 0)
