"""The header view."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourtuple.analyze import connections
from fourtuple.event.frames import FrameTableBuilder, Vantage
from fourtuple.event.timeline import Timeline
from fourtuple.explain.text import Translator
from fourtuple.render.header import frame_report
from fourtuple.render.terminal import Terminal
from fourtuple.render.text import width_of
from golden import same_as_golden
from story import Story, exchange, opened


def report(timeline: Timeline, number: int = 1, width: int = 100, language: str = "en") -> str:
    found = connections(timeline)
    return frame_report(timeline, found, number, Translator(language), Terminal(width))


def layers(text: str) -> str:
    """The report from the first layer on: the sentences above are tested where they are made."""
    return text[text.index("Ethernet") :]


@pytest.mark.parametrize("family", [4, 6])
def test_every_field_and_bit_of_a_syn(family: int) -> None:
    timeline = exchange(family).timeline()
    same_as_golden(f"header/syn-ipv{family}.txt", layers(report(timeline)))


def test_the_sentence_and_the_arithmetic_come_first() -> None:
    text = report(exchange().timeline(), 5)
    assert text.startswith("frame 5: 4.00 ms after the first one, 54 bytes\n\nack 15 = 1 + 14")


def test_a_wrong_number_is_set_against_the_right_one() -> None:
    story = opened()
    story.client.send(14)
    story.server.ack(ack=500)
    assert "the header says 500" in report(story.timeline(), 5)


def test_a_wrong_checksum_is_pointed_out() -> None:
    story = opened()
    timeline = story.timeline()
    timeline.frames.buffer.flags.writeable = False
    data = bytearray(timeline.frames.data(0))
    data[-1] ^= 1
    builder = FrameTableBuilder()
    builder.add(bytes(data), 0)
    text = report(Timeline(frames=builder.table()))
    assert "! the checksum is wrong" in text


def test_a_cut_frame_says_what_was_not_captured() -> None:
    builder = FrameTableBuilder()
    builder.add(exchange().timeline().frames.data(0)[:40], 0, original=66)
    text = report(Timeline(frames=builder.table()))
    assert "the capture kept 40 of them" in text
    assert "! the capture ends inside this header" in text
    assert "not captured" in text


def test_an_unknown_link_type_shows_the_bytes() -> None:
    builder = FrameTableBuilder()
    builder.add(b"nonsense", 0)
    text = report(Timeline((Vantage("radio", link_type=147),), builder.table()))
    assert "link type USER0 (147) is not decoded" in text
    assert "000000  6e 6f 6e 73 65 6e 73 65" in text


def test_what_the_wire_did_is_said() -> None:
    story = Story()
    story.client.syn(lost=True)
    assert "what the wire did with it: dropped" in report(story.timeline())


def test_a_frame_without_a_connection_has_its_layers_all_the_same() -> None:
    story = Story()
    story.datagram(story.client, 9)
    assert "\nUDP  bytes 34-41 of the frame\n" in report(story.timeline())


def test_there_is_no_frame_beyond_the_last() -> None:
    with pytest.raises(IndexError):
        report(exchange().timeline(), 12)


@given(st.binary(max_size=120), st.sampled_from([0, 1, 101, 113, 147]), st.integers(40, 160))
@settings(deadline=None)
def test_any_bytes_can_be_shown_within_the_terminal(data: bytes, link: int, width: int) -> None:
    builder = FrameTableBuilder()
    builder.add(data, 0, original=len(data) + 3)
    text = report(Timeline((Vantage("x", link_type=link),), builder.table()), width=width)
    assert max(map(width_of, text.splitlines())) <= width


@given(st.data(), st.integers(40, 160), st.sampled_from(["en", "zh"]))
@settings(deadline=None, max_examples=60)
def test_a_mutated_segment_can_be_shown_within_the_terminal(
    draws: st.DataObject, width: int, language: str
) -> None:
    data = bytearray(exchange(draws.draw(st.sampled_from([4, 6]))).timeline().frames.data(3))
    for _ in range(draws.draw(st.integers(0, 4))):
        data[draws.draw(st.integers(0, len(data) - 1))] = draws.draw(st.integers(0, 255))
    builder = FrameTableBuilder()
    builder.add(bytes(data[: draws.draw(st.integers(0, len(data)))]), 0)
    text = report(Timeline(frames=builder.table()), width=width, language=language)
    assert max(map(width_of, text.splitlines())) <= width
