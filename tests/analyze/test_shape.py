"""How connections open and close, in the words of the output contract."""

from collections.abc import Callable

import pytest

from fourtuple.analyze import connections
from fourtuple.analyze.model import Connection
from story import Story, exchange, opened, refused, unread


def told(tell: Callable[[Story], object], **how: bool) -> Connection:
    story = Story(**how)  # type: ignore[arg-type]
    tell(story)
    return connections(story.timeline())[0]


def whole(story: Story) -> None:
    story.client.syn()
    story.server.syn_ack()
    story.client.ack()


def unanswered(story: Story) -> None:
    story.client.syn()
    story.client.syn(seq=0)


def unconfirmed(story: Story) -> None:
    story.client.syn()
    story.server.syn_ack()


def confirmation_lost(story: Story) -> None:
    story.client.syn()
    story.server.syn_ack()
    story.client.ack(lost=True)


def scanned(story: Story) -> None:
    story.client.syn()
    story.server.syn_ack()
    story.client.rst()


def rejected(story: Story) -> None:
    story.client.syn()
    story.server.rst_ack(raw_seq=0)


def crossed(story: Story) -> None:
    story.client.syn(late_ms=5)
    story.server.syn(late_ms=5)
    story.wait(10)
    story.client.syn_ack(seq=0)
    story.server.syn_ack(seq=0)


def fast(story: Story) -> None:
    story.client.syn(data=b"GET /")
    story.server.syn_ack()
    story.client.ack()


def fast_but_not_taken(story: Story) -> None:
    story.client.syn(data=b"GET /")
    story.server.syn_ack(ack=1)
    story.client.ack()


def midway(story: Story) -> None:
    story.client.next = story.server.expects = 7
    story.client.send(3)


@pytest.mark.parametrize(
    ("tell", "word"),
    [
        (whole, "complete"),
        (unanswered, "syn-only"),
        (unconfirmed, "syn-ack-unanswered"),
        (confirmation_lost, "syn-ack-unanswered"),
        (scanned, "syn-ack-unanswered"),
        (rejected, "refused"),
        (crossed, "simultaneous"),
        (fast, "fast-open"),
        (fast_but_not_taken, "complete"),
        (midway, "none"),
    ],
)
def test_how_a_connection_opens(tell, word):
    assert told(tell).handshake == word


def test_data_on_the_third_step_completes_the_handshake():
    def tell(story: Story) -> None:
        story.client.syn()
        story.server.syn_ack()
        story.client.send(10)

    assert told(tell).handshake == "complete"


def test_four_segments_close_where_the_answer_comes_in_two():
    (one,) = connections(exchange().timeline())
    assert (one.close, one.first_closer) == ("four-segment", "client")


def test_three_segments_close_where_fin_and_ack_come_in_one():
    story = opened()
    story.server.fin()
    story.client.fin()
    story.server.ack()
    (one,) = connections(story.timeline())
    assert (one.close, one.first_closer) == ("three-segment", "server")


def test_data_after_the_first_fin_makes_it_four_segments_still():
    story = opened()
    story.client.fin()
    story.server.send(100)
    story.client.ack()
    story.server.fin()
    (one,) = connections(story.timeline())
    assert one.close == "four-segment"


def test_both_close_at_once():
    story = opened()
    story.client.fin(late_ms=5)
    story.server.fin(ack=1, late_ms=5)
    story.wait(10)
    story.client.ack()
    story.server.ack()
    (one,) = connections(story.timeline())
    assert one.close == "simultaneous"


@pytest.mark.parametrize("complete", [True, False])
def test_a_fin_that_does_not_acknowledge_the_other_had_crossed_it(complete: bool):
    """Though the first seems to have arrived: clocks err, and so does a capture's order."""
    story = opened(complete=complete)
    story.server.fin()
    fin = story.client.fin(ack=1)
    acks = story.client.ack(ack=2), story.server.ack(ack=2)
    (one,) = connections(story.timeline())
    assert one.close == "simultaneous"
    states = {s.frame: (s.client_state, s.server_state) for s in one.segments}
    assert states[fin] == ("CLOSING", "CLOSING")
    assert states[acks[0]] == ("CLOSING", "TIME_WAIT")
    assert states[acks[1]] == ("TIME_WAIT", "TIME_WAIT")


def test_one_fin_closes_one_direction():
    story = opened()
    story.client.fin()
    story.server.ack()
    story.server.send(1000)
    (one,) = connections(story.timeline())
    assert one.close == "half-closed"


def test_no_fin_leaves_it_open():
    assert connections(opened().timeline())[0].close == "open"


def test_rst_ends_a_connection_refused_or_open():
    for story in (refused(), unread()):
        assert connections(story.timeline())[0].close == "reset"


def test_an_rst_that_nobody_heeds_ends_nothing():
    story = opened()
    story.server.rst(seq=5000, verdict=7)
    assert connections(story.timeline())[0].close == "open"


def test_a_program_that_was_told_etimedout_has_given_up():
    story = opened()
    story.client.send(10, lost=True)
    story.client.send(10, seq=1, lost=True)
    assert connections(story.timeline())[0].close == "open"
    story.client.table(story.client.row("ESTABLISHED", send_q=10))
    story.client.calls("recv", 100, errno="ETIMEDOUT")
    assert connections(story.timeline())[0].close == "timed-out"


@pytest.mark.parametrize(
    ("tell", "mask"),
    [
        (whole, 1 + 2 + 4),
        (unanswered, 1),
        (unconfirmed, 1 + 2),
        (scanned, 1 + 2 + 32),
        (rejected, 1 + 4 + 32),
        (fast, 1 + 2 + 4 + 8),
    ],
)
def test_completeness_is_wiresharks_bit_mask(tell, mask):
    assert told(tell).completeness == mask


def test_a_whole_life_is_complete():
    assert connections(exchange().timeline())[0].completeness == 31
