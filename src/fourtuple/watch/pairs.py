"""Sockets -> connections, and what is new of them.

A connection may have both its sockets on this machine, or one. Rules: it is told of when it is
established, when an accept() takes it, and when the last of its sockets is closed; nothing is told
twice. Whose fault an end is, its sockets say: who closed first, an RST and the kernel's reason for
it, an error that was reported.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from fourtuple.event.model import Endpoint
from fourtuple.source.trace.datagrams import SILENT
from fourtuple.source.trace.sockets import Sock, at_home
from fourtuple.watch.frames import pair_key

__all__ = ["Cause", "News", "Pair", "Pairs"]

#: after its end a connection waits for the return of the call that made it, and for last frames
_GRACE_NS = 50_000_000


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a connection ended: `code` is one of refused, unanswered, reset, timed-out, error,
    given-up, silent (UDP), closed; `by` "client", "server" or ""; `detail` the kernel's word, if
    it gave one."""

    code: str
    by: str = ""
    detail: str = ""


@dataclass(slots=True, eq=False)
class Pair:
    """A connection; at least one of its sockets is known. Two network namespaces may have the same
    four-tuple at the same time."""

    ends: tuple[Endpoint, Endpoint]
    client: Sock | None = None
    server: Sock | None = None
    opened_told: bool = False
    accepted_told: bool = False
    ended_told: bool = False
    _key: bytes = b""

    @property
    def socks(self) -> list[Sock]:
        return [sock for sock in (self.client, self.server) if sock is not None]

    @property
    def protocol(self) -> str:
        """tcp, or udp: a conversation."""
        return self.socks[0].protocol

    @property
    def key(self) -> bytes:
        self._key = self._key or pair_key(*self.ends, self.protocol)
        return self._key

    def may_have(self, sock: Sock, role: str) -> bool:
        """Whether a socket with these ends may be the one of that role."""
        taken = self.client if role == "client" else self.server
        if taken is not None or self.protocol != sock.protocol:
            return False
        return not at_home(*self.ends) or not sock.netns or self.netns in (0, sock.netns)

    @property
    def netns(self) -> int:
        """The network namespace of a socket of it; 0 where not known."""
        return next((sock.netns for sock in self.socks if sock.netns), 0)

    def seen_from(self, netns: int) -> bool:
        """Whether its segments may pass through that network namespace."""
        return not at_home(*self.ends) or self.netns in (0, netns)

    @property
    def watched(self) -> bool:
        client, server = self.client, self.server
        return bool((client and client.watched) or (server and server.watched))

    @property
    def established(self) -> bool:
        client, server = self.client, self.server
        return bool((client and client.established) or (server and server.established))

    @property
    def over(self) -> bool:
        client, server = self.client, self.server
        return not ((client and not client.ended_ns) or (server and not server.ended_ns))

    @property
    def begun_ns(self) -> int:
        """0 where it was there before."""
        return min((sock.begun_ns for sock in self.socks if sock.begun_ns), default=0)

    @property
    def ended_ns(self) -> int:
        return max(sock.ended_ns for sock in self.socks)

    @property
    def owners_known(self) -> bool:
        return all(sock.owner for sock in self.socks)

    def sent(self) -> tuple[int, int] | None:
        """Bytes that programs gave to their sockets, or took from them: (from the client, from the
        server); of an end that is elsewhere what this end says. None where no calls are known."""
        client, server = self.client, self.server
        if not any(sock.calls for sock in self.socks):
            return None
        up = client.sent_bytes if client else server.received_bytes if server else 0
        down = server.sent_bytes if server and server.calls else 0
        return up, down or (client.received_bytes if client else 0)

    def cause(self) -> Cause:
        """Why it ended."""
        told = [(one, side) for side, sock in self._sides() for one in sock.told]
        sent = next((one for one, _ in told if one.what == "reset-sent"), None)
        error = next((sock.error for sock in self.socks if sock.error), "")
        if error == SILENT:
            return Cause("silent")
        if not self.established:
            return self._unopened(error, sent.reason if sent else "")
        if sent is not None:
            return Cause("reset", self._side_of(sent.local), sent.reason)
        got = next((side for one, side in told if one.what == "reset-received"), None)
        if got is not None:
            return Cause("reset", "server" if got == "client" else "client")
        if error == "ETIMEDOUT":
            return Cause("timed-out", "", error)
        first = self._first()
        return Cause("error", "", error) if error and not first else Cause("closed", first)

    def _unopened(self, error: str, reason: str) -> Cause:
        if error == "ECONNREFUSED":
            return Cause("refused", "server", reason)
        if error == "ETIMEDOUT":
            return Cause("unanswered", "", error)
        return Cause("error", "", error) if error else Cause("given-up", "client")

    def _sides(self) -> Iterator[tuple[str, Sock]]:
        if self.client:
            yield "client", self.client
        if self.server:
            yield "server", self.server

    def _side_of(self, local: Endpoint) -> str:
        return "client" if local == self.ends[0] else "server"

    def _first(self) -> str:
        """Who closed first, as either socket saw it."""
        for side, sock in self._sides():
            if sock.first_end:
                other = "server" if side == "client" else "client"
                return side if sock.first_end == "own" else other
        return ""


@dataclass(frozen=True, slots=True)
class News:
    """Something to tell: `what` is listening, opened, accepted, ended, of a pair or a listener;
    "present" for one that was open before anybody watched, "open" for one that is at the end."""

    t_ns: int
    what: str
    pair: Pair | None = None
    listener: Sock | None = None


@dataclass(slots=True)
class Pairs:
    """Connections by their four-tuple. `wants` says which are anybody's concern; `unwanted` is
    called with those that are over and were not."""

    wants: Callable[[Pair], bool]
    wants_listener: Callable[[Sock], bool]
    unwanted: Callable[[Pair], None] = lambda _: None
    _current: dict[tuple[Endpoint, Endpoint], list[Pair]] = field(default_factory=dict)
    _of: dict[Sock, Pair] = field(default_factory=dict)
    _ending: dict[Pair, None] = field(default_factory=dict)
    _listening: set[Sock] = field(default_factory=set)

    def __iter__(self) -> Iterator[Pair]:
        """Those that are not over."""
        return iter([pair for pairs in self._current.values() for pair in pairs])

    def update(self, socks: Iterable[Sock]) -> Iterator[News]:
        """What is new, now that these sockets have changed."""
        changed: dict[Pair, None] = {}
        for sock in sorted({sock.latest for sock in socks}, key=_begun):
            if sock.role == "listener":
                yield from self._listener(sock)
            elif _is_connection(sock):
                changed[self._pair(sock)] = None
        for pair in changed:
            yield from self._news(pair)

    def _listener(self, sock: Sock) -> Iterator[News]:
        if sock not in self._listening and self.wants_listener(sock) and sock.begun_ns:
            self._listening.add(sock)
            yield News(sock.begun_ns, "listening", listener=sock)

    def _pair(self, sock: Sock) -> Pair:
        assert sock.local and sock.remote
        known = self._of.get(sock)
        client = sock.role != "server"
        ends = (sock.local, sock.remote) if client else (sock.remote, sock.local)
        if known is not None:
            return known
        there = self._current.setdefault(ends, [])
        role = "client" if client else "server"
        fits = (one for one in reversed(there) if one.may_have(sock, role))
        pair = next(fits, None)
        if pair is None:  # a new one, or the ports are used again
            pair = Pair(ends)
            there.append(pair)
        if client:
            pair.client = sock
        else:
            pair.server = sock
        self._of[sock] = pair
        return pair

    def _news(self, pair: Pair) -> Iterator[News]:
        if not self.wants(pair):
            if pair.over:
                self.drop(pair)
                self.unwanted(pair)
            return
        if pair.established and not pair.opened_told:
            pair.opened_told = True
            accepted = pair.server is None or pair.owners_known
            pair.accepted_told = accepted or pair.protocol != "tcp"
            t_ns = max(sock.established_ns for sock in pair.socks)
            yield News(t_ns, "opened" if pair.begun_ns else "present", pair)
        elif pair.opened_told and not pair.accepted_told and pair.server and pair.server.owner:
            pair.accepted_told = True
            took = [call.end_ns or call.t_ns for call in pair.server.calls if call.made]
            yield News(max(took, default=pair.server.established_ns), "accepted", pair)
        if pair.over and not pair.ended_told:
            self._ending[pair] = None

    def settled(self, now_ns: int) -> Iterator[News]:
        """Those of which nothing more is to be expected, in the order in which they ended."""
        for pair in list(self._ending):
            if pair.over and pair.ended_ns + _GRACE_NS > now_ns:
                return
            del self._ending[pair]
            if pair.over:
                pair.ended_told = True
                self.drop(pair)
                yield News(pair.ended_ns, "ended", pair)

    def drop(self, pair: Pair) -> None:
        """Nothing more is to be told of it."""
        there = self._current.get(pair.ends, [])
        if pair in there:
            there.remove(pair)
        if not there:
            self._current.pop(pair.ends, None)
        for sock in pair.socks:
            self._of.pop(sock, None)


def _is_connection(sock: Sock) -> bool:
    """Whether it has two ends. A UDP socket has as many peers as it likes: its conversations are
    what is told of (source.trace.datagrams)."""
    if not (sock.local and sock.remote and sock.local.port and sock.remote.port):
        return False
    return sock.protocol == "tcp" or sock.established


def _begun(sock: Sock) -> int:
    return sock.begun_ns
