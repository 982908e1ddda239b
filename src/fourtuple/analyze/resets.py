"""Who sent an RST, and why: as far as the evidence goes, and no further.

Rules: "certain" only where nothing else explains what is seen, "likely" where one cause is by far
the usual one, else "undetermined". Linux tells its causes apart in the header: an RST that answers
a segment carries that segment's acknowledgment number and no ACK flag (RFC 9293, section 3.10.7.1;
net/ipv4/tcp_ipv4.c, tcp_v4_send_reset), or has ACK where the segment had none; an RST that
gives up a connection carries ACK and the next sequence number (tcp_send_active_reset). A firewall
that rejects with RST is, to its peers, a closed port.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush

from fourtuple.analyze.evidence import End, end_of
from fourtuple.analyze.model import Connection, Reset, SegmentFact
from fourtuple.event.timeline import Timeline
from fourtuple.wire import ACK, FIN, RST, SYN

__all__ = ["resets"]

Cause = tuple[str, str, tuple[int, ...]]


@dataclass(slots=True)
class _Side:
    """What a side had said, and what had reached it, by the time of an RST of its own.

    said      its latest segment that is no RST; `end` is the number after its highest one
    fin       its first FIN
    heard     the latest segment that reached it, `data` the latest of them with payload
    waiting   up to 16 frames of payload that reached it after its own latest payload
    """

    said: SegmentFact | None = None
    end: int = 0
    fin: SegmentFact | None = None
    heard: SegmentFact | None = None
    data: SegmentFact | None = None
    waiting: list[int] = field(default_factory=list)

    def say(self, segment: SegmentFact) -> None:
        if segment.flags & RST or segment.verdict == "injected":
            return
        self.said, self.end = segment, max(self.end, segment.next_seq)
        if segment.flags & FIN and self.fin is None:
            self.fin = segment
        if segment.length:
            self.waiting.clear()

    def hear(self, segment: SegmentFact) -> None:
        self.heard = segment
        if segment.length:
            self.data = segment
            self.waiting = [*self.waiting[-15:], segment.frame]


def resets(connection: Connection, timeline: Timeline) -> tuple[Reset, ...]:
    """Every RST of the connection, in order."""
    if not any(segment.flags & RST for segment in connection.segments):
        return ()
    ends = {client: end_of(timeline, connection, client) for client in (True, False)}
    found = []
    for rst, side in _told(connection):
        cause, confidence, evidence = _cause(rst, side, ends[rst.from_client], timeline.complete)
        sender = "client" if rst.from_client else "server"
        found.append(Reset(rst.frame, sender, cause, confidence, (*evidence, rst.frame)))
    return tuple(found)


def _told(connection: Connection) -> Iterator[tuple[SegmentFact, _Side]]:
    """Each RST with its sender's side as it was then."""
    sides = {True: _Side(), False: _Side()}
    coming: list[tuple[int, int]] = []
    for segment in connection.segments:
        while coming and coming[0][0] <= segment.t_ns:
            arrived = connection.segment(heappop(coming)[1])
            sides[not arrived.from_client].hear(arrived)
        if segment.flags & RST:
            yield segment, sides[segment.from_client]
        sides[segment.from_client].say(segment)
        if segment.arrived:
            heappush(coming, (segment.left_ns, segment.frame))


def _cause(rst: SegmentFact, side: _Side, end: End, complete: bool) -> Cause:
    if rst.verdict == "injected":
        return "forged", "certain", ()
    return (
        _refusal(rst, side)
        or _unknown(rst, side, end)
        or _after_close(rst, side, end, complete)
        or _unread(rst, side, end)
        or ("undetermined", "undetermined", ())
    )


def _refusal(rst: SegmentFact, side: _Side) -> Cause | None:
    """A SYN, or a segment of no connection, answered by RST+ACK and nothing else: that is what a
    closed port is."""
    asked = side.heard
    if asked is None or side.said is not None:
        return None
    if not asked.stray and asked.flags & (SYN | ACK) != SYN:
        return None
    refuses = rst.flags & ACK and rst.raw_seq == 0 and rst.ack == asked.next_seq
    return ("port-closed", "certain", (asked.frame,)) if refuses else None


def _unknown(rst: SegmentFact, side: _Side, end: End) -> Cause | None:
    """Its sender knew of no such connection: it says nothing but this, or never asked for it."""
    asked, said = side.heard, side.said
    if asked is None or not asked.flags & ACK or not _answers(rst, asked):
        return None
    if said is None:
        return "no-such-connection", "likely", (asked.frame,)
    if said.flags & (SYN | ACK) != SYN or not asked.flags & SYN:
        return None
    row = end.before(rst.t_ns)
    # a kernel that still asks knows of its SYN: then it is the answer that does not fit it
    forgotten = asked.ack == said.next_seq and (row is None or row.state != "SYN_SENT")
    cause = "no-such-connection" if forgotten else "invalid-ack"
    return cause, "likely", (said.frame, asked.frame)


def _answers(rst: SegmentFact, segment: SegmentFact) -> bool:
    return not rst.flags & ACK and rst.raw_seq == segment.raw_ack


def _after_close(rst: SegmentFact, side: _Side, end: End, complete: bool) -> Cause | None:
    """Its sender had closed, so nobody could read the data that came."""
    fin, data = side.fin, side.data
    if fin is None or data is None or not _answers(rst, data) or data.left_ns < fin.t_ns:
        return None
    proven = complete or end.called(("close", "shutdown"), rst.t_ns) is not None
    return "data-after-close", "certain" if proven else "likely", (fin.frame, data.frame)


def _unread(rst: SegmentFact, side: _Side, end: End) -> Cause | None:
    """Its sender's program closed with bytes in its receive buffer that it had not read.

    Linux: net/ipv4/tcp.c, __tcp_close, data_was_unread; RFC 2525, section 2.17 asks for it.
    """
    gives_up = rst.flags & ACK and side.said is not None and rst.seq == side.end
    if not gives_up or side.fin is not None or side.data is None:
        return None
    evidence = tuple(side.waiting)
    if _held_unread(end, rst.t_ns) and end.called(("close",), rst.t_ns):
        return "unread-data", "certain", evidence or (side.data.frame,)
    return ("unread-data", "likely", evidence) if evidence else None


def _held_unread(end: End, t_ns: int) -> bool:
    """Whether the last row before the RST counts unread bytes: a FIN received counts one there."""
    row = end.before(t_ns)
    return row is not None and row.recv_q > int(row.state == "CLOSE_WAIT")
