"""What a table of sockets is made of, and what its numbers are called.

Rows are the kernel's (system.inet_dump); what a row means in words is looked up here.
"""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fourtuple.system.inet_dump import BOUND, LISTEN, SYN_RECV, InetRow, UnixRow
from fourtuple.system.owners import Owner
from fourtuple.system.sock_diag import STATES, TIMERS

__all__ = [
    "PROTOCOLS",
    "STATE_NUMBERS",
    "Ends",
    "Listing",
    "address_of",
    "endpoint",
    "port_of",
    "state_of",
    "timer_of",
    "unix_name",
    "why_nobody",
]

PROTOCOLS = ("tcp", "udp", "raw", "unix")
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


@dataclass(slots=True)
class Listing:
    """Sockets of one network namespace, by protocol; `namespace` is its inode, `owners` holds who
    has a socket, by the socket's inode. `refused` processes could not be looked into."""

    inet: dict[str, list[InetRow]] = field(default_factory=dict)
    unix: list[UnixRow] = field(default_factory=list)
    namespace: int = 0
    owners: dict[int, list[Owner]] = field(default_factory=dict)
    refused: int = 0
    owners_asked: bool = True

    def __len__(self) -> int:
        return sum(map(len, self.inet.values())) + len(self.unix)

    def rows(self) -> Sequence[tuple[str, InetRow]]:
        """Each with its protocol, without the UNIX sockets."""
        return [(protocol, row) for protocol, some in self.inet.items() for row in some]

    def hidden(self) -> int:
        """How many sockets have an owner that was not found."""
        if not self.owners_asked:
            return 0
        inodes = {row.inode for _, row in self.rows()} | {row.inode for row in self.unix}
        return len(inodes - {0} - self.owners.keys())


class Ends(dict[tuple[bytes, bytes], str]):
    """(address, port) of one family -> the text of that end, made once for each."""

    def __init__(self, family: int) -> None:
        self._family = family
        self._addresses: dict[bytes, str] = {}
        self._size = 4 if family == socket.AF_INET else 16

    def __missing__(self, key: tuple[bytes, bytes]) -> str:
        address, port = key
        host = self._addresses.get(address)
        if host is None:
            host = socket.inet_ntop(self._family, address[: self._size])
            host = self._addresses[address] = f"[{host}]" if self._size == 16 else host
        return f"{host}:{port[0] << 8 | port[1] or '*'}"


def endpoint(row: InetRow, *, remote: bool = False) -> str:
    """One end of a socket as text: 10.0.0.1:80, [::1]:80."""
    ends = Ends(row.family)
    if remote:
        return ends[row.remote_address, row.remote_port]
    return ends[row.local_address, row.local_port]


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
