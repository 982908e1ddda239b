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

__all__ = ["STATES", "TIMERS", "DiagSocket", "SockDiag"]

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
_SOCK_DIAG_BY_FAMILY = 20
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NLM_F_REQUEST, _NLM_F_DUMP, _NLM_F_DUMP_INTR = 0x1, 0x300, 0x10
_INET_DIAG_SKMEMINFO, _INET_DIAG_SKV6ONLY = 7, 11
_SK_MEMINFO_BACKLOG = 7
#: not BOUND_INACTIVE, which only some kernels (6.7) can list
_EVERY_STATE = 0x1FFF

_HEADER = struct.Struct("=IHHII")  # nlmsghdr
_REQUEST = struct.Struct("=BBBBI48x")  # inet_diag_req_v2; an empty inet_diag_sockid: any socket
_ENDS = struct.Struct("!HH16s16s4x8s")  # inet_diag_sockid: any interface, then the cookie
_ANY_COOKIE = b"\xff" * 8  # INET_DIAG_NOCOOKIE
_MESSAGE = struct.Struct("=BBBB2s2s16s16sI8sIIIII")  # inet_diag_msg
_ATTRIBUTE = struct.Struct("=HH")
_PORT = struct.Struct("!H")
_COOKIE = struct.Struct("=Q")


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

    def close(self) -> None:
        self._socket.close()

    def dump(
        self, protocol: int = socket.IPPROTO_TCP, families: tuple[int, ...] = (2, 10)
    ) -> list[DiagSocket]:
        """Every socket of a protocol, in the kernel's order; OSError where it refuses.

        A dump that the table changed under is asked for again, ten times at most.
        """
        rows: list[DiagSocket] = []
        for family in families:
            for _ in range(10):
                found, interrupted = self._dump_family(protocol, family)
                if not interrupted:
                    break
            rows += found
        return rows

    def one(
        self, local: tuple[str, int], remote: tuple[str, int], protocol: int = socket.IPPROTO_TCP
    ) -> DiagSocket | None:
        """The socket with these two ends, without a look at any other (7 us however many there
        are); None where there is none, or only a listener that would take the connection."""
        family = socket.AF_INET6 if ":" in local[0] else socket.AF_INET
        self._sequence += 1
        ends = _ENDS.pack(
            *(local[1], remote[1]),
            *(socket.inet_pton(family, address) for address in (local[0], remote[0])),
            _ANY_COOKIE,
        )
        body = _REQUEST.pack(family, protocol, 1 << (_INET_DIAG_SKMEMINFO - 1), 0, _EVERY_STATE)
        request = body[: -len(ends)] + ends
        self._socket.send(
            _HEADER.pack(
                *(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST),
                *(self._sequence, 0),
            )
            + request
        )
        for kind, _, content in _messages(self._socket.recv(1 << 18)):
            if kind == _NLMSG_ERROR:
                number = -struct.unpack_from("=i", content)[0]
                if number == errno.ENOENT:
                    return None
                raise OSError(number, f"sock_diag: {os.strerror(number)}")
            row = _row(content)
            return None if row.state == "LISTEN" else row
        return None

    def _dump_family(self, protocol: int, family: int) -> tuple[list[DiagSocket], bool]:
        self._sequence += 1
        body = _REQUEST.pack(family, protocol, 1 << (_INET_DIAG_SKMEMINFO - 1), 0, _EVERY_STATE)
        flags = _NLM_F_REQUEST | _NLM_F_DUMP
        length = _HEADER.size + len(body)
        self._socket.send(
            _HEADER.pack(length, _SOCK_DIAG_BY_FAMILY, flags, self._sequence, 0) + body
        )
        rows: list[DiagSocket] = []
        interrupted = False
        while True:
            for kind, flags, content in _messages(self._socket.recv(1 << 18)):
                interrupted |= bool(flags & _NLM_F_DUMP_INTR)
                if kind == _NLMSG_DONE:
                    return rows, interrupted
                if kind == _NLMSG_ERROR:
                    number = -struct.unpack_from("=i", content)[0]
                    raise OSError(number, f"sock_diag: {os.strerror(number)}")
                rows.append(_row(content))


def _messages(data: bytes) -> Iterator[tuple[int, int, memoryview]]:
    view, offset = memoryview(data), 0
    while offset + _HEADER.size <= len(view):
        length, kind, flags, _, _ = _HEADER.unpack_from(view, offset)
        if length < _HEADER.size:
            return
        yield kind, flags, view[offset + _HEADER.size : offset + length]
        offset += (length + 3) & ~3


def _row(message: memoryview) -> DiagSocket:
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
        **_attributes(message[_MESSAGE.size :]),
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
