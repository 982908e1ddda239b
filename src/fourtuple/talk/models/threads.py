"""Two threads a client: one waits in recv(), one in send().

One thread a client would do for echo. In a chat, though, what others say has to be sent while the
client's own thread waits in recv(): hence the second, which waits for something to send.
"""

import selectors
import socket
import threading
from collections.abc import Sequence
from contextlib import closing, suppress

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.talk.hall import Hall, Seat, gone, silent
from fourtuple.talk.models.listener import (
    CHUNK_BYTES,
    ENOUGH_BYTES,
    LINGER_S,
    Door,
    Listener,
    Stop,
)
from fourtuple.talk.models.waiting import noted_selector

__all__ = ["serve_threads"]

#: a thread that only waits needs little
_STACK_BYTES = 256 * 1024

NO_THREAD = N_("the kernel gave no further thread")


def serve_threads(listeners: Sequence[Listener], hall: Hall, stop: Stop) -> None:
    """Serve each client in threads of its own until told to stop."""
    sockets = [each.socket for each in listeners]
    usual = threading.stack_size(_STACK_BYTES)
    here: set[_Served] = set()
    try:
        with noted_selector(sockets) as selector, closing(Door(hall)) as door:
            selector.register(stop, selectors.EVENT_READ)
            for listener in listeners:
                selector.register(listener.socket, selectors.EVENT_READ, listener)
            while not stop.asked:
                for key, _ in selector.select():
                    if key.data is not None:
                        _accept(door, key.data, hall, here)
        for listener in listeners:
            listener.socket.close()
        hall.finish_all()
        _await_all(here, stop)
    finally:
        threading.stack_size(usual)


def _accept(door: Door, listener: Listener, hall: Hall, here: "set[_Served]") -> None:
    accepted = door.accept(listener)
    if accepted is None:
        return
    connection, peer = accepted
    seat = hall.open(peer, listener.scheme, listener.codec())
    if seat is None:
        connection.close()
        return
    _Served(connection, seat, hall, here).start()


def _await_all(here: "set[_Served]", stop: Stop) -> None:
    for served in list(here):
        while served.alive and not stop.late:
            served.join(0.05)
        served.hang_up()


class _Served:
    """One client with its two threads. The writer ends the conversation, the reader the socket."""

    def __init__(
        self, connection: socket.socket, seat: Seat, hall: Hall, here: "set[_Served]"
    ) -> None:
        self._connection = connection
        self._seat = seat
        self._hall = hall
        self._here = here
        self._news = threading.Condition()
        self._heard_all = threading.Event()
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        seat.wake = self._wake
        here.add(self)

    def start(self) -> None:
        self._connection.settimeout(self._hall.limits.idle_s or None)
        try:
            self._writer.start()
            self._reader.start()
        except RuntimeError:
            self._hall.drop(self._seat, Message(NO_THREAD))
            self._end()

    @property
    def alive(self) -> bool:
        return self._reader.is_alive()

    def join(self, seconds: float) -> None:
        self._reader.join(seconds)

    def hang_up(self) -> None:
        """End the connection both ways, which wakes whoever waits for it."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _wake(self) -> None:
        if self._seat.dropped:
            self.hang_up()
        with self._news:
            self._news.notify_all()

    def _read(self) -> None:
        seat, hall = self._seat, self._hall
        try:
            while not (seat.ended or seat.dropped):
                hall.receive(seat, self._connection.recv(CHUNK_BYTES))
                self._wake()
                self._await_room()
        except TimeoutError:
            hall.drop(seat, silent(hall.limits))
        except OSError as error:  # ECONNRESET
            hall.drop(seat, gone(error))
        self._heard_all.set()
        self._wake()
        self._end()

    def _await_room(self) -> None:
        """A client that does not read is not listened to either."""
        seat = self._seat
        with self._news:
            self._news.wait_for(lambda: len(seat.waiting) < ENOUGH_BYTES or seat.over)

    def _end(self) -> None:
        if self._writer.ident is not None:
            self._writer.join()
        self._connection.close()
        self._hall.close(self._seat)
        self._here.discard(self)

    def _write(self) -> None:
        seat = self._seat
        try:
            while not seat.over:
                with self._news:
                    self._news.wait_for(lambda: seat.waiting or seat.over)
                chunk = seat.waiting[:CHUNK_BYTES]
                self._hall.sent(seat, self._connection.send(chunk) if chunk else 0)
                self._wake()
            if not seat.dropped:
                self._connection.shutdown(socket.SHUT_WR)
                self._heard_all.wait(LINGER_S)
        except OSError as error:  # EPIPE, ECONNRESET
            self._hall.drop(seat, gone(error))
        self.hang_up()
