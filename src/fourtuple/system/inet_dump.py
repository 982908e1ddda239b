"""Whole socket tables, fast: NETLINK_SOCK_DIAG dumps of TCP, UDP, RAW and UNIX sockets.

Rules: rows stay in the kernel's messages until somebody looks at them, each time anew: memory that
is touched for the first time costs more than unpacking twice. Messages of equal length that follow
each other are unpacked in one go. The kernel hands a long table over in pieces and forgets which
sockets it has shown: one in whose hash chain another comes or goes meanwhile may be missed, or
shown twice. Knows nothing of processes (system.owners).
"""

import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any, NamedTuple

__all__ = [
    "BOUND",
    "EVERY_STATE",
    "INFO",
    "LISTEN",
    "MEMORY",
    "SYN_RECV",
    "InetRow",
    "InetRows",
    "Tables",
    "UnixRow",
    "attributes_of",
    "drops_of",
]

_NETLINK_SOCK_DIAG, _REQUEST_DUMP = 4, 0x301
#: the question of today, and the first one, which TCP still answers for both families in one go
_BY_FAMILY, _TCPDIAG_GETSOCK = 20, 18
_BOTH = (socket.AF_INET, socket.AF_INET6)
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
#: the kernel makes no dump message longer than 32 KiB (netlink_recvmsg)
_BUFFER = 1 << 15

SYN_RECV, LISTEN = 3, 10
#: TCP sockets that have a port and neither listen nor are connected; Linux 6.8 and later list them
BOUND = 13
#: of enum in include/net/tcp_states.h, all that can be asked for
EVERY_STATE = 0x3FFE

#: attributes that must be asked for: struct tcp_info; SK_MEMINFO
INFO, MEMORY = 2, 7
_SK_MEMINFO_DROPS = 8

_HEADER = struct.Struct("=IHHII")  # nlmsghdr
_SAME_BYTES = 8  # length, kind and flags
_INET_REQUEST = struct.Struct("=BBBBI48x")  # inet_diag_req_v2, any socket
_FIRST_REQUEST = struct.Struct("=BBBB48xII")  # inet_diag_req
_UNIX_REQUEST = struct.Struct("=BBHIIIQ")  # unix_diag_req
_INET_MESSAGE = struct.Struct("=BBBB2s2s16s16sIQIIIII")  # inet_diag_msg
_UNIX_MESSAGE = struct.Struct("=BBBBIQ")  # unix_diag_msg
_ATTRIBUTE = struct.Struct("=HH")
_STATUS = struct.Struct("=i")
_UNIX_NAME, _UNIX_QUEUES, _UNIX_UID = 0, 4, 7
_UNIX_SHOW = 1 << _UNIX_NAME | 1 << _UNIX_QUEUES | 1 << 6


class InetRow(NamedTuple):
    """One socket as inet_diag_msg has it. Ports and addresses are in network order (IPv4: the
    first four bytes); `expires_ms` is what is left on `timer`; of a RAW socket the local port is
    its protocol. `attributes` are the kernel's, unread (`attributes_of`); empty where none was
    asked for."""

    family: int
    state: int
    timer: int
    retransmits: int
    local_port: bytes
    remote_port: bytes
    local_address: bytes
    remote_address: bytes
    interface: int
    cookie: int
    expires_ms: int
    recv_q: int
    send_q: int
    uid: int
    inode: int
    attributes: bytes


class InetRows:
    """Rows in the kernel's order, which are made while one goes through them."""

    __slots__ = ("_count", "_runs", "families")

    def __init__(self) -> None:
        self.families: set[int] = set()
        self._runs: list[tuple[struct.Struct, bytes]] = []
        self._count = 0

    def add(self, one: struct.Struct, data: bytes) -> None:
        """Messages that `one` unpacks."""
        self._runs.append((one, data))
        self.families.update(data[_HEADER.size :: one.size])
        self._count += len(data) // one.size

    def extend(self, other: "InetRows") -> None:
        """The rows of another dump, behind these."""
        self._runs += other._runs
        self.families |= other.families
        self._count += other._count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[InetRow]:
        return map(tuple.__new__, repeat(InetRow), self.plain())

    def plain(self) -> Iterator[tuple[Any, ...]]:
        """The same as tuples without names: in a third of the time."""
        return chain.from_iterable(one.iter_unpack(data) for one, data in self._runs)

    def __contains__(self, row: object) -> bool:
        return any(row == one for one in self)


class UnixRow(NamedTuple):
    """One UNIX socket that listens. `kind` is SOCK_STREAM or SOCK_SEQPACKET; an abstract `name`
    begins with a zero byte; `recv_q` connections wait of at most `limit` + 1; `uid` is None where
    the kernel does not say (before Linux 5.3)."""

    name: bytes
    kind: int
    recv_q: int
    limit: int
    uid: int | None
    inode: int


class Tables:
    """The tables of the network namespace in which it was made. OSError where the kernel refuses:
    ENOENT where it has no such table (UNIX, RAW may be missing)."""

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG)
        self._buffer = bytearray(_BUFFER)

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> "Tables":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def inet(
        self,
        protocol: int,
        states: int = EVERY_STATE,
        families: tuple[int, ...] = _BOTH,
        extensions: tuple[int, ...] = (),
    ) -> InetRows:
        """The sockets of a protocol in these states (bits)."""
        wanted = sum(1 << (one - 1) for one in extensions)
        rows = InetRows()
        if protocol == socket.IPPROTO_TCP and families == _BOTH:
            # one walk through the kernel's table instead of two
            first = _FIRST_REQUEST.pack(socket.AF_UNSPEC, 0, 0, wanted, states, 0)
            self._ask(first, _TCPDIAG_GETSOCK)
            self._collect(rows, extensions)
            return rows
        for family in families:
            self._ask(_INET_REQUEST.pack(family, protocol, wanted, 0, states))
            self._collect(rows, extensions)
        return rows

    def _collect(self, rows: InetRows, extensions: tuple[int, ...]) -> None:
        for step, some in self._answers():
            rest = step - _HEADER.size - _INET_MESSAGE.size
            # what nobody asked for need not be kept 40,000 times
            behind = f"{rest}s" if extensions else f"0s{rest}x"
            one = struct.Struct(f"={_HEADER.size}x{_INET_MESSAGE.format[1:]}{behind}")
            rows.add(one, bytes(some))

    def unix_listeners(self) -> list[UnixRow]:
        """The UNIX sockets that listen."""
        self._ask(_UNIX_REQUEST.pack(socket.AF_UNIX, 0, 0, 1 << LISTEN, 0, _UNIX_SHOW, 0))
        rows = []
        for step, some in self._answers():
            for begin in range(0, len(some), step):
                rows.append(_unix_row(bytes(some[begin + _HEADER.size : begin + step])))
        return rows

    def _ask(self, body: bytes, kind: int = _BY_FAMILY) -> None:
        length = _HEADER.size + len(body)
        self._socket.send(_HEADER.pack(length, kind, _REQUEST_DUMP, 1, 0) + body)

    def _answers(self) -> Iterator[tuple[int, memoryview]]:
        """Runs of messages of one length: that length, and their bytes. To be used before the next
        is asked for."""
        while True:
            size = self._socket.recv_into(self._buffer)
            offset = 0
            while offset + _HEADER.size <= size:
                length, kind, _, _, _ = _HEADER.unpack_from(self._buffer, offset)
                if kind in (_NLMSG_DONE, _NLMSG_ERROR):
                    (status,) = _STATUS.unpack_from(self._buffer, offset + _HEADER.size)
                    if status < 0:
                        raise OSError(-status, f"sock_diag: {os.strerror(-status)}")
                    return
                if length < _HEADER.size:
                    raise OSError(errno.EPROTO, f"sock_diag: {os.strerror(errno.EPROTO)}")
                step = (length + 3) & ~3
                end = offset + self._alike(offset, size, step) * step
                yield step, memoryview(self._buffer)[offset:end]
                offset = end

    def _alike(self, offset: int, size: int, step: int) -> int:
        """How many messages with this header follow each other from here, without a look at each
        of them."""
        count = max(1, (size - offset) // step)
        for place in range(_SAME_BYTES):
            column = self._buffer[offset + place : offset + count * step : step]
            count -= len(column.lstrip(column[:1]))
        return count


def attributes_of(data: bytes) -> dict[int, bytes]:
    """The netlink attributes in `data` by their number; what is cut off is left out."""
    found: dict[int, bytes] = {}
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size:
            break
        found[kind] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return found


def drops_of(row: InetRow) -> int | None:
    """What this socket has dropped (sk_drops); None where MEMORY was not asked for."""
    memory = attributes_of(row.attributes).get(MEMORY, b"")
    at = 4 * _SK_MEMINFO_DROPS
    return int.from_bytes(memory[at : at + 4], sys.byteorder) if len(memory) >= at + 4 else None


def _unix_row(message: bytes) -> UnixRow:
    _, kind, _, _, inode, _ = _UNIX_MESSAGE.unpack_from(message)
    found = attributes_of(message[_UNIX_MESSAGE.size :])
    queues = found.get(_UNIX_QUEUES, bytes(8))
    uid = found.get(_UNIX_UID)
    return UnixRow(
        name=found.get(_UNIX_NAME, b""),
        kind=kind,
        recv_q=int.from_bytes(queues[:4], sys.byteorder),
        limit=int.from_bytes(queues[4:8], sys.byteorder),
        uid=None if uid is None else int.from_bytes(uid, sys.byteorder),
        inode=inode,
    )
