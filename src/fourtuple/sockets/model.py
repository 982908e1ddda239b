"""What a table of sockets is made of, and what its numbers are called.

Rows are the kernel's (system.inet_dump); what a row means in words is looked up here.
"""

import socket
from collections.abc import Collection, Iterator, Mapping
from operator import itemgetter

from fourtuple.system.inet_dump import BOUND, LISTEN, SYN_RECV, InetRow, InetRows, UnixRow
from fourtuple.system.owners import Owner, Owners
from fourtuple.system.sock_diag import STATES, TIMERS

__all__ = [
    "PROTOCOLS",
    "STATE_NUMBERS",
    "UNIX_KINDS",
    "Hosts",
    "Listing",
    "address_of",
    "endpoint",
    "interface_of",
    "port_of",
    "state_of",
    "timer_of",
    "unix_name",
    "why_nobody",
]

#: types of UNIX sockets that listen (SOCK_STREAM, SOCK_SEQPACKET)
UNIX_KINDS: Mapping[int, str] = {1: "stream", 5: "seqpacket"}
PROTOCOLS = ("tcp", "udp", "raw", "unix")
_INODE = itemgetter(14)
_CLOSED = 7
_TIME_WAIT, _NEW_SYN_RECV = 6, 12
_CLOSING = frozenset((4, 5, 9, 11))  # FIN_WAIT1, FIN_WAIT2, LAST_ACK, CLOSING

#: what --state takes -> the states' numbers
STATE_NUMBERS: Mapping[str, tuple[int, ...]] = {
    **{name.lower().replace("_", "-"): (number,) for number, name in enumerate(STATES) if name},
    "syn-recv": (SYN_RECV, _NEW_SYN_RECV),
    "closed": (_CLOSED, BOUND),
    "bound": (_CLOSED, BOUND),
    "unconnected": (_CLOSED,),
}


class Listing:
    """Sockets of one network namespace, by protocol; `namespace` is its inode, `owners` holds who
    has a socket, by the socket's inode. `refused` processes could not be looked into."""

    __slots__ = ("inet", "namespace", "owners", "owners_asked", "refused", "unix")

    def __init__(
        self,
        inet: Mapping[str, Collection[InetRow]] | None = None,
        unix: Collection[UnixRow] = (),
        namespace: int = 0,
        owners: Mapping[int, tuple[Owner, ...]] | None = None,
    ) -> None:
        self.inet, self.unix = dict(inet or {}), list(unix)
        self.namespace = namespace
        self.owners: Mapping[int, tuple[Owner, ...]] = owners or {}
        self.refused, self.owners_asked = 0, True

    def __len__(self) -> int:
        return sum(map(len, self.inet.values())) + len(self.unix)

    def rows(self) -> Iterator[tuple[str, InetRow]]:
        """Each with its protocol, without the UNIX sockets."""
        return ((protocol, row) for protocol, some in self.inet.items() for row in some)

    def hidden(self) -> int:
        """How many sockets have an owner that was not found."""
        if not self.owners_asked:
            return 0
        inodes = {row.inode for row in self.unix}
        for some in self.inet.values():
            inodes.update(map(_INODE, some.plain() if isinstance(some, InetRows) else some))
        inodes.discard(0)
        owners = self.owners
        if isinstance(owners, Owners):
            return len(owners.unknown(inodes))
        return len(inodes - owners.keys())


class Hosts(dict[bytes, str]):
    """An address of one family -> its text as it stands before a port, made once for each."""

    def __init__(self, family: int) -> None:
        self._family = family
        self._size = 4 if family == socket.AF_INET else 16

    def __missing__(self, address: bytes) -> str:
        host = socket.inet_ntop(self._family, address[: self._size])
        text = self[address] = f"[{host}]" if self._size == 16 else host
        return text


def endpoint(row: InetRow, *, remote: bool = False) -> str:
    """One end of a socket as text: 10.0.0.1:80, [::1]:80; * for no port. The local end of one that
    is bound to an interface names it: [fe80::1%eth0]:80, 0.0.0.0%eth0:68."""
    host = Hosts(row.family)[row.remote_address if remote else row.local_address]
    if row.interface and not remote:
        name = interface_of(row)
        host = f"{host[:-1]}%{name}]" if host.endswith("]") else f"{host}%{name}"
    return f"{host}:{port_of(row, remote=remote) or '*'}"


def interface_of(row: InetRow) -> str | None:
    """The interface that a socket is bound to, or its number where it is not ours to name."""
    if not row.interface:
        return None
    try:
        return socket.if_indextoname(row.interface)
    except OSError:
        return str(row.interface)


def address_of(row: InetRow, *, remote: bool = False) -> str:
    """The address of one end."""
    packed = row.remote_address if remote else row.local_address
    return socket.inet_ntop(row.family, packed[: 4 if row.family == socket.AF_INET else 16])


def port_of(row: InetRow, *, remote: bool = False) -> int:
    """The port of one end."""
    return int.from_bytes(row.remote_port if remote else row.local_port, "big")


def state_of(protocol: str, number: int) -> str:
    """The name of a state. What the kernel calls CLOSE is, in its table, a TCP socket that has a
    port and no more, or a datagram socket that is not connected."""
    if number in (_CLOSED, BOUND):
        return "BOUND" if protocol == "tcp" else "UNCONNECTED"
    return STATES[number] if number < len(STATES) else f"state {number}"


def timer_of(row: InetRow) -> str:
    """The kind of the timer that runs, "" where none does."""
    return TIMERS[row.timer] if row.timer < len(TIMERS) else f"timer {row.timer}"


def why_nobody(protocol: str, row: InetRow) -> str:
    """Why no process has this socket: half-open, accept-queue, closed, time-wait; hidden where one
    may. Only TCP sockets are ever without a file (inode 0), apart from the kernel's own."""
    if row.inode:
        return "hidden"
    if row.state == _TIME_WAIT:
        return "time-wait"
    if row.state in (SYN_RECV, _NEW_SYN_RECV):
        return "half-open"
    if protocol == "tcp" and row.state in _CLOSING:
        return "closed"
    return "accept-queue" if protocol == "tcp" and row.state != LISTEN else "kernel"


def unix_name(name: bytes) -> str:
    """A UNIX socket's path; an abstract name with @ in the place of its zero byte."""
    text = name.decode("utf-8", "backslashreplace")
    return "@" + text[1:] if text.startswith("\0") else text.rstrip("\0")
