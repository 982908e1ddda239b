"""What a lab run knows of a connection besides its frames: its programs' calls, its sockets' rows.

Rules: a row belongs to an end by both endpoints; a call belongs to it by the socket's inode, or by
both endpoints where the call knows them. Inodes and four-tuples are used again, so what was closed
before the connection began, and what followed its own close(), is another's. A capture has no such
evidence, and every list is empty.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from fourtuple.analyze.hosts import host_of, plain
from fourtuple.analyze.model import Connection
from fourtuple.event.looks import changes
from fourtuple.event.model import Call, Endpoint, Snapshot, SocketRow
from fourtuple.event.timeline import Timeline

__all__ = ["End", "Seen", "end_of", "rows_seen"]

#: one end of a four-tuple: its host, its own endpoint, its peer's
_Place = tuple[str, Endpoint, Endpoint]
#: where a listener may be bound, besides the very address
_ANYWHERE = ("0.0.0.0", "::")

#: a row, and the snapshot that first shows it so; None: no row any more
Seen = tuple[Snapshot, SocketRow | None]


class End(msgspec.Struct, frozen=True):
    """One end of a connection on its host: the rows that it had in the table, each with the
    snapshot that first shows it so, and the calls.

    `looks` are all snapshots of the host, and `seen_rows` what they showed of these endpoints,
    whichever life they were of.
    """

    local: Endpoint
    remote: Endpoint
    host: str | None
    rows: tuple[tuple[Snapshot, SocketRow], ...]
    calls: tuple[Call, ...]
    looks: Sequence[Snapshot] = ()
    seen_rows: Sequence[Seen] = ()

    def before(self, t_ns: int) -> SocketRow | None:
        """The last row that was seen no later than `t_ns`."""
        seen = bisect_right(self.rows, t_ns, key=lambda found: found[0].t_ns)
        return self.rows[seen - 1][1] if seen else None

    def seen(self, t_ns: int, *, later: bool = False) -> SocketRow | None:
        """The connection's row at the last look that began by `t_ns`, or (`later`) the first one
        after it: None where the host had no such socket then."""
        look = self._look(t_ns, later)
        shown = look and bisect_right(self.seen_rows, look.t_ns, key=lambda found: found[0].t_ns)
        return self.seen_rows[shown - 1][1] if shown else None

    def listener(self, t_ns: int, *, later: bool = False) -> SocketRow | None:
        """The row of the listener on this end's port at that look."""
        look = self._look(t_ns, later)
        for row in look.sockets if look else ():
            local = plain(row.local)
            here = local.address in (self.local.address, *_ANYWHERE)
            listens = row.protocol == "tcp" and row.state == "LISTEN"
            if listens and here and local.port == self.local.port:
                return row
        return None

    def looked(self, t_ns: int, *, later: bool = False) -> bool:
        """Whether there was such a look at the host."""
        return self._look(t_ns, later) is not None

    def _look(self, t_ns: int, later: bool) -> Snapshot | None:
        at = bisect_right(self.looks, t_ns, key=lambda look: look.t_ns) - (0 if later else 1)
        return self.looks[at] if 0 <= at < len(self.looks) else None

    def called(self, names: tuple[str, ...], t_ns: int) -> Call | None:
        """The last call of one of these names that had begun by `t_ns`."""
        begun = bisect_right(self.calls, t_ns, key=lambda call: call.t_ns)
        latest = (self.calls[i] for i in range(begun - 1, -1, -1) if self.calls[i].name in names)
        return next(latest, None)


def end_of(timeline: Timeline, connection: Connection, client: bool) -> End:
    """The client's or the server's end."""
    local, remote = connection.client, connection.server
    if not client:
        local, remote = remote, local
    host = host_of(timeline, local.address) if timeline.events else None
    if host is None:
        return End(local, remote, None, (), ())
    index = _index(timeline)
    seen = index.rows.get((host, local, remote), [])
    rows = tuple(_since(seen, connection.start_ns))
    inodes = {row.inode for _, row in rows} - {0}
    own = set(index.by_ends.get((host, local, remote), ()))
    own.update(place for inode in inodes for place in index.by_inode.get((host, inode), ()))
    calls = [index.calls[place] for place in sorted(own)]
    own_calls = tuple(_of_one_life(calls, connection.start_ns))
    return End(local, remote, host, rows, own_calls, index.looks.get(host, ()), seen)


class _Index(msgspec.Struct, frozen=True):
    """A timeline's calls, in order, and where among them those of a socket are: told by its host
    and inode, or its host and endpoints; and the rows of each end, by host and endpoints: each
    where it is first seen, None where there is none any more."""

    calls: list[Call]
    by_inode: dict[tuple[str, int], list[int]] = msgspec.field(default_factory=dict)
    by_ends: dict[_Place, list[int]] = msgspec.field(default_factory=dict)
    rows: dict[_Place, list[Seen]] = msgspec.field(default_factory=dict)
    looks: dict[str, list[Snapshot]] = msgspec.field(default_factory=dict)


def _index(timeline: Timeline) -> _Index:
    """Made once a timeline: a connection does not look at the events of all the others."""
    if "evidence" not in timeline.memo:
        index = timeline.memo["evidence"] = _Index(timeline.of(Call))
        for place, call in enumerate(index.calls):
            for inode in {call.inode, call.new_inode}:
                index.by_inode.setdefault((call.host, inode), []).append(place)
            if call.local and call.remote:
                ends = (call.host, plain(call.local), plain(call.remote))
                index.by_ends.setdefault(ends, []).append(place)
        snapshots = timeline.of(Snapshot)
        _index_rows(index.rows, snapshots)
        for snapshot in snapshots:
            index.looks.setdefault(snapshot.host, []).append(snapshot)
    found: _Index = timeline.memo["evidence"]
    return found


def _index_rows(rows: dict[_Place, list[Seen]], snapshots: list[Snapshot]) -> None:
    for changed in changes(snapshots):
        snapshot = changed.snapshot
        now = _places(snapshot.host, changed.new)
        for place in _places(snapshot.host, changed.gone):
            if place not in now:
                rows.setdefault(place, []).append((snapshot, None))
        for place, row in now.items():
            rows.setdefault(place, []).append((snapshot, row))


def _places(host: str, rows: Iterable[SocketRow]) -> dict[_Place, SocketRow]:
    """The TCP rows by their endpoints; of several with the same ones the first."""
    found: dict[_Place, SocketRow] = {}
    for row in rows:
        if row.protocol == "tcp":
            found.setdefault((host, plain(row.local), plain(row.remote)), row)
    return found


def rows_seen(timeline: Timeline, host: str, local: Endpoint, remote: Endpoint) -> list[Seen]:
    """What the host's table had for these endpoints, in order: each row with the snapshot that
    first shows it so, None where there is none any more."""
    return _index(timeline).rows.get((host, plain(local), plain(remote)), [])


def _since(seen: list[Seen], start_ns: int) -> Iterator[tuple[Snapshot, SocketRow]]:
    """The rows that are there from a time on, the one included that was there already."""
    first = bisect_left(seen, start_ns, key=lambda found: found[0].t_ns)
    for snapshot, row in seen[max(0, first - 1) :]:
        if row is not None:
            yield snapshot, row


def _of_one_life(calls: list[Call], start_ns: int) -> list[Call]:
    """Those between the last close() before the connection began and its own close()."""
    closes = [i for i, call in enumerate(calls) if call.name == "close"]
    before = [i for i in closes if calls[i].t_ns < start_ns]
    own = [i for i in closes if calls[i].t_ns >= start_ns]
    return calls[before[-1] + 1 if before else 0 : own[0] + 1 if own else len(calls)]
