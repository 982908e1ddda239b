"""Reading a recording back: the packets of a pcapng capture as the Timeline that was written.

Other tools may have rewritten the file since. What they left is put together again - numbers in
events follow their frames - and what they took away is said in a note, never guessed. The bytes
may be hostile: whatever is no attachment, or no event, is left out and counted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain

import msgspec
import numpy as np

from fourtuple.errors import N_
from fourtuple.event.attachment import (
    FORMAT,
    PREFIXES,
    SIGNATURE,
    UNREADABLE,
    Attachment,
    FrameRecord,
    Head,
    check_depth,
    parts,
    unpack,
)
from fourtuple.event.frames import FrameTable
from fourtuple.event.interfaces import clamped
from fourtuple.event.looks import Look, LookReader, Written, decode_written
from fourtuple.event.model import Event, Note, Snapshot, State, Verdict
from fourtuple.event.packets import Packets
from fourtuple.event.pcapng import SECTION_APPLICATION, OptionList
from fourtuple.event.timeline import Timeline

__all__ = ["remains", "restore", "unknown_format"]

FRAMES_GONE = N_("Frames of this recording: {promised}. Still in the file: {kept}.")
FRAMES_ADDED = N_("Frames in this file that the recording says nothing of: {count}.")
EVENTS_GONE = N_(
    "Calls, states, snapshots and notes of this recording: {promised}. Still in the file: {kept}."
)
EVENTS_UNKNOWN = N_("Left out, because this version of fourtuple cannot read them: {kinds}.")
ONLY_FRAMES_LEFT = N_(
    "This file was made from a fourtuple recording, but another tool has removed or mixed up what"
    " was recorded beside the frames. Only the frames are shown."
)


def unknown_format(packets: Packets) -> int | None:
    """The format of a recording that this version of fourtuple cannot read, if it is one."""
    versions = (version for where in packets.sections for version, _ in _parts(packets, where))
    return next((version for version in versions if version != FORMAT), None)


def restore(packets: Packets) -> Timeline | None:
    """The timeline of a recording; None where the capture is none, or two of them merged."""
    opening = [_attachment(packets, where) for where in packets.sections]
    heads = [found.head for found in opening if found.head]
    if len(heads) != 1:
        return None
    head, rows = heads[0], range(len(packets.frames))
    of_frames = [_attachment(packets, packets.frame_options(row)) for row in rows]
    closing = [_attachment(packets, where) for where in packets.customs]
    raw = [event for found in chain(opening, of_frames, closing) for event in found.events]
    records = [found.frame for found in of_frames]
    places = {record.number: row for row, record in enumerate(records, 1) if record}
    if len(places) != sum(record is not None for record in records):
        return None
    frames = _restored(packets.frames, records, head.epoch_ns)
    written, unknown = _decoded(raw)
    events = _rebuilt(written)
    if any(before != now for before, now in places.items()) or len(places) != head.frames:
        events = [_moved(event, places) for event in events]
    whole = len(raw) - (len(written) - len(events))
    notes = _notes(_losses(head, len(places), len(records), whole, unknown), frames)
    return Timeline(
        packets.vantages,
        frames,
        tuple(sorted(chain(notes, events), key=lambda event: event.t_ns)),
        head.meta,
        head.epoch_ns,
        head.complete and len(places) == head.frames == len(records),
    )


def remains(packets: Packets) -> tuple[Note, ...]:
    """A note where the packets, though no whole recording, were once part of one."""
    if _signed(packets) or _has_parts(packets):
        return _notes([(ONLY_FRAMES_LEFT, {})], packets.frames)
    return ()


def _signed(packets: Packets) -> bool:
    """A section header names fourtuple as the application that wrote it."""
    found = (option for where in packets.sections for option in packets.options(where))
    return any(code == SECTION_APPLICATION and value.startswith(SIGNATURE) for code, value in found)


def _has_parts(packets: Packets) -> bool:
    if not any(prefix in packets.buffer for prefix in PREFIXES):
        return False  # most captures: this is much faster than to look at the options of all frames
    return any(_parts(packets, packets.frame_options(row)) for row in range(len(packets.frames)))


def _parts(packets: Packets, where: OptionList) -> list[tuple[int, bytes]]:
    return parts(packets.options(where), where.order)


def _attachment(packets: Packets, where: OptionList) -> Attachment:
    return unpack(_parts(packets, where))


def _decoded(raw: Iterable[msgspec.Raw]) -> tuple[list[Written], Counter[str]]:
    """What was written, and how much of which kind could not be read."""
    events: list[Written] = []
    unknown: Counter[str] = Counter()
    for data in raw:
        try:
            event = decode_written(bytes(data))
            if isinstance(event, Note):
                check_depth(event.params)
            events.append(event)
        except UNREADABLE:
            unknown[_kind(bytes(data))] += 1
    return events, unknown


def _rebuilt(written: list[Written]) -> list[Event]:
    """The events in their order: snapshots are made of looks, each of which follows the one before
    it by number; what follows a lost one is lost too."""
    reader, events = LookReader(), dict(enumerate(written))
    looks = [(place, one) for place, one in events.items() if isinstance(one, Look)]
    for place, look in sorted(looks, key=lambda found: (found[1].series, found[1].number)):
        snapshot = reader.snapshot(look)
        if snapshot is None:
            del events[place]
        else:
            events[place] = snapshot
    return [event for event in events.values() if not isinstance(event, Look)]


def _kind(data: bytes) -> str:
    """What an unreadable event calls itself, if that is a word."""
    try:
        kind = msgspec.msgpack.decode(data, type=dict[str, object]).get("type")
    except UNREADABLE:
        kind = None
    return kind if isinstance(kind, str) and kind.isidentifier() else "?"


def _restored(frames: FrameTable, records: list[FrameRecord | None], epoch_ns: int) -> FrameTable:
    """The frames on the recording's clock, with what their records say."""
    rows = []
    for since_1970_ns, record in zip(frames.t_ns.tolist(), records, strict=True):
        if record:
            rows.append((record.t_ns, record.left_ns, record.verdict))
        else:
            t_ns = clamped(since_1970_ns - epoch_ns)
            rows.append((t_ns, t_ns, Verdict.CAPTURED))
    clock, left_ns, verdict = np.array(rows, dtype=np.int64).reshape(-1, 3).T.copy()
    return replace(frames, t_ns=clock, left_ns=left_ns, verdict=verdict)


def _losses(
    head: Head, kept: int, frames: int, events: int, unknown: Counter[str]
) -> Iterator[tuple[str, dict[str, object]]]:
    """What is not as it was recorded: message ids and their fields.

    `kept` of the recording's frames are in the file, which has `frames` and `events`.
    """
    if kept != head.frames:
        yield FRAMES_GONE, {"promised": head.frames, "kept": kept}
    if kept != frames:
        yield FRAMES_ADDED, {"count": frames - kept}
    if events != head.events:
        yield EVENTS_GONE, {"promised": head.events, "kept": events}
    if unknown:
        kinds = ", ".join(f"{kind} ({count})" for kind, count in sorted(unknown.items()))
        yield EVENTS_UNKNOWN, {"kinds": kinds}


def _notes(losses: Iterable[tuple[str, dict[str, object]]], frames: FrameTable) -> tuple[Note, ...]:
    t_ns = int(frames.t_ns.min()) if len(frames) else 0
    return tuple(
        Note(t_ns=t_ns, kind="degraded", message=message, params=params)
        for message, params in losses
    )


def _moved(event: Event, places: Mapping[int, int]) -> Event:
    """The event with the present numbers of the frames that it names; those that are gone go."""
    if isinstance(event, Snapshot | State):
        return msgspec.structs.replace(event, frame=places.get(event.frame, 0))
    if isinstance(event, Note):
        frames = tuple(places[number] for number in event.frames if number in places)
        return msgspec.structs.replace(event, frames=frames)
    return event
