"""What changed between two tables: sockets opened and closed, states, queues that grew.

A connection is known by its four-tuple and not by the kernel's cookie, because TIME_WAIT has a
cookie of its own; another cookie in an earlier state is another connection. What came and went
between two looks is not seen.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fourtuple.sockets.model import Listing, port_of, unix_name
from fourtuple.system.inet_dump import InetRow, UnixRow

__all__ = ["Change", "Snapshot", "changes", "snapshot"]

Key = tuple[object, ...]
#: order of a connection's life; a lower number than before is a new connection
_AGE = {2: 0, 3: 0, 12: 0, 1: 1, 8: 2, 4: 2, 5: 3, 11: 3, 9: 3, 6: 4}
_LISTEN, _TIME_WAIT = 10, 6


class Snapshot(NamedTuple):
    """The sockets of one look, by what tells them apart."""

    listing: Listing
    inet: Mapping[Key, tuple[str, InetRow]]
    unix: Mapping[Key, UnixRow]


class Change(NamedTuple):
    """`what` is opened, closed, state, recv_q, send_q; `before` and `after` are values of what
    changed. `row` is a UNIX socket's where `protocol` is unix."""

    what: str
    protocol: str
    row: "InetRow | UnixRow"
    before: int = 0
    after: int = 0


def snapshot(listing: Listing) -> Snapshot:
    """The table by key."""
    return Snapshot(
        listing,
        {_key(protocol, row): (protocol, row) for protocol, row in listing.rows()},
        {("unix", row.inode, unix_name(row.name)): row for row in listing.unix},
    )


def _key(protocol: str, row: InetRow) -> Key:
    if protocol == "tcp" and row.state != _LISTEN and port_of(row, remote=True):
        return protocol, row.local_address, row.local_port, row.remote_address, row.remote_port
    return protocol, row.cookie or row.inode


def changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """Closed first, then opened, then what changed in those that stayed."""
    renewed = {
        key
        for key, (_, row) in after.inet.items()
        if key in before.inet and _another(before.inet[key][1], row)
    }
    for key, (protocol, row) in before.inet.items():
        if key not in after.inet or key in renewed:
            yield Change("closed", protocol, row)
    for key, one in before.unix.items():
        if key not in after.unix:
            yield Change("closed", "unix", one)
    for key, (protocol, row) in after.inet.items():
        if key not in before.inet or key in renewed:
            yield Change("opened", protocol, row)
        else:
            yield from _moved(protocol, before.inet[key][1], row)
    for key, one in after.unix.items():
        if key not in before.unix:
            yield Change("opened", "unix", one)
        elif one.recv_q > before.unix[key].recv_q:
            yield Change("recv_q", "unix", one, before.unix[key].recv_q, one.recv_q)


def _another(old: InetRow, new: InetRow) -> bool:
    return old.cookie != new.cookie and not _AGE.get(new.state, 0) > _AGE.get(old.state, 0)


def _moved(protocol: str, old: InetRow, new: InetRow) -> Iterator[Change]:
    if old.state != new.state:
        yield Change("state", protocol, new, old.state, new.state)
    if new.recv_q > old.recv_q:
        yield Change("recv_q", protocol, new, old.recv_q, new.recv_q)
    # of a listener that is the limit, of a connection that begins to wait nothing worth a line
    if new.send_q > old.send_q and new.state != _LISTEN:
        yield Change("send_q", protocol, new, old.send_q, new.send_q)
