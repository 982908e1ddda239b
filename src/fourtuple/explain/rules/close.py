"""How connections close."""

from collections.abc import Iterator

from fourtuple.analyze.model import Connection
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Finding, Rule
from fourtuple.explain.rules.making import finding, of_side
from fourtuple.explain.text import N_
from fourtuple.wire import FIN

__all__ = ["RULES", "findings"]

CLIENT_WAITS = Rule(
    code="time-wait-at-client",
    severity="chat",
    title=N_("The client waits in TIME_WAIT"),
    what=N_("The client closed first, so its kernel keeps the four-tuple for a while."),
    why=N_(
        "The client's FIN came first ({frames}); it sent the last ACK, and must be able to repeat "
        "it. Linux waits 60 s."
    ),
    remedy=N_(
        "Nothing to do: it is the usual way. The client's port cannot be bound anew meanwhile "
        "(EADDRINUSE), unless the new socket sets SO_REUSEADDR, which the first one must have set "
        "too. Other ports are free."
    ),
    reference=N_("RFC 9293, section 3.6; include/net/tcp.h, TCP_TIMEWAIT_LEN; lab run time-wait"),
)
SERVER_WAITS = Rule(
    code="time-wait-at-server",
    severity="note",
    title=N_("The server waits in TIME_WAIT"),
    what=N_("The server closed first, so its kernel keeps the four-tuple for a while."),
    why=N_(
        "The server's FIN came first ({frames}); it sent the last ACK, and must be able to repeat "
        "it. Linux waits 60 s."
    ),
    remedy=N_(
        "A restarted server cannot bind() its port meanwhile (EADDRINUSE), unless it sets "
        "SO_REUSEADDR, which the first one must have set too. Where the protocol allows, let the "
        "client close first."
    ),
    reference=N_("RFC 9293, section 3.6; include/net/tcp.h, TCP_TIMEWAIT_LEN; lab run restart"),
)
BOTH_WAIT = Rule(
    code="simultaneous-close",
    severity="note",
    title=N_("Both closed at once"),
    what=N_("Both sides closed before they had seen the other's FIN."),
    why=N_("Neither FIN acknowledges the other ({frames}): both go through CLOSING to TIME_WAIT."),
    remedy=N_("Nothing to do."),
    reference=N_("RFC 9293, section 3.6, figure 13; lab run close-simultaneous"),
)
THREE = Rule(
    code="three-segment-close",
    severity="chat",
    title=N_("Closed with three segments"),
    what=N_("{Side} answered the FIN with its own FIN and the ACK in one segment."),
    why=N_(
        "No ACK of the first FIN came before the second FIN ({frames}), so close took three "
        "segments instead of four: the program closed before its kernel had sent that ACK alone."
    ),
    remedy=N_("Nothing to do. Four segments come where the other side closes later."),
    reference=N_("RFC 9293, section 3.6; lab run close-three"),
)
HALF_CLOSED = Rule(
    code="half-closed",
    severity="note",
    title=N_("Closed in one direction only"),
    what=N_("{Side} closed its direction; {other} had not closed its own by the end."),
    why=N_("Only {side} sent a FIN ({frames})."),
    remedy=N_(
        "If it lasts, the program at {other} did not close its socket when recv() returned 0 "
        "bytes: its socket stays in CLOSE_WAIT (ss -tn state close-wait lists such sockets)."
    ),
    reference=N_("RFC 9293, section 3.6.1; lab run half-close"),
)
RULES = (CLIENT_WAITS, SERVER_WAITS, BOTH_WAIT, THREE, HALF_CLOSED)


def findings(connection: Connection, timeline: Timeline) -> list[Finding]:
    """What is worth saying about how a connection closed."""
    return list(_findings(connection)) if connection.protocol == "tcp" else []


def _findings(connection: Connection) -> Iterator[Finding]:
    fins = [s for s in connection.segments if s.flags & FIN]
    if connection.close == "simultaneous":
        yield finding(BOTH_WAIT, connection, fins)
        return
    waiting = {c.of_client for c in connection.changes if c.new == "TIME_WAIT"}
    for client in waiting:
        first = next(s for s in fins if s.from_client is client)
        last = connection.segments[-1]
        yield finding(CLIENT_WAITS if client else SERVER_WAITS, connection, [first, last])
    if connection.close == "three-segment":
        yield finding(THREE, connection, fins, **of_side(connection.first_closer != "client"))
    if connection.close == "half-closed" and not connection.segments[0].stray:
        yield finding(HALF_CLOSED, connection, fins, **of_side(connection.first_closer == "client"))
