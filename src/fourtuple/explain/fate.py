"""What the wire did to a segment, and what the numbers show to be missing."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from fourtuple.explain.about import About
from fourtuple.explain.model import Message
from fourtuple.explain.phrases import listed
from fourtuple.explain.text import N_
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


def fate(about: About) -> list[Message]:
    """What the wire did to it, and what the numbers show to be missing."""
    segment, notes = about.segment, about.notes
    found = []
    late_ms = f"{(segment.left_ns - segment.t_ns) / 1e6:.1f}"
    if segment.verdict in _FATES:
        found.append(about.says(_FATES[segment.verdict], ms=late_ms))
    if segment.verdict == "rewritten":
        found += _rewritten(about)
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


def _rewritten(about: About) -> list[Message]:
    """What the wire changed, field by field."""
    number = about.segment.as_left
    if number is None:
        return [about.says("The wire delivered it with other bytes.")]
    text = N_("The wire changed it, see frame {frame}: {changes}.")
    before, after = about.timeline.packet(about.segment.frame), about.timeline.packet(number)
    return [about.says(text, frame=number, changes=listed(_differences(before, after)))]


def _differences(before: Packet, after: Packet) -> Iterator[Message]:
    """Each field whose value differs, but for checksums and lengths, which follow from the rest."""
    fields = [{f.name: f for view in one.layers for f in view.fields()} for one in (before, after)]
    for name in dict.fromkeys((*fields[0], *fields[1])):
        old, new = (of_one.get(name) for of_one in fields)
        field = new or old
        if field is None or name.endswith(("checksum", "length", "ihl", "data_offset")):
            continue
        values = [one.text if one else "-" for one in (old, new)]
        if values[0] != values[1]:
            params = {"field": Message(field.label), "before": values[0], "after": values[1]}
            yield Message("{field} {before} → {after}", params)
