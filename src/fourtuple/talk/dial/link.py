"""One connection of ours: a socket whose calls are noted, and the codec that is spoken on it.

It never waits, but for `connect`: `pump` says when there is something to read or room to write.
"""

import os
import socket
import struct
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from fourtuple.event.model import Endpoint
from fourtuple.talk.codecs.base import Received
from fourtuple.talk.dial.codecs import ClientCodec, Whole
from fourtuple.talk.journal import Journal

__all__ = ["IcmpError", "Link", "address_text"]

_READ_BYTES = 1 << 16
_SEND_BYTES = 1 << 20
_IP_RECVERR, _IPV6_RECVERR = 11, 25
_MSG_ERRQUEUE = 0x2000
_ORIGIN_LOCAL, _ORIGIN_ICMP, _ORIGIN_ICMP6 = 1, 2, 3
_EXTENDED_ERROR = struct.Struct("=IBBBxII")  # sock_extended_err (linux/errqueue.h)
#: packets to oneself that may be under way at once
_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class IcmpError:
    """What the kernel was told of a datagram: errno, the ICMP message that said it and who sent
    that; type and code are 0 and `offender` is "" where it was the kernel itself."""

    number: int
    icmp_type: int = 0
    code: int = 0
    offender: str = ""


@dataclass(slots=True, eq=False)
class Link:
    """`address` is what connect() is given. `sent`, `received`: payload bytes and messages."""

    sock: socket.socket
    address: Any
    codec: ClientCodec
    journal: Journal
    sent_bytes: int = 0
    received_bytes: int = 0
    sends: int = 0
    receives: int = 0
    first_byte_ns: int = 0
    #: whether the other side's FIN has been read
    heard_fin: bool = False
    pending: bytearray = field(default_factory=bytearray)
    datagrams: deque[bytes] = field(default_factory=deque)
    _last: bytes | None = None
    heard_again: deque[bytes] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    @property
    def is_stream(self) -> bool:
        return self.sock.type == socket.SOCK_STREAM

    def connect(self, timeout_s: float) -> None:
        """OSError where it fails; TimeoutError without errno after `timeout_s`."""
        self.sock.settimeout(timeout_s)
        if not self.is_stream:
            self._ask_for_errors()
        shown = address_text(self.address)
        self.journal.call(self.sock, "connect", (shown,), lambda: self.sock.connect(self.address))
        self.sock.setblocking(False)

    def _ask_for_errors(self) -> None:
        """Have the kernel keep ICMP errors with their origin (ip(7), IP_RECVERR)."""
        names = ("IPPROTO_IP", "IP_RECVERR", 1)
        level, option = socket.IPPROTO_IP, _IP_RECVERR
        if self.sock.family == socket.AF_INET6:
            names = ("IPPROTO_IPV6", "IPV6_RECVERR", 1)
            level, option = socket.IPPROTO_IPV6, _IPV6_RECVERR
        self.journal.call(
            self.sock, "setsockopt", names, lambda: self.sock.setsockopt(level, option, 1)
        )

    def open(self) -> None:
        """What the codec says first."""
        self.pending += self.codec.open()

    def put(self, message: bytes) -> None:
        """Send a message, as soon as there is room."""
        if isinstance(self.codec, Whole):
            self.datagrams.append(message)
        else:
            self.pending += self.codec.send(message)

    @property
    def waiting(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self.pending or self.datagrams)

    def flush(self) -> None:
        """Send what fits: one call. OSError where the connection is gone."""
        whole = bool(self.datagrams)
        data = self._last = self.datagrams.popleft() if whole else bytes(self.pending[:_SEND_BYTES])
        try:
            count = self.journal.call(
                self.sock, "send", (len(data),), lambda: self.sock.send(data), len(data)
            )
        except BlockingIOError:
            if whole:
                self.datagrams.appendleft(data)
            return
        self._last = None
        self.sent_bytes += count
        self.sends += 1
        if whole:
            self._remember(data)
        else:
            del self.pending[:count]

    def again(self) -> None:
        """The datagram that could not be sent, because the kernel had bad news of an earlier one
        to tell first, is sent again."""
        if self._last is not None:
            self.datagrams.appendleft(self._last)
            self._last = None

    def _remember(self, data: bytes) -> None:
        if self.sock.type == socket.SOCK_RAW and self._own():
            self.heard_again.append(data)

    def _own(self) -> bool:
        """Whether it talks to its own address: a raw socket then hears itself."""
        return bool(self.sock.getsockname()[0] == self.address[0])

    def receive(self) -> Received:
        """What one recv() brings; codecs' `Broken` and OSError as they come."""
        try:
            data = self.journal.call(
                self.sock, "recv", (_READ_BYTES,), lambda: self.sock.recv(_READ_BYTES), _READ_BYTES
            )
        except BlockingIOError:
            return Received()
        if data and not self.first_byte_ns:
            self.first_byte_ns = time.monotonic_ns()
        if self.sock.type == socket.SOCK_RAW:
            data = _without_header(data, self.sock.family)
            if data in self.heard_again and self._own():
                self.heard_again.remove(data)
                return Received()
        self.heard_fin = self.is_stream and not data
        self.received_bytes += len(data)
        self.receives += bool(data) or not self.is_stream
        found = self.codec.receive(data)
        self.pending += found.answer
        return found

    def end(self) -> None:
        """The codec's last words; `shut` tells the kernel once they are sent."""
        self.pending += self.codec.finish()

    def shut(self) -> None:
        """No more will be sent: FIN."""
        self.journal.call(
            self.sock, "shutdown", ("SHUT_WR",), lambda: self.sock.shutdown(socket.SHUT_WR)
        )

    def close(self) -> None:
        if self.sock.fileno() >= 0:
            self.journal.call(self.sock, "close", (), self.sock.close)

    def error(self) -> OSError | None:
        """What the kernel holds against the socket (SO_ERROR)."""
        number = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return OSError(number, os.strerror(number)) if number else None

    def refusals(self) -> list[IcmpError]:
        """What the kernel was told of datagrams that did not arrive, oldest first."""
        found: list[IcmpError] = []
        while (one := self._refusal()) is not None:
            found.append(one)
        return found

    def _refusal(self) -> IcmpError | None:
        try:
            _, ancillary, _, _ = self.sock.recvmsg(_READ_BYTES, 512, _MSG_ERRQUEUE)
        except OSError:
            return None
        for level, kind, data in ancillary:
            wanted = ((socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR))
            if (level, kind) in wanted and len(data) >= _EXTENDED_ERROR.size:
                number, origin, icmp_type, code, _, _ = _EXTENDED_ERROR.unpack_from(data)
                if origin in (_ORIGIN_ICMP, _ORIGIN_ICMP6):
                    return IcmpError(number, icmp_type, code, _offender(data))
                return IcmpError(number)
        return None


def _offender(data: bytes) -> str:
    """Who sent the ICMP message: the socket address behind sock_extended_err."""
    after = data[_EXTENDED_ERROR.size :]
    family = int.from_bytes(after[:2], sys.byteorder)
    if family == socket.AF_INET and len(after) >= 8:
        return socket.inet_ntop(family, after[4:8])
    if family == socket.AF_INET6 and len(after) >= 24:
        return socket.inet_ntop(family, after[8:24])
    return ""


def _without_header(data: bytes, family: int) -> bytes:
    """A raw IPv4 socket hands over the packet with its header (raw(7)); an IPv6 one does not."""
    if family != socket.AF_INET or not data:
        return data
    return data[(data[0] & 0x0F) * 4 :]


def address_text(address: Any) -> str:
    """An address as calls show it."""
    if isinstance(address, tuple):
        return str(Endpoint(str(address[0]), int(address[1])))
    return str(address)
