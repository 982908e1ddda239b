"""Who sent an RST, and why: as far as the evidence goes, and no further.

Rules: "certain" only where nothing else explains what is seen, "likely" where one cause is by far
the usual one, else "undetermined". Linux tells its causes apart in the header: an RST that answers
a segment carries that segment's acknowledgment number and no ACK flag (RFC 9293, section 3.10.7.1;
net/ipv4/tcp_ipv4.c, tcp_v4_send_reset), or has ACK where the segment had none; an RST that
gives up a connection carries ACK and the next sequence number (tcp_send_active_reset).
"""

from collections.abc import Sequence

from fourtuple.analyze.evidence import End, end_of
from fourtuple.analyze.model import Connection, Reset, SegmentFact
from fourtuple.event.timeline import Timeline
from fourtuple.wire import ACK, FIN, RST, SYN

__all__ = ["resets"]

Cause = tuple[str, str, tuple[int, ...]]

_CLOSING = ("close", "shutdown", "exit")


def resets(connection: Connection, timeline: Timeline) -> tuple[Reset, ...]:
    """Every RST of the connection, in order."""
    segments = connection.segments
    return tuple(
        _reset(connection, timeline, position)
        for position, segment in enumerate(segments)
        if segment.flags & RST
    )


def _reset(connection: Connection, timeline: Timeline, position: int) -> Reset:
    rst = connection.segments[position]
    before = [s for s in connection.segments[:position] if not s.arrived or s.left_ns <= rst.t_ns]
    end = end_of(timeline, connection, rst.from_client)
    cause, confidence, evidence = _cause(rst, before, end, timeline.complete)
    sender = "client" if rst.from_client else "server"
    return Reset(rst.frame, sender, cause, confidence, (*evidence, rst.frame))


def _cause(rst: SegmentFact, before: Sequence[SegmentFact], end: End, complete: bool) -> Cause:
    if rst.verdict == "injected":
        return "forged", "certain", ()
    own = [s for s in before if s.from_client == rst.from_client and s.verdict != "injected"]
    theirs = [s for s in before if s.from_client != rst.from_client and s.arrived]
    return (
        _refusal(rst, own, theirs)
        or _unknown(rst, own, theirs)
        or _after_close(rst, own, theirs, end, complete)
        or _unread(rst, own, theirs, end)
        or ("undetermined", "undetermined", ())
    )


def _refusal(
    rst: SegmentFact, own: Sequence[SegmentFact], theirs: Sequence[SegmentFact]
) -> Cause | None:
    """A SYN answered by RST+ACK and nothing else: that is what a closed port is."""
    syn = theirs[-1] if theirs else None
    if syn is None or any(not s.flags & RST for s in own):
        return None
    answers = rst.flags & ACK and rst.raw_seq == 0 and rst.ack == syn.next_seq
    if syn.flags & (SYN | ACK) == SYN and answers:
        return "port-closed", "certain", (syn.frame,)
    return None


def _unknown(
    rst: SegmentFact, own: Sequence[SegmentFact], theirs: Sequence[SegmentFact]
) -> Cause | None:
    """Its sender knew of no such connection: it says nothing but this, or never asked for it."""
    asked = theirs[-1] if theirs else None
    spoken = [s for s in own if not s.flags & RST]
    if asked is None or rst.flags & ACK or rst.raw_seq != asked.raw_ack or not asked.flags & ACK:
        return None
    if not spoken:
        return "no-such-connection", "likely", (asked.frame,)
    syn = spoken[-1]
    if syn.flags & (SYN | ACK) != SYN or not asked.flags & SYN:
        return None
    cause = "no-such-connection" if asked.ack == syn.next_seq else "invalid-ack"
    return cause, "likely", (syn.frame, asked.frame)


def _after_close(
    rst: SegmentFact,
    own: Sequence[SegmentFact],
    theirs: Sequence[SegmentFact],
    end: End,
    complete: bool,
) -> Cause | None:
    """Its sender had closed, so nobody could read the data that came."""
    fin = next((s for s in own if s.flags & FIN), None)
    data = [s for s in theirs if s.length and s.raw_ack == rst.raw_seq]
    if fin is None or rst.flags & ACK or not data or data[-1].left_ns < fin.t_ns:
        return None
    proven = complete or end.called(_CLOSING, rst.t_ns) is not None
    return "data-after-close", "certain" if proven else "likely", (fin.frame, data[-1].frame)


def _unread(
    rst: SegmentFact, own: Sequence[SegmentFact], theirs: Sequence[SegmentFact], end: End
) -> Cause | None:
    """Its sender's program closed with bytes in its receive buffer that it had not read.

    Linux: net/ipv4/tcp.c, __tcp_close, data_was_unread; RFC 2525, section 2.17 asks for it.
    """
    sent = [s for s in own if not s.flags & RST]
    data = [s for s in theirs if s.length]
    if not rst.flags & ACK or not sent or not data or any(s.flags & FIN for s in sent):
        return None
    if rst.seq != max(s.next_seq for s in sent):
        return None
    if _held_unread(end, rst.t_ns) and end.called(("close",), rst.t_ns):
        return "unread-data", "certain", tuple(s.frame for s in data)
    answered = max((s.frame for s in sent if s.length), default=0)
    unanswered = tuple(s.frame for s in data if s.frame > answered)
    return ("unread-data", "likely", unanswered) if unanswered else None


def _held_unread(end: End, t_ns: int) -> bool:
    """Whether the last row before the RST counts unread bytes: a FIN received counts one there."""
    row = end.before(t_ns)
    return row is not None and row.recv_q > int(row.state == "CLOSE_WAIT")
