"""What most messages are: heard, answered and handed to the kernel in one go.

A closure, which has all that it needs at hand and counts in variables of its own: attributes that
are looked up for each message cost a readiness loop a twentieth of its processor time. For the same
reason, all that is seldom needed is behind one name.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass

from fourtuple.talk.hall import Hall, Seat, gone
from fourtuple.talk.models.listener import CHUNK_BYTES

__all__ = ["ShortWay", "short_way"]


@dataclass(frozen=True, slots=True)
class ShortWay:
    """`answer` hears and answers, and tells whether nothing is left to do; `count` gives the seat
    the bytes that went this way since."""

    answer: Callable[[], bool]
    count: Callable[[], None]


def short_way(connection: socket.socket, seat: Seat, hall: Hall) -> ShortWay | None:
    """For a seat for which nothing waits; None where its messages all go through the hall."""
    direct = seat.direct
    if direct is None:
        return None
    hear, say, long_way = connection.recv, connection.send, _LongWay(seat, hall)
    heard_bytes = said_bytes = 0

    def answer() -> bool:
        nonlocal heard_bytes, said_bytes
        try:
            data = hear(CHUNK_BYTES)
        except OSError as error:  # ECONNRESET, ETIMEDOUT
            return long_way.failed(error)
        said = direct(data) if data else None
        if said is None:
            return long_way.receive(data)
        heard_bytes += len(data)
        try:
            sent = say(said)
        except BlockingIOError:
            sent = 0
        except OSError as error:  # EPIPE, ECONNRESET
            return long_way.failed(error)
        said_bytes += sent
        return sent == len(said) or long_way.put(said[sent:])

    def count() -> None:
        nonlocal heard_bytes, said_bytes
        seat.received_bytes += heard_bytes
        seat.sent_bytes += said_bytes
        heard_bytes = said_bytes = 0

    return ShortWay(answer, count)


@dataclass(frozen=True, slots=True)
class _LongWay:
    """For what turns out not to be that simple. Each tells whether nothing is left to do."""

    seat: Seat
    hall: Hall

    def receive(self, data: bytes) -> bool:
        self.hall.receive(self.seat, data)
        return False

    def put(self, data: bytes) -> bool:
        self.seat.put(data)
        return False

    def failed(self, error: OSError) -> bool:
        if not isinstance(error, BlockingIOError):
            self.hall.drop(self.seat, gone(error))
        return False
