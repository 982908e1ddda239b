"""What is put together again after another tool, a later version or an enemy had the file."""

import io

import msgspec
import pytest

import octets
from fourtuple.errors import InputError
from fourtuple.event import restore
from fourtuple.event.looks import encode_written
from fourtuple.event.model import Note, State, Verdict
from fourtuple.event.recording import encode_recording
from fourtuple.event.timeline import Timeline
from fourtuple.source import read
from recordings import FRAME, sample

HEAD = {"meta": {"a": 1}, "epoch_ns": 0, "complete": True, "frames": 1, "events": 0}
STATE = next(event for event in sample().events if isinstance(event, State))


def told(*blocks: bytes) -> Timeline:
    return read(io.BytesIO(b"".join(blocks)))


def carrying(content: object, version: int = 1) -> bytes:
    """Options with an attachment that anybody may have made up."""
    return carrying_bytes(msgspec.msgpack.encode(content), version)


def carrying_bytes(body: bytes, version: int = 1) -> bytes:
    value = b"\xd9\x7e\0\0fourtuple" + bytes([version]) + body
    return octets.option(2989, value) + octets.option(0, b"")


def opened(**changes: object) -> bytes:
    """A section header and an interface, as a recording begins."""
    head = octets.section(options=carrying({"head": HEAD | changes}))
    return head + octets.interface(options=[(9, b"\x09")])


def frame(number: int, t_ns: int = 50, **more: object) -> bytes:
    content = {"frame": [number, t_ns, t_ns, 1], **more}
    return octets.enhanced(FRAME, t_ns, options=carrying(content))


def said(timeline: Timeline) -> list[tuple[str, dict[str, object]]]:
    return [(note.message, note.params) for note in timeline.of(Note) if note.kind == "degraded"]


def test_a_whole_recording_has_nothing_to_say_about_itself() -> None:
    timeline = told(opened(), frame(1))
    assert (timeline.meta, timeline.complete, timeline.events) == ({"a": 1}, True, ())


def test_a_recording_in_a_later_format_is_refused_by_name() -> None:
    later = octets.section(options=carrying({}, version=2)) + octets.interface()
    with pytest.raises(InputError, match=r"format 2; this version of fourtuple reads format 1\."):
        told(later, frame(1))


def test_an_event_of_an_unknown_kind_is_left_out_and_named() -> None:
    later = [{"type": "drop", "t_ns": 1}, {"type": "drop"}, msgspec.Raw(encode_written(STATE)), 7]
    timeline = told(opened(events=4), frame(1, events=later))
    assert timeline.of(State) == [STATE]
    assert said(timeline) == [(restore.EVENTS_UNKNOWN, {"kinds": "? (1), drop (2)"})]


def test_what_an_event_calls_itself_is_printed_only_if_it_is_a_word() -> None:
    timeline = told(opened(events=1), frame(1, events=[{"type": "\x1b[2J"}]))
    assert said(timeline) == [(restore.EVENTS_UNKNOWN, {"kinds": "? (1)"})]


def test_frames_in_another_order_keep_their_evidence() -> None:
    moved = told(opened(frames=2, events=1), frame(2, 70), frame(1, 50, events=[STATE]))
    assert moved.frames.t_ns.tolist() == [70, 50]
    assert [state.frame for state in moved.of(State)] == [2]  # was 1, which is second now
    assert moved.complete
    assert said(moved) == []


def test_a_frame_that_was_added_is_captured_on_the_clock_of_the_recording() -> None:
    added = octets.enhanced(b"added", 1_070)
    timeline = told(opened(epoch_ns=1_000), frame(1, 50), added)
    assert timeline.frames.t_ns.tolist() == [50, 70]
    assert timeline.frames.left_ns.tolist() == [50, 70]
    assert timeline.frames.verdict.tolist() == [1, 0]
    assert not timeline.complete
    assert said(timeline) == [(restore.FRAMES_ADDED, {"count": 1})]


def test_an_added_frame_before_the_beginning_of_time_is_held_within_it() -> None:
    added = octets.enhanced(b"added", 0)
    timeline = told(opened(epoch_ns=2**63 - 1, frames=0), added, added)
    assert timeline.frames.t_ns.tolist() == [-(2**63) + 1] * 2


def test_lost_events_are_counted() -> None:
    assert said(told(opened(events=3), frame(1))) == [
        (restore.EVENTS_GONE, {"promised": 3, "kept": 0})
    ]


def test_events_are_in_order_of_time_whoever_wrote_them() -> None:
    late, early = Note(t_ns=9, kind="text"), Note(t_ns=3, kind="text")
    assert told(opened(events=2), frame(1, events=[late, early])).events == (early, late)


def test_a_block_that_cannot_be_understood_costs_only_itself() -> None:
    broken = octets.enhanced(FRAME, 60, options=carrying_bytes(b"\xc1"))
    timeline = told(opened(frames=3, events=1), frame(1), broken, frame(3, 70, events=[STATE]))
    assert len(timeline.frames) == 3
    assert timeline.of(State) == [STATE]
    assert said(timeline) == [
        (restore.FRAMES_GONE, {"promised": 3, "kept": 2}),
        (restore.FRAMES_ADDED, {"count": 1}),
    ]


@pytest.mark.parametrize(
    "blocks",
    [
        (octets.section() + octets.interface(), frame(1)),  # no head
        (opened(), frame(1), opened(), frame(1)),  # two files, one behind the other
        (opened(frames=2), frame(1), frame(1)),  # two files merged
        (opened(meta=[]), frame(1)),  # a head that is none
        (octets.section(options=octets.option(4, b"fourtuple 0.1.0")), octets.interface()),
    ],
)
def test_without_one_head_only_the_frames_are_left_and_it_is_said(
    blocks: tuple[bytes, ...],
) -> None:
    timeline = told(*blocks)
    assert timeline.meta == {"file": "stream"}
    assert set(timeline.frames.verdict.tolist()) <= {Verdict.CAPTURED}
    assert said(timeline) == [(restore.ONLY_FRAMES_LEFT, {})]


def test_a_recording_in_the_payload_of_a_frame_makes_no_recording_of_the_file() -> None:
    carried = octets.enhanced(encode_recording(sample()), 1)
    timeline = told(octets.section(), octets.interface(), carried)
    assert (said(timeline), len(timeline.frames)) == ([], 1)


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def test_what_is_nested_beyond_reason_is_left_out_and_counted() -> None:
    note = {"type": "note", "t_ns": 1, "kind": "text", "message": "{a}"}
    events = [note | {"params": {"a": nested(depth)}} for depth in (20, 500)]
    timeline = told(opened(events=2), frame(1, events=events))
    assert [n.params for n in timeline.of(Note) if n.kind == "text"] == [{"a": nested(20)}]
    assert said(timeline) == [(restore.EVENTS_UNKNOWN, {"kinds": "note (1)"})]


def test_a_head_that_is_nested_beyond_reason_is_none() -> None:
    timeline = told(opened(meta={"experiment": nested(500)}), frame(1))
    assert [message for message, _ in said(timeline)] == [restore.ONLY_FRAMES_LEFT]
