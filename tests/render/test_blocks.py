"""The words around the ladder."""

from fourtuple.explain.model import Finding, Rule
from fourtuple.render.blocks import Blocks
from fourtuple.render.view import Check, Claim
from render.scene import Scene
from render.shown import painter, viewed
from story import Story

RULE = Rule(
    "odd-thing", "warning", "An odd thing", "It was {how}.", "Frame 2 is.", "Wait.", "RFC 1"
)


def blocks(width: int = 60, language: str = "en") -> Blocks:
    return Blocks(painter(width, language))


def test_a_finding_has_four_parts() -> None:
    assert blocks().findings([Finding(RULE, 0, (2, 3, 7), {"how": "odd"})]) == [
        "findings",
        "warning  An odd thing (frames 2-3, 7)",
        "        It was odd.",
        "  why   Frame 2 is.",
        "  do    Wait.",
        "  read  RFC 1",
    ]


def test_no_findings_have_no_heading() -> None:
    assert blocks().findings([]) == []


def test_a_claim_has_verdict_and_reason() -> None:
    claim = Claim("SYN uses one number", "A", "confirmed", "ack 1 with no data sent", frames=(2,))
    assert blocks().claims([claim]) == [
        "claims",
        "  confirmed  SYN uses one number",
        "             frame 2: ack 1 with no data sent",
    ]


def test_checks_that_hold_are_only_counted() -> None:
    assert blocks().checks([Check("a", "1", "1", True), Check("b", "2", "2", True)]) == [
        "2 of 2 checks hold"
    ]


def test_a_check_that_fails_is_told() -> None:
    assert blocks().checks([Check("the ACK", "15", "14", False, (5,))]) == [
        "0 of 1 check holds",
        "  - the ACK: expected 15, got 14 (frame 5)",
    ]


def test_no_checks_are_not_counted() -> None:
    assert blocks().checks([]) == []


def test_the_head_says_that_a_client_is_guessed() -> None:
    story = Story(complete=False)
    story.client.send(10)
    lines = " ".join(blocks().head(viewed(story.timeline())))
    assert "(which side is the client is a guess)" in " ".join(lines.split())
    assert "guess" not in " ".join(blocks().head(viewed(Scene().exchange())))


def test_a_label_that_is_too_long_is_cut() -> None:
    lines = blocks(40).labelled([("x" * 50, "one two three four five six")], style="bold")
    assert lines[0] == "xxxxxxxxxxxx…  one two three four five"
    assert lines[1] == "               six"


def test_prose_stays_readable_on_a_wide_terminal() -> None:
    (first, *_) = blocks(300).labelled([("a", "word " * 100)], style="bold")
    assert len(first) <= 112
