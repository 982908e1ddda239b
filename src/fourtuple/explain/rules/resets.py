"""Connections that ended, or were refused, with RST: who sent it, and why. A refused SYN is the
handshake's business (rules.handshake)."""

from collections.abc import Mapping
from types import MappingProxyType

from fourtuple.analyze.model import Connection, Reset
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Finding, Message, Rule
from fourtuple.explain.rules.making import finding, of_side
from fourtuple.explain.text import N_
from fourtuple.wire import ACK

__all__ = ["RULES", "findings"]

UNREAD = Rule(
    code="closed-with-unread-data",
    severity="warning",
    title=N_("Closed with unread data"),
    what=N_("{Side}'s program closed the socket with bytes unread in its own receive buffer."),
    why=N_(
        "close() was called while the kernel's table counted unread bytes; RST with ACK followed "
        "instead of FIN ({frames})."
    ),
    remedy=N_(
        "Read until recv() returns 0 bytes before closing; or shutdown(SHUT_WR), read to the end, "
        "then close. The reset may destroy data that the other side has not read yet."
    ),
    reference=N_("RFC 9293, section 3.6.1; net/ipv4/tcp.c, __tcp_close; lab run unread-data"),
)
UNREAD_LIKELY = Rule(
    code="likely-closed-with-unread-data",
    severity="warning",
    title=N_("Probably closed with unread data"),
    what=N_("{Side} broke the connection off, probably by closing it with data unread."),
    why=N_(
        "It had received data and not answered it; RST with ACK came where a FIN would be usual "
        "({frames}). SO_LINGER with time 0 would look the same."
    ),
    remedy=N_(
        "Look at the program at {side}: does it read all before it closes, or does it end with "
        "data waiting?"
    ),
    reference=N_("RFC 9293, section 3.6.1; RFC 2525, section 2.17; lab run unread-data"),
)
AFTER_CLOSE = Rule(
    code="data-after-close",
    severity="warning",
    title=N_("Data after close"),
    what=N_("{Other} sent data to a socket that {side}'s program had closed."),
    why=N_(
        "{Side} had sent its FIN, after which TCP lets an end still receive; yet the data that "
        "came was answered with RST, so nobody can read there any more ({frames})."
    ),
    remedy=N_(
        "Close only after the other side has said all; shutdown(SHUT_WR) ends sending and keeps "
        "reading. The sender gets ECONNRESET or EPIPE."
    ),
    reference=N_("RFC 9293, section 3.6.1; net/ipv4/tcp_input.c, tcp_rcv_state_process"),
)
UNKNOWN_CONNECTION = Rule(
    code="no-such-connection",
    severity="note",
    title=N_("A segment for no connection"),
    what=N_("{Side}'s kernel knew nothing of the connection and answered with RST."),
    why=N_(
        "The RST has no ACK, and its number is the one that {other} acknowledged ({frames}): so a "
        "host answers a segment that fits no socket."
    ),
    remedy=N_(
        "One side has forgotten the connection (restarted, given up) or never had it (a scan). "
        "Connect anew."
    ),
    reference=N_("RFC 9293, sections 3.5.1 and 3.5.2"),
)
INVALID_ACK = Rule(
    code="reset-for-invalid-ack",
    severity="warning",
    title=N_("RST for an acknowledgment that cannot be"),
    what=N_("{Other} acknowledged what {side} never sent; {side} answered with RST."),
    why=N_("The SYN+ACK's number does not fit the SYN ({frames})."),
    remedy=N_("{Other} may hold an older connection of the same four-tuple: it ends with this."),
    reference=N_("RFC 9293, section 3.5.1, figure 9, and section 3.10.7.3"),
)
FORGED = Rule(
    code="forged-reset",
    severity="warning",
    title=N_("A forged RST"),
    what=N_("An RST in the name of {side} was sent by no host: the wire made it."),
    why=N_("The recording marks it as injected ({frames})."),
    remedy=N_("A receiver takes an RST only with exactly the number that it expects next."),
    reference=N_("RFC 5961, section 3.2"),
)
UNEXPLAINED = Rule(
    code="reset-unexplained",
    severity="note",
    title=N_("RST of unknown cause"),
    what=N_("{Side} broke the connection off with RST."),
    why=N_("The evidence proves no cause ({frames}). Possible ones: {causes}."),
    remedy=N_(
        "Let the kernel name the reason, as root on that host: echo 1 > "
        "/sys/kernel/tracing/events/tcp/tcp_send_reset/enable; cat /sys/kernel/tracing/trace_pipe. "
        "The field reason needs Linux 6.10 or later, for a connection that the kernel gives up "
        "6.12."
    ),
    reference=N_("RFC 9293, section 3.5.2; include/net/rstreason.h"),
)
RULES = (
    UNREAD,
    UNREAD_LIKELY,
    AFTER_CLOSE,
    UNKNOWN_CONNECTION,
    INVALID_ACK,
    FORGED,
    UNEXPLAINED,
)

_BY_CAUSE: Mapping[str, Rule] = MappingProxyType(
    {
        "unread-data": UNREAD,
        "data-after-close": AFTER_CLOSE,
        "no-such-connection": UNKNOWN_CONNECTION,
        "invalid-ack": INVALID_ACK,
        "forged": FORGED,
    }
)


def _causes(connection: Connection, reset: Reset) -> list[Message]:
    """What would look like an RST of unknown cause. Giving up sends ACK, answering does not."""
    between = Message("a device in between that breaks connections off")
    if not connection.segment(reset.frame).flags & ACK:
        return [Message("the socket was gone when a segment came"), between]
    received = any(
        s.length and s.arrived and s.frame < reset.frame
        for s in connection.segments
        if s.from_client is not (reset.sender == "client")
    )
    return [
        Message("SO_LINGER with time 0"),
        *[Message("close() with data unread")] * received,
        *[Message("a listener closed with this connection in its queue")]
        * (reset.sender == "server"),
        Message("a connection that the kernel or an administrator ended (ss -K)"),
        between,
    ]


def findings(connection: Connection, timeline: Timeline) -> list[Finding]:
    """One finding for each cause and sender: an RST sent twice is one finding."""
    found: dict[tuple[str, str], Finding] = {}
    for reset in connection.resets:
        rule = _BY_CAUSE.get(reset.cause, UNEXPLAINED)
        if rule is UNREAD and reset.confidence != "certain":
            rule = UNREAD_LIKELY
        if reset.cause != "port-closed":
            about = of_side(reset.sender == "client") | {"causes": _causes(connection, reset)}
            one = finding(rule, connection, reset.evidence, **about)
            found.setdefault((rule.code, reset.sender), one)
    return list(found.values())
