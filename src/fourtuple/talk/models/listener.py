"""A listening socket with what is spoken there, and how a server is told to stop."""

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fourtuple.talk.codecs.base import Codec

__all__ = ["CHUNK_BYTES", "DRAIN_S", "LINGER_S", "Listener", "Stop", "peer_text"]

#: as much as one recv() may take: more than a loopback segment, less than a cache
CHUNK_BYTES = 64 * 1024
#: how long what waits may take to be sent once the server was told to stop
DRAIN_S = 5.0
#: how long a client that was told good-bye may take to close its side. Closing at once would answer
#: its last bytes with RST, which may destroy what was sent to it (RFC 9293, section 3.6.1).
LINGER_S = 2.0


@dataclass(frozen=True, slots=True)
class Listener:
    """A stream socket that listens, the scheme that it is named by, and a codec for each client."""

    socket: socket.socket
    scheme: str
    codec: Callable[[], Codec]


class Stop:
    """Becomes readable when the server is to stop; may be set from a signal handler."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.deadline_s: float | None = None

    def fileno(self) -> int:
        return self._read

    def set(self) -> None:
        """Refuse new clients, send what waits, close."""
        if self.deadline_s is None:
            self.deadline_s = time.monotonic() + DRAIN_S
            os.write(self._write, b"\0")

    @property
    def asked(self) -> bool:
        return self.deadline_s is not None

    @property
    def late(self) -> bool:
        """Whether the time for sending what waits is over."""
        return self.deadline_s is not None and time.monotonic() > self.deadline_s

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)


def peer_text(address: Any) -> str:
    """A peer's address as people write it; a client of a unix socket has none."""
    if isinstance(address, tuple):
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        return f"{host}:{address[1]}"
    return str(address) if address else "unix"
