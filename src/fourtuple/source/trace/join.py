"""Records of the trace -> sockets with their calls, states, owners and what else befell them.

Rules. A call is its thread's, from enter to exit. What happens in between in the same thread, and
in no interrupt, is the call's doing: it tells which socket a descriptor is. What happens in an
interrupt belongs to a socket by its address in the kernel or by its four-tuple, never to the task
that was interrupted. An accept() whose new socket has neither sent nor received is given the one
that has waited longest in its listener's queue; that is a guess until bytes prove it. What cannot
be joined stays unjoined.
"""

import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from fourtuple.event.model import Endpoint, Told
from fourtuple.source.trace.feed import Record
from fourtuple.source.trace.formats import Value
from fourtuple.source.trace.naming import arguments, call_name, error_name, long, offered, whole
from fourtuple.source.trace.programs import LookUp, Process, Programs
from fourtuple.source.trace.sockets import HOST, CallMade, Changed, Sock, endpoint
from fourtuple.system.sock_diag import STATES

__all__ = ["Joiner"]

Values = Mapping[str, Value]

#: where a call's descriptor is, by its name; else "fd"
_DESCRIPTORS = MappingProxyType(
    {"dup": "fildes", "dup2": "oldfd", "dup3": "oldfd", "sendfile64": "out_fd", "splice": "fd_out"}
)
#: calls that wait for any of many descriptors, which the trace does not name
_WAITS = frozenset(
    ("poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2")
)
_INET = (socket.AF_INET, socket.AF_INET6)
_CLOSED, _LISTEN, _SYN_SENT = "CLOSED", "LISTEN", "SYN_SENT"
#: states that mean: this end has closed first, and: the peer has
_OWN_END, _PEER_END = "FIN_WAIT1", "CLOSE_WAIT"
_MOST_UNJOINED = 20_000
_PROTOCOLS = {socket.IPPROTO_TCP: "tcp", socket.IPPROTO_UDP: "udp"}
_KINDS: Mapping[int, str] = {socket.SOCK_STREAM: "tcp", socket.SOCK_DGRAM: "udp"}
_PORT = struct.Struct("!H")

Ends = tuple[Endpoint, Endpoint]


@dataclass(slots=True)
class _Pending:
    """A call that has not returned, and the sockets that were touched in its course."""

    record: Record
    values: Values
    made: CallMade
    touched: list[int] = field(default_factory=list)
    changed: list[Sock] = field(default_factory=list)


class Joiner:
    """`take()` records in order of time; `fresh` then has the sockets with something new.

    unjoined   calls that belong to no socket that is known, and `left_out` how many more there were
    loose      what the network told of endpoints that no socket had
    uring      whether io_uring was set up: what goes through it is not seen
    """

    def __init__(self, look_up: LookUp, *, all_watched: bool = False) -> None:
        self.programs = Programs(look_up, all_watched=all_watched)
        self.unjoined: list[CallMade] = []
        self.left_out = 0
        self.loose: list[Told] = []
        self.uring = False
        self.fresh: set[Sock] = set()
        self._pending: dict[int, _Pending] = {}
        self._by_address: dict[int, Sock] = {}
        self._by_ends: dict[Ends, Sock] = {}
        self._listeners: dict[int, list[Sock]] = {}
        self._network: Mapping[str, Callable[[Record, Values], None]] = {
            "inet_sock_set_state": self._state,
            "sock_send_length": self._length,
            "sock_recv_length": self._length,
            "tcp_send_reset": self._reset_sent,
            "tcp_receive_reset": self._told("reset-received"),
            "tcp_retransmit_skb": self._told("retransmitted"),
            "tcp_retransmit_synack": self._told("syn-ack-retransmitted"),
            "tcp_bad_csum": self._bad_checksum,
            "inet_sk_error_report": self._error,
            "kfree_skb": self._dropped,
            "task_newtask": self._born,
            "sched_process_exec": self._executed,
            "sched_process_exit": lambda record, _: self.programs.ended(record.task),
        }

    def adopt(
        self, pid: int, command: str, sockets: Mapping[int, Sock], *, watched: bool
    ) -> Process:
        """A process that was there before, and its sockets by descriptor."""
        process = self.programs.adopt(pid, command, watched=watched)
        for fd, sock in sockets.items():
            process.put(fd, sock)
            self._index(sock)
            if sock.role == "listener" and sock not in self._listeners_at(sock):
                self._listeners_at(sock).append(sock)
        return process

    def take(self, records: Iterable[Record]) -> None:
        """What happened next."""
        for record in records:
            name = record.name
            if name.startswith("sys_enter_"):
                self._enter(record, name[10:])
            elif name.startswith("sys_exit_"):
                self._exit(record, name[9:])
            else:
                handle = self._network.get(name)
                if handle is not None:
                    handle(record, record.values())

    def finish(self) -> None:
        """Nothing more will come: calls that have not returned are kept as such."""
        for pending in self._pending.values():
            self._keep(pending.made, self._on(pending))
        self._pending.clear()

    def forget(self, sock: Sock) -> None:
        """It is over, and nobody asks for it any more."""
        if self._by_address.get(sock.address) is sock:
            del self._by_address[sock.address]
        if sock.local and sock.remote:
            ends = (sock.local, sock.remote)
            if self._by_ends.get(ends) is sock:
                del self._by_ends[ends]
        self.fresh.discard(sock)

    # --- calls

    def _enter(self, record: Record, name: str) -> None:
        values = record.values()
        process = self.programs.of(record.task)
        before = self._pending.pop(record.task, None)
        if before is not None:  # its return was lost
            self._keep(before.made, self._on(before))
        fd = None
        if name not in _WAITS and name != "socket":
            fd = whole(values, _DESCRIPTORS.get(name, "fd"))
        made = CallMade(
            record.t_ns, None, call_name(name, values), process.pid, record.task, process.command,
            arguments(name, values), fd, offered(name, values),
        )  # fmt: skip
        self.uring |= name.startswith("io_uring") and process.watched
        self._pending[record.task] = _Pending(record, values, made)

    def _on(self, pending: _Pending) -> Sock | None:
        """The socket that a call is on."""
        made = pending.made
        if made.fd is None:
            return None
        process = self.programs.of(made.thread)
        sock = process.sock(made.fd)
        if pending.touched:
            sock = self._proved(process, made.fd, sock, pending.touched[0])
        elif sock is None and pending.changed:
            sock = pending.changed[0]
        return sock

    def _proved(self, process: Process, fd: int, sock: Sock | None, address: int) -> Sock:
        """Bytes went through the descriptor: the kernel's socket is known for sure."""
        real = self._by_address.get(address)
        if real is None:
            real = sock if sock is not None and not sock.address else Sock()
            real.address = address
            self._by_address[address] = real
        if sock is not None and sock is not real:
            if not sock.address:
                sock.is_now(real)
            elif sock.guessed:
                self._swap(process, fd, sock, real)
        if process.sock(fd) is not real:
            process.put(fd, real)
        real.guessed = False
        return real

    @staticmethod
    def _swap(process: Process, fd: int, guess: Sock, real: Sock) -> None:
        """The guess was wrong: both were taken from the queue in another order."""
        if real.guessed or not real.holders:
            guess.holders, real.holders = real.holders, guess.holders
        process.files.pop(fd, None)

    def _exit(self, record: Record, name: str) -> None:
        pending = self._pending.get(record.task)
        if pending is None or pending.record.name != f"sys_enter_{name}":
            return
        made = pending.made
        result = long(record.values(), "ret")
        made.end_ns = record.t_ns
        made.result, made.errno = (result, None) if result >= 0 else (None, error_name(-result))
        sock = self._on(pending)
        handle = _OUTCOMES.get(name)
        if handle is not None:
            handle(self, pending, sock)
        del self._pending[record.task]
        self._keep(made, sock)

    def _keep(self, made: CallMade, sock: Sock | None) -> None:
        made.on = sock or made.on
        on = made.made or made.on
        if on is not None:
            on.calls.append(made)
            self.fresh.add(on)
        elif made.name in _WAITS and self.programs.of(made.thread).watched:
            if len(self.unjoined) < _MOST_UNJOINED:
                self.unjoined.append(made)
            else:
                self.left_out += 1

    def _socket_made(self, pending: _Pending, _: Sock | None) -> None:
        made, values = pending.made, pending.values
        if made.result is None or whole(values, "family") not in _INET:
            return
        kind = whole(values, "type")
        base = kind & 0xF
        protocol = _KINDS.get(base, "raw")
        made.made = Sock(protocol, begun_ns=made.t_ns)
        self._put(made, made.result, made.made, closes=bool(kind & socket.SOCK_CLOEXEC))

    def _put(self, made: CallMade, fd: int, sock: Sock, *, closes: bool) -> None:
        self.programs.of(made.thread).put(fd, sock, closes_on_exec=closes)

    def _accepted(self, pending: _Pending, listener: Sock | None) -> None:
        made = pending.made
        if made.result is None:
            return
        if listener is None and made.fd is not None:
            return  # a UNIX socket's, as far as anybody knows
        assert listener is not None
        child = self._next_waiting(listener) or Sock(begun_ns=made.t_ns)
        child.listener = listener
        made.made, made.on = child, listener
        closes = bool(whole(pending.values, "flags") & socket.SOCK_CLOEXEC)
        self._put(made, made.result, child, closes=closes)

    def _next_waiting(self, listener: Sock) -> Sock | None:
        """The connection that has waited longest; none where several listeners share the port, for
        then it is not known whose queue one is in."""
        if len(self._listeners_at(listener)) > 1 or not listener.waiting:
            return None
        child = listener.waiting.popleft()
        child.guessed = True
        return child

    def _duplicated(self, pending: _Pending, sock: Sock | None) -> None:
        made = pending.made
        command = made.args[0] if made.name == "fcntl" and made.args else "F_DUPFD"
        if sock is None or made.result is None:
            return
        if command == "F_SETFD" and made.fd is not None:
            slot = self.programs.of(made.thread).files.get(made.fd)
            if slot is not None:
                slot.closes_on_exec = bool(whole(pending.values, "arg") & 1)
        if command in ("F_DUPFD", "F_DUPFD_CLOEXEC"):
            closes = command == "F_DUPFD_CLOEXEC"
            closes |= bool(whole(pending.values, "flags") & socket.SOCK_CLOEXEC)
            self._put(made, made.result, sock, closes=closes)

    def _shut(self, pending: _Pending, sock: Sock | None) -> None:
        if pending.made.fd is not None and pending.made.errno != "EBADF":
            self.programs.of(pending.made.thread).close(pending.made.fd)
        if sock is not None and sock.protocol != "tcp" and not sock.open_at:
            self._by_address.pop(sock.address, None)

    def _range_shut(self, pending: _Pending, _: Sock | None) -> None:
        process = self.programs.of(pending.made.thread)
        first, last = long(pending.values, "fd"), long(pending.values, "max_fd")
        for fd in [fd for fd in process.files if first <= fd <= last]:
            process.close(fd)

    # --- what the kernel says

    def _length(self, record: Record, values: Values) -> None:
        """Bytes went through a socket: of a call if one is going on."""
        address, moved = long(values, "sk"), whole(values, "ret")
        pending = self._pending.get(record.task)
        if record.interrupted or pending is None or pending.made.fd is None:
            return
        if whole(values, "family") not in _INET:
            return
        first = address not in pending.touched
        if first:
            pending.touched.append(address)
        sock = self._on(pending) if first else self._by_address.get(address)
        if sock is None:
            return
        sock.protocol = _PROTOCOLS.get(whole(values, "protocol"), sock.protocol)
        if moved > 0 and not whole(values, "flags") & socket.MSG_PEEK:
            if record.name == "sock_send_length":
                sock.sent_bytes += moved
            else:
                sock.received_bytes += moved

    def _state(self, record: Record, values: Values) -> None:
        if whole(values, "protocol") != socket.IPPROTO_TCP:
            return
        old, new = _state_name(values, "oldstate"), _state_name(values, "newstate")
        local, remote = _ends(values)
        pending = None if record.interrupted else self._pending.get(record.task)
        sock = self._sock_at(long(values, "skaddr"), old, new, (local, remote), pending)
        self._placed(sock, local, remote, new)
        sock.changes.append(Changed(record.t_ns, old, new, pending.made if pending else None))
        self._moved(sock, record.t_ns, old, new)
        self.fresh.add(sock)

    def _sock_at(
        self,
        address: int,
        old: str,
        new: str,
        ends: tuple[Endpoint | None, Endpoint | None],
        pending: _Pending | None,
    ) -> Sock:
        """The socket that a change of state is about: the one at this address, unless its life is
        over and this is the beginning of another's."""
        known = self._by_address.get(address)
        begins = (old == _CLOSED and new in (_SYN_SENT, _LISTEN)) or old == _LISTEN != new
        if new == _CLOSED:
            begins = False
        called = self._called(pending, known)
        if known is not None and not (begins and (known.ended_ns or known.state != old)):
            return known
        if called is not None and called.ended_ns:
            life = Sock(called.protocol, inode=called.inode)  # the same socket, connected anew
            called.successor = life
            life.open_at = called.open_at
            life.holders, life.watched = list(called.holders), called.watched
        elif called is not None and not called.address:
            life = called
        else:
            life = (self._before(ends) if known is None else None) or Sock()
        life.address = address
        self._by_address[address] = life
        if pending is not None and called is None:
            pending.changed.append(life)
        return life

    def _called(self, pending: _Pending | None, known: Sock | None) -> Sock | None:
        """The socket of the call that is going on, if it may be the one that changes."""
        if pending is None or pending.made.fd is None:
            return None
        sock = self.programs.of(pending.made.thread).sock(pending.made.fd)
        if known is not None and sock is None and known not in pending.changed:
            pending.changed.append(known)
        fits = sock is not None and (sock is known or not sock.address)
        return sock if fits else None

    def _before(self, ends: tuple[Endpoint | None, Endpoint | None]) -> Sock | None:
        """A socket from before the trace, whose address was not known."""
        local, remote = ends
        found = self._by_ends.get((local, remote)) if local and remote else None
        return found if found is not None and not found.address else None

    def _placed(
        self, sock: Sock, local: Endpoint | None, remote: Endpoint | None, new: str
    ) -> None:
        if local and (local.port or sock.local is None):
            sock.local = local
        if remote and remote.port:
            sock.remote = remote
        self._index(sock)
        if new == _LISTEN:
            sock.role = "listener"
            at = self._listeners_at(sock)
            if sock not in at:
                at.append(sock)

    def _index(self, sock: Sock) -> None:
        if sock.local and sock.remote and sock.local.port and sock.remote.port:
            self._by_ends[sock.local, sock.remote] = sock
            for told in [one for one in self.loose if _about(one, sock)]:
                self.loose.remove(told)
                sock.told.append(told)

    def _listeners_at(self, sock: Sock) -> list[Sock]:
        return self._listeners.setdefault(sock.local.port if sock.local else 0, [])

    def _moved(self, sock: Sock, t_ns: int, old: str, new: str) -> None:
        sock.state = new
        if new == _SYN_SENT:
            sock.role, sock.begun_ns = "client", t_ns
        elif old == _LISTEN and new != _CLOSED:
            sock.role, sock.begun_ns = "server", t_ns
            self._queued(sock)
        elif new == "ESTABLISHED":
            sock.established = True
        elif new in (_OWN_END, _PEER_END):
            sock.first_end = sock.first_end or ("own" if new == _OWN_END else "peer")
        elif new == _CLOSED:
            sock.ended_ns = t_ns
            if sock.role == "listener" and sock in self._listeners_at(sock):
                self._listeners_at(sock).remove(sock)

    def _queued(self, sock: Sock) -> None:
        listening = [one for one in self._listeners_at(sock) if _takes(one, sock)]
        if len(listening) == 1:
            sock.listener = listening[0]
            listening[0].waiting.append(sock)
            sock.watched |= listening[0].watched

    def _told(self, what: str) -> Callable[[Record, Values], None]:
        def tell(record: Record, values: Values) -> None:
            local, remote = _ends(values)
            self._tell(record, what, long(values, "skaddr"), local, remote, "")

        return tell

    def _tell(
        self,
        record: Record,
        what: str,
        address: int,
        local: Endpoint | None,
        remote: Endpoint | None,
        reason: str,
    ) -> None:
        sock = self._by_address.get(address)
        if (sock is None or sock.role == "listener") and local and remote:
            sock = self._by_ends.get((local, remote), sock)
        local = local or (sock.local if sock else None)
        if local is None:
            return
        known = sock is not None and sock.role != "listener"
        remote = remote if remote and remote.port else sock.remote if sock and known else None
        inode = sock.number if sock and known else 0
        told = Told(t_ns=record.t_ns, host=HOST, what=what, local=local, remote=remote,
                    reason=reason, inode=inode)  # fmt: skip
        if sock is not None and known:
            sock.told.append(told)
            self.fresh.add(sock)
        elif len(self.loose) < _MOST_UNJOINED:
            self.loose.append(told)

    def _reset_sent(self, record: Record, values: Values) -> None:
        local, remote = _sockaddr(values.get("saddr")), _sockaddr(values.get("daddr"))
        reason = _symbol(record, values, "reason")
        self._tell(record, "reset-sent", long(values, "skaddr"), local, remote, reason)

    def _bad_checksum(self, record: Record, values: Values) -> None:
        # the source of the packet is the peer of whoever discards it
        remote, local = _sockaddr(values.get("saddr")), _sockaddr(values.get("daddr"))
        self._tell(record, "bad-checksum", 0, local, remote, "")

    def _error(self, record: Record, values: Values) -> None:
        if whole(values, "protocol") != socket.IPPROTO_TCP:
            return
        local, remote = _ends(values)
        name = error_name(abs(whole(values, "error")))
        sock = self._by_ends.get((local, remote)) if local and remote else None
        if sock is not None:
            sock.error = name
        self._tell(record, "error", 0, local, remote, name)

    def _dropped(self, record: Record, values: Values) -> None:
        """It names no four-tuple: only a socket that is known by its address can have it."""
        sock = self._by_address.get(long(values, "rx_sk"))
        if sock is not None and sock.local:
            reason = _symbol(record, values, "reason")
            self._tell(record, "dropped", sock.address, sock.local, sock.remote, reason)

    def _born(self, record: Record, values: Values) -> None:
        self.programs.born(record.task, whole(values, "pid"), long(values, "clone_flags"))

    def _executed(self, record: Record, values: Values) -> None:
        self._pending.pop(record.task, None)
        before = whole(values, "old_pid") or record.task
        self.programs.executed(record.task, before, str(values.get("filename", "")))


_OUTCOMES: Mapping[str, Callable[[Joiner, _Pending, Sock | None], None]] = {
    "socket": Joiner._socket_made,
    "accept": Joiner._accepted,
    "accept4": Joiner._accepted,
    "dup": Joiner._duplicated,
    "dup2": Joiner._duplicated,
    "dup3": Joiner._duplicated,
    "fcntl": Joiner._duplicated,
    "close": Joiner._shut,
    "close_range": Joiner._range_shut,
}


def _state_name(values: Values, name: str) -> str:
    number = whole(values, name)
    return STATES[number] if 0 < number < len(STATES) else str(number)


def _ends(values: Values) -> tuple[Endpoint | None, Endpoint | None]:
    family = whole(values, "family")
    suffix = "_v6" if family == socket.AF_INET6 else ""
    found = []
    for side in ("s", "d"):
        address = values.get(f"{side}addr{suffix}", b"")
        octets = address if isinstance(address, bytes) else b""
        found.append(endpoint(family, octets, whole(values, f"{side}port")))
    return found[0], found[1]


def _sockaddr(value: Value | None) -> Endpoint | None:
    """A struct sockaddr_in or sockaddr_in6."""
    data = value if isinstance(value, bytes) else b""
    if len(data) < 28:
        return None
    family = int.from_bytes(data[:2], "little" if struct.pack("=H", 1)[0] else "big")
    address = data[4:8] if family == socket.AF_INET else data[8:24]
    return endpoint(family, address, _PORT.unpack_from(data, 2)[0])


def _symbol(record: Record, values: Values, name: str) -> str:
    number = whole(values, name)
    return record.format.symbols.get(name, {}).get(number, str(number))


def _about(told: Told, sock: Sock) -> bool:
    """Whether what was told of endpoints is about this connection, at either end."""
    ends = {sock.local, sock.remote}
    return told.remote is not None and {told.local, told.remote} == ends


def _takes(listener: Sock, sock: Sock) -> bool:
    own, local = listener.local, sock.local
    if own is None or local is None or own.port != local.port:
        return False
    return own.address in (local.address, "0.0.0.0", "::")
