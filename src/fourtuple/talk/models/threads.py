"""Two threads a client: one waits in recv(), one in send().

One thread a client would do for echo. In a chat, though, what others say has to be sent while the
client's own thread waits in recv(): hence the second, which waits for something to send.
"""

import selectors
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress

from fourtuple.explain.model import Message
from fourtuple.talk.hall import GONE, SILENT, Hall, Seat
from fourtuple.talk.models.listener import CHUNK_BYTES, Listener, Stop, peer_text
from fourtuple.talk.models.one_at_a_time import say_end

__all__ = ["serve_threads"]

#: a thread that only waits needs little
_STACK_BYTES = 256 * 1024


def serve_threads(listeners: Sequence[Listener], hall: Hall, stop: Stop) -> None:
    """Serve each client in threads of its own until told to stop."""
    usual = threading.stack_size(_STACK_BYTES)
    here: set[_Served] = set()
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(stop, selectors.EVENT_READ)
            for listener in listeners:
                selector.register(listener.socket, selectors.EVENT_READ, listener)
            while not stop.asked:
                for key, _ in selector.select():
                    if key.data is not None:
                        _accept(key.data, hall, here)
        for listener in listeners:
            listener.socket.close()
        hall.finish_all()
        _await_all(here, stop)
    finally:
        threading.stack_size(usual)


def _accept(listener: Listener, hall: Hall, here: "set[_Served]") -> None:
    try:
        connection, address = listener.socket.accept()
    except OSError:  # it has left already, or there is no descriptor left: the next one may do
        return
    seat = hall.open(peer_text(address), listener.scheme, listener.codec())
    if seat is None:
        connection.close()
        return
    _Served(connection, seat, hall, here).start()


def _await_all(here: "set[_Served]", stop: Stop) -> None:
    for served in list(here):
        while served.alive and not stop.late:
            served.join(0.05)
        served.abandon()


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
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        seat.wake = self._wake
        here.add(self)

    def start(self) -> None:
        self._connection.settimeout(self._hall.limits.idle_s or None)
        self._writer.start()
        self._reader.start()

    @property
    def alive(self) -> bool:
        return self._reader.is_alive()

    def join(self, seconds: float) -> None:
        self._reader.join(seconds)

    def abandon(self) -> None:
        """Wake whoever waits on the socket; its threads end by themselves then."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _wake(self) -> None:
        with self._news:
            self._news.notify()

    def _read(self) -> None:
        seat, hall = self._seat, self._hall
        try:
            while not (seat.ended or seat.over):
                hall.receive(seat, self._connection.recv(CHUNK_BYTES))
                self._wake()
        except TimeoutError:
            hall.drop(seat, Message(SILENT, {"seconds": f"{hall.limits.idle_s:g}"}))
        except OSError as error:
            hall.drop(seat, Message(GONE, {"reason": error.strerror}))
        self._wake()
        self._writer.join()
        self._connection.close()
        hall.close(seat)
        self._here.discard(self)

    def _write(self) -> None:
        seat = self._seat
        try:
            while not seat.over:
                with self._news:
                    self._news.wait_for(lambda: seat.waiting or seat.over)
                    chunk = bytes(seat.waiting[:CHUNK_BYTES])
                sent = self._connection.send(chunk) if chunk else 0
                with self._news:
                    seat.took(sent)
        except OSError as error:
            self._hall.drop(seat, Message(GONE, {"reason": error.strerror}))
        if seat.dropped:
            self.abandon()
        else:
            say_end(self._connection, seat)
