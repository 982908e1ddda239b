"""What must hold of any bytes at all, in one sentence each; the fuzzer looks for bytes of which it
does not.

`any_file`: reading a file gives a timeline or one InputError, what could be read is explained and
drawn, and the survey of its frames says what the whole way says. `any_segments`: so it is with any
segments, well-formed ones between the same few ends. Nothing else is ever raised.
"""

import io
import struct

from analyze.surveyed import facts_of, frames_of, survey, surveyed_facts, surveyed_frames
from fourtuple.analyze import connections
from fourtuple.analyze.survey import _layout as at
from fourtuple.errors import CaptureDamaged, InputError
from fourtuple.event.frames import FrameTableBuilder
from fourtuple.event.timeline import Timeline
from fourtuple.explain.catalog import findings
from fourtuple.explain.text import Translator
from fourtuple.render.jsonout import connection_objects, frame_objects, json_lines
from fourtuple.source import Capture, read
from fourtuple.wire import Ethernet, Ipv4, Sack, Tcp, Timestamps, frame

__all__ = ["any_file", "any_segments"]

_ENGLISH = Translator("en")
#: a longer file only takes longer
_MOST_FRAMES = 300


def any_file(data: bytes) -> None:
    try:
        timeline = read(io.BytesIO(data))
    except CaptureDamaged as error:
        timeline = error.timeline
    except InputError:
        return
    if len(timeline.frames) <= _MOST_FRAMES:
        _explained(timeline)
        _in_blocks(data, timeline)
        if not _known_on_the_wire(timeline):
            _agree(timeline)


def _known_on_the_wire(timeline: Timeline) -> bool:
    """Whether it is a run of the lab, or a part of one: when frames left the wire, and what became
    of them, is known. A survey is of captures, which do not have that."""
    frames = timeline.frames
    return timeline.complete or bool((frames.left_ns != frames.t_ns).any() or frames.verdict.any())


def _explained(timeline: Timeline) -> None:
    found = connections(timeline)
    said = findings(timeline, found)
    json_lines(connection_objects(timeline, found, said, _ENGLISH, "x"))
    json_lines(frame_objects(timeline, found))
    for number in range(1, len(timeline.frames) + 1):
        timeline.frame(number).packet.problems()


def _in_blocks(data: bytes, timeline: Timeline) -> None:
    """Read block by block, a capture has as many frames."""
    count = 0
    try:
        with Capture.of(io.BytesIO(data)) as capture:
            for block in capture.blocks():
                count += len(block)
    except CaptureDamaged:
        pass
    assert count == len(timeline.frames)


def _agree(timeline: Timeline) -> None:
    whole = connections(timeline)
    found, known = survey(timeline)
    rows = surveyed_facts(found)
    assert len(rows) == len(whole)
    for connection, row in zip(whole, rows, strict=True):
        expected = facts_of(connection)
        if row["flags"] & at.S_ODD:
            expected.pop("close", None)
        assert {name: row[name] for name in expected} == expected
    frames = surveyed_frames(found, known)
    for number, one in frames_of(whole).items():
        assert frames[number - 1] == one


def any_segments(data: bytes) -> None:
    """Each 24 bytes are a segment: who, when, flags, numbers, window, size, options."""
    builder = FrameTableBuilder()
    now = 0
    for fields in struct.iter_unpack("<BBHIIHHII", data[: len(data) // 24 * 24][: 24 * 100]):
        who, flags, later, seq, ack, window, size, value, echo = fields
        now += later * (10**9 if who & 4 else 1000)
        ends = ("10.0.0.1", "10.0.0.2") if who & 1 else ("10.0.0.2", "10.0.0.1")
        ports = (4000 + (who >> 1 & 1), 80) if who & 1 else (80, 4000 + (who >> 1 & 1))
        options: tuple[Timestamps | Sack, ...] = (Timestamps(value, echo),) if who & 8 else ()
        options += (Sack(((value, echo),)),) if who & 16 else ()
        tcp = Tcp(*ports, seq, ack, flags | (who >> 5 & 1) << 8, window, options=options)
        layer = Ipv4(*ends, identification=value & 0xFFFF if who & 64 else 0)
        builder.add(frame(Ethernet(), layer, tcp, b"x" * (size % 1500)), now)
    _agree(Timeline(frames=builder.table()))
