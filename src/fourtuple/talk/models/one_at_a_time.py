"""The server of every textbook: accept, serve until the client leaves, accept the next.

Whoever comes meanwhile is connected by the kernel and waits in the backlog, in order of arrival
(rows E6 and E9); a first client that says nothing keeps all others waiting (row A3).
"""

import selectors
import socket
from collections.abc import Sequence
from contextlib import suppress

from fourtuple.explain.model import Message
from fourtuple.talk.hall import GONE, SILENT, Hall, Seat
from fourtuple.talk.models.listener import CHUNK_BYTES, LINGER_S, Listener, Stop, peer_text

__all__ = ["converse", "say_end", "serve_one_at_a_time"]


def serve_one_at_a_time(listeners: Sequence[Listener], hall: Hall, stop: Stop) -> None:
    """Serve one client after the other until told to stop."""
    with selectors.DefaultSelector() as selector:
        selector.register(stop, selectors.EVENT_READ)
        for listener in listeners:
            selector.register(listener.socket, selectors.EVENT_READ, listener)
        while not stop.asked:
            for key, _ in selector.select():
                if key.data is not None and not stop.asked:
                    connection, address = key.data.socket.accept()
                    _serve(connection, peer_text(address), key.data, hall, stop)
    for listener in listeners:
        listener.socket.close()


def _serve(
    connection: socket.socket, peer: str, listener: Listener, hall: Hall, stop: Stop
) -> None:
    with connection:
        seat = hall.open(peer, listener.scheme, listener.codec())
        if seat is None:
            return
        try:
            converse(connection, seat, hall, stop)
        finally:
            hall.close(seat)


def converse(connection: socket.socket, seat: Seat, hall: Hall, stop: Stop) -> None:
    """Talk with one client until either side has had enough."""
    connection.settimeout(hall.limits.idle_s or None)
    try:
        while True:
            connection.sendall(seat.waiting)
            seat.took(len(seat.waiting))
            if seat.over or not _await(connection, stop):
                break
            hall.receive(seat, connection.recv(CHUNK_BYTES))
    except TimeoutError:
        hall.drop(seat, Message(SILENT, {"seconds": f"{hall.limits.idle_s:g}"}))
    except OSError as error:  # ECONNRESET, EPIPE
        hall.drop(seat, Message(GONE, {"reason": error.strerror}))
    if not seat.dropped:
        say_end(connection, seat)


def _await(connection: socket.socket, stop: Stop) -> bool:
    """Wait until the client has said something; False where the server is to stop."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        selector.register(stop, selectors.EVENT_READ)
        if not selector.select(connection.gettimeout()):
            raise TimeoutError
    return not stop.asked


def say_end(connection: socket.socket, seat: Seat) -> None:
    """Send FIN, and give the client a moment to send its own."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(LINGER_S)
        while not seat.ended and connection.recv(CHUNK_BYTES):
            pass
