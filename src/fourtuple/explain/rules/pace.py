"""Who made the other wait: a receiver without room, and two algorithms that wait for each other."""

from collections.abc import Iterator

from fourtuple.analyze.model import Connection, SegmentFact
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Finding, Rule
from fourtuple.explain.rules.making import finding, of_side
from fourtuple.explain.rules.numbers import TIMESTAMP_BYTES
from fourtuple.explain.text import N_
from fourtuple.wire import FIN, RST, SYN

__all__ = ["DELAYED_NS", "NEAR_NS", "RULES", "SMALL_BYTES", "STALL_NS", "findings"]

STALLED = Rule(
    code="receiver-stalled",
    severity="warning",
    title=N_("The receiver stood still"),
    what=N_("{Side} kept its window at 0 for {ms} ms: {other} could send nothing but probes."),
    why=N_(
        "From the first window of 0 to the next segment with a larger one, {side}'s program took "
        "nothing out of its buffer ({frames})."
    ),
    remedy=N_(
        "Look at what the program at {side} waits for: a disk, a lock, another connection. A "
        "larger SO_RCVBUF only delays it."
    ),
    reference=N_("RFC 9293, section 3.8.6.1; net/ipv4/tcp_timer.c, tcp_probe_timer"),
)
NAGLE = Rule(
    code="nagle-meets-delayed-ack",
    severity="warning",
    title=N_("Nagle's algorithm meets a delayed ACK"),
    what=N_(
        "{Side} held back data until {other} acknowledged what came before, and {other} held back "
        "the acknowledgment. Such waits: {count}, {ms} ms in all."
    ),
    why=N_(
        "A small segment, {other}'s bare ACK some 40 ms later, and the next data at once after it "
        "({frames}): {side}'s program wrote twice before it read."
    ),
    remedy=N_(
        "Write a message with one call (writev, a buffer), or set TCP_NODELAY at {side}. Disabling "
        "delayed ACKs at {other} (TCP_QUICKACK) helps only until the kernel delays again."
    ),
    reference=N_("RFC 9293, sections 3.7.4 and 3.8.6.3; RFC 896; tcp(7), TCP_NODELAY"),
)
RULES = (STALLED, NAGLE)

#: what a program may take between two reads, and a kernel's wait for company for an ACK
STALL_NS, DELAYED_NS = 200_000_000, 25_000_000
#: a round trip that is not taken for that wait
NEAR_NS = 10_000_000
#: what a packet of somebody who writes little at a time has on average; who sends files waits for
#: windows
SMALL_BYTES = 500
#: what was held back follows its ACK that soon
_AT_ONCE_NS = 5_000_000


def findings(connection: Connection, timeline: Timeline) -> list[Finding]:
    """What is worth saying about who waited for whom."""
    if connection.protocol != "tcp":
        return []
    found: list[Finding] = []
    for client in (True, False):
        found += [*_stalled(connection, client), *_held_back(connection, timeline, client)]
    return found


def _stalled(connection: Connection, client: bool) -> Iterator[Finding]:
    """The longest time without a window, if it was long."""
    longest: tuple[int, list[SegmentFact]] = (0, [])
    shut: SegmentFact | None = None
    for segment in connection.segments:
        if segment.from_client is not client or segment.flags & (SYN | RST):
            continue
        if segment.window == 0 and shut is None:
            shut = segment
        elif segment.window and shut is not None:
            longest = max(longest, (segment.t_ns - shut.t_ns, [shut, segment]), key=lambda w: w[0])
            shut = None
    if shut is not None:
        open_end = connection.end_ns - shut.t_ns
        longest = max(longest, (open_end, [shut]), key=lambda waited: waited[0])
    if longest[0] >= STALL_NS:
        ms = longest[0] // 1_000_000
        yield finding(STALLED, connection, longest[1], ms=ms, **of_side(client))


def _held_back(connection: Connection, timeline: Timeline, client: bool) -> Iterator[Finding]:
    """In a capture only where the way there and back is short: else it may be what takes long."""
    way_ns = 0 if timeline.complete else _way_ns(connection, client)
    if way_ns is None:
        return
    waits: list[tuple[SegmentFact, SegmentFact, SegmentFact]] = []
    small: SegmentFact | None = None
    ack: SegmentFact | None = None
    for segment in connection.segments:
        if segment.from_client is not client:
            ack = segment if _bare(segment) and segment.acked and small is not None else None
            small = small if ack is not None else None
        elif segment.length and not {"retransmission", "resent"}.intersection(segment.notes):
            fills = segment.length >= _full(connection, client)
            if (
                small is not None
                and ack is not None
                and not fills
                and _waited(small, ack, segment, way_ns)
            ):
                waits.append((small, ack, segment))
            small, ack = segment, None
    if waits:
        lost_ns = sum(ack.t_ns - first.left_ns - way_ns for first, ack, _ in waits)
        evidence = [s for wait in waits for s in wait]
        params = {"ms": lost_ns // 1_000_000, "count": len(waits)}
        yield finding(NAGLE, connection, evidence, **params, **of_side(client))


def _full(connection: Connection, client: bool) -> int:
    """How many bytes a segment may carry that Nagle's algorithm does not hold back: what its
    receiver takes, without the timestamps."""
    mss = connection.mss[1 if client else 0]
    return 1 << 16 if mss is None else mss - TIMESTAMP_BYTES * connection.timestamps


def _bare(segment: SegmentFact) -> bool:
    return not segment.length and not segment.flags & (SYN | FIN | RST)


def _way_ns(connection: Connection, client: bool) -> int | None:
    """The handshake's round trip, which is the same at each end; None where the wait of an
    acknowledgment cannot be told from it, or was not met (`columns.undecided` looks for it)."""
    role = 0 if client else 1
    if connection.payload_bytes[role] > connection.packets[role] * SMALL_BYTES:
        return None
    way_ns, slowest_ns = connection.rtt_ns, connection.round_trips[role].most_ns
    return way_ns if way_ns and way_ns <= NEAR_NS and slowest_ns - way_ns >= DELAYED_NS else None


def _waited(first: SegmentFact, ack: SegmentFact, then: SegmentFact, way_ns: int) -> bool:
    """At whichever end the capture was made, the way is in one of the two times."""
    late = ack.t_ns - first.left_ns - way_ns >= DELAYED_NS
    at_once = then.t_ns - ack.left_ns <= _AT_ONCE_NS + way_ns
    return late and at_once and ack.ack == first.next_seq
