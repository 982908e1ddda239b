"""The picture itself: golden ones, and rules that hold for any timeline."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fourtuple.analyze import connections
from fourtuple.event.model import Verdict
from fourtuple.event.timeline import Timeline
from fourtuple.explain.text import Translator
from fourtuple.render.ladder import ladder
from fourtuple.render.terminal import ASCII, UNICODE, Terminal
from fourtuple.render.text import width_of
from golden import same_as_golden
from render.scene import Scene
from render.shown import drawn, viewed
from render.strategies import stories
from story import opened

TROUBLE = {
    4: Verdict.DROPPED,
    5: Verdict.DUPLICATED,
    6: Verdict.DELAYED,
    7: Verdict.INJECTED,
    8: Verdict.HELD,
    9: Verdict.REWRITTEN,
}
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("width", [160, 120, 100, 80, 60])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_exchange(width: int, language: str) -> None:
    same_as_golden(
        f"ladder/exchange-{width}-{language}.txt", drawn(Scene().exchange(), width, language)
    )


def test_the_exchange_in_ascii() -> None:
    text = drawn(Scene().exchange(), 120, glyphs=ASCII)
    assert text.isascii()
    same_as_golden("ladder/exchange-120-ascii.txt", text)


def test_the_exchange_with_raw_numbers() -> None:
    same_as_golden("ladder/exchange-120-raw.txt", drawn(Scene().exchange(), 120, raw=True))


def test_a_capture_has_three_lanes_and_inferred_states() -> None:
    same_as_golden("ladder/capture-120.txt", drawn(Scene().capture(), 120))


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_what_the_wire_did_is_drawn_and_said(
    glyphs: object, request: pytest.FixtureRequest
) -> None:
    scene = Scene(verdicts=TROUBLE, left={6: 1900})
    alphabet = request.node.callspec.id
    same_as_golden(
        f"ladder/trouble-120-{alphabet}.txt", drawn(scene.exchange(), 120, glyphs=glyphs)
    )


@given(stories(), st.integers(40, 200), st.sampled_from(["en", "zh"]), st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_line_is_wider_than_the_terminal(
    timeline: Timeline, width: int, language: str, raw: bool, ascii_only: bool
) -> None:
    terminal = Terminal(width, glyphs=ASCII if ascii_only else UNICODE)
    for index in range(len(connections(timeline))):
        lines = ladder(viewed(timeline, index), terminal, Translator(language), raw=raw)
        assert max(map(width_of, lines), default=0) <= width
        assert all(line.isprintable() for line in lines)


@given(stories(), st.integers(40, 200))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_colour_only_repeats_what_is_said_already(timeline: Timeline, width: int) -> None:
    for index in range(len(connections(timeline))):
        view = viewed(timeline, index)
        plain = ladder(view, Terminal(width), Translator("en"))
        painted = ladder(view, Terminal(width, colour=True), Translator("en"))
        assert [ESCAPE.sub("", line).rstrip() for line in painted] == plain


def test_there_is_colour_where_it_is_asked_for() -> None:
    lines = ladder(viewed(Scene().exchange()), Terminal(120, colour=True), Translator("en"))
    assert any(ESCAPE.search(line) for line in lines)


def test_large_numbers_do_not_push_the_arrow_out() -> None:
    story = opened()
    story.client.send(100, seq=2_000_000_000)
    text = drawn(story.timeline(), 100)
    assert "seq 2000000000" in text
    assert text.count("▶") + text.count("◀") == 4


def test_a_segment_sent_again_says_so_on_its_arrow() -> None:
    story = opened()
    story.client.send(10, lost=True)
    story.wait(300)
    story.client.send(10, seq=1)
    assert " retransmission " in drawn(story.timeline(), 120)


@pytest.mark.parametrize("width", range(60, 165))
@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_is_cut_at_any_width(width: int, language: str) -> None:
    text = drawn(Scene().exchange(), width, language)
    # the ellipsis stands alone where time passes; within words it would be a cut
    assert not re.search(r"[^ ]…|~", text)
    for call in ("listen(5)", "connect(", "send(14)", "recv(", "accept()", "close()"):
        assert call in text


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_a_lane_writes_its_calls_in_one_form(width: int) -> None:
    lines = drawn(Scene().exchange(), width).splitlines()
    # calls of the client begin right of the time, those of the server at the end of a line
    for receiving in (r"│ ┌ recv\((\d*)\)", r"│ (?:│ |┌ )?recv\((\d*)\)[^│]*$"):
        forms = {found[1] for line in lines if (found := re.search(receiving, line))}
        assert len(forms) == 1


def test_a_list_says_once_who_sends() -> None:
    lines = drawn(Scene().exchange(), 60).splitlines()
    assert lines[0] == "▶ client to server, ◀ server to client"


def test_words_without_room_on_the_arrow_stand_below_it() -> None:
    story = opened()
    story.client.send(10, lost=True)
    story.wait(300)
    story.client.send(10, seq=1)
    for width in (60, 75, 80, 100, 120):
        assert "retransmission" in drawn(story.timeline(), width)
