"""Connections that one end still held, or just closed, while the other spoke."""

from collections.abc import Iterator

from fourtuple.analyze.model import Connection, Reset, SegmentFact
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Finding, Rule
from fourtuple.explain.rules.making import as_likely, finding, of_side
from fourtuple.explain.text import N_
from fourtuple.wire import FIN, RST, SYN

__all__ = ["RULES", "findings"]

HALF_OPEN = Rule(
    code="half-open",
    severity="warning",
    title=N_("Half-open: only one end knew the connection"),
    what=N_("{Other} still held a connection that {side} had forgotten without a word."),
    why=N_(
        "{Side} had taken part in it, and neither closed nor reset it; yet it answered a segment "
        "as a host without a socket does ({frames})."
    ),
    remedy=N_(
        "{Side} crashed, restarted, or a device in between forgot the connection. An end that "
        "only waits never finds out: keepalive (SO_KEEPALIVE, TCP_KEEPIDLE), or data that asks "
        "for an answer, does."
    ),
    reference=N_("RFC 9293, section 3.5.1"),
    likely=N_(
        "{Other} most likely still held a connection that {side} had forgotten without a word."
    ),
    likely_title=N_("Probably half-open: only one end knew the connection"),
)
CROSSED = Rule(
    code="request-crossed-close",
    severity="warning",
    title=N_("A request that crossed a close"),
    what=N_("{Other} sent data while {side}'s FIN was on its way; {side} answered with RST."),
    why=N_(
        "The data do not acknowledge the FIN, so {other} had not seen it ({frames}). It is the "
        "race of every kept connection: one end closes it for being idle as the other uses it "
        "again."
    ),
    remedy=N_(
        "Let the end that sends requests close idle connections first: give {side} the longer "
        "time-out. A request that failed so was not read, and may be repeated on a new connection."
    ),
    reference=N_("RFC 9112, section 9.3.1; RFC 9293, section 3.6.1"),
)
RULES = (HALF_OPEN, CROSSED)


def findings(connection: Connection, timeline: Timeline) -> list[Finding]:
    """What resets tell of ends that did not know of each other."""
    if connection.protocol != "tcp":
        return []
    return [*_half_open(connection), *_crossed(connection)]


def _half_open(connection: Connection) -> Iterator[Finding]:
    """The first reset of all, by an end that had said more than a SYN and had not closed."""
    if not connection.resets or connection.resets[0].cause != "no-such-connection":
        return
    reset = connection.resets[0]
    earlier = [s for s in connection.segments if s.frame < reset.frame]
    own = [s for s in earlier if s.from_client is (reset.sender == "client")]
    took_part = any(not s.flags & (SYN | RST) for s in own)
    if took_part and not any(s.flags & FIN for s in own):
        rule = as_likely(HALF_OPEN) if reset.confidence == "likely" else HALF_OPEN
        yield finding(rule, connection, reset.evidence, **of_side(reset.sender == "client"))


def _crossed(connection: Connection) -> Iterator[Finding]:
    """Data after close that was sent before the FIN had come."""
    for reset in connection.resets:
        if reset.cause == "data-after-close":
            fin, data = _close_and_data(connection, reset)
            if fin and data and data.ack is not None and data.ack < fin.next_seq:
                about = of_side(reset.sender == "client")
                yield finding(CROSSED, connection, reset.evidence, **about)
            return


def _close_and_data(
    connection: Connection, reset: Reset
) -> tuple[SegmentFact | None, SegmentFact | None]:
    evidence = [connection.segment(frame) for frame in reset.evidence]
    fin = next((s for s in evidence if s.flags & FIN), None)
    sender = reset.sender == "client"
    data = next((s for s in evidence if s.length and s.from_client is not sender), None)
    return fin, data
