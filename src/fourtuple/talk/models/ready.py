"""One thread, many clients: do what can be done without waiting, then ask which socket is next.

The loop is the same for select(), poll() and epoll (`talk.models.readiness`). All sockets are
non-blocking: a recv() or send() that would wait raises BlockingIOError, and never happens here
except where the kernel changed its mind.
"""

import errno
import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from fourtuple.explain.model import Message
from fourtuple.talk.hall import GONE, SILENT, Hall, Seat
from fourtuple.talk.models.listener import CHUNK_BYTES, LINGER_S, Listener, Stop, peer_text
from fourtuple.talk.models.readiness import Waiter

__all__ = ["serve_ready"]

_TICK_S = 0.2
#: connections taken from the accept queue before others are looked after
_ACCEPTS = 64
#: a client that sends faster than it reads is not read from while so much waits for it
_ENOUGH_BYTES = 256 * 1024


def serve_ready(waiter: Waiter, listeners: Sequence[Listener], hall: Hall, stop: Stop) -> None:
    """Serve until told to stop, and until all has been sent then."""
    loop = _Loop(waiter, listeners, hall)
    waiter.watch(stop.fileno(), True, False)
    try:
        while not (stop.asked and (not loop.places or stop.late)):
            for descriptor, readable, writable in waiter.wait(_TICK_S):
                if descriptor == stop.fileno():
                    waiter.forget(descriptor)
                    loop.refuse()
                else:
                    loop.ready(descriptor, readable, writable)
                loop.look_after_woken()
            loop.look_at_clock(time.monotonic())
    finally:
        loop.end()
        waiter.close()


@dataclass(slots=True, eq=False)
class _Place:
    """A connection: its socket and seat, when it last said something, whether we said our end."""

    socket: socket.socket
    seat: Seat
    heard_s: float
    shut_s: float = 0.0


class _Loop:
    def __init__(self, waiter: Waiter, listeners: Sequence[Listener], hall: Hall) -> None:
        self._waiter = waiter
        self._hall = hall
        self._listeners = {each.socket.fileno(): each for each in listeners}
        self._woken: list[_Place] = []
        #: kept so that a client can be turned away when there is no descriptor left
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self.places: dict[int, _Place] = {}
        for descriptor, listener in self._listeners.items():
            listener.socket.setblocking(False)
            waiter.watch(descriptor, True, False)

    def ready(self, descriptor: int, readable: bool, writable: bool) -> None:
        if listener := self._listeners.get(descriptor):
            self._accept(listener)
        elif place := self.places.get(descriptor):
            if readable:
                self._read(place)
            if writable or place.seat.waiting:
                self._write(place)
            self._look_after(place)

    def look_after_woken(self) -> None:
        """Those for whom another client's words brought something."""
        woken, self._woken = self._woken, []
        for place in woken:
            if place.socket.fileno() >= 0:
                self._write(place)
                self._look_after(place)

    def look_at_clock(self, now_s: float) -> None:
        """Clients that said nothing for too long, and ones that do not close after our end."""
        idle_s = self._hall.limits.idle_s
        for place in list(self.places.values()):
            if place.shut_s and now_s - place.shut_s > LINGER_S:
                self._close(place)
            elif idle_s and now_s - place.heard_s > idle_s:
                self._hall.drop(place.seat, Message(SILENT, {"seconds": f"{idle_s:g}"}))
                self._look_after(place)

    def refuse(self) -> None:
        """Whoever connects from now on is refused; who is here gets what waits."""
        for descriptor, listener in self._listeners.items():
            self._waiter.forget(descriptor)
            listener.socket.close()
        self._listeners.clear()
        self._hall.finish_all()

    def end(self) -> None:
        self.refuse()
        for place in list(self.places.values()):
            self._close(place)
        os.close(self._spare)

    def _accept(self, listener: Listener) -> None:
        for _ in range(_ACCEPTS):
            try:
                connection, address = listener.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self._turn_away(listener)
                elif error.errno not in (errno.ECONNABORTED, errno.EINTR):
                    raise
                return
            self._welcome(connection, peer_text(address), listener)

    def _turn_away(self, listener: Listener) -> None:
        """There is no descriptor left: use the spare one to take the client, and hang up."""
        os.close(self._spare)
        with suppress(OSError):
            listener.socket.accept()[0].close()
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def _welcome(self, connection: socket.socket, peer: str, listener: Listener) -> None:
        connection.setblocking(False)
        seat = self._hall.open(peer, listener.scheme, listener.codec())
        if seat is None:
            connection.close()
            return
        place = _Place(connection, seat, time.monotonic())
        seat.wake = lambda: self._woken.append(place)
        self.places[connection.fileno()] = place
        try:
            self._look_after(place)
        except ValueError:  # select() knows no such number
            self._close(place)

    def _read(self, place: _Place) -> None:
        try:
            data = place.socket.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError as error:  # ECONNRESET, ETIMEDOUT
            self._hall.drop(place.seat, Message(GONE, {"reason": error.strerror}))
            return
        place.heard_s = time.monotonic()
        if place.shut_s and not data:
            place.seat.dropped = True
        self._hall.receive(place.seat, data)

    def _write(self, place: _Place) -> None:
        seat = place.seat
        if not seat.waiting:
            return
        try:
            seat.took(place.socket.send(seat.waiting))
        except BlockingIOError:
            return
        except OSError as error:  # EPIPE, ECONNRESET
            self._hall.drop(seat, Message(GONE, {"reason": error.strerror}))

    def _look_after(self, place: _Place) -> None:
        """Ask for what this connection waits for, or end it."""
        seat = place.seat
        if seat.dropped or (seat.over and seat.ended):
            self._close(place)
            return
        if seat.over and not place.shut_s:
            place.shut_s = time.monotonic()
            with suppress(OSError):
                place.socket.shutdown(socket.SHUT_WR)
        read = not seat.ended and len(seat.waiting) < _ENOUGH_BYTES
        self._waiter.watch(place.socket.fileno(), read, bool(seat.waiting))

    def _close(self, place: _Place) -> None:
        descriptor = place.socket.fileno()
        if self.places.pop(descriptor, None) is not None:
            with suppress(KeyError, OSError):
                self._waiter.forget(descriptor)
            place.socket.close()
            self._hall.close(place.seat)
