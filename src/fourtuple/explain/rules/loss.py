"""Loss and waiting: what was sent again, what is missing, who had to wait."""

from collections.abc import Iterator

from fourtuple.analyze.model import Connection, SegmentFact
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Finding, Rule
from fourtuple.explain.phrases import frames_text
from fourtuple.explain.rules.making import finding, of_side
from fourtuple.explain.text import N_
from fourtuple.wire import FIN, RST, SYN

__all__ = ["RULES", "findings"]

DROPPED = Rule(
    code="segment-lost",
    severity="note",
    title=N_("Segments lost on the wire"),
    what=N_("The wire dropped {count} of the segments that {side} sent."),
    why=N_("They entered the wire and never left it ({frames})."),
    remedy=N_(
        "See how TCP repairs it: what takes a sequence number (data, SYN, FIN) is repeated until "
        "it is acknowledged or the kernel gives up. A pure ACK or a RST is not: a later ACK says "
        "all that a lost one said."
    ),
    reference=N_("RFC 9293, section 3.8.1; RFC 6298"),
)
CORRUPTED = Rule(
    code="segment-corrupted",
    severity="note",
    title=N_("Segments corrupted on the wire"),
    what=N_("The wire turned over a bit in {count} of the segments that {side} sent."),
    why=N_("They left the wire with a checksum that does not fit their bytes ({frames})."),
    remedy=N_(
        "Nothing to do: the receiver's kernel discards such a segment, counts it (InCsumErrors in "
        "/proc/net/snmp) and tells nobody. Its sender sends the bytes again, as after a loss."
    ),
    reference=N_("RFC 9293, section 3.1; RFC 1071; net/ipv4/tcp_ipv4.c, tcp_checksum_complete"),
)
AGAIN = Rule(
    code="retransmission",
    severity="warning",
    title=N_("Sent again"),
    what=N_("{Side} sent {count} of its segments again."),
    why=N_(
        "Their numbers had been sent before and were not acknowledged ({frames}). {told} followed "
        "duplicate acknowledgments or SACK, {timed} a timer."
    ),
    remedy=N_(
        "Look for the loss between sender and receiver: link errors, a full queue, a firewall. A "
        "few are normal on the Internet; on a local network they are a fault."
    ),
    reference=N_("RFC 6298; RFC 5681, section 3.2; net/ipv4/tcp_timer.c; lab run lost-segment"),
)
SPURIOUS = Rule(
    code="spurious-retransmission",
    severity="note",
    title=N_("Sent again without need"),
    what=N_("{Side} sent {count} of its segments again, though they had arrived."),
    why=N_("{Other} had acknowledged their numbers before ({frames})."),
    remedy=N_(
        "Acknowledgments get lost or come late: look at the way back, and at delays that grew "
        "suddenly."
    ),
    reference=N_("RFC 5682; RFC 2883; lab run spurious-time-out"),
)
GAP = Rule(
    code="capture-gap",
    severity="note",
    title=N_("The capture misses segments"),
    what=N_("Some segments that were sent are not in the capture."),
    why=N_(
        "Numbers are skipped, or acknowledged though no captured segment carried them ({frames})."
    ),
    remedy=N_(
        "Treat what is said about loss with care. Capture with a larger buffer (tcpdump -B), or "
        "filter more; on a mirrored port both directions must be mirrored."
    ),
    reference=N_('tcpdump(1), "packets dropped by kernel"'),
)
ZERO_WINDOW = Rule(
    code="zero-window",
    severity="warning",
    title=N_("The receiver had no room"),
    what=N_("{Side} told {other} to stop: window 0."),
    why=N_("The window field is 0 ({frames}): {other} may send nothing but probes."),
    remedy=N_(
        "The program at {side} reads more slowly than data comes. Look at what it does between two "
        "recv() calls; Recv-Q in ss -tn shows what waits for it."
    ),
    reference=N_("RFC 9293, section 3.8.6.1; lab run zero-window"),
)
KEEPALIVE = Rule(
    code="keepalive-probes",
    severity="chat",
    title=N_("Keepalive probes"),
    what=N_("{Side} asked with probes whether {other} is still there."),
    why=N_(
        "They carry no new data, and a number one lower than the next, which {other} had "
        "acknowledged ({frames})."
    ),
    remedy=N_(
        "Nothing to do: SO_KEEPALIVE asks for it. Without an answer the connection is given up "
        "after TCP_KEEPCNT probes."
    ),
    reference=N_(
        "RFC 9293, section 3.8.4; net/ipv4/tcp_timer.c, tcp_keepalive_timer; lab run keepalive"
    ),
)
DELAYED_ACK = Rule(
    code="delayed-ack",
    severity="chat",
    title=N_("A delayed acknowledgment"),
    what=N_("{Side}'s kernel waited {ms} ms before it acknowledged {what}."),
    why=N_(
        "The segment had arrived, and its acknowledgment carried nothing else ({frames}): the "
        "kernel waits a little, so that an answer of the program can take it along."
    ),
    remedy=N_(
        "Nothing to do, unless the other side waits for it before it sends on (Nagle's algorithm): "
        "then write once instead of twice, or set TCP_NODELAY there."
    ),
    reference=N_(
        "RFC 9293, section 3.8.6.3; include/net/tcp.h, TCP_DELACK_MIN; lab run delayed-ack"
    ),
)
TIMED_OUT = Rule(
    code="timed-out",
    severity="error",
    title=N_("Given up: no answer"),
    what=N_("The kernel gave the connection of {client} and {server} up: nobody answered."),
    why=N_("A call returned ETIMEDOUT; the last segments had no answer ({frames})."),
    remedy=N_(
        "The peer is away or unreachable. How long the kernel tries is set by tcp_syn_retries, "
        "tcp_retries2, TCP_USER_TIMEOUT and the keepalive options."
    ),
    reference=N_(
        "RFC 9293, section 3.8.3; net/ipv4/tcp_timer.c, tcp_write_timeout; "
        "lab run half-open-user-timeout"
    ),
)
REORDERED = Rule(
    code="reordering",
    severity="note",
    title=N_("Overtaken on the way"),
    what=N_("{count} of the segments that {side} sent were overtaken by later ones."),
    why=N_(
        "They fill gaps, and their timestamps, IP ids or times show that they had been sent before "
        "the segments that came first ({frames})."
    ),
    remedy=N_(
        "Nothing was lost. Look for several paths (load shared packet by packet) or a device with "
        "several queues. Receivers answer with duplicate acknowledgments, so a sender may repeat "
        "without need and slow down."
    ),
    reference=N_("RFC 4737; RFC 9293, section 3.10.7.4; net.ipv4.tcp_reordering"),
)
TWICE = Rule(
    code="captured-twice",
    severity="note",
    title=N_("The capture has segments twice"),
    what=N_("{count} of the segments that {side} sent stand in the capture twice."),
    why=N_(
        "The very same packet, with the same numbers, options and IP id, follows just after the "
        "first ({frames}): a retransmission would have a new IP id."
    ),
    remedy=N_(
        "These are no retransmissions. Capture on one interface instead of any; where a port is "
        "mirrored, mirror one direction of each link."
    ),
    reference=N_("RFC 6864, section 4; tcpdump(1), -i any"),
)
RECEIVED_TWICE = Rule(
    code="received-twice",
    severity="note",
    title=N_("Received twice"),
    what=N_("{Side} reported that numbers had come to it twice, as data or SYN: {count} in all."),
    why=N_(
        "Its first SACK block lies below what it acknowledges, or inside the second ({frames})."
    ),
    remedy=N_(
        "{Other} repeated what had arrived: its acknowledgments were lost or late, or reordering "
        "looked like loss. Or the network duplicates packets."
    ),
    reference=N_("RFC 2883, section 4; net/ipv4/tcp_input.c, tcp_check_dsack"),
)
RULES = (
    DROPPED,
    CORRUPTED,
    AGAIN,
    SPURIOUS,
    REORDERED,
    TWICE,
    RECEIVED_TWICE,
    GAP,
    ZERO_WINDOW,
    KEEPALIVE,
    DELAYED_ACK,
    TIMED_OUT,
)

#: an ACK this late was delayed on purpose: Linux waits 40 ms at least, half a second is the limit
#: (RFC 9293, section 3.8.6.3); the upper bound leaves out what a busy machine does
_DELAYED_NS = (20_000_000, 500_000_000)


def findings(connection: Connection, timeline: Timeline) -> list[Finding]:
    """What is worth saying about loss and waiting."""
    if connection.protocol != "tcp":
        return []
    return [
        *(one for client in (True, False) for one in _of_side(connection, client)),
        *_gaps(connection),
        *_delayed(connection, timeline),
        *_timed_out(connection),
    ]


def _of_side(connection: Connection, client: bool) -> Iterator[Finding]:
    sent = [s for s in connection.segments if s.from_client is client]
    told = sum("by_acks" in s.notes for s in sent if _unconfirmed(s))
    again = [s for s in sent if _unconfirmed(s)]
    probes = [s for s in sent if "keep_alive" in s.notes]
    groups = (
        (DROPPED, [s for s in sent if s.verdict == "dropped"]),
        (CORRUPTED, [s for s in sent if s.verdict == "corrupted"]),
        (AGAIN, again),
        (SPURIOUS, [s for s in sent if "needless" in s.notes]),
        (REORDERED, [s for s in sent if "reordered" in s.notes]),
        (TWICE, [s for s in sent if "captured_twice" in s.notes]),
        (RECEIVED_TWICE, [s for s in sent if "dsack" in s.notes]),
        (ZERO_WINDOW, [s for s in sent if "zero_window" in s.notes]),
        (KEEPALIVE, [s for s in probes if not {"probe", "resent"}.intersection(s.notes)]),
    )
    for rule, segments in groups:
        if segments:
            counts = {"count": len(segments), "told": told, "timed": len(again) - told}
            yield finding(rule, connection, segments, **counts, **of_side(client))


def _unconfirmed(segment: SegmentFact) -> bool:
    """Sent again because no acknowledgment came; a SYN is the handshake's business."""
    return not segment.flags & SYN and bool({"by_acks", "by_timer"}.intersection(segment.notes))


def _gaps(connection: Connection) -> Iterator[Finding]:
    missing = {"lost_segment", "ack_lost_segment"}
    wrong = {"wrong_ack", "wrong_seq"}
    gaps = [s for s in connection.segments if missing.intersection(s.notes)]
    gaps = [s for s in gaps if not wrong.intersection(s.notes)]
    if gaps:
        yield finding(GAP, connection, gaps)


def _delayed(connection: Connection, timeline: Timeline) -> Iterator[Finding]:
    """Only where the wire saw both moments at the receiver's door: a capture may be far from it."""
    if not timeline.complete:
        return
    for ack in connection.segments:
        bare = not ack.length and not ack.flags & (SYN | FIN | RST)
        if not bare or not ack.acked or "handshake_ack" in ack.notes:
            continue
        covered = _covered(connection, ack)
        waited_ns = ack.t_ns - covered.left_ns if covered else 0
        if covered and _DELAYED_NS[0] <= waited_ns <= _DELAYED_NS[1]:
            params = {"ms": waited_ns // 1_000_000, "what": frames_text([covered.frame])}
            params |= of_side(ack.from_client)
            yield finding(DELAYED_ACK, connection, [covered, ack], **params)


def _covered(connection: Connection, ack: SegmentFact) -> SegmentFact | None:
    """The last segment to arrive of those that an acknowledgment adds up; None where one of them
    did not: what fills a gap is acknowledged at once (RFC 5681, section 4.2)."""
    frames = [frame for sum_ in ack.arithmetic if sum_.kind == "ack" for frame in sum_.frames]
    covered = [connection.segment(frame) for frame in frames]
    if not all(segment.arrived for segment in covered):
        return None
    return max(covered, key=lambda s: s.left_ns, default=None)


def _timed_out(connection: Connection) -> Iterator[Finding]:
    if connection.close == "timed-out":
        yield finding(TIMED_OUT, connection, connection.segments[-1:])
