"""Records of the trace -> sockets with their calls, their owners, and what befell them.

Rules. A call is its thread's, from enter to exit. What happens in between in the same thread, and
in no interrupt, is the call's doing: it tells which socket a descriptor is. What happens in an
interrupt is the network's (`network`), never the task's that was interrupted. An accept() whose new
socket has neither sent nor received is given the one that has waited longest in its listener's
queue; that is a guess until bytes prove it. What cannot be joined stays unjoined.
"""

import socket
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType

from fourtuple.source.trace.datagrams import Datagrams, EndsOf, Route
from fourtuple.source.trace.feed import Record
from fourtuple.source.trace.formats import Value
from fourtuple.source.trace.naming import arguments, call_name, error_name, long, offered, whole
from fourtuple.source.trace.network import Network
from fourtuple.source.trace.programs import LookUp, Process, Programs
from fourtuple.source.trace.sockets import CallMade, Sock, endpoint

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
_WITHOUT_DESCRIPTOR = _WAITS | {"socket", "io_uring_setup", "setns", "unshare"}
#: calls of which a busy process makes many, and that change no descriptor
_FREQUENT = _WAITS | {
    "read", "write", "readv", "writev", "sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg",
    "recvmmsg", "sendfile64", "splice", "epoll_ctl", "setsockopt", "getsockopt", "getsockname",
    "getpeername",
}  # fmt: skip
#: calls that make a descriptor a socket, or none, or that say of which network namespace
_MAKING = frozenset(
    (
        "socket", "accept", "accept4", "dup", "dup2", "dup3", "fcntl", "close", "close_range",
        "setns", "unshare",
    )
)  # fmt: skip
_OF_FILES = _WAITS | {"read", "write", "readv", "writev", "splice", "epoll_ctl"}
_INET = (socket.AF_INET, socket.AF_INET6)
_MOST_UNJOINED, _MOST_CALLS = 20_000, 20_000
_PROTOCOLS = {socket.IPPROTO_TCP: "tcp", socket.IPPROTO_UDP: "udp"}
_RET, _LENGTHS = ("ret",), ("sk", "family", "protocol", "ret", "flags")
_KINDS: Mapping[int, str] = {socket.SOCK_STREAM: "tcp", socket.SOCK_DGRAM: "udp"}


class _Pending:
    """A call that has not returned, and the sockets that were touched in its course. Most calls are
    on files: more than this is worked out only for those on sockets."""

    __slots__ = (
        "_made", "_values", "changed", "descriptor", "fd", "name", "process", "record", "route",
        "sizes", "touched",
    )  # fmt: skip

    def __init__(self, record: Record, name: str, process: Process, fd: int | None) -> None:
        self.record = record
        self.name = name
        self.process = process
        self.fd = fd
        self.touched: list[int] = []
        self.sizes: list[int] = []
        self.route: Route | None = None
        self.changed: list[Sock] = []
        self.descriptor: Sock | None = None
        self._values: Values | None = None
        self._made: CallMade | None = None

    @property
    def values(self) -> Values:
        if self._values is None:
            self._values = self.record.values()
        return self._values

    @property
    def made(self) -> CallMade:
        """The call as it is kept."""
        if self._made is None:
            name, values, process = self.name, self.values, self.process
            self._made = CallMade(
                self.record.t_ns, None, call_name(name, values), process.pid, self.record.task,
                process.command, arguments(name, values), self.fd, offered(name, values),
            )  # fmt: skip
        return self._made

    @made.setter
    def made(self, made: CallMade) -> None:
        self._made = made


class Joiner:
    """`take()` records in order of time; `fresh()` gives the sockets with something new.

    Of a process that nobody watches only what it does with those that are watched is looked at;
    `all_matter`: everything.

    unjoined   calls that belong to no socket that is known, and `left_out` how many more there were
    uring      whether io_uring was set up: what goes through it is not seen
    """

    def __init__(
        self,
        look_up: LookUp,
        namespace_of: Callable[[int], int] = lambda pid: 0,
        *,
        source_of: Callable[[str], str] = lambda address: "",
        ends_of: EndsOf = lambda holder: None,
        all_watched: bool = False,
        all_matter: bool = False,
    ) -> None:
        self.programs = Programs(look_up, namespace_of, all_watched=all_watched)
        self._all = all_watched or all_matter
        self.unjoined: list[CallMade] = []
        self.left_out = 0
        self.uring = False
        self.network = Network()
        self.datagrams = Datagrams(lambda sock: self.network.fresh.add(sock), source_of, ends_of)
        self._pending: dict[int, _Pending] = {}
        self._handlers: Mapping[str, Callable[[Record], None]] = {
            "sock_send_length": self._length,
            "sock_recv_length": self._length,
            "fib_table_lookup": self._routed,
            "fib6_table_lookup": self._routed,
            "task_newtask": self._born,
            "sched_process_exec": self._executed,
            "sched_process_exit": self._ended,
        }
        self._ways: dict[str, Callable[[Record], None]] = {}
        self._began_ns = 0

    def fresh(self) -> set[Sock]:
        """The sockets with something new since this was asked last."""
        found, self.network.fresh = self.network.fresh, set()
        return found

    def adopt(
        self, pid: int, command: str, sockets: Mapping[int, Sock], *, watched: bool
    ) -> Process:
        """A process that was there before, and its sockets by descriptor."""
        process = self.programs.adopt(pid, command, watched=watched)
        for fd, sock in sockets.items():
            process.put(fd, sock)
            self.network.adopt(sock)
        return process

    def take(self, records: Iterable[Record]) -> None:
        """What happened next."""
        ways = self._ways
        for record in records:
            self._began_ns = self._began_ns or record.t_ns
            way = ways.get(record.name)
            if way is None:
                way = ways[record.name] = self._way(record)
            way(record)

    def _way(self, record: Record) -> Callable[[Record], None]:
        """What is done with records of this name."""
        name = record.name
        if name.startswith("sys_enter_"):
            called = name.removeprefix("sys_enter_")
            return partial(self._enter, called, _descriptor(called))
        if name.startswith("sys_exit_"):
            return partial(self._exit, name.removeprefix("sys_exit_"))
        return self._handlers.get(name, self._happened)

    def _happened(self, record: Record) -> None:
        self.network.take(record, self._going_on(record))

    def finish(self) -> None:
        """Nothing more will come: calls that have not returned are kept as such."""
        for pending in self._pending.values():
            self._keep(pending, self._on(pending))
        self._pending.clear()

    def _going_on(self, record: Record) -> _Pending | None:
        """The call that the thread is in, where what happens is its doing."""
        pending = None if record.interrupted else self._pending.get(record.task)
        if pending is not None and pending.fd is not None:
            pending.descriptor = pending.process.sock(pending.fd)
        return pending

    def _enter(self, name: str, descriptor: str, record: Record) -> None:
        process = self.programs.of(record.task)
        before = self._pending.pop(record.task, None)
        if before is not None:  # its return was lost
            self._keep(before, self._on(before))
        fd = record.number(descriptor) if descriptor else None
        if not process.watched and name in _FREQUENT and not self._concerns(process, fd, name):
            return
        self.uring |= name.startswith("io_uring") and process.watched
        self._pending[record.task] = _Pending(record, name, process, fd)

    def _concerns(self, process: Process, fd: int | None, name: str) -> bool:
        """Whether a call of a process that nobody watches is on a connection that matters: its
        other end is watched. One is asked often: the answer is kept once it is known. A descriptor
        that is not known to be a socket may be one only where no file can be."""
        if self._all:
            return True
        sock = process.sock(fd) if fd is not None else None
        if sock is None:
            return name not in _OF_FILES
        if sock.protocol == "udp":
            return True  # it may have any number of peers
        if sock.concern is None and sock.remote is not None:
            sock.concern = sock.watched or self.network.other_is_watched(sock)
        return sock.concern is not False

    def _on(self, pending: _Pending) -> Sock | None:
        """The socket that a call is on."""
        if pending.fd is None:
            return None
        process, fd = pending.process, pending.fd
        sock = process.sock(fd)
        if pending.touched:
            sock = self._proved(process, fd, sock, pending.touched[0])
        elif sock is None and pending.changed:
            sock = pending.changed[0]
        return sock

    def _proved(self, process: Process, fd: int, sock: Sock | None, address: int) -> Sock:
        """Bytes went through the descriptor: the kernel's socket is known for sure."""
        real = self.network.by_address.get(address)
        if real is None or _another_s_now(real, sock):
            real = sock if sock is not None and not sock.address else Sock()
            real.address = address
            self.network.by_address[address] = real
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

    def _exit(self, name: str, record: Record) -> None:
        pending = self._pending.get(record.task)
        if pending is None or pending.name != name:
            if name in ("accept", "accept4"):
                self._accepted_from_before(name, record)
            return
        del self._pending[record.task]
        sock = self._on(pending)
        if sock is None and name not in _MAKING and not pending.process.watched:
            return
        if sock is None and name in _WAITS and len(self.unjoined) >= _MOST_UNJOINED:
            self.left_out += 1
            return
        (result,), made = record.numbers(_RET), pending.made
        made.end_ns = record.t_ns
        made.result, made.errno = (result, None) if result >= 0 else (None, error_name(-result))
        talk = None
        if sock is not None and sock.protocol == "udp":
            talk = self.datagrams.joined(sock, made, pending.route, pending.sizes)
        handle = _OUTCOMES.get(name)
        if handle is not None:
            handle(self, pending, sock)
        self._keep(pending, talk or sock)

    def _keep(self, pending: _Pending, sock: Sock | None) -> None:
        if sock is None and pending.name not in _MAKING and pending.name not in _WAITS:
            return
        made = pending.made
        made.on = sock or made.on
        on = made.made or made.on
        if on is not None:
            if len(on.calls) < _MOST_CALLS:
                on.calls.append(made)
            else:
                self.left_out += 1
            self.network.fresh.add(on)
        elif pending.name in _WAITS and pending.process.watched:
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
        netns = self.programs.namespace(made.thread)
        made.made = Sock(protocol, begun_ns=made.t_ns, netns=netns)
        self._put(made, made.result, made.made, closes=bool(kind & socket.SOCK_CLOEXEC))

    def _put(self, made: CallMade, fd: int, sock: Sock, *, closes: bool) -> None:
        self.programs.of(made.thread).put(fd, sock, closes_on_exec=closes)

    def _accepted(self, pending: _Pending, listener: Sock | None) -> None:
        made = pending.made
        if made.result is None:
            return
        if listener is None:
            return  # a UNIX socket's, as far as anybody knows
        child = self._next_waiting(listener) or Sock(begun_ns=made.t_ns)
        child.listener = listener
        child.netns = child.netns or listener.netns
        made.made, made.on = child, listener
        closes = bool(whole(pending.values, "flags") & socket.SOCK_CLOEXEC)
        self._put(made, made.result, child, closes=closes)

    def _accepted_from_before(self, name: str, record: Record) -> None:
        """A server that waited in accept() when the trace began: only its return is there. It is on
        the one listener that the process has."""
        process, fd = self.programs.of(record.task), long(record.values(), "ret")
        socks = {process.sock(one) for one in process.files}
        listeners = [sock for sock in socks if sock is not None and sock.role == "listener"]
        if fd < 0 or len(listeners) != 1:
            return
        pending = _Pending(record, name, process, None)
        pending.made = CallMade(self._began_ns, record.t_ns, "accept", process.pid, record.task,
                                process.command, (), None, None, fd)  # fmt: skip
        self._accepted(pending, listeners[0])
        self._keep(pending, listeners[0])

    def _next_waiting(self, listener: Sock) -> Sock | None:
        """The connection that has waited longest; none where several listeners share the port, for
        then it is not known whose queue one is in."""
        at_port = self.network.listeners_at(listener)
        if sum(one.netns in (0, listener.netns) for one in at_port) > 1 or not listener.waiting:
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
        made = pending.made
        if made.fd is not None and made.errno != "EBADF":
            self.programs.of(made.thread).close(made.fd)
            if sock is not None:
                self._let_go(sock, made.end_ns or made.t_ns)
        if sock is not None and sock.protocol != "tcp" and not sock.open_at:
            self.network.by_address.pop(sock.address, None)
        self.datagrams.look(made.end_ns or made.t_ns)

    @staticmethod
    def _let_go(sock: Sock, t_ns: int) -> None:
        """A descriptor of it was closed."""
        if not sock.open_at and sock.established and not sock.ended_ns:
            sock.left_ns = t_ns

    def _range_shut(self, pending: _Pending, _: Sock | None) -> None:
        made, process = pending.made, self.programs.of(pending.made.thread)
        first, last = long(pending.values, "fd"), long(pending.values, "max_fd")
        for fd in [fd for fd in process.files if first <= fd <= last]:
            sock = process.close(fd)
            if sock is not None:
                self._let_go(sock, made.end_ns or made.t_ns)
        self.datagrams.look(made.end_ns or made.t_ns)

    def _moved(self, pending: _Pending, _: Sock | None) -> None:
        self.programs.moved(pending.made.thread)

    def _unshared(self, pending: _Pending, _: Sock | None) -> None:
        if pending.made.result is not None:
            self.programs.unshared(pending.made.thread, long(pending.values, "unshare_flags"))

    def _length(self, record: Record) -> None:
        """Bytes went through a socket: of a call if one is going on."""
        pending = self._pending.get(record.task)
        if record.interrupted or pending is None or pending.fd is None:
            return
        address, family, protocol, moved, flags = record.numbers(_LENGTHS)
        if family not in _INET:
            return
        first = address not in pending.touched
        if first:
            pending.touched.append(address)
        sock = self._on(pending) if first else self.network.by_address.get(address)
        if sock is None:
            return
        sock.protocol = _PROTOCOLS.get(protocol, sock.protocol)
        if sock.protocol == "udp":
            if moved >= 0 and not flags & socket.MSG_PEEK:
                pending.sizes.append(moved)
            return
        if moved > 0 and not flags & socket.MSG_PEEK:
            if record.name == "sock_send_length":
                sock.sent_bytes += moved
            else:
                sock.received_bytes += moved

    def _routed(self, record: Record) -> None:
        """The kernel looked for the way of a datagram, or of all that connect() may send."""
        pending = None if record.interrupted else self._pending.get(record.task)
        if pending is None or pending.fd is None:
            return
        values = record.values()
        family = socket.AF_INET if record.name == "fib_table_lookup" else socket.AF_INET6
        ends = [
            endpoint(family, _octets(values, address), whole(values, port))
            for address, port in (("src", "sport"), ("dst", "dport"))
        ]
        if ends[0] is not None and ends[1] is not None and ends[1].port:
            pending.route = ends[0], ends[1]

    def _born(self, record: Record) -> None:
        values = record.values()
        self.programs.born(record.task, whole(values, "pid"), long(values, "clone_flags"))

    def _ended(self, record: Record) -> None:
        """A call that its thread did not live to return from is kept without an end."""
        pending = self._pending.pop(record.task, None)
        if pending is not None:
            self._keep(pending, self._on(pending))
        self.programs.ended(record.task)
        self.datagrams.look(record.t_ns)

    def _executed(self, record: Record) -> None:
        values = record.values()
        self._pending.pop(record.task, None)
        before = whole(values, "old_pid") or record.task
        self.programs.executed(record.task, before, str(values.get("filename", "")))
        self.datagrams.look(record.t_ns)


def _octets(values: Values, name: str) -> bytes:
    value = values.get(name, b"")
    return bytes(value) if isinstance(value, bytes | tuple) else b""


def _another_s_now(over: Sock, sock: Sock | None) -> bool:
    """Whether bytes at the address of a socket whose life is over are a later one's, of which the
    trace was to say nothing: unless they are on what came through the same listener's port."""
    if over.protocol != "tcp":  # nothing but its last close() tells the end of it
        return over.open_at <= 0
    if not over.ended_ns or over is sock:
        return False
    if sock is None or sock.listener is None or over.role != "server":
        return True
    at, was = sock.listener.local, over.local
    return at is None or was is None or at.port != was.port


def _descriptor(called: str) -> str:
    """The field of a call's descriptor; "" where it has none."""
    return "" if called in _WITHOUT_DESCRIPTOR else _DESCRIPTORS.get(called, "fd")


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
    "setns": Joiner._moved,
    "unshare": Joiner._unshared,
}
