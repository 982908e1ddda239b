"""UDP in a trace: calls on a socket -> conversations, each with one peer.

A UDP socket has no states, and the addresses of its calls are not in the trace. Rules. Where a
datagram goes, and from which port, the kernel says when it looks for the route in the course of the
call (fib_table_lookup); a connected socket's was looked for by connect(). What is received is the
datagram that has waited longest of those of this length that were sent to this port, where that was
seen; else it is the peer's, if there is but one. A conversation is over when its client's socket is
closed, or after a minute without a call. What has no peer stays with the socket.
"""

from collections import deque
from collections.abc import Callable, Sequence

from fourtuple.event.model import Endpoint
from fourtuple.source.trace.sockets import CallMade, Holder, Sock

__all__ = ["SILENT", "Datagrams", "EndsOf", "Route"]

#: (from, to); the address of the first may be that of any interface
Route = tuple[Endpoint, Endpoint]
#: who has a socket -> its ends
EndsOf = Callable[[Holder], "tuple[Endpoint, Endpoint | None] | None"]

#: what is noted as the error of a conversation that nobody ended
SILENT = "SILENT"
_SILENT_NS = 60_000_000_000
_SENDS = frozenset(("send", "sendto", "sendmsg", "sendmmsg", "write", "writev"))
_RECEIVES = frozenset(("recv", "recvfrom", "recvmsg", "recvmmsg", "read", "readv"))
_ANYWHERE = ("0.0.0.0", "::")
#: datagrams that nobody was seen to receive: of a port, and ports that have any
_MOST_WAITING, _MOST_PORTS = 1000, 1000


class Datagrams:
    """`joined()` says of which conversation a call is; `fresh` is called with those that changed.

    source_of   the address from which the kernel would send to another; "" where none
    ends_of     local and remote end of a socket from before, by who has it; None where it is gone
    """

    def __init__(
        self,
        fresh: Callable[[Sock], None],
        source_of: Callable[[str], str] = lambda address: "",
        ends_of: EndsOf = lambda holder: None,
    ) -> None:
        self._fresh, self._source_of, self._ends_of = fresh, source_of, ends_of
        self._talks: dict[Sock, dict[Endpoint, Sock]] = {}
        self._by_ends: dict[Route, tuple[Sock, Sock]] = {}
        self._waiting: dict[int, deque[tuple[int, Sock]]] = {}
        self._looked_ns = 0

    def joined(
        self, sock: Sock, made: CallMade, route: Route | None, sizes: Sequence[int]
    ) -> Sock | None:
        """The conversation that a call on this socket is of, None where that is not known. `sizes`
        are the lengths of the datagrams that it sent or received."""
        if route is not None and route[0].port:
            sock.local = route[0]
        if route is not None and made.name == "connect":
            sock.remote = route[1]
        if made.result is None or made.name not in _SENDS | _RECEIVES:
            return self._only(sock)
        if sock.local is None or not sock.local.port:
            self._placed(sock)
        if made.name in _SENDS:
            return self._sent(sock, made, route[1] if route else sock.remote, sizes)
        return self._received(sock, made, sizes)

    def _only(self, sock: Sock) -> Sock | None:
        talks = list(self._talks.get(sock, {}).values())
        return talks[0] if len(talks) == 1 else None

    def _placed(self, sock: Sock) -> None:
        """It was there before, and bound: only the socket table says where."""
        found = self._ends_of(sock.owner) if sock.owner else None
        if found is not None:
            sock.local, sock.remote = found[0], sock.remote or found[1]

    def _sent(
        self, sock: Sock, made: CallMade, remote: Endpoint | None, sizes: Sequence[int]
    ) -> Sock | None:
        if remote is None or sock.local is None:
            return self._only(sock)
        talk = self._with(sock, remote, made, "client", "")
        talk.sent_bytes += sum(sizes)
        if remote.port not in self._waiting and len(self._waiting) >= _MOST_PORTS:
            del self._waiting[next(iter(self._waiting))]
        waiting = self._waiting.setdefault(remote.port, deque(maxlen=_MOST_WAITING))
        waiting.extend((size, talk) for size in sizes)
        return talk

    def _received(self, sock: Sock, made: CallMade, sizes: Sequence[int]) -> Sock | None:
        if sock.local is None:
            return self._only(sock)
        sender = self._sender(sock, sizes)
        if sender is not None and sender.local is not None and sender.remote is not None:
            talk = self._from(sender, sock, made, sender.local, sender.remote.address)
        elif sock.remote is not None:
            talk = self._with(sock, sock.remote, made, "server", "")
        else:
            only = self._only(sock)
            if only is None:
                return None
            talk = only
        talk.received_bytes += sum(sizes)
        return talk

    def _sender(self, sock: Sock, sizes: Sequence[int]) -> Sock | None:
        """Whose datagrams these were: each is taken from the queue of the port."""
        found = None
        for size in sizes:
            waiting = self._waiting.get(sock.local.port if sock.local else 0, deque())
            for one in waiting:
                if one[0] == size and _reaches(one[1], sock):
                    waiting.remove(one)
                    found = found or one[1]
                    break
        return found

    def _from(
        self, sender: Sock, sock: Sock, made: CallMade, remote: Endpoint, address: str
    ) -> Sock:
        """The conversation with who has sent this; what it is over for one end, the last datagrams
        may be still to be received."""
        if sender.peer is None or sender.peer.holders is not sock.holders:
            sender.peer = self._with(sock, remote, made, "server", address)
        self._fresh(sender.peer)
        return sender.peer

    def _with(self, sock: Sock, remote: Endpoint, made: CallMade, role: str, address: str) -> Sock:
        """The conversation of a socket with that peer, which may begin now; `address` is the local
        one where that was seen."""
        assert sock.local is not None
        talks = self._talks.setdefault(sock, {})
        talk = talks.get(remote)
        if talk is None:
            talk = talks[remote] = self._begun(sock, remote, made, role, address)
            if len(talks) == 1:
                _take_over(sock, talk)
        self._fresh(talk)
        return talk

    def _begun(self, sock: Sock, remote: Endpoint, made: CallMade, role: str, address: str) -> Sock:
        assert sock.local is not None
        if not address:
            address = sock.local.address
            if address in _ANYWHERE:
                address = self._source_of(remote.address) or address
        local = Endpoint(address, sock.local.port)
        peer = self._by_ends.get((remote, local))
        if peer is not None:
            role = "server" if peer[0].role == "client" else "client"
        talk = Sock(
            "udp", inode=sock.inode, netns=sock.netns, local=local, remote=remote, state="",
            role=role, holders=sock.holders, watched=sock.watched, begun_ns=made.t_ns,
            established=True, established_ns=made.end_ns or made.t_ns,
        )  # fmt: skip
        self._by_ends[local, remote] = talk, sock
        return talk

    def look(self, t_ns: int) -> None:
        """Something was closed: end what is over."""
        for sock in [sock for sock in self._talks if sock.open_at <= 0]:
            for talk in list(self._talks.get(sock, {}).values()):
                self._end(talk, sock, t_ns)
            self._talks.pop(sock, None)
        if t_ns - self._looked_ns < _SILENT_NS // 10:
            return
        self._looked_ns = t_ns
        for sock, talks in list(self._talks.items()):
            for talk in list(talks.values()):
                if talk.calls and t_ns - talk.calls[-1].t_ns > _SILENT_NS:
                    talk.error = SILENT
                    self._end(talk, sock, t_ns)

    def _end(self, talk: Sock, sock: Sock, t_ns: int) -> None:
        """It is over, and so is what the other end has of it, where this was the client's."""
        if talk.ended_ns or talk.local is None or talk.remote is None:
            return
        talk.ended_ns = t_ns
        self._talks.get(sock, {}).pop(talk.remote, None)
        self._by_ends.pop((talk.local, talk.remote), None)
        self._fresh(talk)
        peer = self._by_ends.get((talk.remote, talk.local))
        if peer is not None and talk.role == "client":
            self._end(*peer, t_ns)


def _reaches(talk: Sock, sock: Sock) -> bool:
    """Whether what one sends may be received by another that has the port."""
    if talk.remote is None or sock.local is None:
        return False
    here = sock.local.address in (talk.remote.address, *_ANYWHERE)
    connected = sock.remote is None or sock.remote == talk.local
    return here and connected and (not sock.netns or talk.netns in (0, sock.netns))


def _take_over(sock: Sock, talk: Sock) -> None:
    """The first conversation has the calls that made the socket ready for it."""
    for call in sock.calls:
        call.on = talk if call.on is sock else call.on
        call.made = talk if call.made is sock else call.made
    talk.calls, sock.calls = sock.calls, []
