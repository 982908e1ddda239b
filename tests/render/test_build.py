"""A View put together."""

import pytest

from fourtuple.explain.text import Translator
from fourtuple.render.build import MOST_ROWS
from render.scene import Scene
from render.shown import viewed
from story import Story, exchange, opened


def evidence(timeline: object) -> list[str]:
    return [Translator().text(message) for message in viewed(timeline).evidence]


def test_the_lab_names_what_each_lane_rests_on() -> None:
    assert evidence(Scene().exchange()) == [
        "calls: recorded in the programs",
        "states: the kernel's socket table (sock_diag)",
        "frames: 11 of the 11 that crossed the wire",
    ]


def test_a_capture_says_that_states_are_inferred() -> None:
    assert evidence(Scene().capture()) == [
        "calls: none recorded",
        "states: inferred from the frames",
        "frames: 11 of the 11 in the capture",
    ]


def test_datagrams_have_no_states_to_rest_on() -> None:
    story = Story()
    story.datagram(story.client, 9)
    assert len(evidence(story.timeline())) == 2


def test_program_lanes_exist_where_calls_do() -> None:
    assert viewed(Scene().exchange()).programs
    assert not viewed(Scene().capture()).programs


def test_each_segment_that_is_shown_has_its_sentence() -> None:
    view = viewed(exchange().timeline())
    assert [item.frame for item in view.explanations] == list(range(1, 12))


def test_segments_that_are_left_out_have_no_sentence() -> None:
    story = opened()
    for _ in range(MOST_ROWS):
        story.client.send(1)
    view = viewed(story.timeline())
    assert len(view.rows) == MOST_ROWS + 1
    assert len(view.explanations) == MOST_ROWS


def test_a_later_connection_says_how_much_later() -> None:
    story = exchange()
    story.wait(1000)
    story.reborn()
    story.client.syn()
    timeline = story.timeline()
    assert viewed(timeline, 0).offset_ns == 0
    assert viewed(timeline, 1).offset_ns == 1_011_000_000


def test_a_title_that_is_no_text_does_no_harm() -> None:
    assert viewed(exchange().timeline(experiment=7, question=["?"])).title == "7"


def test_there_is_no_view_of_a_connection_that_is_not_there() -> None:
    with pytest.raises(IndexError):
        viewed(exchange().timeline(), 1)
