"""What the wire did to a segment, and what the numbers show to be missing."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from fourtuple.analyze.hosts import host_of
from fourtuple.event.model import at_host, is_cable
from fourtuple.event.timeline import Timeline
from fourtuple.explain.about import About
from fourtuple.explain.model import Message
from fourtuple.explain.phrases import listed
from fourtuple.explain.text import N_

if TYPE_CHECKING:
    from fourtuple.wire import Packet

__all__ = ["fate"]

_FATES: Mapping[str, str] = MappingProxyType(
    {
        "dropped": N_("The wire dropped it: {receiver} never sees it."),
        "held": N_("The wire still held it when the run ended."),
        "delayed": N_("The wire delivered it {ms} ms after it had entered."),
        "duplicated": N_("The wire delivered it more than once."),
        "corrupted": N_(
            "The wire turned over a bit of it: its checksum is wrong, and the kernel of {receiver} "
            "discards it without a word."
        ),
    }
)
#: fields that follow from the others, and options that only fill
_FOLLOWING = ("checksum", "length", "ihl", "data_offset")
_PADDING = ("No operation", "End of options")
_CUT = N_(
    "At the host of {sender} the bytes up to here are one segment of {size} bytes, frame {frame}: "
    "its kernel leaves the cutting to the network card (TSO)."
)
_PUT_TOGETHER = N_(
    "At the host of {receiver} they were put into one segment of {size} bytes, frame {frame}, "
    "before its TCP saw them (GRO, or LRO in the network card)."
)


def fate(about: About) -> list[Message]:
    """What the wire did to it, and what the numbers show to be missing."""
    segment, notes = about.segment, about.notes
    found = []
    late_ms = f"{(segment.left_ns - segment.t_ns) / 1e6:.1f}"
    if segment.verdict in _FATES:
        found.append(about.says(_FATES[segment.verdict], ms=late_ms))
    if segment.verdict == "rewritten":
        found += _rewritten(about)
    found += _offloaded(about)
    if "lost_segment" in notes and about.seq is not None:
        found.append(
            about.says(
                "Numbers {next} to {before} were not seen.",
                next=about.seq.total,
                before=segment.seq - 1,
            )
        )
    if "ack_lost_segment" in notes and "wrong_ack" not in notes:
        found.append(about.says("ack {ack} covers numbers that were not seen."))
    return found


def _offloaded(about: About) -> Iterator[Message]:
    """What was one segment at a host and is several on the wire; said of the last of them."""
    segment, timeline = about.segment, about.timeline
    ends = (about.connection.client, about.connection.server)
    sender, receiver = ends if segment.from_client else ends[::-1]
    for end, t_ns, text in (
        (sender, segment.t_ns, _CUT),
        (receiver, segment.left_ns, _PUT_TOGETHER),
    ):
        host = host_of(timeline, end.address)
        whole = _seen_there(timeline).get((at_host(host or ""), t_ns))
        size = _payload(timeline, whole) if whole else 0
        if whole and size > segment.length and _last_of(about, timeline, whole):
            yield about.says(text, frame=whole, size=size)


def _seen_there(timeline: Timeline) -> dict[tuple[str, int], int]:
    """(vantage point of a host, when) -> the last frame that was seen there then."""
    if "at hosts" not in timeline.memo:
        names = [vantage.name for vantage in timeline.vantages]
        rows = zip(timeline.frames.vantage.tolist(), timeline.frames.t_ns.tolist(), strict=True)
        timeline.memo["at hosts"] = {
            (names[vantage], t_ns): timeline.frames.number(row)
            for row, (vantage, t_ns) in enumerate(rows)
            if not is_cable(names[vantage])
        }
    found: dict[tuple[str, int], int] = timeline.memo["at hosts"]
    return found


def _payload(timeline: Timeline, number: int) -> int:
    return int(timeline.columns.payload_length[timeline.frames.row(number)])


def _last_of(about: About, timeline: Timeline, whole: int) -> bool:
    """Whether the segment ends where the whole one does."""
    begin = int(timeline.columns.sequence[timeline.frames.row(whole)])
    end = (begin + _payload(timeline, whole)) % (1 << 32)
    return (about.segment.raw_seq + about.segment.length) % (1 << 32) == end


def _rewritten(about: About) -> list[Message]:
    """What the wire changed, field by field."""
    number = about.segment.as_left
    if number is None:
        return [about.says("The wire delivered it with other bytes.")]
    text = N_("The wire changed it, see frame {frame}: {changes}.")
    before, after = about.timeline.packet(about.segment.frame), about.timeline.packet(number)
    return [about.says(text, frame=number, changes=listed(_differences(before, after)))]


def _differences(before: "Packet", after: "Packet") -> Iterator[Message]:
    """Each field whose value differs, but for checksums and lengths, which follow from the rest."""
    old, new = (
        {(f.name, f.label): f.text or "+" for view in one.layers for f in view.fields()}
        for one in (before, after)
    )
    for place in dict.fromkeys((*old, *new)):
        name, label = place
        values = {"before": old.get(place, "-"), "after": new.get(place, "-")}
        follows = name.endswith(_FOLLOWING) or label in _PADDING
        if values["before"] != values["after"] and not follows:
            yield Message("{field} {before} → {after}", {"field": Message(label), **values})
