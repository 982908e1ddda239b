"""Which connection a frame belongs to, and that the cut into batches changes nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from analyze.chance import chatter
from fourtuple.analyze import connections
from fourtuple.event.frames import FrameTableBuilder, Vantage
from fourtuple.event.model import Endpoint, Verdict
from fourtuple.event.timeline import Timeline
from story import MS, Story, closed, exchange, opened, refused, unread


@given(st.integers(0, 10_000), st.booleans(), st.integers(1, 9))
@settings(deadline=None)
def test_taken_in_piece_by_piece_or_at_once_the_facts_are_the_same(seed, gaps, rows):
    timeline = chatter(seed, gaps=gaps).timeline()
    assert connections(timeline, rows=rows) == connections(timeline)


@pytest.mark.parametrize("tell", [exchange, refused, unread])
def test_ipv4_and_ipv6_give_the_same_facts(tell):
    (four,), (six,) = (connections(tell(family).timeline()) for family in (4, 6))
    assert (four.family, six.family) == (4, 6)
    assert str(six.client) == "[fd77::1]:40000"
    same = {"family": 6, "client": six.client, "server": six.server}
    assert replace(four, **same) == six


def test_an_empty_timeline_has_no_connections():
    assert connections(Timeline()) == ()


def test_a_connection_says_who_how_long_and_how_much():
    (one,) = connections(exchange().timeline())
    assert (one.index, one.protocol, one.family, one.client_known) == (0, "tcp", 4, True)
    assert (one.client, one.server) == (Endpoint("10.77.0.1", 40000), Endpoint("10.77.0.2", 8888))
    assert one.frames == tuple(range(1, 12))
    assert one.packets == (6, 5)
    assert one.payload_bytes == (14, 14)
    assert one.end_ns - one.start_ns == 10 * MS
    assert one.mss == (1460, 1460)
    assert one.window_scale == (7, 7)
    assert one.initial_seq == (19_806_455, 4_294_967_000)
    assert (one.sack, one.timestamps, one.first_closer) == (True, False, "client")


def test_connections_come_in_the_order_of_their_first_frames():
    tales = [exchange(ports=(port, 80), complete=False) for port in (5003, 5001, 5002)]
    merged = _interleaved([tale.timeline() for tale in tales])
    found = connections(merged)
    assert [(c.index, c.client.port) for c in found] == [(0, 5003), (1, 5001), (2, 5002)]
    assert found[1].frames == tuple(range(2, 34, 3))
    assert {c.close for c in found} == {"four-segment"}


def test_a_late_syn_that_the_wire_made_and_its_answer_begin_a_new_life():
    """The connection is over; the client's kernel refuses the answer to its own old SYN."""
    story = exchange()
    story.wait(1)
    late = story.client.syn(seq=0, verdict=Verdict.INJECTED)
    story.server.isn += 99_999
    answer = story.server.syn_ack(seq=0, ack=1)
    refusal = story.client.rst(seq=1)
    first, second = connections(story.timeline())
    assert late not in first.frames
    assert second.frames == (late, answer, refusal)
    assert second.client_known
    assert second.segment(answer).notes == ()
    assert [s.server_state for s in second.segments] == ["SYN_RECV", "SYN_RECV", "CLOSED"]


def test_a_repeated_syn_begins_no_new_connection():
    story = Story()
    story.client.syn(lost=True)
    story.wait(1000)
    story.client.syn(seq=0)
    story.server.syn_ack()
    story.client.ack()
    (one,) = connections(story.timeline())
    assert one.handshake == "complete"
    assert one.counts["retransmission"] == 1


def test_a_syn_with_another_number_after_the_end_begins_a_new_connection():
    story = exchange()
    story.reborn()
    story.client.syn()
    story.server.syn_ack()
    story.client.ack()
    first, second = connections(story.timeline())
    assert (first.close, second.handshake, second.close) == ("four-segment", "complete", "open")
    assert (first.counts["reused_ports"], second.counts["reused_ports"]) == (0, 1)
    assert second.frames == (12, 13, 14)
    assert second.segments[-1].notes == ("handshake_ack",)


def test_the_answer_to_a_stale_syn_stays_with_the_connection_that_it_disturbs():
    """A rebooted client uses its port again while the server still holds the old connection."""
    story = opened()
    story.client.send(100)
    story.server.ack()
    stale = story.client.syn(raw_seq=1_000_000_007)
    challenge = story.server.ack()
    abort = story.client.rst(seq=101)
    again = story.client.syn(raw_seq=1_000_000_007)
    old, new = connections(story.timeline())
    assert old.frames[-2:] == (challenge, abort)
    assert new.frames == (stale, again)
    assert (old.close, new.handshake) == ("reset", "syn-only")


def test_a_refused_client_that_tries_again_makes_a_second_connection():
    story = refused()
    story.reborn()
    story.client.syn()
    story.server.rst_ack(raw_seq=0)
    assert [c.handshake for c in connections(story.timeline())] == ["refused", "refused"]


def test_a_syn_that_was_captured_after_the_first_data_belongs_to_it():
    story = Story(complete=False)
    story.client.send(10, seq=1)
    story.client.syn(seq=0)
    (one,) = connections(story.timeline())
    assert one.client_known
    assert [s.seq for s in one.segments] == [1, 0]


def test_without_a_syn_who_got_the_syn_ack_is_client_but_that_is_a_guess():
    story = Story(complete=False, ports=(80, 8888))
    story.captured = False
    story.client.syn()
    story.captured = True
    story.server.syn_ack()
    story.client.ack()
    (one,) = connections(story.timeline())
    assert (one.client.port, one.client_known) == (80, False)


@pytest.mark.parametrize(
    ("ports", "client"),
    [((443, 50000), 50000), ((50000, 443), 50000), ((8888, 40000), 40000), ((6000, 7000), 6000)],
)
def test_without_any_syn_the_ports_tell_who_is_likely_client(ports, client):
    story = Story(complete=False, ports=ports)
    story.client.next = story.server.expects = 1
    story.client.send(10)
    (one,) = connections(story.timeline())
    assert (one.client.port, one.client_known) == (client, False)


def test_datagrams_between_two_endpoints_are_one_conversation():
    story = Story(ports=(5353, 53))
    story.datagram(story.client, 30)
    story.wait(60_000)
    story.datagram(story.server, 100)
    (talk,) = connections(story.timeline())
    assert (talk.protocol, talk.client.port, talk.client_known) == ("udp", 5353, True)
    assert (talk.packets, talk.payload_bytes) == ((1, 1), (30, 100))
    assert (talk.frames, talk.segments, talk.resets) == ((1, 2), (), ())


def test_a_capture_that_begins_with_the_answer_knows_its_server_by_the_port():
    story = Story(ports=(50000, 53))
    story.datagram(story.server, 100)
    story.datagram(story.client, 30)
    (talk,) = connections(story.timeline())
    assert (talk.client.port, talk.client_known) == (50000, False)
    assert talk.payload_bytes == (30, 100)


def test_frames_seen_at_two_places_count_once_where_most_of_them_were_seen():
    timeline = exchange(complete=False).timeline()
    twice = _seen_twice(timeline, missing_first=4)
    assert len(twice.frames) == 11 + 7
    (one,) = connections(twice)
    assert (one.packets, one.close) == ((6, 5), "four-segment")
    assert one.counts["retransmission"] == 0


def test_a_closed_connection_left_alone_keeps_its_last_word():
    story = closed(opened(complete=False))
    story.server.rst()
    (one,) = connections(story.timeline())
    assert one.close == "four-segment"


def _interleaved(timelines: list[Timeline]) -> Timeline:
    """The first frame of each, then the second of each ..."""
    table = FrameTableBuilder()
    for row in range(len(timelines[0].frames)):
        for timeline in timelines:
            table.add(timeline.frames.data(row), int(timeline.frames.t_ns[row]))
    return Timeline(frames=table.table())


def _seen_twice(timeline: Timeline, missing_first: int) -> Timeline:
    """The frames as a second interface saw them too, from frame `missing_first` on."""
    table = FrameTableBuilder()
    for row, data in enumerate(timeline.frames):
        t_ns = int(timeline.frames.t_ns[row])
        if row >= missing_first:
            table.add(data, t_ns, vantage=0)
        table.add(data, t_ns + 1000, vantage=1)
    return Timeline(vantages=(Vantage("near"), Vantage("far")), frames=table.table())
