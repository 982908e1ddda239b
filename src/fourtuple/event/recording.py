"""Writing a recording: a Timeline as one pcapng capture.

Wireshark sees interfaces, frames and comments. Everything else - what the timeline says of
itself, the wire's verdicts, calls, states, snapshots, notes - travels in attachments
(`event.attachment`) of the section header and of the packet blocks; docs/design/recording.md
describes every byte. The rules:

- a block stands alone: what it carries is understood, or lost, without the others;
- an event travels with the first frame that was seen after it;
- no block but packets follows the interfaces, so that frame numbers equal tshark's.

It is read back by `event.restore`.
"""

from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import BinaryIO

import msgspec

from fourtuple import __version__
from fourtuple.errors import ValueNotLegal
from fourtuple.event._kernels import MAX_FRAME
from fourtuple.event.attachment import (
    ENTERPRISE,
    SIGNATURE,
    Attachment,
    FrameRecord,
    Head,
    pack,
)
from fourtuple.event.looks import LookWriter, encode_written
from fourtuple.event.model import Event, Snapshot
from fourtuple.event.pcapng import (
    COMMENT,
    SECTION_APPLICATION,
    SECTION_OS,
    custom_block,
    enhanced_packet,
    interface_description,
    section_header,
    text_option,
)
from fourtuple.event.timeline import Timeline

__all__ = ["encode_recording", "write_recording"]

#: Wireshark refuses a block of more than 16 MiB.
_EVENT_BYTES_A_BLOCK = 8 * 1024 * 1024
#: An option holds 65,535 bytes, a character of UTF-8 has at most 4.
_TEXT_CHARACTERS = 16_000
_LATEST_SINCE_1970_NS = 2**64 - 1


def encode_recording(timeline: Timeline, comments: Mapping[int, str] | None = None) -> bytes:
    """The recording as bytes: see `write_recording`."""
    stream = BytesIO()
    write_recording(timeline, stream, comments)
    return stream.getvalue()


def write_recording(
    timeline: Timeline, stream: BinaryIO, comments: Mapping[int, str] | None = None
) -> None:
    """Write the timeline as pcapng; `comments` are shown by Wireshark, by frame number.

    ValueNotLegal where the format cannot hold it: a frame over 262,144 bytes, for one. `meta` and
    the params of notes come back with lists for tuples.
    """
    waiting = _Waiting(timeline.events)
    stream.write(_header(timeline, waiting))
    for vantage in timeline.vantages:
        stream.write(
            interface_description(
                vantage.name, vantage.description, vantage.link_type, vantage.snap_length
            )
        )
    for number in range(1, len(timeline.frames) + 1):
        comment = comments.get(number, "") if comments else ""
        stream.write(_packet(timeline, number, comment, waiting))
    while waiting:
        # More than a block may hold has happened without a frame. Wireshark numbers these blocks,
        # but they come after the last frame.
        stream.write(custom_block(ENTERPRISE, pack(Attachment(events=waiting.before(None)))))


class _Waiting:
    """The events that no block carries yet, encoded when their turn comes: there may be more than
    memory holds."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._events, self._looks = iter(events), LookWriter()
        self._next = next(self._events, None)

    def __bool__(self) -> bool:
        return self._next is not None

    def before(self, t_ns: int | None) -> tuple[msgspec.Raw, ...]:
        """Take what happened before `t_ns` (None: at any time), as much as a block may hold."""
        taken: list[msgspec.Raw] = []
        room = _EVENT_BYTES_A_BLOCK
        while (event := self._next) is not None and room > 0:
            if t_ns is not None and event.t_ns >= t_ns:
                break
            taken.append(_encoded(event, self._looks))
            room -= len(taken[-1])
            self._next = next(self._events, None)
        return tuple(taken)


def _encoded(event: Event, looks: LookWriter) -> msgspec.Raw:
    """Of a snapshot only what is not as it was at the look before it."""
    if isinstance(event, Snapshot):
        return msgspec.Raw(encode_written(looks.look(event)))
    return msgspec.Raw(encode_written(event))


def _header(timeline: Timeline, waiting: _Waiting) -> bytes:
    head = Head(
        meta=dict(timeline.meta),
        epoch_ns=timeline.epoch_ns,
        complete=timeline.complete,
        frames=len(timeline.frames),
        events=len(timeline.events),
    )
    # Without frames there is no better place for the events.
    events = () if len(timeline.frames) else waiting.before(None)
    kernel = str(timeline.meta.get("kernel", ""))[:_TEXT_CHARACTERS]
    return section_header(
        text_option(SECTION_OS, kernel)
        + text_option(SECTION_APPLICATION, SIGNATURE.decode() + __version__)
        + pack(Attachment(head=head, events=events))
    )


def _packet(timeline: Timeline, number: int, comment: str, waiting: _Waiting) -> bytes:
    frames, row = timeline.frames, number - 1
    data, t_ns = frames.data(row), int(frames.t_ns[row])
    if len(data) > MAX_FRAME:
        raise ValueNotLegal(f"frame {number} has {len(data)} bytes: {MAX_FRAME} is the limit")
    record = FrameRecord(number, t_ns, int(frames.left_ns[row]), int(frames.verdict[row]))
    events = waiting.before(t_ns if number < len(frames) else None)
    parts = range(0, len(comment), _TEXT_CHARACTERS)
    chosen = [text_option(COMMENT, comment[at : at + _TEXT_CHARACTERS]) for at in parts]
    return enhanced_packet(
        data,
        int(frames.original[row]),
        int(frames.vantage[row]),
        max(0, min(t_ns + timeline.epoch_ns, _LATEST_SINCE_1970_NS)),
        b"".join(chosen) + pack(Attachment(frame=record, events=events)),
    )
