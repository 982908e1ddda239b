"""When a listener's queues were full, as the snapshots of a lab run show it.

A full listener drops a SYN, answers it with a cookie and keeps nothing, or drops the last ACK of a
handshake: no frame says so. Linux lets one more wait than the backlog says, in either queue
(sk_acceptq_is_full, inet_csk_reqsk_queue_is_full).
"""

from collections.abc import Mapping

from fourtuple.analyze.hosts import plain
from fourtuple.event.looks import changes
from fourtuple.event.model import Snapshot, SocketRow
from fourtuple.event.timeline import Timeline

__all__ = ["first_full"]


def first_full(timeline: Timeline) -> Mapping[tuple[str, int], int]:
    """(host, port) -> when a listener of that port was first seen with a full queue."""
    found: dict[tuple[str, int], int] = {}
    for changed in changes(timeline.of(Snapshot)):
        snapshot = changed.snapshot
        for row in changed.new:
            if (row.state == "LISTEN" and row.recv_q > row.send_q) or _half_open(row, snapshot):
                found.setdefault((snapshot.host, plain(row.local).port), snapshot.t_ns)
    return found


def _half_open(row: SocketRow, snapshot: Snapshot) -> bool:
    """Whether the row is one of as many half-open entries as its listener allows."""
    if row.state != "SYN_RECV":
        return False
    of_port = [one for one in snapshot.sockets if one.local.port == row.local.port]
    limits = [one.send_q for one in of_port if one.state == "LISTEN"]
    return bool(limits) and sum(one.state == "SYN_RECV" for one in of_port) > min(limits)
