"""The network's side of a trace: sockets by their address in the kernel, and what befell them.

Rules. A change of state that no interrupt made is the doing of the call that its thread is in; else
it belongs to the socket at that address. What names only endpoints belongs to the socket that has
them, at once or once it is known to; a drop names neither and is kept only with its socket's
address. A connection comes through the one listener that takes its address and port; where several
share them it is not known whose queue it is in.
"""

import socket
import struct
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from fourtuple.event.model import Endpoint, Told
from fourtuple.source.trace.feed import Record
from fourtuple.source.trace.formats import Value
from fourtuple.source.trace.naming import error_name, long, whole
from fourtuple.source.trace.sockets import HOST, CallMade, Changed, Sock, at_home, endpoint
from fourtuple.system.sock_diag import STATES

__all__ = ["CallGoingOn", "Network"]

Values = Mapping[str, Value]
Ends = tuple[Endpoint, Endpoint]

_CLOSED, _LISTEN, _SYN_SENT = "CLOSED", "LISTEN", "SYN_SENT"
#: states that mean: this end has closed first, and: the peer has
_OWN_END, _PEER_END = "FIN_WAIT1", "CLOSE_WAIT"
#: what nobody's socket has is kept for one that may come, as long as there is room
_MOST_LOOSE = 20_000
#: an RST over loopback is received as soon as it is sent; a busy machine may take its time
_UNADDRESSED_NS = 50_000_000
_STATE = ("skaddr", "oldstate", "newstate", "protocol")
_OF_SOCKET = ("rx_sk",)
_ENDS = ("family", "sport", "dport", "saddr", "daddr", "saddr_v6", "daddr_v6")
_PORT = struct.Struct("!H")


class CallGoingOn(Protocol):
    """A call that a thread is in: the socket of its descriptor, where that is known, and others
    that changed in its course."""

    fd: int | None
    changed: list[Sock]
    descriptor: Sock | None

    @property
    def made(self) -> CallMade: ...


class Network:
    """`take()` what is no call; `fresh` then has the sockets with something new."""

    def __init__(self) -> None:
        self.fresh: set[Sock] = set()
        self.by_address: dict[int, Sock] = {}
        self._by_ends: dict[Ends, Sock] = {}
        self._listeners: dict[int, list[Sock]] = {}
        self._loose: dict[frozenset[Endpoint], list[Told]] = {}
        self._unaddressed: deque[tuple[Sock, Told]] = deque(maxlen=_MOST_LOOSE)
        self._handlers: Mapping[str, Callable[[Record, Values], None]] = {
            "tcp_send_reset": self._reset_sent,
            "tcp_receive_reset": self._told("reset-received"),
            "tcp_retransmit_skb": self._told("retransmitted"),
            "tcp_retransmit_synack": self._told("syn-ack-retransmitted"),
            "tcp_bad_csum": self._bad_checksum,
            "inet_sk_error_report": self._error,
            "kfree_skb": self._dropped,
        }

    def take(self, record: Record, going_on: CallGoingOn | None) -> None:
        """What happened, and the call that the thread was in, unless it was interrupted."""
        if record.name == "inet_sock_set_state":
            self._state(record, going_on)
        elif record.name == "kfree_skb" and record.numbers(_OF_SOCKET)[0] not in self.by_address:
            return  # nobody's drop
        elif record.name in self._handlers:
            self._handlers[record.name](record, record.values())

    def adopt(self, sock: Sock) -> None:
        """A socket that was there before."""
        self._index(sock)
        if sock.role == "listener" and sock not in self.listeners_at(sock):
            self.listeners_at(sock).append(sock)

    def other_is_watched(self, sock: Sock) -> bool:
        """Whether the socket at the other end is on this machine, and watched."""
        if sock.local is None or sock.remote is None:
            return False
        other = self._by_ends.get((sock.remote, sock.local))
        return other is not None and other.watched

    def forget(self, sock: Sock) -> None:
        """It is over, and nobody asks for it any more."""
        if self.by_address.get(sock.address) is sock:
            del self.by_address[sock.address]
        if sock.local and sock.remote:
            ends = (sock.local, sock.remote)
            if self._by_ends.get(ends) is sock:
                del self._by_ends[ends]
        self.fresh.discard(sock)

    def _state(self, record: Record, pending: CallGoingOn | None) -> None:
        address, before, after, protocol = record.numbers(_STATE)
        if protocol != socket.IPPROTO_TCP:
            return
        old, new = _state_name(before), _state_name(after)
        sock = self._sock_at(address, old, new, record, pending)
        place = record.part(_ENDS)
        if place != sock.place or not sock.role or new == _LISTEN:
            sock.place = place
            self._placed(sock, *_ends(record.values()), new)
        sock.changes.append(Changed(record.t_ns, old, new, pending.made if pending else None))
        self._moved(sock, record.t_ns, old, new)
        self.fresh.add(sock)

    def _sock_at(
        self,
        address: int,
        old: str,
        new: str,
        record: Record,
        pending: CallGoingOn | None,
    ) -> Sock:
        """The socket that a change of state is about: the one at this address, unless this is the
        beginning of another's life. Whatever was said of a port that nobody watches is not known:
        the address may have been another socket's in the meantime."""
        known = self.by_address.get(address)
        begins = (old == _CLOSED and new in (_SYN_SENT, _LISTEN)) or old == _LISTEN != new
        if new == _CLOSED:
            begins = False
        called = self._called(pending, known)
        same = known is called and known is not None and not known.ended_ns and known.state == old
        if known is not None and (same or not begins):
            return known
        if called is not None and called.ended_ns:
            life = Sock(called.protocol, inode=called.inode)  # the same socket, connected anew
            called.successor = life
            life.open_at = called.open_at
            life.holders, life.watched = list(called.holders), called.watched
        elif called is not None and not called.address:
            life = called
        else:
            life = (self._before(record) if known is None else None) or Sock()
        life.address = address
        self.by_address[address] = life
        if pending is not None and called is None:
            pending.changed.append(life)
        return life

    def _called(self, pending: CallGoingOn | None, known: Sock | None) -> Sock | None:
        """The socket of the call that is going on, if it may be the one that changes."""
        if pending is None or pending.fd is None:
            return None
        sock = pending.descriptor
        if known is not None and sock is None and known not in pending.changed:
            pending.changed.append(known)
        fits = sock is not None and (sock is known or not sock.address)
        return sock if fits else None

    def _before(self, record: Record) -> Sock | None:
        """A socket from before the trace, whose address was not known."""
        local, remote = _ends(record.values())
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
        own, listening = sock.local, self.listeners_at(sock)
        if own and not sock.role and any(_takes(one, own) for one in listening):
            sock.role = "server"  # it began while nobody watched yet
        if new == _LISTEN:
            sock.role = "listener"
            if sock not in listening:
                listening.append(sock)

    def _index(self, sock: Sock) -> None:
        if sock.local and sock.remote and sock.local.port and sock.remote.port:
            self._by_ends[sock.local, sock.remote] = sock
            sock.told += self._loose.pop(frozenset((sock.local, sock.remote)), ())

    def listeners_at(self, sock: Sock) -> list[Sock]:
        """Those of its port."""
        return self._listeners.setdefault(sock.local.port if sock.local else 0, [])

    def _moved(self, sock: Sock, t_ns: int, old: str, new: str) -> None:
        sock.state = new
        if new == _SYN_SENT:
            sock.role, sock.begun_ns = "client", t_ns
        elif new == _LISTEN:
            sock.begun_ns = t_ns
        elif old == _LISTEN and new != _CLOSED:
            sock.role, sock.begun_ns = "server", t_ns
            self._queued(sock)
        elif new == "ESTABLISHED":
            sock.established, sock.established_ns = True, t_ns
        elif new in (_OWN_END, _PEER_END):
            sock.first_end = sock.first_end or ("own" if new == _OWN_END else "peer")
        elif new == _CLOSED:
            sock.ended_ns = t_ns
            if sock.role == "listener" and sock in self.listeners_at(sock):
                self.listeners_at(sock).remove(sock)

    def _queued(self, sock: Sock) -> None:
        local, remote = sock.local, sock.remote
        if local is None or remote is None:
            return
        peer = self._by_ends.get((remote, local))
        if peer is not None and at_home(local, remote):
            sock.netns = peer.netns
        listening = [
            one
            for one in self.listeners_at(sock)
            if _takes(one, local) and (not sock.netns or one.netns in (0, sock.netns))
        ]
        if len(listening) == 1:
            sock.listener = listening[0]
            listening[0].waiting.append(sock)
            sock.netns = sock.netns or listening[0].netns
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
        sock = self.by_address.get(address)
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
            if what == "reset-received":
                sock.told += self._word_for(told)
            sock.told.append(told)
            self.fresh.add(sock)
        elif sock is not None and what == "reset-sent":
            sock.told.append(told)
            self._unaddressed.append((sock, told))
        elif remote is not None:
            if len(self._loose) >= _MOST_LOOSE:
                self._loose.pop(next(iter(self._loose)))
            self._loose.setdefault(frozenset((local, remote)), []).append(told)

    def _word_for(self, received: Told) -> list[Told]:
        """Of an RST that came from a listener of this machine, the listener's word: that names no
        peer, so it is the one that has waited longest."""
        waiting = self._unaddressed
        while waiting and received.t_ns - waiting[0][1].t_ns > _UNADDRESSED_NS:
            waiting.popleft()
        for one in waiting:
            listener, word = one
            if received.remote is not None and _takes(listener, received.remote):
                waiting.remove(one)
                listener.told.remove(word)
                return [msgspec.structs.replace(word, local=received.remote, remote=received.local)]
        return []

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
        sock = self.by_address.get(long(values, "rx_sk"))
        if sock is not None and sock.local:
            reason = _symbol(record, values, "reason")
            self._tell(record, "dropped", sock.address, sock.local, sock.remote, reason)


def _state_name(number: int) -> str:
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


def _takes(listener: Sock, local: Endpoint) -> bool:
    """Whether a listener answers at this endpoint."""
    own = listener.local
    if own is None or own.port != local.port:
        return False
    return own.address in (local.address, "0.0.0.0", "::")
