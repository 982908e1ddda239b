"""A segment with what its sentence must know of its place in the connection."""

from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from fourtuple.analyze.model import Arithmetic, Connection, Reset, SegmentFact
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Message
from fourtuple.explain.phrases import a_side, side, summed
from fourtuple.wire import SYN

__all__ = ["About"]


class About:
    """One segment: its neighbours, the states that it leaves behind, its sums as text."""

    def __init__(self, connection: Connection, segment: SegmentFact, timeline: Timeline) -> None:
        self.connection, self.segment, self.timeline = connection, segment, timeline
        self.flags, self.notes = segment.flags, segment.notes
        sums = {one.kind: one for one in segment.arithmetic}
        self.ack: Arithmetic | None = sums.get("ack")
        self.seq: Arithmetic | None = sums.get("seq")
        states = (segment.client_state, segment.server_state)
        self.own_state, self.peer_state = states if segment.from_client else states[::-1]

    def says(self, text: str, **params: Any) -> Message:
        """A message. Filled in: {Sender} {sender} {Receiver} {receiver}, the header's numbers,
        {first} and {last} byte, {sum} of the acknowledgment."""
        segment, client = self.segment, self.segment.from_client
        first = segment.seq + bool(self.flags & SYN)
        common = {
            "Sender": a_side(client),
            "sender": side(client),
            "Receiver": a_side(not client),
            "receiver": side(not client),
            "raw": segment.raw_seq,
            "seq": segment.seq,
            "first": first,
            "last": first + segment.length - 1,
            "ack": segment.ack,
            "length": segment.length,
            "window": segment.window,
            "sum": f"ack {segment.ack}" if self.ack is None else summed(self.ack),
        }
        return Message(text, common | params)

    def earlier(self, from_sender: bool) -> Iterator[SegmentFact]:
        """The segments before this one, of its sender or of its receiver, the latest first."""
        segments = self.connection.segments
        position = bisect_left(segments, self.segment.frame, key=lambda s: s.frame)
        wanted = self.segment.from_client is from_sender
        return (segments[i] for i in range(position - 1, -1, -1) if _of(segments[i], wanted))

    @property
    def repeats(self) -> bool:
        """Whether it carries what was sent before and is not acknowledged yet, or comes late."""
        return bool({"retransmission", "out_of_order", "resent"}.intersection(self.notes))

    @cached_property
    def original(self) -> SegmentFact | None:
        """The segment that carried this one's first number before."""
        seq = self.segment.seq
        sent = (s for s in self.earlier(from_sender=True) if s.verdict != "injected")
        carriers = (s for s in sent if s.seq <= seq < s.next_seq)
        return next(carriers, None)

    @cached_property
    def reset(self) -> Reset | None:
        """The cause that was found, for an RST."""
        found = (r for r in self.connection.resets if r.frame == self.segment.frame)
        return next(found, None)


def _of(segment: SegmentFact, client: bool) -> bool:
    return segment.from_client is client
