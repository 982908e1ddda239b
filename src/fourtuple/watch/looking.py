"""What procfs and sock_diag say of processes that were there before anybody watched."""

import os
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache

from fourtuple.event.model import Endpoint
from fourtuple.source.trace.sockets import Holder, Sock, endpoint, plain
from fourtuple.system.inet_dump import InetRow, Tables
from fourtuple.system.owners import look_for_owners, owners_of, sockets_of
from fourtuple.system.sock_diag import DiagSocket, SockDiag, parse_row

__all__ = [
    "command_of",
    "descendants",
    "holders_of",
    "holders_of_port",
    "inode_behind",
    "known_sockets",
    "listening_processes",
    "namespace_of",
    "process_of",
    "queues_of",
    "receiving_processes",
    "row_of",
    "socket_rows",
    "source_of",
    "threads_of",
    "udp_ends",
]


#: of a UDP socket: it has no peer
_UNCONNECTED = 7
_ANY_PORT = 9


def process_of(thread: int) -> tuple[int, str] | None:
    """The process that a thread is of, and its command; None where it is gone."""
    with suppress(OSError, ValueError, IndexError):
        with open(f"/proc/{thread}/status", encoding="utf-8", errors="replace") as file:
            status = dict(line.split(":\t", 1) for line in file if ":\t" in line)
        pid = int(status["Tgid"])
        return pid, command_of(pid) or status["Name"].strip()
    return None


def command_of(pid: int) -> str:
    """The kernel's short name for a process; "" where it is gone."""
    with suppress(OSError), open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().rstrip("\n")
    return ""


def namespace_of(pid: int) -> int:
    """The inode of a process's network namespace; 0 where it is gone, or not ours to look at."""
    with suppress(OSError):
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    return 0


def threads_of(pids: Iterable[int]) -> list[int]:
    """All threads of some processes."""
    found: list[int] = []
    for pid in pids:
        with suppress(OSError):
            found += [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    return found


def descendants(pid: int) -> list[int]:
    """A process and all that come from it."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with (
                suppress(OSError, ValueError, IndexError),
                open(f"/proc/{name}/stat", "rb") as file,
            ):
                parent = int(file.read().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def socket_rows() -> list[DiagSocket]:
    """The TCP sockets of this namespace."""
    diag = SockDiag()
    try:
        return diag.dump()
    finally:
        diag.close()


def listening_processes(rows: Iterable[DiagSocket]) -> set[int]:
    """The processes that hold a listener of this namespace, as far as one may see."""
    inodes = {row.inode for row in rows if row.state == "LISTEN"}
    return {owner.pid for owners in owners_of(inodes).values() for owner in owners}


def receiving_processes() -> set[int]:
    """The processes that hold a UDP socket of this namespace to which anybody may send."""
    inodes = {row.inode for row in _udp_rows() if row.state == _UNCONNECTED} - {0}
    return {owner.pid for owners in owners_of(inodes).values() for owner in owners}


def _udp_rows() -> list[InetRow]:
    with suppress(OSError), Tables() as tables:
        return list(tables.inet(socket.IPPROTO_UDP))
    return []


def udp_ends(holder: Holder) -> tuple[Endpoint, Endpoint | None] | None:
    """Local and remote end of a UDP socket; None where it is gone."""
    inode = inode_behind(holder.pid, holder.fd)
    for row in _udp_rows() if inode else ():
        if row.inode == inode:
            here = _end(row.family, row.local_address, row.local_port)
            there = _end(row.family, row.remote_address, row.remote_port)
            return (here, there if there and there.port else None) if here else None
    return None


def _end(family: int, address: bytes, port: bytes) -> Endpoint | None:
    size = 4 if family == socket.AF_INET else 16
    return endpoint(family, address[:size], int.from_bytes(port, "big"))


@cache
def source_of(address: str) -> str:
    """The address from which this namespace would send to another; "" where it has no route."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((address, _ANY_PORT))  # which sends nothing
        return str(sock.getsockname()[0])
    return ""


def holders_of_port(rows: Iterable[DiagSocket], port: int) -> set[int]:
    """The processes that hold a socket with this port at either end."""
    inodes = {row.inode for row in rows if port in (row.local[1], row.remote[1])} - {0}
    return {owner.pid for owners in owners_of(inodes).values() for owner in owners}


def holders_of(inodes: Collection[int]) -> Mapping[int, Sequence[Holder]]:
    """Who holds these sockets, as far as one may see."""
    if not inodes:
        return {}
    found = look_for_owners(inodes).owners
    return {
        inode: [Holder(one.pid, one.fd, one.command) for one in owners]
        for inode, owners in found.items()
    }


def known_sockets(
    pids: Iterable[int], rows: Iterable[DiagSocket]
) -> Mapping[int, Mapping[int, Sock]]:
    """Process -> descriptor -> socket, of all TCP sockets that these processes hold."""
    rows = list(rows)
    by_inode = {row.inode: row for row in rows if row.inode}
    netns = namespace_of(os.getpid())
    listening = {row.local[1] for row in rows if row.state == "LISTEN"}
    made: dict[int, Sock] = {}
    found: dict[int, dict[int, Sock]] = {}
    for pid in pids:
        for fd, inode in sockets_of(pid):
            if inode in by_inode:
                if inode not in made:
                    made[inode] = _sock(by_inode[inode], listening)
                    made[inode].netns = netns
                found.setdefault(pid, {})[fd] = made[inode]
    return found


def _sock(row: DiagSocket, listening: set[int]) -> Sock:
    local, remote = plain(Endpoint(*row.local)), plain(Endpoint(*row.remote))
    role = "server" if local.port in listening else "client"
    if row.state == "LISTEN":
        return Sock(inode=row.inode, local=local, state=row.state, role="listener")
    return Sock(inode=row.inode, local=local, remote=remote, state=row.state, role=role,
                established=row.state != "SYN_SENT")  # fmt: skip


def inode_behind(pid: int, fd: int) -> int:
    """The inode of the socket that a descriptor is; 0 where it is none, or gone."""
    with suppress(OSError, ValueError):
        target = os.readlink(f"/proc/{pid}/fd/{fd}")
        if target.startswith("socket:["):
            return int(target[8:-1])
    return 0


def row_of(diag: SockDiag, sock: Sock) -> DiagSocket | None:
    """What the table says of a TCP socket now; None where it is gone."""
    local, remote = sock.local, None if sock.role == "listener" else sock.remote
    if local is None or sock.protocol != "tcp":
        return None
    anyone = Endpoint("::" if ":" in local.address else "0.0.0.0", 0)
    there = remote or anyone
    family = socket.AF_INET6 if ":" in local.address else socket.AF_INET
    with suppress(OSError):
        message = diag.find(family, (local.address, local.port), (there.address, there.port))
        row = parse_row(message) if message else None
        if row is not None and (row.state == "LISTEN") == (remote is None):
            return row
    return None


def queues_of(diag: SockDiag, sock: Sock) -> tuple[str, int, int] | None:
    """State, receive and send queue of a socket; of a listener the accept queue and its limit."""
    row = row_of(diag, sock)
    return (row.state, row.recv_q, row.send_q) if row else None
