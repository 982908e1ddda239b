"""Connections that ended, or were refused, with RST: who sent it, and why. A refused SYN is the
handshake's business (rules.handshake)."""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec.structs import replace

from fourtuple.analyze.model import Connection, Reset
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Finding, Message, Rule
from fourtuple.explain.rules.making import as_likely, finding, of_side
from fourtuple.explain.text import N_
from fourtuple.wire import ACK, SYN

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
        "It had received data and not answered it, or had closed its own direction already; RST "
        "with ACK came where a FIN would be usual ({frames}). SO_LINGER with time 0 would look the "
        "same."
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
    likely=N_("{Other} most likely sent data to a socket that {side}'s program had closed."),
    likely_title=N_("Probably data after close"),
)
UNKNOWN_CONNECTION = Rule(
    code="no-such-connection",
    severity="note",
    title=N_("A segment for no connection"),
    what=N_("{Side}'s kernel had no socket for the connection and answered with RST."),
    why=N_(
        "The RST has no ACK, and its number is the one that {other} acknowledged ({frames}): so a "
        "host answers a segment that fits no socket."
    ),
    remedy=N_(
        "One side has forgotten the connection (closed or reset it, restarted, given up) or never "
        "had it (a scan). Connect anew."
    ),
    reference=N_("RFC 9293, sections 3.5.1 and 3.5.2"),
    likely=N_(
        "{Side}'s kernel most likely had no socket for the connection; a firewall at {side} that "
        "rejects with RST looks the same."
    ),
    likely_title=N_("Probably a segment for no connection"),
)
INVALID_ACK = Rule(
    code="reset-for-invalid-ack",
    severity="warning",
    title=N_("RST for an acknowledgment that cannot be"),
    what=N_("{Other} acknowledged what does not fit {side}'s SYN; {side} answered with RST."),
    why=N_(
        "The number that {other} acknowledged, or the timestamp that it echoed, is none that "
        "{side} had sent ({frames})."
    ),
    remedy=N_("{Other} may hold an older connection of the same four-tuple: it ends with this."),
    reference=N_("RFC 9293, section 3.5.1, figure 9, and section 3.10.7.3"),
)
TIME_WAIT = Rule(
    code="time-wait-answered",
    severity="note",
    title=N_("TIME_WAIT answered with its old numbers"),
    what=N_(
        "{Other} still waited in TIME_WAIT when a new SYN came up on the same ports; it repeated "
        "its last ACK, and {side} answered that with RST."
    ),
    why=N_(
        "Both had closed; then {other} sent its last ACK once more though nothing of this "
        "connection had asked for it, and the RST has the number of that ACK ({frames})."
    ),
    remedy=N_(
        "The SYN was an old one, or the client used the same port again too soon: let the kernel "
        "choose the client's port. An RST ends TIME_WAIT early unless net.ipv4.tcp_rfc1337 is set."
    ),
    reference=N_(
        "RFC 9293, section 3.10.7.4; RFC 1337; net/ipv4/tcp_minisocks.c, tcp_timewait_state_process"
    ),
    likely=N_(
        "{Other} most likely still waited in TIME_WAIT when a new SYN came up on the same ports; "
        "{side} answered its old ACK with RST. A copy of that ACK which came late looks the same."
    ),
    likely_title=N_("Probably TIME_WAIT answered with its old numbers"),
)
LINGER = Rule(
    code="broken-off-on-purpose",
    severity="warning",
    title=N_("Broken off on purpose (SO_LINGER 0)"),
    what=N_("{Side}'s program had set SO_LINGER with time 0: close() sent RST instead of FIN."),
    why=N_(
        "RST with ACK came where a FIN would be usual ({frames}). Where calls were recorded, "
        "setsockopt() and close() come before it."
    ),
    remedy=N_(
        "What was not yet acknowledged is lost, and the other side gets ECONNRESET. Do without "
        "SO_LINGER unless that is wanted; it avoids TIME_WAIT at that price."
    ),
    reference=N_("socket(7), SO_LINGER; net/ipv4/tcp.c, __tcp_close"),
    likely=N_(
        "{Side} broke the connection off though it had read all: its program most likely set "
        "SO_LINGER with time 0 and closed."
    ),
    likely_title=N_("Probably broken off on purpose (SO_LINGER 0)"),
)
OVERFLOW = Rule(
    code="accept-queue-overflow",
    severity="error",
    title=N_("The accept queue was full"),
    what=N_("{Side}'s accept queue was full, so its kernel reset a handshake that was complete."),
    why=N_(
        "The RST answers the third step of the handshake ({frames}). Linux does so only with "
        "net.ipv4.tcp_abort_on_overflow; else it drops the ACK, and repeats SYN+ACK."
    ),
    remedy=N_(
        "Accept faster, or let more wait: a larger backlog for listen(), and net.core.somaxconn, "
        "which bounds it. nstat -az TcpExtListenOverflows counts what did not fit."
    ),
    reference=N_("listen(2); net/ipv4/tcp_minisocks.c, tcp_check_req"),
    likely=N_(
        "{Side} reset a handshake that was complete: its accept queue was most likely full, for "
        "its port served others before and after."
    ),
    likely_title=N_("The accept queue was probably full"),
)
LISTENER_CLOSED = Rule(
    code="listener-closed",
    severity="warning",
    title=N_("The listener was closed"),
    what=N_("{Side}'s listener was closed before any program had accepted the connection."),
    why=N_(
        "{Side} never said anything on it ({frames}). Its listener was gone afterwards, as its "
        "table or its refusals show, or it reset others at the same moment."
    ),
    remedy=N_(
        "A server that ends should first stop listening only when its queue is empty: accept what "
        "waits, then close. The client may try again."
    ),
    reference=N_("net/ipv4/inet_connection_sock.c, inet_csk_listen_stop"),
    likely=N_(
        "{Side}'s listener was most likely closed before any program had accepted the connection."
    ),
    likely_title=N_("The listener was probably closed"),
)
KEEPALIVE = Rule(
    code="keepalive-gave-up",
    severity="error",
    title=N_("Given up: keepalive had no answer"),
    what=N_("{Side}'s kernel probed, had no answer from {other}, and gave the connection up."),
    why=N_("Keepalive probes came before the RST, and nothing of {other} after them ({frames})."),
    remedy=N_(
        "{Other} is gone or cannot be reached: a crash, a cable, a NAT device or firewall that "
        "forgot the connection while it was idle. Probes more often than that keep it alive."
    ),
    reference=N_("RFC 9293, section 3.8.4; net/ipv4/tcp_timer.c, tcp_keepalive_timer"),
    likely=N_(
        "{Side}'s kernel probed, had no answer from {other}, and most likely gave the connection "
        "up for that; TCP_USER_TIMEOUT ends it at such a moment, too."
    ),
    likely_title=N_("Probably given up: keepalive had no answer"),
)
USER_TIMEOUT = Rule(
    code="user-timeout-gave-up",
    severity="error",
    title=N_("Given up: TCP_USER_TIMEOUT"),
    what=N_(
        "{Side}'s kernel had no answer from {other} for as long as {side}'s program had allowed "
        "(TCP_USER_TIMEOUT), and gave the connection up."
    ),
    why=N_(
        "setsockopt() had set the time-out; keepalive probes came before the RST, and nothing of "
        "{other} after them ({frames})."
    ),
    remedy=N_("{Other} is gone or cannot be reached. A longer TCP_USER_TIMEOUT bears more."),
    reference=N_("RFC 5482; tcp(7), TCP_USER_TIMEOUT; net/ipv4/tcp_timer.c, tcp_keepalive_timer"),
)
DESTROYED = Rule(
    code="connection-destroyed",
    severity="warning",
    title=N_("Ended by an administrator"),
    what=N_("{Side}'s socket was ended from outside (ss -K, or a program that asks as it does)."),
    why=N_(
        "No program had closed it, and the next call on it returned ECONNABORTED, which that "
        "leaves behind ({frames})."
    ),
    remedy=N_("Ask who, or which service manager, destroys sockets on that host."),
    reference=N_("ss(8), --kill; net/ipv4/tcp.c, tcp_abort"),
)
DISCONNECTED = Rule(
    code="disconnected",
    severity="warning",
    title=N_("Dissolved by connect() to AF_UNSPEC"),
    what=N_("{Side}'s program gave the connection up, and kept the socket."),
    why=N_("It called connect() with an address of family AF_UNSPEC; RST followed ({frames})."),
    remedy=N_(
        "What was not yet acknowledged is lost, and the other side gets ECONNRESET. To end in "
        "order, use shutdown(SHUT_WR), read to the end, and take a new socket for the next peer."
    ),
    reference=N_("connect(2); net/ipv4/tcp.c, tcp_disconnect; lab run disconnected"),
)
FIREWALL = Rule(
    code="rejected-by-firewall",
    severity="warning",
    title=N_("Rejected by a firewall"),
    what=N_("A firewall answered with RST in the name of {side}, whose own kernel did not."),
    why=N_(
        "The RST answers a segment as a REJECT rule does ({frames}). Yet {side}'s kernel had a "
        "socket for that segment, as its table shows, or as it shows by going on without it; or "
        "the RST lacks the IPv6 flow label of {side}'s other segments."
    ),
    remedy=N_(
        "Look at the rules of {side}'s host and of the routers before it (nft list ruleset). A "
        "rule that forgets what is established breaks off connections that are alive."
    ),
    reference=N_("net/ipv4/netfilter/nf_reject_ipv4.c, nf_send_reset"),
    likely=N_("A firewall most likely answered with RST in the name of {side}."),
    likely_title=N_("Probably rejected by a firewall"),
)
FORGED = Rule(
    code="forged-reset",
    severity="warning",
    title=N_("A forged RST"),
    what=N_("An RST in the name of {side} was not sent by {side}'s kernel."),
    why=N_(
        "The wire of the lab made it, or {side} went on as if there were none, or its hop limit, "
        "number, identification or options are not like those of {side}'s other segments "
        "({frames})."
    ),
    remedy=N_(
        "Look for devices in between that break connections off. A receiver takes an RST only "
        "with exactly the number that it expects next."
    ),
    reference=N_("RFC 5961, section 3.2"),
    likely=N_("An RST in the name of {side} was most likely not sent by {side}'s kernel."),
    likely_title=N_("Probably a forged RST"),
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
    LINGER,
    AFTER_CLOSE,
    UNKNOWN_CONNECTION,
    INVALID_ACK,
    TIME_WAIT,
    OVERFLOW,
    LISTENER_CLOSED,
    KEEPALIVE,
    USER_TIMEOUT,
    DESTROYED,
    DISCONNECTED,
    FIREWALL,
    FORGED,
    UNEXPLAINED,
)

#: why, where the kernel itself was heard
_TOLD = N_("The kernel of {side} gave {reason} as its reason when it sent the RST ({frames}).")
_TOLD_PARTLY = N_(
    "The kernel of {side} gave {reason} as its reason when it sent the RST ({frames}); that leaves "
    "several causes, of which this is the usual one."
)

_BY_CAUSE: Mapping[str, Rule] = MappingProxyType(
    {
        "unread-data": UNREAD,
        "linger-zero": LINGER,
        "data-after-close": AFTER_CLOSE,
        "no-such-connection": UNKNOWN_CONNECTION,
        "invalid-ack": INVALID_ACK,
        "time-wait": TIME_WAIT,
        "backlog-overflow": OVERFLOW,
        "listener-closed": LISTENER_CLOSED,
        "keepalive-timeout": KEEPALIVE,
        "user-timeout": USER_TIMEOUT,
        "destroyed": DESTROYED,
        "disconnected": DISCONNECTED,
        "firewall": FIREWALL,
        "forged": FORGED,
    }
)


def _causes(connection: Connection, reset: Reset) -> list[Message]:
    """What would look like an RST of unknown cause. Giving up sends ACK, answering does not."""
    between = Message("a device in between that breaks connections off")
    server = reset.sender == "server"
    earlier = [s for s in connection.segments if s.frame < reset.frame]
    own = [s for s in earlier if s.from_client is not server]
    if not connection.segment(reset.frame).flags & ACK:
        agreed = server and bool(own) and all(s.flags & SYN for s in own)
        return [
            *[Message("a full accept queue, with net.ipv4.tcp_abort_on_overflow")] * agreed,
            *[Message("a listener that was closed during the handshake")] * agreed,
            *[Message("the socket was gone when a segment came")] * (not agreed),
            between,
        ]
    received = any(s.length and s.arrived for s in earlier if s.from_client is server)
    silent = server and not any(s.length for s in own)
    return [
        Message("SO_LINGER with time 0"),
        *[Message("close() with data unread")] * received,
        *[Message("a listener closed with this connection in its queue")] * silent,
        Message("a connection that the kernel or an administrator ended (ss -K)"),
        Message("connect() to AF_UNSPEC, which dissolves a connection"),
        between,
    ]


def findings(connection: Connection, timeline: Timeline) -> list[Finding]:
    """One finding for each cause and sender: an RST sent twice is one finding."""
    found: dict[tuple[str, str], Finding] = {}
    for reset in connection.resets:
        if reset.cause != "port-closed":
            rule = _rule(reset)
            about = of_side(reset.sender == "client") | {"causes": _causes(connection, reset)}
            about["reason"] = reset.kernel_reason
            one = finding(rule, connection, reset.evidence, **about)
            found.setdefault((rule.code, reset.sender), one)
    return list(found.values())


def _rule(reset: Reset) -> Rule:
    """The rule for a cause; said with the confidence that there is."""
    rule = _BY_CAUSE.get(reset.cause, UNEXPLAINED)
    if reset.kernel_reason is not None:
        rule = replace(rule, why=_TOLD if reset.confidence == "certain" else _TOLD_PARTLY)
    if rule.code == UNREAD.code and reset.confidence != "certain":
        return UNREAD_LIKELY
    return as_likely(rule) if reset.confidence == "likely" else rule
