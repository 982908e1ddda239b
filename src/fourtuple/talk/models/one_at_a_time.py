"""The server of every textbook: accept, serve until the client leaves, accept the next.

Whoever comes meanwhile is connected by the kernel and waits in the backlog, in order of arrival
(rows E6 and E9); a first client that says nothing keeps all others waiting (row A3).
"""

import selectors
import socket
import time
from collections.abc import Sequence
from contextlib import closing, suppress

from fourtuple.talk.hall import Hall, Seat, gone, silent
from fourtuple.talk.models.listener import CHUNK_BYTES, LINGER_S, Door, Listener, Stop
from fourtuple.talk.models.waiting import noted_selector

__all__ = ["serve_one_at_a_time"]

#: how soon what a datagram's sender said to a client of this server is noticed
_TICK_S = 0.2


def serve_one_at_a_time(listeners: Sequence[Listener], hall: Hall, stop: Stop) -> None:
    """Serve one client after the other until told to stop."""
    sockets = [each.socket for each in listeners]
    with noted_selector(sockets) as selector, closing(Door(hall)) as door:
        selector.register(stop, selectors.EVENT_READ)
        for listener in listeners:
            selector.register(listener.socket, selectors.EVENT_READ, listener)
        while not stop.asked:
            for key, _ in selector.select():
                if key.data is not None and not stop.asked:
                    _serve_next(door, key.data, hall, stop)
    for listener in listeners:
        listener.socket.close()


def _serve_next(door: Door, listener: Listener, hall: Hall, stop: Stop) -> None:
    accepted = door.accept(listener)
    if accepted is None:
        return
    connection, peer = accepted
    with connection:
        seat = hall.open(peer, listener.scheme, listener.codec())
        if seat is None:
            return
        try:
            _converse(connection, seat, hall, stop)
            _say_end(connection, seat)
        except OSError as error:  # ECONNRESET, EPIPE
            hall.drop(seat, gone(error))
        finally:
            hall.close(seat)


def _converse(connection: socket.socket, seat: Seat, hall: Hall, stop: Stop) -> None:
    """Answer, listen, answer, until either side has had enough."""
    heard_s = time.monotonic()
    with noted_selector([connection]) as selector:
        selector.register(stop, selectors.EVENT_READ)
        selector.register(connection, selectors.EVENT_READ)
        while not (seat.over or stop.late):
            wanted = selectors.EVENT_WRITE if seat.waiting else selectors.EVENT_READ
            selector.modify(connection, wanted)
            ready = [key.fileobj for key, _ in selector.select(_TICK_S)]
            if stop in ready:
                selector.unregister(stop)
                hall.finish_all()
            elif connection in ready:
                heard_s = time.monotonic()
                _move(connection, seat, hall)
            elif 0 < hall.limits.idle_s < time.monotonic() - heard_s:
                hall.drop(seat, silent(hall.limits))


def _move(connection: socket.socket, seat: Seat, hall: Hall) -> None:
    """Send what waits, as much as the kernel takes; where nothing does, hear more."""
    if seat.waiting:
        hall.sent(seat, connection.send(seat.waiting[:CHUNK_BYTES]))
    else:
        hall.receive(seat, connection.recv(CHUNK_BYTES))


def _say_end(connection: socket.socket, seat: Seat) -> None:
    """Send FIN, and give the client a moment to send its own."""
    if seat.dropped:
        return
    connection.shutdown(socket.SHUT_WR)
    until_s = time.monotonic() + LINGER_S
    with suppress(TimeoutError):
        while not seat.ended and (left_s := until_s - time.monotonic()) > 0:
            connection.settimeout(left_s)
            seat.ended = not connection.recv(CHUNK_BYTES)
