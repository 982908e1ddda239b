"""The whole report."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fourtuple.analyze import connections
from fourtuple.event.timeline import Timeline
from fourtuple.explain.text import Translator
from fourtuple.render.summary import report
from fourtuple.render.terminal import Terminal
from fourtuple.render.text import width_of
from render.scene import Scene
from render.strategies import stories
from story import Story, closed, exchange, opened


def told(timeline: Timeline, width: int = 120, language: str = "en", **how: object) -> str:
    return report(timeline, Translator(language), Terminal(width), **how)


def several() -> Story:
    """A connection, then another from another port."""
    story = exchange(complete=False)
    story.client.endpoint = type(story.client.endpoint)("10.77.0.1", 40001)
    story.reborn()
    story.client.syn()
    story.server.syn_ack()
    story.client.ack()
    return closed(story)


def test_a_run_tells_question_picture_sentences_claims_and_checks() -> None:
    text = told(Scene().exchange())
    parts = [
        "exchange    What does",
        "four-tuple  TCP 10.77.0.1:40000",
        "┬─",
        " 1  ",
        "claims",
        "1 of 1",
    ]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_one_connection_of_a_capture_is_told_in_full() -> None:
    text = told(Scene().capture())
    assert text.startswith("exchange.pcap")
    assert "▶" in text


def test_several_connections_of_a_capture_are_a_table() -> None:
    text = told(several().timeline(file="two.pcap"))
    assert text.startswith("two.pcap  2 connections in 18 frames\n")
    assert "10.77.0.1:40001" in text
    assert "--connection N" in text
    assert "─▶" not in text


def test_what_a_file_is_called_does_nothing_to_the_terminal() -> None:
    text = told(several().timeline(file="two\x1b[2J.pcap"))
    assert text.startswith("two\\x1b[2J.pcap  2 connections in 18 frames\n")


def test_one_of_several_can_be_asked_for() -> None:
    timeline = several().timeline(file="two.pcap")
    text = told(timeline, connections=connections(timeline)[1:], every=2)
    begun = "(its 0.00 ms is 11 ms after the first event of the recording)"
    assert f"TCP 10.77.0.1:40001 → 10.77.0.2:8888 {begun}" in " ".join(text.split())


def test_a_run_of_several_connections_tells_each() -> None:
    text = told(several().timeline(experiment="two"))
    assert text.count("four-tuple  ") == 2


def test_a_run_of_many_connections_tells_the_first_and_lists_all() -> None:
    story = Story(complete=False)
    for port in range(40000, 40006):
        story.client.endpoint = type(story.client.endpoint)("10.77.0.1", port)
        story.reborn()
        story.client.syn()
    text = told(story.timeline(experiment="many"))
    assert text.count("four-tuple  ") == 4
    assert "6 connections in 6 frames" in text


def test_where_none_is_asked_for_that_is_said() -> None:
    text = told(several().timeline(file="two.pcap"), connections=[], every=2)
    assert "None of the 2 connections of the capture is one that was asked for." in text


def test_one_asked_for_is_told_even_of_a_run_with_claims() -> None:
    timeline = Scene().exchange()
    one = connections(timeline)
    assert told(timeline, connections=one, every=1).count("four-tuple  ") == 1


def test_an_empty_capture_says_so_and_what_to_check() -> None:
    text = told(Timeline(meta={"file": "empty.pcap"}))
    assert text.startswith("empty.pcap  0 connections in 0 frames\n")
    assert "The capture is empty" in text
    assert "Check the filter and the interface" in " ".join(text.split())


def test_a_capture_of_other_protocols_says_so() -> None:
    scene = Scene()
    scene.frames.add(bytes(12) + b"\x08\x06" + bytes(28), 0)
    assert "None of the frames is TCP or UDP" in told(scene.timeline())


def test_a_run_of_which_nothing_was_seen_is_named() -> None:
    story = Story()
    story.note("failure", message="{text}", params={"text": "no wire", "error": "OutOfTime"})
    text = told(story.timeline(experiment="handshake"))
    assert text.startswith("handshake: the run failed\n  - no wire\n")


def test_a_run_that_failed_says_what_was_expected_and_why_it_ended() -> None:
    scene = Scene()
    wrong = {"what": "the first ACK", "expected": "15", "actual": "14", "ok": False, "values": {}}
    scene.note(50_000, "check", "", 5, **wrong)
    scene.note(50_001, "failure", "{text}", text="it ended early", error="OutOfTime")
    text = told(scene.exchange())
    assert "1 of 2 checks hold\n  - the first ACK: expected 15, got 14 (frame 5)\n" in text
    assert "exchange: the run failed\n  - it ended early\n" in text
    assert text.endswith("  - A larger limit gives the run more time: --limit SECONDS\n")


def test_a_long_name_of_a_run_that_failed_goes_on_below() -> None:
    story = opened()
    story.note("failure", message="{text}", params={"text": "no wire", "error": "OutOfTime"})
    for name in ("\x01" * 30, "名" * 30, "a name of many words " * 3):
        for width in (40, 41, 60):
            lines = told(story.timeline(experiment=name), width).splitlines()
            assert max(map(width_of, lines)) <= width
            assert ": the run failed - no wire" in " ".join(" ".join(lines).split())


def test_what_could_not_be_had_or_was_lost_is_said() -> None:
    scene = Scene()
    scene.note(50_000, "degraded", "Frames lost: {count}.", count=3)
    assert told(scene.exchange()).endswith("  - Frames lost: 3.\n")


def test_a_claim_that_depends_says_on_what() -> None:
    story = opened()
    params = {"claim": "the window is 65535", "verdict": "depends", "depends_on": "tcp_rmem {n}"}
    story.note("claim", params=params | {"because": "", "values": {"n": 3}, "source": "A"})
    text = told(story.timeline(experiment="x"))
    assert "  depends    the window is 65535\n             tcp_rmem 3\n" in text


@given(stories(), st.integers(40, 200), st.sampled_from(["en", "zh"]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_line_of_a_report_is_wider_than_the_terminal(
    timeline: Timeline, width: int, language: str
) -> None:
    text = told(timeline, width, language)
    assert max(map(width_of, text.splitlines()), default=0) <= width
    assert all(line.isprintable() for line in text.split("\n"))


def test_a_failed_expectation_is_told_in_the_readers_language() -> None:
    story = opened()
    params = {"what": "the four segments", "expected": "4", "actual": "3", "ok": False}
    story.note("check", params=params | {"values": {}})
    story.note("failure", message="{text}", params={"text": "!", "error": "ExpectationFailed"})
    text = told(story.timeline(experiment="x"), language="zh")
    assert text.endswith("x：运行失败\n  - 这一条不成立：四个报文段\n")
