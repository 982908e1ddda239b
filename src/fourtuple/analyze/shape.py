"""How a connection opened and closed, in the words of the output contract. From frames alone.

Rules: a segment counts for its receiver only if it arrived; what a capture missed is taken as sent
where a later segment proves it.
"""

from collections.abc import Sequence

from fourtuple.analyze.model import SegmentFact, StateChange
from fourtuple.wire import ACK, FIN, RST, SYN

__all__ = ["close", "completeness", "first_closer", "handshake"]

Segments = Sequence[SegmentFact]


def handshake(segments: Segments) -> str:
    """complete, simultaneous, fast-open, syn-only, syn-ack-unanswered, refused or none."""
    opening = [s for s in segments if s.flags & SYN]
    if not opening:
        return "none"
    asked = [s for s in opening if not s.flags & ACK]
    if len({s.from_client for s in asked}) == 2:
        return "simultaneous"
    if any(_confirms(s) for s in segments if s.from_client):
        carried = any(s.from_client and s.length for s in asked)
        accepted = any(s.ack is not None and s.ack > 1 for s in opening if not s.from_client)
        return "fast-open" if carried and accepted else "complete"
    if any(not s.from_client for s in opening):
        return "syn-ack-unanswered"
    answers = [s for s in segments if not s.from_client and s.flags & RST]
    return "refused" if any(s.ack is not None and s.ack > 0 for s in answers) else "syn-only"


def _confirms(segment: SegmentFact) -> bool:
    """Whether it can be the third step: any segment of the client that acknowledges a SYN."""
    acknowledges = segment.ack is not None and segment.ack > 0
    return segment.arrived and acknowledges and not segment.flags & (SYN | RST)


def first_closer(segments: Segments) -> str | None:
    """Who sent the first FIN."""
    for segment in segments:
        if segment.flags & FIN:
            return "client" if segment.from_client else "server"
    return None


def close(segments: Segments, changes: Sequence[StateChange]) -> str:
    """four-segment, three-segment, simultaneous, half-closed, reset or open."""
    resets = {s.frame for s in segments if s.flags & RST}
    killed = (c for c in changes if c.frame in resets and c.new == "CLOSED")
    if any(c.old not in ("TIME_WAIT", "CLOSED") for c in killed):
        return "reset"
    fins = [s for s in segments if s.flags & FIN]
    first = next(iter(fins), None)
    second = next((s for s in fins if first and s.from_client != first.from_client), None)
    if first is None:
        return "open"
    if second is None:
        return "half-closed"
    if not _acknowledges(second, first):
        return "simultaneous"
    between = (
        s for s in segments if s.from_client == second.from_client and s.frame < second.frame
    )
    return "four-segment" if any(_acknowledges(s, first) for s in between) else "three-segment"


def _acknowledges(segment: SegmentFact, fin: SegmentFact) -> bool:
    return segment.ack is not None and segment.ack >= fin.next_seq


def completeness(segments: Segments) -> int:
    """Wireshark's tcp.completeness: SYN 1, SYN+ACK 2, ACK 4, data 8, FIN 16, RST 32.

    As tshark 4.0 counts them: only a segment without data sets the bit for ACK, and an RST or a FIN
    with ACK does; only a FIN with ACK sets that for FIN.
    """
    mask = 0
    for segment in segments:
        flags = segment.flags
        if flags & SYN:
            mask |= 2 if flags & ACK else 1
        elif flags & ACK and not segment.length:
            mask |= 4
        finished = flags & FIN and flags & ACK
        mask |= 8 * bool(segment.length) | 16 * bool(finished) | 32 * bool(flags & RST)
    return mask
