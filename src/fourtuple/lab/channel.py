"""Messages between the director and one of its processes: MessagePack, length first."""

import select
import socket
import struct
import threading
import time
from typing import Any

import msgspec

from fourtuple.errors import N_, HostLost

__all__ = ["Channel", "channel_pair"]

_LENGTH = struct.Struct("=I")

ENDED_EARLY = N_("A process of the lab ended before its time.")


class Channel:
    """One end. Sending is safe from several threads; receiving belongs to one."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._lock = threading.Lock()

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: Any) -> None:
        body = msgspec.msgpack.encode(message)
        try:
            with self._lock:
                self._socket.sendall(_LENGTH.pack(len(body)) + body)
        except (BrokenPipeError, ConnectionResetError):
            raise HostLost(ENDED_EARLY) from None

    def receive(self, deadline_s: float | None = None) -> Any:
        """The next message. `deadline_s` is on time.monotonic()'s scale: TimeoutError after it;
        HostLost where the other end is gone."""
        self._await(deadline_s)
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        return msgspec.msgpack.decode(self._exactly(length))

    def close(self) -> None:
        self._socket.close()

    def _await(self, deadline_s: float | None) -> None:
        left_s = None if deadline_s is None else max(0.0, deadline_s - time.monotonic())
        if not select.select([self._socket], [], [], left_s)[0]:
            raise TimeoutError

    def _exactly(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size:
            try:
                part = self._socket.recv(min(size, 1 << 20))
            except ConnectionResetError:
                part = b""
            if not part:
                raise HostLost(ENDED_EARLY)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def channel_pair() -> tuple[Channel, Channel]:
    """Two ends of one channel: what is sent into one is received from the other."""
    left, right = socket.socketpair()
    return Channel(left), Channel(right)
