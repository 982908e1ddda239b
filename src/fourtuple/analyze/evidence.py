"""What a lab run knows of a connection besides its frames: its programs' calls, its sockets' rows.

Rules: a row belongs to an end by both endpoints; a call belongs to it by the socket's inode, or by
both endpoints where the call knows them. Inodes and four-tuples are used again, so what was closed
before the connection began, and what followed its own close(), is another's. A capture has no such
evidence, and every list is empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from fourtuple.analyze.hosts import host_of, plain
from fourtuple.analyze.model import Connection
from fourtuple.event.model import Call, Endpoint, Snapshot, SocketRow
from fourtuple.event.timeline import Timeline

__all__ = ["End", "end_of", "row_of"]


@dataclass(frozen=True, slots=True)
class End:
    """One end of a connection on its host: the table's row at each snapshot, and the calls."""

    local: Endpoint
    remote: Endpoint
    host: str | None
    rows: tuple[tuple[Snapshot, SocketRow], ...]
    calls: tuple[Call, ...]

    def before(self, t_ns: int) -> SocketRow | None:
        """The last row that was seen no later than `t_ns`."""
        earlier = [row for snapshot, row in self.rows if snapshot.t_ns <= t_ns]
        return earlier[-1] if earlier else None

    def called(self, names: tuple[str, ...], t_ns: int) -> Call | None:
        """The last call of one of these names that had begun by `t_ns`."""
        begun = [call for call in self.calls if call.name in names and call.t_ns <= t_ns]
        return begun[-1] if begun else None


def end_of(timeline: Timeline, connection: Connection, client: bool) -> End:
    """The client's or the server's end."""
    local, remote = connection.client, connection.server
    if not client:
        local, remote = remote, local
    host = host_of(timeline, local.address) if timeline.events else None
    if host is None:
        return End(local, remote, None, (), ())
    found = _rows(timeline, host, local, remote)
    rows = tuple((s, row) for s, row in found if s.t_ns >= connection.start_ns)
    inodes = {row.inode for _, row in rows} - {0}
    calls = [c for c in timeline.of(Call) if _is_of(c, host, inodes, local, remote)]
    return End(local, remote, host, rows, tuple(_of_one_life(calls, connection.start_ns)))


def row_of(snapshot: Snapshot, local: Endpoint, remote: Endpoint) -> SocketRow | None:
    """The TCP row with exactly these endpoints."""
    for row in snapshot.sockets:
        if row.protocol == "tcp" and plain(row.local) == local and plain(row.remote) == remote:
            return row
    return None


def _of_one_life(calls: list[Call], start_ns: int) -> list[Call]:
    """Those between the last close() before the connection began and its own close()."""
    closes = [i for i, call in enumerate(calls) if call.name == "close"]
    before = [i for i in closes if calls[i].t_ns < start_ns]
    own = [i for i in closes if calls[i].t_ns >= start_ns]
    return calls[before[-1] + 1 if before else 0 : own[0] + 1 if own else len(calls)]


def _rows(
    timeline: Timeline, host: str, local: Endpoint, remote: Endpoint
) -> Iterator[tuple[Snapshot, SocketRow]]:
    for snapshot in timeline.of(Snapshot):
        if snapshot.host == host and (row := row_of(snapshot, local, remote)):
            yield snapshot, row


def _is_of(call: Call, host: str, inodes: set[int], local: Endpoint, remote: Endpoint) -> bool:
    if call.host != host:
        return False
    if call.inode in inodes or call.new_inode in inodes:
        return True
    ends = (call.local and plain(call.local), call.remote and plain(call.remote))
    return ends == (local, remote)
