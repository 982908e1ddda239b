"""Where programs and kernels do things at different times: what socket tables and calls show."""

from collections.abc import Iterator

from fourtuple.analyze.evidence import End, end_of
from fourtuple.analyze.model import Connection
from fourtuple.event.model import SocketRow
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Finding, Message, Rule
from fourtuple.explain.rules.making import finding
from fourtuple.explain.text import N_

__all__ = ["RULES", "findings"]

BEFORE_ACCEPT = Rule(
    code="established-before-accept",
    severity="chat",
    title=N_("Established before accept()"),
    what=N_("The server's kernel completed the handshake by itself. {outcome}"),
    why=N_(
        "The server's socket table shows the connection as ESTABLISHED with no owner, inode 0, "
        "after {frames}."
    ),
    remedy=N_(
        "Nothing to do: accept() only takes a finished connection out of the queue. A server that "
        "accepts slowly lets the queue grow; in ss -ltn, Recv-Q of a listener is its length and "
        "Send-Q the backlog. Linux lets one more wait than the backlog says."
    ),
    reference=N_("listen(2); include/net/sock.h, sk_acceptq_is_full; lab run before-accept"),
)
RULES = (BEFORE_ACCEPT,)


def findings(connection: Connection, timeline: Timeline) -> list[Finding]:
    """What is worth saying about programs and their kernels."""
    if connection.protocol != "tcp" or not timeline.events:
        return []
    end = end_of(timeline, connection, client=False)
    return list(_before_accept(connection, end))


def _before_accept(connection: Connection, end: End) -> Iterator[Finding]:
    seen = [(look, row) for look, row in end.rows if row.state == "ESTABLISHED" and not row.inode]
    finished = [s for s in connection.segments if "handshake_ack" in s.notes]
    if not seen or not finished:
        return
    # a kernel without room drops the last ACK, and takes a later segment for it
    brought = next((s for s in connection.segments if s.frame == seen[0][0].frame), finished[0])
    # where accept() waits already, the row without an owner lasts only until the program runs
    if not end.called(("accept",), brought.left_ns):
        taken = any(row.inode for _, row in end.rows)
        outcome = _outcome([row for _, row in seen], taken)
        yield finding(BEFORE_ACCEPT, connection, [brought], outcome=outcome)


def _outcome(unowned: list[SocketRow], taken: bool) -> Message:
    """What waited while it had no owner, and whether it got one."""
    waiting = max(row.recv_q for row in unowned)
    if waiting:
        return Message(
            "No program owned the connection, and {count} byte waited in its receive buffer.",
            {"count": waiting},
            "No program owned the connection, and {count} bytes waited in its receive buffer.",
            waiting,
        )
    if taken:
        return Message("Only later did accept() give it to a program.")
    return Message("No program had taken it with accept() when the recording ended.")
