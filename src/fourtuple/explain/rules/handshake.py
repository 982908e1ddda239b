"""How connections open, and how that fails."""

from collections.abc import Iterator
from itertools import pairwise

from fourtuple.analyze.model import Connection, SegmentFact
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Finding, Message, Rule
from fourtuple.explain.phrases import frames_text
from fourtuple.explain.rules.making import finding
from fourtuple.explain.text import N_
from fourtuple.wire import ACK, RST, SYN

__all__ = ["RULES", "SLOW_NS", "findings"]

REFUSED = Rule(
    code="connection-refused",
    severity="warning",
    title=N_("Connection refused"),
    what=N_("{client} asked for a connection to {server} and was refused."),
    why=N_(
        "A SYN is answered by a segment with RST and ACK ({frames}): that is how a host answers "
        "for a port that accepts no connections. {before}"
    ),
    remedy=N_(
        "Check that the server program runs and listens on this very address and port (ss -ltn "
        "shows it): one that is bound to 127.0.0.1 cannot be reached from elsewhere. A firewall "
        "rule that rejects with RST looks the same."
    ),
    reference=N_("RFC 9293, section 3.10.7.1; net/ipv4/tcp_ipv4.c, tcp_v4_send_reset"),
)
SYN_UNANSWERED = Rule(
    code="handshake-incomplete",
    severity="warning",
    title=N_("Handshake not completed"),
    what=N_("{client} asked {server} for a connection, and no answer was seen."),
    why=N_("The SYN ({frames}) was followed by neither SYN+ACK nor RST."),
    remedy=N_(
        "A closed port would answer with RST: so the host is away, a firewall drops the SYN or its "
        "answer, or the listener's queues are full. Capture at the server to see whether the SYN "
        "arrives."
    ),
    reference=N_(
        "RFC 9293, section 3.5; net/ipv4/tcp_input.c, tcp_conn_request; lab run handshake"
    ),
)
SYN_ACK_UNANSWERED = Rule(
    code="syn-ack-unanswered",
    severity="warning",
    title=N_("Handshake stopped at the second step"),
    what=N_("{server} agreed to the connection, but {client} never confirmed it."),
    why=N_("After the SYN+ACK ({frames}) no ACK of the client arrived."),
    remedy=N_(
        "The way back may be broken (routing, firewall), or the client is a scanner that asks "
        "without meaning to connect. The server's kernel keeps the half-open entry until it has "
        "repeated SYN+ACK net.ipv4.tcp_synack_retries times."
    ),
    reference=N_("RFC 9293, section 3.5; net/ipv4/inet_connection_sock.c, reqsk_timer_handler"),
)
STARTS_LATE = Rule(
    code="capture-starts-late",
    severity="note",
    title=N_("The beginning is not in the capture"),
    what=N_("The handshake of {client} and {server} is not in the capture."),
    why=N_(
        "No SYN of either side was captured. Numbers are counted from the first ones seen, window "
        "scales are not known, and who is client is a guess from the ports."
    ),
    remedy=N_("Start the capture before the connection, where its beginning matters."),
    reference=N_("RFC 9293, section 3.4; RFC 7323, section 2.2"),
)
STRAY = Rule(
    code="segment-of-no-connection",
    severity="note",
    title=N_("A segment of no connection"),
    what=N_("{client} sent {server} a segment without SYN, ACK and RST."),
    why=N_("Every segment of a connection has one of them; {frames} has none."),
    remedy=N_(
        "It is most likely a probe of a scan (FIN, NULL, XMAS). A closed port answers it with RST; "
        "a listener, and a firewall that drops it, do not answer."
    ),
    reference=N_(
        "RFC 9293, section 3.10.7; net/ipv4/tcp_input.c, tcp_rcv_state_process; lab run scan-fin"
    ),
)
SIMULTANEOUS = Rule(
    code="simultaneous-open",
    severity="note",
    title=N_("Simultaneous open"),
    what=N_("{client} and {server} asked each other for a connection at the same time."),
    why=N_("Each sent a SYN without ACK before it had seen the other's ({frames})."),
    remedy=N_("Nothing to do: one connection comes of it, and neither side is a server."),
    reference=N_("RFC 9293, section 3.5, figure 7"),
)
FAST_OPEN = Rule(
    code="fast-open",
    severity="chat",
    title=N_("TCP Fast Open"),
    what=N_("The client's SYN brought {count} bytes of data, and the server took them."),
    why=N_("The SYN carries data, and the SYN+ACK acknowledges more than the SYN ({frames})."),
    remedy=N_(
        "Nothing to do: it saves a round trip. A request sent so may arrive twice: it must be safe "
        "to repeat."
    ),
    reference=N_("RFC 7413, sections 2.1, 3 and 6.1"),
)
REUSED = Rule(
    code="ports-reused",
    severity="note",
    title=N_("The same four-tuple once more"),
    what=N_("{client} and {server} had a connection before, with the very same ports."),
    why=N_("The SYN's number differs from the one that began the earlier life ({frames})."),
    remedy=N_(
        "Usually nothing. Where it happens within a minute, the client's ports are running out or "
        "are fixed by bind()."
    ),
    reference=N_("RFC 6191; net/ipv4/tcp_minisocks.c, tcp_timewait_state_process"),
)
SYN_AGAIN = Rule(
    code="syn-repeated",
    severity="warning",
    title=N_("A SYN sent again"),
    what=N_("{client} sent its SYN {count} times before {server} answered."),
    why=N_("All have the same number; neither SYN+ACK nor RST came in between ({frames})."),
    remedy=N_(
        "A port without a listener would have answered with RST at once. So look for what is "
        "silent: a listener whose accept queue is full (Linux drops the SYN then, and counts it: "
        "nstat -az TcpExtListenOverflows), a firewall, a link that loses packets, a host that was "
        "not there yet."
    ),
    reference=N_("RFC 6298, section 5; net/ipv4/tcp_input.c, tcp_conn_request"),
)
SYN_ACK_AGAIN = Rule(
    code="syn-ack-repeated",
    severity="warning",
    title=N_("A SYN+ACK sent again"),
    what=N_("{server} sent its SYN+ACK {count} times."),
    why=N_("All have the same number: the server's kernel had not taken an ACK yet ({frames})."),
    remedy=N_(
        "See whether the SYN+ACK or the ACK got lost. If both arrived, the listener's accept queue "
        "may be full: Linux then ignores the ACK (nstat -az TcpExtListenOverflows counts it) and "
        "repeats the SYN+ACK. With TCP_DEFER_ACCEPT it waits for data."
    ),
    reference=N_("RFC 6298, section 5; net/ipv4/tcp_ipv4.c, tcp_v4_syn_recv_sock; tcp(7)"),
)
SLOW = Rule(
    code="slow-handshake",
    severity="note",
    title=N_("A slow handshake"),
    what=N_("The handshake of {client} and {server} took {ms} ms, though nothing was sent twice."),
    why=N_(
        "The SYN+ACK came {there_ms} ms after the SYN, and the ACK {back_ms} ms after that "
        "({frames}). Kernels answer at once, so that is the way there and back."
    ),
    remedy=N_(
        "The longer of the two lies beyond the place of the capture. A long way cannot be helped: "
        "keep connections open instead of making new ones. Else look for full queues on the way "
        "(ping at the same time), or a busy host."
    ),
    reference=N_("RFC 9293, section 3.5; RFC 6298, section 2"),
)
QUEUE_FULL = Rule(
    code="accept-queue-suspected",
    severity="warning",
    title=N_("The accept queue may be full"),
    what=N_("{server} repeated its SYN+ACK although {client} had confirmed it: as if unheard."),
    why=N_(
        "The ACK comes before the repeated SYN+ACK ({frames}). A kernel whose listener has no room "
        "in its accept queue ignores that ACK and repeats."
    ),
    remedy=N_(
        "On the server, see whether Recv-Q of the listener exceeds Send-Q (ss -ltn) and whether "
        "nstat -az TcpExtListenOverflows grows; accept faster, or raise backlog and "
        "net.core.somaxconn. If neither grows, the ACK was lost behind the place of the capture, "
        "or TCP_DEFER_ACCEPT waits for data."
    ),
    reference=N_("listen(2); net/ipv4/tcp_ipv4.c, tcp_v4_syn_recv_sock; tcp(7)"),
)
REUSED_SOON = Rule(
    code="port-reused-too-soon",
    severity="warning",
    title=N_("The same ports again, too soon"),
    what=N_(
        "{client} used the ports of an earlier connection again, and {server} did not agree at "
        "once: it most likely still held the earlier one."
    ),
    why=N_(
        "The four-tuple had a life before, and this SYN was not answered by SYN+ACK, or only when "
        "it was repeated ({frames})."
    ),
    remedy=N_(
        "Do not bind() the client to a fixed port. Where ports run out, use more addresses or "
        "keep connections open (net.ipv4.ip_local_port_range has 28,232 ports by default)."
    ),
    reference=N_(
        "RFC 9293, sections 3.5.2 and 3.10.7.4; RFC 6191; net/ipv4/tcp_minisocks.c, "
        "tcp_timewait_state_process"
    ),
)
RULES = (
    REFUSED,
    SYN_UNANSWERED,
    SYN_ACK_UNANSWERED,
    SYN_AGAIN,
    SYN_ACK_AGAIN,
    SLOW,
    QUEUE_FULL,
    REUSED_SOON,
    STARTS_LATE,
    STRAY,
    SIMULTANEOUS,
    FAST_OPEN,
    REUSED,
)

#: what a way around the world and back takes, and some more
SLOW_NS = 400_000_000
#: a SYN+ACK and an ACK that cross each other are no further apart than that, or a round trip
_CROSSED_NS = 100_000_000


def findings(connection: Connection, timeline: Timeline) -> list[Finding]:
    """What is worth saying about how a connection opened."""
    if connection.protocol != "tcp":
        return []
    found = _findings(connection)
    # where the wire saw every frame, what has no beginning never began
    return [one for one in found if one.rule is not STARTS_LATE or not timeline.complete]


def _findings(connection: Connection) -> Iterator[Finding]:
    segments = connection.segments
    syns = [s for s in segments if s.flags & (SYN | ACK) == SYN]
    agreed = [s for s in segments if s.flags & SYN and s.flags & ACK]
    if connection.handshake == "refused":
        yield from _refused(connection, syns)
    elif connection.handshake == "syn-only":
        yield finding(SYN_UNANSWERED, connection, syns)
    elif connection.handshake == "syn-ack-unanswered":
        yield finding(SYN_ACK_UNANSWERED, connection, agreed)
    elif segments[0].stray:
        yield finding(STRAY, connection, segments[:1])
    elif connection.handshake == "none":
        yield finding(STARTS_LATE, connection, segments[:1])
    elif connection.handshake == "simultaneous":
        yield finding(SIMULTANEOUS, connection, syns)
    elif connection.handshake == "fast-open":
        early = max(s.length for s in syns)
        yield finding(FAST_OPEN, connection, [*syns, *agreed[:1]], count=early)
    if connection.counts["reused_ports"]:
        yield finding(REUSED, connection, syns[:1])
    if connection.handshake in ("complete", "fast-open"):
        yield from _slow(connection, syns, agreed)
        yield from _unheard(connection, agreed)
    if connection.counts["reused_ports"] and connection.handshake != "refused":
        yield from _too_soon(connection, syns, agreed)
    if connection.handshake != "syn-only":
        yield from _repeated(SYN_AGAIN, connection, _in_vain(connection, syns))
    if connection.handshake != "syn-ack-unanswered":
        yield from _repeated(SYN_ACK_AGAIN, connection, agreed)


def _slow(
    connection: Connection, syns: list[SegmentFact], agreed: list[SegmentFact]
) -> Iterator[Finding]:
    """A handshake that took its time without a repetition."""
    third = next((s for s in connection.segments if "handshake_ack" in s.notes), None)
    if third is None or len(syns) != 1 or len(agreed) != 1:
        return
    steps = [syns[0], agreed[0], third]
    times = [steps[0].t_ns, steps[1].left_ns, third.left_ns]
    if times[2] - times[0] >= SLOW_NS and times == sorted(times):
        spans = {
            "ms": (times[2] - times[0]) // 1_000_000,
            "there_ms": (times[1] - times[0]) // 1_000_000,
            "back_ms": (times[2] - times[1]) // 1_000_000,
        }
        yield finding(SLOW, connection, steps, **spans)


def _unheard(connection: Connection, agreed: list[SegmentFact]) -> Iterator[Finding]:
    """SYN+ACKs that were repeated after the third step had come."""
    third = next((s for s in connection.segments if "handshake_ack" in s.notes), None)
    if third is None or not third.arrived:
        return
    round_ns = third.t_ns - agreed[0].t_ns
    late = [s for s in agreed if s.t_ns > third.left_ns + max(round_ns, _CROSSED_NS)]
    if late and "captured_twice" not in late[0].notes:
        yield finding(QUEUE_FULL, connection, [third, *late])


def _too_soon(
    connection: Connection, syns: list[SegmentFact], agreed: list[SegmentFact]
) -> Iterator[Finding]:
    """A four-tuple's later life that its server did not take at once."""
    asked = [s for s in syns if not agreed or s.frame < agreed[0].frame]
    if asked and (not agreed or len(asked) > 1):
        yield finding(REUSED_SOON, connection, asked)


def _in_vain(connection: Connection, syns: list[SegmentFact]) -> list[SegmentFact]:
    """Without what comes when nobody waits for an answer: copies behind the handshake, and those
    that follow the client's own RST, because it has refused the answer (RFC 9293, 3.10.7.3)."""
    sent = [s for s in connection.segments if s.from_client is syns[0].from_client] if syns else []
    third = next((s.frame for s in sent if "handshake_ack" in s.notes), None)
    refused = {after.frame for before, after in pairwise(sent) if before.flags & RST}
    early = [s for s in syns if third is None or s.frame < third]
    return [s for s in early if s.frame not in refused]


def _refused(connection: Connection, syns: list[SegmentFact]) -> Iterator[Finding]:
    """Not where a listener is known to be there: then the RST is told of as one without a cause."""
    reset = next(r for r in connection.resets if r.sender == "server")
    if reset.cause != "undetermined":
        asked = [s for s in syns if s.frame < reset.frame]
        before = _before([s for s in asked[:-1] if s.arrived])
        yield finding(REFUSED, connection, [*asked[-1:], reset.frame], before=before)


def _before(unanswered: list[SegmentFact]) -> Message:
    """What became of the SYNs that had arrived before the one that was refused."""
    if not unanswered:
        return Message("No SYN that arrived before had gone unanswered.")
    count = len(unanswered)
    return Message(
        "{count} earlier SYN had no answer ({earlier}), so the port did not refuse then: a "
        "listener whose accept queue is full drops it, and so does a firewall.",
        {"count": count, "earlier": frames_text([s.frame for s in unanswered])},
        "{count} earlier SYNs had no answer ({earlier}), so the port did not refuse then: a "
        "listener whose accept queue is full drops them, and so does a firewall.",
        count,
    )


def _repeated(rule: Rule, connection: Connection, sent: list[SegmentFact]) -> Iterator[Finding]:
    """A SYN that was sent again before it was acknowledged, a SYN+ACK in any case: a kernel
    repeats it until it has taken an ACK. One that answers a SYN that crossed it only looks like
    one."""
    sent = [s for s in sent if s.verdict != "injected"]
    again = [s for s in sent if "retransmission" in s.notes and not s.acked]
    again = [s for s in again if s.flags & ACK or "spurious_retransmission" not in s.notes]
    if again:
        first = [s for s in sent if s.frame < again[0].frame][-1:]
        yield finding(rule, connection, [*first, *again], count=len(first) + len(again))
