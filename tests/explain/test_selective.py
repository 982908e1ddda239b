"""What SACK blocks say, and what a sender does upon it."""

from fourtuple.analyze import connections
from fourtuple.explain.segments import sentence
from fourtuple.explain.text import Translator
from fourtuple.wire import Sack
from story import Story, opened


def lost_then_selective(*blocks: tuple[int, int], ack: int = 1) -> Story:
    """Three segments of 100 bytes, the first lost; then an ACK with these blocks."""
    story = opened()
    story.client.send(100, lost=True)
    story.client.send(100)
    story.client.send(100)
    isn = story.client.isn
    story.server.ack(ack=ack, options=(Sack(tuple((isn + a, isn + b) for a, b in blocks)),))
    return story


def told(story: Story) -> list[str]:
    timeline = story.timeline()
    (connection,) = connections(timeline)
    return [
        Translator("en").text(sentence(connection, segment, timeline))
        for segment in connection.segments
    ]


def test_blocks_beyond_the_gap_are_named_in_order():
    story = lost_then_selective((251, 301), (101, 201))
    assert told(story)[-1].endswith("Beyond the gap, bytes 101-200, 251-300 have come.")


def test_a_block_below_the_acknowledgment_tells_of_a_repetition():
    story = lost_then_selective((101, 201), ack=1)
    story.client.send(100, seq=1)
    isn = story.client.isn
    story.server.ack(options=(Sack(((isn + 1, isn + 101),)),))
    assert told(story)[-1].endswith("Bytes 1-100 came twice (DSACK).")


def test_a_block_within_the_second_tells_of_a_repetition_too():
    story = lost_then_selective((101, 201), (101, 301))
    assert "Bytes 101-200 came twice (DSACK). Beyond the gap, bytes 101-300 " in told(story)[-1]


def test_a_block_without_bytes_says_nothing():
    assert "gap" not in told(lost_then_selective((201, 201), (201, 101)))[-1]


def test_what_is_sent_again_at_once_was_asked_for_by_the_block():
    story = lost_then_selective((101, 301))
    story.client.send(100, seq=1)
    assert told(story)[-1] == (
        "The client sends frame 4 once more: frame 7 shows that number 1 is missing."
    )


def test_what_is_sent_again_much_later_was_not_acknowledged_in_time():
    story = lost_then_selective((101, 301))
    story.wait(250)
    story.client.send(100, seq=1)
    assert told(story)[-1] == (
        "The client sends frame 4 once more: it was not acknowledged in time."
    )


def test_a_partial_acknowledgment_points_at_the_next_loss():
    story = opened()
    for _ in range(2):
        story.client.send(100, lost=True)
    story.client.send(100, seq=1)
    story.server.ack()
    story.client.send(100, seq=101)
    assert told(story)[-1] == (
        "The client sends frame 5 once more: frame 7 shows that number 101 is missing."
    )
