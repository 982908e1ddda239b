"""The sockets that a trace shows, and what befell each of them.

The kernel names a socket by its address in memory, which is used again: a `Sock` is one life, from
its opening to its end. What happened is kept as it was told and made into events at the end, when
more may be known of the socket than at the time: a connect() begins before the port is chosen.
"""

import socket
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count

from fourtuple.event.model import Call, Endpoint, State, Told

__all__ = [
    "HOST",
    "CallMade",
    "Changed",
    "Holder",
    "Sock",
    "at_home",
    "call_event",
    "endpoint",
    "events_of",
    "plain",
]

#: all that a trace tells happens on the machine itself
HOST = "local"
_MAPPED = "::ffff:"
#: what close() of the last descriptor makes of a connection, at once or (before Linux 6.6) as the
#: call returns
_ENDING = frozenset(("FIN_WAIT1", "LAST_ACK", "CLOSED"))
_CLOSING_NS = 5_000_000
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Holder:
    """A descriptor of a process."""

    pid: int
    fd: int
    command: str


@dataclass(slots=True)
class CallMade:
    """A call, on a socket or (accept) with a new one as its result."""

    t_ns: int
    end_ns: int | None
    name: str
    pid: int
    thread: int
    command: str
    args: tuple[str | int, ...]
    fd: int | None
    size: int | None
    result: int | None = None
    errno: str | None = None
    on: "Sock | None" = None
    made: "Sock | None" = None


@dataclass(frozen=True, slots=True)
class Changed:
    """A state became another, as `source` says; `call` is the one in whose course its thread made
    it so."""

    t_ns: int
    old: str
    new: str
    call: CallMade | None
    source: str = "trace"


@dataclass(slots=True, eq=False)
class Sock:
    """One life of a socket.

    address    in the kernel's memory; 0 where not known yet
    role       "client", "server" or "listener"; "" where it was open before
    holders    the descriptors that had it, the first one first
    guessed    its holder follows from the order of the accept queue, and nothing has proved it
    netns      the inode of its network namespace; 0 where not known
    left_ns    when the last descriptor that is known went, though it was connected; 0: it has one
    listener   whose queue it came through
    waiting    a listener's connections that no accept() has taken
    ended_ns   0 while it lives
    first_end  who closed first: "own" or "peer"
    peer       of a conversation (UDP): the other end of it, where that is on this machine
    place      its ends as the kernel's last record of it had them
    concern    whether it matters though its own process is not watched; None: not known yet
    """

    protocol: str = "tcp"
    address: int = 0
    inode: int = 0
    netns: int = 0
    left_ns: int = 0
    local: Endpoint | None = None
    remote: Endpoint | None = None
    state: str = "CLOSED"
    role: str = ""
    holders: list[Holder] = field(default_factory=list)
    open_at: int = 0
    guessed: bool = False
    watched: bool = False
    listener: "Sock | None" = None
    waiting: deque["Sock"] = field(default_factory=deque)
    begun_ns: int = 0
    ended_ns: int = 0
    first_end: str = ""
    peer: "Sock | None" = None
    place: bytes = b""
    concern: bool | None = None
    established: bool = False
    established_ns: int = 0
    error: str = ""
    sent_bytes: int = 0
    received_bytes: int = 0
    calls: list[CallMade] = field(default_factory=list)
    changes: list[Changed] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    successor: "Sock | None" = None
    serial: int = field(default_factory=lambda: next(_numbers))

    @property
    def number(self) -> int:
        """Its inode; where nobody saw that, a number below 0 that is no other's."""
        return self.inode or -self.serial

    @property
    def latest(self) -> "Sock":
        """What this turned out to be, or the life that the same socket has now."""
        sock = self
        while sock.successor is not None:
            sock = sock.successor
        return sock

    @property
    def owner(self) -> Holder | None:
        return self.holders[0] if self.holders else None

    @property
    def elsewhere(self) -> bool:
        """Whether a process that nobody follows has it: all descriptors that are known were closed,
        and nothing ended it then."""
        if not self.left_ns:
            return False
        ended = [change for change in self.changes if change.new in _ENDING]
        return not ended or ended[0].t_ns > self.left_ns + _CLOSING_NS

    def held_by(self, holder: Holder, *, watched: bool) -> None:
        """A descriptor has it."""
        if holder not in self.holders:
            self.holders.append(holder)
        self.watched |= watched

    def is_now(self, other: "Sock") -> None:
        """This one, of which only calls are known, is the other."""
        if self is other:
            return
        self.successor = other
        other.calls += self.calls
        for holder in self.holders:
            other.held_by(holder, watched=self.watched)
        other.open_at += self.open_at
        other.inode = other.inode or self.inode
        other.netns = other.netns or self.netns
        other.listener = other.listener or self.listener


@lru_cache(1024)
def _address(family: int, address: bytes) -> str:
    """An address as frames show it: of an IPv6 socket that speaks IPv4, that of IPv4."""
    return plain(Endpoint(socket.inet_ntop(family, address), 0)).address


def endpoint(family: int, address: bytes, port: int) -> Endpoint | None:
    """An endpoint as frames show it; None where these bytes are no address."""
    try:
        return Endpoint(_address(family, address), port)
    except (OSError, ValueError):
        return None


def at_home(one: Endpoint, other: Endpoint) -> bool:
    """Whether both ends must be in one network namespace: an address of the loopback network, or
    twice the same."""
    return one.address == other.address or one.address.startswith("127.")


def plain(end: Endpoint) -> Endpoint:
    """The endpoint of an IPv6 socket that speaks IPv4 as frames show it."""
    mapped = end.address.startswith(_MAPPED) and "." in end.address
    return Endpoint(end.address[len(_MAPPED) :], end.port) if mapped else end


def events_of(sock: Sock) -> Iterator[Call | State | Told]:
    """What happened to a socket, as events; not in order."""
    for call in sock.calls:
        yield call_event(call)
    nowhere = Endpoint("0.0.0.0", 0)
    for change in sock.changes:
        yield State(
            t_ns=change.t_ns,
            host=HOST,
            local=sock.local or nowhere,
            remote=sock.remote or nowhere,
            old=change.old,
            new=change.new,
            source=change.source,
            inode=sock.number,
        )
    yield from sock.told
    if sock.guessed and sock.local is not None:
        t_ns = max((call.end_ns or call.t_ns for call in sock.calls if call.made), default=0)
        yield Told(t_ns=t_ns, host=HOST, what="accept-inferred", local=sock.local,
                   remote=sock.remote, inode=sock.number)  # fmt: skip


def call_event(call: CallMade) -> Call:
    """A call as an event: on its socket, or without one where it could not be joined."""
    on = call.on.latest if call.on else None
    made = call.made.latest if call.made else None
    about = made or on
    args = call.args
    if call.name == "connect" and on and on.remote:
        args = (str(on.remote),)
    elif call.name == "bind" and on and on.local:
        args = (str(on.local),)
    return Call(
        t_ns=call.t_ns,
        end_ns=call.end_ns,
        host=HOST,
        program=call.command,
        pid=call.pid,
        thread=call.thread,
        name=call.name,
        args=args,
        fd=call.fd,
        inode=on.number if on else 0,
        new_inode=made.number if made else 0,
        result=call.result,
        errno=call.errno,
        size=call.size,
        local=about.local if about else None,
        remote=about.remote if about and about.state != "LISTEN" else None,
    )
