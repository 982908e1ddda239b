"""Both ends' states, inferred from frames alone."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.analyze import connections
from fourtuple.analyze.states import EVENTS, STATES, TRANSITIONS, UNKNOWN, after
from fourtuple.event.model import Verdict
from fourtuple.wire import ACK, FIN, Timestamps
from story import Story, closed, exchange, opened, refused, unread


def states(story: Story) -> list[str]:
    """ "CLIENT SERVER" after each segment."""
    (connection,) = connections(story.timeline())
    return [f"{s.client_state} {s.server_state}" for s in connection.segments]


OPENING = ["SYN_SENT SYN_RECV", "ESTABLISHED SYN_RECV", "ESTABLISHED ESTABLISHED"]


@pytest.mark.parametrize("family", [4, 6])
def test_a_connection_that_opens_talks_and_closes(family):
    both = "ESTABLISHED ESTABLISHED"
    assert states(exchange(family)) == [
        *OPENING,
        *[both] * 4,
        "FIN_WAIT1 CLOSE_WAIT",
        "FIN_WAIT2 CLOSE_WAIT",
        "TIME_WAIT LAST_ACK",
        "TIME_WAIT CLOSED",
    ]


def test_three_segments_close_where_fin_and_ack_come_together():
    story = opened()
    story.client.fin()
    story.server.fin()
    story.client.ack()
    assert states(story) == [
        *OPENING,
        "FIN_WAIT1 CLOSE_WAIT",
        "TIME_WAIT LAST_ACK",
        "TIME_WAIT CLOSED",
    ]


def test_the_server_closes_first():
    story = opened()
    story.server.fin()
    story.client.ack()
    story.client.fin()
    story.server.ack()
    assert states(story)[3:] == [
        "CLOSE_WAIT FIN_WAIT1",
        "CLOSE_WAIT FIN_WAIT2",
        "LAST_ACK TIME_WAIT",
        "CLOSED TIME_WAIT",
    ]


def test_both_ask_at_once():
    story = Story()
    story.client.syn(late_ms=5)
    story.server.syn(late_ms=5)
    story.wait(10)
    story.client.syn_ack(seq=0)
    story.server.syn_ack(seq=0)
    assert states(story) == [
        "SYN_SENT SYN_RECV",
        "SYN_RECV SYN_RECV",
        "SYN_RECV ESTABLISHED",
        "ESTABLISHED ESTABLISHED",
    ]


def test_both_close_at_once():
    story = opened()
    story.client.fin(late_ms=5)
    story.server.fin(ack=1, late_ms=5)
    story.wait(10)
    story.client.ack()
    story.server.ack()
    assert states(story)[3:] == [
        "FIN_WAIT1 CLOSING",
        "CLOSING CLOSING",
        "CLOSING TIME_WAIT",
        "TIME_WAIT TIME_WAIT",
    ]


def test_a_refused_server_never_left_closed():
    assert states(refused()) == ["SYN_SENT CLOSED", "CLOSED CLOSED"]


def test_a_syn_without_answer_tells_nothing_of_the_server():
    story = Story()
    story.client.syn(lost=True)
    story.client.syn(seq=0, lost=True)
    assert states(story) == ["SYN_SENT ", "SYN_SENT "]


def test_a_server_that_let_a_syn_go_unanswered_was_not_closed_then():
    story = Story()
    story.client.syn()
    story.wait(1000)
    story.client.syn(seq=0)
    story.server.rst_ack(raw_seq=0)
    assert states(story) == ["SYN_SENT ", "SYN_SENT ", "CLOSED CLOSED"]


def test_a_server_that_answers_the_second_syn_has_not_moved_at_the_first():
    story = Story()
    story.client.syn()
    story.wait(1000)
    story.client.syn(seq=0)
    story.server.syn_ack()
    story.client.ack()
    assert states(story) == [
        "SYN_SENT ",
        "SYN_SENT ",
        "ESTABLISHED SYN_RECV",
        "ESTABLISHED ESTABLISHED",
    ]


def test_a_syn_that_never_arrived_says_nothing_against_a_closed_port():
    story = Story()
    story.client.syn(lost=True)
    story.wait(1000)
    story.client.syn(seq=0)
    story.server.rst_ack(raw_seq=0)
    assert states(story) == ["SYN_SENT CLOSED", "SYN_SENT CLOSED", "CLOSED CLOSED"]


def test_a_lost_segment_changes_only_its_sender():
    story = opened()
    story.client.fin(lost=True)
    assert states(story)[-1] == "FIN_WAIT1 ESTABLISHED"
    story.client.fin(seq=1)
    assert states(story)[-1] == "FIN_WAIT1 CLOSE_WAIT"


def test_a_held_segment_changes_its_receiver_when_it_arrives():
    story = opened()
    story.client.fin(late_ms=50)
    story.server.send(10)
    story.client.ack()
    (connection,) = connections(story.timeline())
    fin = connection.segment(4)
    assert (connection.segment(5).client_state, connection.segment(5).server_state) == (
        "FIN_WAIT1",
        "ESTABLISHED",
    )
    assert (fin.client_state, fin.server_state) == ("FIN_WAIT1", "CLOSE_WAIT")
    change = connection.changes[-1]
    assert (change.frame, change.new, change.t_ns) == (4, "CLOSE_WAIT", fin.left_ns)


def test_a_fin_counts_only_once_everything_before_it_has_arrived():
    story = opened()
    story.client.send(100, lost=True)
    story.client.fin()
    assert states(story)[-1] == "FIN_WAIT1 ESTABLISHED"
    story.client.send(100, seq=1)
    assert states(story)[-1] == "FIN_WAIT1 CLOSE_WAIT"


def test_closing_with_unread_data_closes_both():
    assert states(unread())[-1] == "CLOSED CLOSED"


def test_an_rst_with_a_wrong_number_closes_nobody_where_every_frame_was_seen():
    story = opened()
    story.server.rst(seq=40, verdict=Verdict.INJECTED)
    assert states(story)[-1] == "ESTABLISHED ESTABLISHED"
    story.server.rst(seq=1, verdict=Verdict.INJECTED)
    assert states(story)[-1] == "CLOSED ESTABLISHED"


def test_a_syn_that_the_wire_made_puts_no_client_in_syn_sent():
    story = Story()
    story.client.syn(verdict=Verdict.INJECTED)
    story.server.syn_ack(ack=1)
    story.client.rst(seq=1)
    assert states(story) == ["CLOSED SYN_RECV", "CLOSED SYN_RECV", "CLOSED CLOSED"]


def test_a_syn_that_the_wire_made_and_that_is_refused_leaves_both_closed():
    story = Story()
    story.client.syn(verdict=Verdict.INJECTED)
    story.server.rst_ack(raw_seq=0, ack=1)
    assert states(story) == ["CLOSED CLOSED", "CLOSED CLOSED"]


def test_what_the_wire_made_is_not_held_against_its_alleged_sender():
    story = opened()
    story.client.send(100, seq=1, verdict=Verdict.INJECTED)
    story.client.send(50, seq=1)
    (connection,) = connections(story.timeline())
    assert [s.notes for s in connection.segments[3:]] == [(), ()]


def test_a_wrong_syn_ack_draws_an_rst_and_the_client_goes_on_asking():
    story = Story()
    story.client.syn()
    story.server.syn_ack(ack=777)
    story.client.rst(seq=777)
    assert states(story)[-1].startswith("SYN_SENT")


def test_a_capture_that_starts_late_takes_both_for_established():
    story = Story(complete=False)
    for party in (story.client, story.server):
        party.next = party.expects = 100
    story.client.send(5)
    story.server.ack()
    closed(story)
    assert states(story) == [
        "ESTABLISHED ESTABLISHED",
        "ESTABLISHED ESTABLISHED",
        "FIN_WAIT1 CLOSE_WAIT",
        "FIN_WAIT2 CLOSE_WAIT",
        "TIME_WAIT LAST_ACK",
        "TIME_WAIT CLOSED",
    ]


def test_a_capture_that_missed_the_syn_ack_makes_up_for_it():
    story = Story(complete=False)
    story.client.syn()
    story.captured = False
    story.server.syn_ack()
    story.captured = True
    story.client.ack()
    story.client.send(10)
    assert states(story)[-2:] == ["ESTABLISHED ESTABLISHED"] * 2


def _twice(tell: Callable[[Story], object]) -> Story:
    """A story in which every segment is sent a second time, right after the first."""
    story = Story()
    say = type(story.client).say

    for party in (story.client, story.server):

        def again(flags: int, party=party, **how):
            number = party.next if how.get("seq") is None else how["seq"]
            frame = say(party, flags, **how)
            say(party, flags, **{**how, "seq": number, "ack": None})
            return frame

        party.say = again  # type: ignore[method-assign]
    tell(story)
    return story


def _tell_of_a_whole_life(story: Story) -> None:
    story.client.syn()
    story.server.syn_ack()
    story.client.ack()
    story.client.send(14)
    story.server.ack()
    closed(story)


def test_whatever_is_sent_twice_changes_states_once():
    once = Story()
    _tell_of_a_whole_life(once)
    asked, *rest = states(_twice(_tell_of_a_whole_life))[1::2]
    assert rest == states(once)[1:]
    assert asked == "SYN_SENT "  # the first of two SYNs had no answer


@given(st.sampled_from(STATES), st.lists(st.sampled_from(tuple(EVENTS)), max_size=20))
def test_whatever_happens_an_end_is_in_a_known_state(state, events):
    assert after(state, tuple(events)) in STATES


def test_the_table_speaks_only_of_known_states_and_events_and_reaches_every_state():
    for (state, event), new in TRANSITIONS.items():
        assert state in (*STATES, UNKNOWN)
        assert new in STATES
        assert event in EVENTS
        assert state != new
    assert {"LISTEN", *TRANSITIONS.values()} == set(STATES)


def test_a_copy_under_way_is_not_proven_to_have_arrived_by_the_ack_of_the_first():
    story = opened()
    story.client.fin(ack=1, late_ms=10)
    story.server.fin(ack=1)
    story.wait(2)
    story.client.say(FIN | ACK, seq=1, ack=2, late_ms=100)
    story.wait(12)
    story.server.ack(ack=2)
    story.wait(200)
    (connection,) = connections(story.timeline())
    reached = [(c.frame, c.new) for c in connection.changes if not c.of_client and c.arrived]
    assert reached[-2:] == [(4, "CLOSING"), (6, "TIME_WAIT")]
    (waiting,) = [c for c in connection.changes if c.new == "TIME_WAIT" and not c.of_client]
    assert waiting.t_ns == connection.segment(6).left_ns


def test_a_rst_that_crossed_the_fin_counts_by_the_number_of_the_fin():
    """The request was sent before the FIN came: the RST that answers it is one number behind."""
    story = opened()
    story.server.fin(late_ms=5)
    story.client.send(10)
    story.wait(10)
    story.server.rst(seq=1)
    assert states(story)[-1] == "CLOSED CLOSED"


@pytest.mark.parametrize(("echo", "state"), [(500, "ESTABLISHED"), (777, "SYN_SENT")])
def test_a_syn_ack_must_echo_the_timestamp_of_the_syn(echo: int, state: str):
    story = Story()
    story.client.syn(options=(Timestamps(value=500),))
    story.server.syn_ack(options=(Timestamps(value=900, echo=echo),))
    story.client.ack() if state == "ESTABLISHED" else story.client.rst()
    assert states(story)[-1].split()[0] == state
