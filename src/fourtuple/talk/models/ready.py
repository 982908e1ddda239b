"""One thread, many clients: do what can be done without waiting, then ask which socket is next.

The loop is the same for select(), poll() and epoll (`talk.models.readiness`). All sockets are
non-blocking: a recv() or send() that would wait raises BlockingIOError, and never happens here
except where the kernel changed its mind.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from select import POLLIN

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.talk.hall import Hall, Seat, gone, silent
from fourtuple.talk.models.listener import CHUNK_BYTES, ENOUGH_BYTES, LINGER_S, Door, Listener, Stop
from fourtuple.talk.models.readiness import READABLE, Waiter
from fourtuple.talk.models.short_way import ShortWay, short_way

__all__ = ["serve_ready"]

_TICK_S = 0.2
#: connections taken from the accept queue before others are looked after
_ACCEPTS = 64

TOO_HIGH = N_("select() watches descriptors below {limit} only; --model epoll watches any")


def serve_ready(waiter: Waiter, listeners: Sequence[Listener], hall: Hall, stop: Stop) -> None:
    """Serve until told to stop, and until all has been sent then."""
    with closing(waiter), closing(_Loop(waiter, listeners, hall, stop)) as loop:
        answerer = loop.answers.get
        while not (stop.asked and (not loop.places or stop.late)):
            ticks = stop.asked or loop.minds_clock
            for descriptor, events in waiter.wait(_TICK_S if ticks else None):
                answer = answerer(descriptor)
                if answer is None or events != POLLIN:
                    loop.ready(descriptor, events)
                elif not answer():
                    loop.follow_up(loop.places[descriptor])
            loop.look_after_woken()
            if loop.minds_clock:
                loop.look_at_clock(time.monotonic())


@dataclass(slots=True, eq=False)
class _Place:
    """A connection: its socket and seat, how it is answered while that is simple, how many bytes
    it had said when the clock was looked at and when that had grown, when we said our end."""

    socket: socket.socket
    seat: Seat
    short: ShortWay | None
    heard_bytes: int = -1
    heard_s: float = 0.0
    shut_s: float = 0.0

    def count(self) -> None:
        """Let the seat know of the bytes that went the short way."""
        if self.short is not None:
            self.short.count()


class _Loop:
    def __init__(
        self, waiter: Waiter, listeners: Sequence[Listener], hall: Hall, stop: Stop
    ) -> None:
        self._waiter = waiter
        self._hall = hall
        self._door = Door(hall)
        self._listeners = {each.socket.fileno(): each for each in listeners}
        self._woken: list[_Place] = []
        self._thread = threading.get_ident()
        #: readable when another thread (that of datagrams) has woken somebody
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._end = stop.fileno()
        self._next_look_s = 0.0
        #: those that were told our end and have not closed yet
        self._leaving: set[_Place] = set()
        self.places: dict[int, _Place] = {}
        #: how to answer those who can be answered the short way just now
        self.answers: dict[int, Callable[[], bool]] = {}
        waiter.watch(self._bell, True, False)
        waiter.watch(self._end, True, False)
        for descriptor, listener in self._listeners.items():
            listener.socket.setblocking(False)
            waiter.watch(descriptor, True, False)

    def ready(self, descriptor: int, events: int) -> None:
        place = self.places.get(descriptor)
        if place is not None:
            if events & READABLE:
                self._hear(place)
            self.follow_up(place)
        elif listener := self._listeners.get(descriptor):
            self._accept(listener)
        elif descriptor == self._bell:
            os.eventfd_read(self._bell)
        elif descriptor == self._end:
            self._waiter.forget(self._end)
            self._refuse()

    def look_after_woken(self) -> None:
        """Those for whom another client's words brought something."""
        while self._woken:
            place = self._woken.pop()
            if place.socket.fileno() >= 0:
                self.follow_up(place)

    def follow_up(self, place: _Place) -> None:
        """Send what waits, and see what is to be waited for then."""
        self._write(place)
        self._look_after(place)

    @property
    def minds_clock(self) -> bool:
        """Whether anybody's time may run out; else the loop rests until something happens."""
        return bool(self._leaving or self._hall.limits.idle_s)

    def look_at_clock(self, now_s: float) -> None:
        """Clients that said nothing for too long, and ones that do not close after our end."""
        if now_s < self._next_look_s:
            return
        self._next_look_s = now_s + _TICK_S
        for place in list(self._leaving):
            if now_s - place.shut_s > LINGER_S:
                self._close(place)
        if self._hall.limits.idle_s:
            self._drop_silent(now_s)

    def _drop_silent(self, now_s: float) -> None:
        for place in list(self.places.values()):
            place.count()
            if place.heard_bytes != place.seat.received_bytes:
                place.heard_bytes, place.heard_s = place.seat.received_bytes, now_s
            elif now_s - place.heard_s > self._hall.limits.idle_s:
                self._hall.drop(place.seat, silent(self._hall.limits))
                self._look_after(place)

    def _refuse(self) -> None:
        """Whoever connects from now on is refused; who is here gets what waits."""
        for descriptor, listener in self._listeners.items():
            self._waiter.forget(descriptor)
            listener.socket.close()
        self._listeners.clear()
        self.answers.clear()
        self._hall.finish_all()

    def close(self) -> None:
        self._refuse()
        for place in list(self.places.values()):
            self._close(place)
        self._door.close()
        os.close(self._bell)

    def _accept(self, listener: Listener) -> None:
        for _ in range(_ACCEPTS):
            accepted = self._door.accept(listener)
            if accepted is None:
                return
            self._welcome(*accepted, listener)

    def _welcome(self, connection: socket.socket, peer: str, listener: Listener) -> None:
        connection.setblocking(False)
        seat = self._hall.open(peer, listener.scheme, listener.codec())
        if seat is None:
            connection.close()
            return
        place = _Place(connection, seat, short_way(connection, seat, self._hall))
        seat.wake = lambda: self._wake(place)
        self.places[connection.fileno()] = place
        try:
            self._look_after(place)
        except ValueError as error:  # select() knows no such number
            self._hall.drop(seat, Message(TOO_HIGH, {"limit": error.args[0]}))
            self._close(place)

    def _wake(self, place: _Place) -> None:
        self._woken.append(place)
        if threading.get_ident() != self._thread:
            with suppress(OSError):  # the loop has ended
                os.eventfd_write(self._bell, 1)

    def _hear(self, place: _Place) -> None:
        try:
            self._hall.receive(place.seat, place.socket.recv(CHUNK_BYTES))
        except BlockingIOError:
            return
        except OSError as error:  # ECONNRESET, ETIMEDOUT
            self._hall.drop(place.seat, gone(error))

    def _write(self, place: _Place) -> None:
        seat = place.seat
        if not seat.waiting:
            return
        try:
            self._hall.sent(seat, place.socket.send(seat.waiting[:CHUNK_BYTES]))
        except BlockingIOError:
            return
        except OSError as error:  # EPIPE, ECONNRESET
            self._hall.drop(seat, gone(error))

    def _look_after(self, place: _Place) -> None:
        """Ask for what this connection waits for, or end it."""
        seat = place.seat
        if seat.dropped or (seat.over and seat.ended):
            self._close(place)
            return
        if seat.over and not place.shut_s:
            place.shut_s = time.monotonic()
            self._leaving.add(place)
            with suppress(OSError):
                place.socket.shutdown(socket.SHUT_WR)
        descriptor = place.socket.fileno()
        if place.short is None or seat.direct is None or seat.waiting:
            self.answers.pop(descriptor, None)
        else:
            self.answers[descriptor] = place.short.answer
        read = not seat.ended and len(seat.waiting) < ENOUGH_BYTES
        self._waiter.watch(descriptor, read, bool(seat.waiting))

    def _close(self, place: _Place) -> None:
        descriptor = place.socket.fileno()
        if self.places.pop(descriptor, None) is not None:
            self.answers.pop(descriptor, None)
            with suppress(KeyError, OSError):
                self._waiter.forget(descriptor)
            self._leaving.discard(place)
            place.socket.close()
            place.count()
            self._hall.close(place.seat)
