"""The program lanes: which calls belong to a connection, and how a call is written.

A call is the connection's where it was made on one of its sockets (told by inode, or by both
addresses), or waited for one of them and reported it. The listener's calls belong to the server's
lane: it is how the server came to be there. It does not know where in the picture a call goes.
"""

import msgspec

from fourtuple.analyze.evidence import rows_seen
from fourtuple.analyze.hosts import host_of
from fourtuple.analyze.model import Connection
from fourtuple.event.model import Call, Endpoint, Snapshot, SocketRow
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Message
from fourtuple.render.life import Life
from fourtuple.render.view import Text

__all__ = ["OwnCalls", "brief", "full", "listens_for", "outcome", "own_calls"]

_ADDRESSING = frozenset(("bind", "connect", "connect_ex"))
_SENDING = frozenset(("send", "sendall", "sendto", "sendmsg", "write"))
_RECEIVING = frozenset(("recv", "recvfrom", "recv_into", "recvmsg", "read"))
_WAITING = frozenset(
    ("select", "pselect6", "poll", "ppoll", "epoll_wait", "epoll_pwait", "epoll_pwait2")
)
_ANY_ADDRESS = frozenset(("0.0.0.0", "::", "*"))

#: a socket of a host: inodes of different hosts may be equal
_Socket = tuple[str, int]


class OwnCalls(msgspec.Struct, frozen=True):
    """The calls of a connection's two sides, in order of their beginning."""

    client: tuple[Call, ...]
    server: tuple[Call, ...]


def own_calls(timeline: Timeline, life: Life) -> OwnCalls:
    """The calls that belong to the connection."""
    calls = timeline.of(Call)
    connection = life.connection
    client = _sockets(timeline, life, connection.client, connection.server)
    server = _sockets(timeline, life, connection.server, connection.client)
    listener = _listeners(timeline, calls, connection, server)
    arrival = _arrival(calls, listener, server)

    def of_server(call: Call) -> bool:
        heard = _on(call, listener) and not _accepts_another(call, server)
        return heard or call is arrival or _concerns(call, server)

    there, back = connection.server, connection.client
    return OwnCalls(
        tuple(c for c in calls if _concerns(c, client) and not _sent_elsewhere(c, there)),
        tuple(c for c in calls if of_server(c) and not _sent_elsewhere(c, back)),
    )


def _sockets(
    timeline: Timeline, life: Life, local: Endpoint, remote: Endpoint
) -> frozenset[_Socket]:
    """The sockets that had these two addresses, as calls and socket tables tell. A datagram socket
    need not have a peer, nor an address of its own."""
    udp = life.connection.protocol == "udp"
    host = host_of(timeline, local.address) if udp else None
    calls = timeline.of(Call)
    others = _of_other_kinds(calls) if udp else frozenset()
    by_call = {
        (call.host, call.new_inode or call.inode)
        for call in calls
        if life.spans(call.t_ns, call.end_ns)
        and ((_is_at(call, local) and call.remote == remote) or _unconnected(call, host, local))
    } - others
    host = host_of(timeline, local.address)
    by_table = {
        (snapshot.host, row.inode)
        for snapshot, row in (rows_seen(timeline, host, local, remote) if host else ())
        if row is not None and life.spans(snapshot.t_ns, snapshot.t_ns)
    }
    return frozenset(s for s in by_call | by_table if s[1])


def _of_other_kinds(calls: list[Call]) -> frozenset[_Socket]:
    """Sockets that are no datagram sockets: a TCP listener, and what it accepted, may have the
    same port."""
    return frozenset(
        (call.host, inode)
        for call in calls
        if call.name in ("listen", "accept")
        # flags may stand beside the kind: SOCK_DGRAM|SOCK_CLOEXEC
        or (call.name == "socket" and not any("SOCK_DGRAM" in str(arg) for arg in call.args))
        for inode in (call.inode, call.new_inode)
    )


def _unconnected(call: Call, host: str | None, local: Endpoint) -> bool:
    """Whether a call was made on a datagram socket of this host that has the port, but no peer."""
    return host == call.host and call.remote is None and _is_at(call, local)


def _is_at(call: Call, local: Endpoint) -> bool:
    """Whether a call was made on a socket that has this address, or one that stands for it."""
    own = call.local
    return (
        own is not None
        and own.port == local.port
        and (own.address == local.address or own.address in _ANY_ADDRESS)
    )


def _listeners(
    timeline: Timeline, calls: list[Call], connection: Connection, server: frozenset[_Socket]
) -> frozenset[_Socket]:
    """The listening sockets that took the connection or, where none has, could."""
    if connection.protocol == "udp":
        return frozenset()
    accepting = {(c.host, c.inode) for c in calls if (c.host, c.new_inode) in server}
    if accepting:
        return frozenset(accepting)
    return frozenset(
        (snapshot.host, row.inode)
        for snapshot in timeline.of(Snapshot)
        for row in snapshot.sockets
        if row.inode and listens_for(row, connection.server)
    )


def _arrival(
    calls: list[Call], listeners: frozenset[_Socket], server: frozenset[_Socket]
) -> Call | None:
    """The wait that told of the connection: the last one to report its listener before accept()
    took it."""
    accepted = next((c.t_ns for c in calls if (c.host, c.new_inode) in server), 0)
    told = (c for c in calls if c.reported and c.t_ns < accepted and _reported(c, listeners))
    return max(told, key=lambda call: call.t_ns, default=None)


def _on(call: Call, sockets: frozenset[_Socket]) -> bool:
    return (call.host, call.inode) in sockets or (call.host, call.new_inode) in sockets


def _concerns(call: Call, sockets: frozenset[_Socket]) -> bool:
    return _on(call, sockets) or _reported(call, sockets)


def _reported(call: Call, sockets: frozenset[_Socket]) -> bool:
    return any((call.host, inode) in sockets for inode in call.reported)


def _sent_elsewhere(call: Call, remote: Endpoint) -> bool:
    """Whether a datagram socket, which may serve many, sent to another endpoint, or heard one."""
    if call.name == "recvfrom":
        return call.remote not in (None, remote)
    return call.name == "sendto" and len(call.args) > 1 and call.args[-1] != str(remote)


def _accepts_another(call: Call, server: frozenset[_Socket]) -> bool:
    return bool(call.new_inode) and (call.host, call.new_inode) not in server


def listens_for(row: SocketRow, server: Endpoint) -> bool:
    """Whether the row is a listener that takes connections to this address and port."""
    local = row.local
    return (
        row.state == "LISTEN"
        and local.port == server.port
        and (local.address == server.address or local.address in _ANY_ADDRESS)
    )


def full(call: Call) -> str:
    """The call with its arguments: ``connect(10.77.0.2:8888)``, ``send(14)``."""
    if call.size is not None and call.name in _SENDING | _RECEIVING:
        return f"{call.name}({call.size})"
    return f"{call.name}({', '.join(map(str, call.args))})"


def brief(call: Call) -> str:
    """The call where there is little room: of its arguments only a single number is kept, and of
    an address the port."""
    if call.name in _SENDING and call.size is not None:
        return full(call)
    if call.name not in _RECEIVING and len(call.args) == 1 and isinstance(call.args[0], int):
        return full(call)
    if call.name in _ADDRESSING and call.args:
        return f"{call.name}(:{str(call.args[0]).rpartition(':')[2]})"
    return f"{call.name}()"


def outcome(call: Call) -> Text:
    """What the kernel answered."""
    if call.errno is not None:
        return call.errno
    if call.end_ns is None:
        return Message("has not returned")
    if call.result is None or isinstance(call.result, str):
        return call.result or "0"
    if call.name in _RECEIVING:
        return _received(call.result)
    if call.name in _WAITING:
        return Message("{count} ready", {"count": call.result})
    return f"fd {call.result}" if call.name in ("socket", "accept") else str(call.result)


def _received(size: int) -> Message:
    if size == 0:
        return Message("0: the end")
    return Message("{count} byte", {"count": size}, "{count} bytes", size)
