"""What every model needs: a listening socket with what is spoken there, a door through which
clients come in, and how a server is told to stop."""

import errno
import os
import resource
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.talk.codecs.base import Codec
from fourtuple.talk.hall import Hall

__all__ = [
    "CHUNK_BYTES",
    "DRAIN_S",
    "ENOUGH_BYTES",
    "LINGER_S",
    "Door",
    "Listener",
    "Stop",
    "no_descriptor",
    "peer_text",
]

#: as much as one recv() or send() may take: more than a loopback segment, less than a cache
CHUNK_BYTES = 64 * 1024
#: a client that sends faster than it reads is not listened to while so much waits for it
ENOUGH_BYTES = 256 * 1024
#: how long what waits may take to be sent once the server was told to stop
DRAIN_S = 5.0
#: how long a client that was told good-bye may take to close its side. Closing at once would answer
#: its last bytes with RST, which may destroy what was sent to it (RFC 9293, section 3.6.1).
LINGER_S = 2.0
_BREATH_S = 0.05

NO_DESCRIPTOR = N_(
    "Clients are turned away: this process may have {limit} descriptors, and all are in use"
    " (ulimit -n)."
)


@dataclass(frozen=True, slots=True)
class Listener:
    """A stream socket that listens, the scheme that it is named by, and a codec for each client."""

    socket: socket.socket
    scheme: str
    codec: Callable[[], Codec]


class Door:
    """Accepts clients. When no descriptor is left, a spare one is given up to take the next client
    and hang up: left in the accept queue, it would wait for nothing, and select() would never
    rest."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._spare = _spare()
        self._told = False

    def accept(self, listener: Listener) -> tuple[socket.socket, str] | None:
        """Who comes next, and from where; None where nobody does."""
        try:
            connection, address = listener.socket.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._turn_away(listener)
            return None  # else ECONNABORTED, EAGAIN: it has left already
        self._told = False
        return connection, peer_text(address)

    def _turn_away(self, listener: Listener) -> None:
        if not self._told:
            self._told = True
            self._hall.tell(no_descriptor())
        if self._spare < 0:
            time.sleep(_BREATH_S)
        else:
            os.close(self._spare)
            with suppress(OSError):
                listener.socket.accept()[0].close()
        self._spare = _spare()

    def close(self) -> None:
        if self._spare >= 0:
            os.close(self._spare)
            self._spare = -1


def no_descriptor() -> Message:
    """What is told when clients are turned away because there is no descriptor for them."""
    return Message(NO_DESCRIPTOR, {"limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0]})


def _spare() -> int:
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


class Stop:
    """Becomes readable when the server is to stop; may be set from a signal handler."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.deadline_s: float | None = None

    def fileno(self) -> int:
        return self._read

    @property
    def wake_fd(self) -> int:
        """A byte that is written here ends a wait: once a signal has come, `set()` is about to be
        called."""
        return self._write

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
