"""The kernel's socket table, through NETLINK_SOCK_DIAG (sock_diag(7), inet_diag.h).

Written by hand rather than through a library: the lab asks after every frame, and a dump of a
namespace's few sockets takes the kernel 50 us.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["STATES", "TIMERS", "DiagSocket", "SockDiag", "parse_row", "timer_apart"]

#: enum in include/net/tcp_states.h, in sock_diag's spelling; NEW_SYN_RECV is reported as SYN_RECV
STATES = (
    "",
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSED",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "SYN_RECV",
)
#: idiag_timer (inet_diag_msg_common_fill, inet_sk_diag_fill)
TIMERS = ("", "retransmit", "keepalive", "time-wait", "probe")

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY, _SOCK_DESTROY = 20, 21
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_DUMP, _NLM_F_DUMP_INTR = 0x1, 0x4, 0x300, 0x10
_INET_DIAG_SKMEMINFO, _INET_DIAG_SKV6ONLY = 7, 11
_SK_MEMINFO_BACKLOG = 7
#: not BOUND_INACTIVE, which only some kernels (6.7) can list
_EVERY_STATE = 0x1FFF

_HEADER = struct.Struct("=IHHII")  # nlmsghdr
#: of a header, the bytes of length, kind and flags; the rest is the same in all answers
_SAME_BYTES = 8
#: dumps are asked for one after the other: none needs a number of its own
_DUMP_SEQUENCE = 1
_REQUEST = struct.Struct("=BBBBI48x")  # inet_diag_req_v2; an empty inet_diag_sockid: any socket
_EXACT = struct.Struct("=BBBBI2s2s16s16sI8s")  # inet_diag_req_v2 that names one socket
_MESSAGE = struct.Struct("=BBBB2s2s16s16sI8sIIIII")  # inet_diag_msg
#: idiag_expires, the milliseconds left on the timer, behind four bytes and the inet_diag_sockid
_EXPIRES_AT, _EXPIRES = 52, struct.Struct("=I")
_ATTRIBUTE = struct.Struct("=HH")
_PORT = struct.Struct("!H")
_COOKIE = struct.Struct("=Q")
_ANY_COOKIE = b"\xff" * _COOKIE.size  # INET_DIAG_NOCOOKIE, twice


class DiagSocket(NamedTuple):
    """One row: `family` is AF_INET or AF_INET6, addresses are text, times milliseconds.

    `recv_q` and `send_q` are, for a listener, the accept queue's length and limit; `backlog_bytes`
    is what waits because a program had the socket locked when it came. `v6_only`: a listener at ::
    that takes no IPv4 connections.
    """

    family: int
    state: str
    local: tuple[str, int]
    remote: tuple[str, int]
    recv_q: int
    send_q: int
    uid: int
    inode: int
    cookie: int
    timer: str
    timer_ms: int
    retransmits: int
    backlog_bytes: int
    v6_only: bool = False


class SockDiag:
    """Asks for the sockets of the namespace in which it was made."""

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG)
        self._sequence = 0

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def dump(
        self, protocol: int = socket.IPPROTO_TCP, families: tuple[int, ...] = (2, 10)
    ) -> list[DiagSocket]:
        """Every socket of a protocol, in the kernel's order; OSError where it refuses."""
        return [parse_row(message) for message in self.messages(protocol, families)]

    def messages(
        self, protocol: int = socket.IPPROTO_TCP, families: tuple[int, ...] = (2, 10)
    ) -> list[bytes]:
        """The same as the kernel's messages, one a socket, for `parse_row`.

        A dump that the table changed under is asked for again, ten times at most.
        """
        messages: list[bytes] = []
        for family in families:
            for _ in range(10):
                found, interrupted = self._dump_family(protocol, family)
                if not interrupted:
                    break
            messages += found
        return messages

    def find(self, family: int, local: tuple[str, int], remote: tuple[str, int]) -> bytes | None:
        """The message of the TCP socket that a segment from `remote` to `local` would be given to:
        a connection's, else a listener's; None where there is neither. Takes the kernel 7 us."""
        body = _EXACT.pack(
            family, socket.IPPROTO_TCP, 1 << (_INET_DIAG_SKMEMINFO - 1), 0, _EVERY_STATE,
            *_ends(family, local, remote), 0, _ANY_COOKIE,
        )  # fmt: skip
        size = _HEADER.size + len(body)
        header = _HEADER.pack(size, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, _DUMP_SEQUENCE, 0)
        self._socket.send(header + body)
        for kind, _, content in _messages(self._socket.recv(1 << 14)):
            if kind != _NLMSG_ERROR:
                return bytes(content)
            number = -struct.unpack_from("=i", content)[0]
            if number != errno.ENOENT:
                raise OSError(number, f"sock_diag: {os.strerror(number)}")
        return None

    def one(self, local: tuple[str, int], remote: tuple[str, int]) -> DiagSocket | None:
        """The connection with these two ends; None where there is none, or only a listener."""
        family = socket.AF_INET6 if ":" in local[0] else socket.AF_INET
        message = self.find(family, local, remote)
        row = parse_row(message) if message is not None else None
        return None if row is None or row.state == "LISTEN" else row

    def destroy(
        self, family: int, local: tuple[str, int], remote: tuple[str, int], cookie: int
    ) -> None:
        """Have the kernel abort a TCP socket, as `ss --kill` does (CONFIG_INET_DIAG_DESTROY).

        OSError where there is none like it (ENOENT), or the caller may not (CAP_NET_ADMIN).
        """
        ends = _ends(family, local, remote)
        body = _EXACT.pack(
            family, socket.IPPROTO_TCP, 0, 0, _EVERY_STATE, *ends, 0, _COOKIE.pack(cookie)
        )
        self._sequence += 1
        flags = _NLM_F_REQUEST | _NLM_F_ACK
        header = _HEADER.pack(_HEADER.size + len(body), _SOCK_DESTROY, flags, self._sequence, 0)
        self._socket.send(header + body)
        for kind, _, content in _messages(self._socket.recv(1 << 12)):
            number = -struct.unpack_from("=i", content)[0]
            if kind == _NLMSG_ERROR and number:
                raise OSError(number, f"sock_diag: {os.strerror(number)}")

    def _dump_family(self, protocol: int, family: int) -> tuple[list[bytes], bool]:
        body = _REQUEST.pack(family, protocol, 1 << (_INET_DIAG_SKMEMINFO - 1), 0, _EVERY_STATE)
        flags = _NLM_F_REQUEST | _NLM_F_DUMP
        length = _HEADER.size + len(body)
        self._socket.send(
            _HEADER.pack(length, _SOCK_DIAG_BY_FAMILY, flags, _DUMP_SEQUENCE, 0) + body
        )
        rows: list[bytes] = []
        interrupted = False
        while True:
            for kind, flags, contents in _runs(self._socket.recv(1 << 18)):
                interrupted |= bool(flags & _NLM_F_DUMP_INTR)
                if kind == _NLMSG_DONE:
                    return rows, interrupted
                if kind == _NLMSG_ERROR:
                    number = -struct.unpack_from("=i", contents[0])[0]
                    raise OSError(number, f"sock_diag: {os.strerror(number)}")
                rows += contents


def _ends(family: int, local: tuple[str, int], remote: tuple[str, int]) -> Iterator[bytes]:
    """Both ports, then both addresses, as inet_diag_sockid has them."""
    yield from (_PORT.pack(port) for _, port in (local, remote))
    for address, _ in (local, remote):
        yield socket.inet_pton(family, address).ljust(16, b"\0")


def _messages(data: bytes) -> Iterator[tuple[int, int, memoryview]]:
    view, offset = memoryview(data), 0
    while offset + _HEADER.size <= len(view):
        length, kind, flags, _, _ = _HEADER.unpack_from(view, offset)
        if length < _HEADER.size:
            return
        yield kind, flags, view[offset + _HEADER.size : offset + length]
        offset += (length + 3) & ~3


def _runs(data: bytes) -> Iterator[tuple[int, int, list[bytes]]]:
    """The messages, those together that follow each other with equal headers, as nearly all of a
    long dump do: where a run ends is found without looking at each of them."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, flags, _, _ = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size:
            return
        step = (length + 3) & ~3
        count = max(1, (len(data) - offset) // step)
        for place in range(_SAME_BYTES):
            column = data[offset + place :: step][:count]
            count -= len(column.lstrip(column[:1]))
        begins = range(offset, offset + count * step, step)
        yield kind, flags, [data[begin + _HEADER.size : begin + length] for begin in begins]
        offset += count * step


def timer_apart(message: bytes) -> tuple[bytes, int]:
    """A socket's message without the time that is left on its timer, and that time in
    milliseconds: of what stays the same from one dump to the next, only this runs down."""
    end = _EXPIRES_AT + _EXPIRES.size
    return message[:_EXPIRES_AT] + message[end:], _EXPIRES.unpack_from(message, _EXPIRES_AT)[0]


def parse_row(message: bytes) -> DiagSocket:
    """The socket that a message of `SockDiag.messages` is about."""
    (
        family, state, timer, retransmits, source_port, destination_port, source, destination,
        _, cookie, expires_ms, recv_q, send_q, uid, inode,
    ) = _MESSAGE.unpack_from(message)  # fmt: skip
    size = 4 if family == socket.AF_INET else 16
    return DiagSocket(
        family=family,
        state=STATES[state] if state < len(STATES) else f"state {state}",
        local=(socket.inet_ntop(family, source[:size]), _PORT.unpack(source_port)[0]),
        remote=(socket.inet_ntop(family, destination[:size]), _PORT.unpack(destination_port)[0]),
        recv_q=recv_q,
        send_q=send_q,
        uid=uid,
        inode=inode,
        cookie=_COOKIE.unpack(cookie)[0],
        timer=TIMERS[timer] if timer < len(TIMERS) else f"timer {timer}",
        timer_ms=expires_ms if timer else 0,
        retransmits=retransmits,
        **_attributes(memoryview(message)[_MESSAGE.size :]),
    )


def _attributes(attributes: memoryview) -> dict[str, Any]:
    """What the attributes behind a row say: backlog_bytes, v6_only."""
    found: dict[str, Any] = {"backlog_bytes": 0}
    offset = 0
    while offset + _ATTRIBUTE.size <= len(attributes):
        length, kind = _ATTRIBUTE.unpack_from(attributes, offset)
        if length < _ATTRIBUTE.size:
            break
        if kind == _INET_DIAG_SKMEMINFO and length >= _ATTRIBUTE.size + 4 * 8:
            at = offset + _ATTRIBUTE.size + 4 * _SK_MEMINFO_BACKLOG
            found["backlog_bytes"] = int(struct.unpack_from("=I", attributes, at)[0])
        elif kind == _INET_DIAG_SKV6ONLY and length > _ATTRIBUTE.size:
            found["v6_only"] = bool(attributes[offset + _ATTRIBUTE.size])
        offset += (length + 3) & ~3
    return found
