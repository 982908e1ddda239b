"""Python's event loop, and uvloop in its place where that is installed.

The loop calls `data_received` with what came and keeps what could not be sent; the same readiness
loop as `talk.models.ready` runs underneath (epoll on Linux), written by others and in C.
"""

import asyncio
import errno
import os
import socket
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from fourtuple.talk.hall import Hall, Seat, gone, silent
from fourtuple.talk.models.listener import (
    ENOUGH_BYTES,
    LINGER_S,
    Listener,
    Stop,
    no_descriptor,
    peer_text,
)
from fourtuple.talk.models.waiting import noted_selector
from fourtuple.talk.noted import journal_of

__all__ = ["serve_asyncio"]

_TICK_S = 0.2
_BACKLOG = 4096


def serve_asyncio(listeners: Sequence[Listener], hall: Hall, stop: Stop) -> None:
    """Serve until told to stop, and until all has been sent then."""
    # uvloop takes the descriptor and makes its calls in C, where nobody can note them
    sockets = [each.socket for each in listeners]
    make = _fastest_loop if journal_of(sockets) is None else partial(_noted_loop, sockets)
    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(_serve(listeners, hall, stop))


def _noted_loop(sockets: Sequence[socket.socket]) -> asyncio.AbstractEventLoop:
    return asyncio.SelectorEventLoop(noted_selector(sockets))


def _fastest_loop() -> asyncio.AbstractEventLoop:
    try:
        from uvloop import new_event_loop
    except ImportError:
        return asyncio.new_event_loop()
    return new_event_loop()


async def _serve(listeners: Sequence[Listener], hall: Hall, stop: Stop) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_trouble)
    asked = asyncio.Event()
    loop.add_reader(stop.fileno(), asked.set)
    here: set[_Connection] = set()
    servers = [await _listen(loop, each, hall, here) for each in listeners]
    clock = asyncio.create_task(_watch_clock(here, hall))
    await asked.wait()
    loop.remove_reader(stop.fileno())
    for server in servers:
        server.close()
    hall.finish_all()
    while here and not stop.late:
        await asyncio.sleep(0.01)
    clock.cancel()
    for connection in list(here):
        connection.abort()
    await asyncio.sleep(0)  # each is told that it is gone in the loop's next round


async def _listen(
    loop: asyncio.AbstractEventLoop, listener: Listener, hall: Hall, here: "set[_Connection]"
) -> asyncio.AbstractServer:
    def make() -> _Connection:
        return _Connection(loop, listener, hall, here)

    if listener.socket.family == socket.AF_UNIX:
        return await loop.create_unix_server(make, sock=listener.socket, backlog=_BACKLOG)
    return await loop.create_server(make, sock=listener.socket, backlog=_BACKLOG)


async def _watch_clock(here: "set[_Connection]", hall: Hall) -> None:
    told = False
    while True:
        await asyncio.sleep(_TICK_S)
        told = _look_for_descriptors(hall, told)
        now_s = time.monotonic()
        for connection in list(here):
            connection.look_at_clock(hall.limits.idle_s, now_s)


def _look_for_descriptors(hall: Hall, told: bool) -> bool:
    """Tell when none is left, once: the loop turns clients away without a word to anybody (uvloop)
    or stops accepting for a second (asyncio's own)."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        if not told:
            hall.tell(no_descriptor())
        return True
    return False


def _trouble(loop: asyncio.AbstractEventLoop, about: dict[str, Any]) -> None:
    """What the loop could not give to anybody; a failed accept() is told of by the watch."""
    error = about.get("exception")
    if not (isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)):
        loop.default_exception_handler(about)


class _Connection(asyncio.Protocol):
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: Listener,
        hall: Hall,
        here: "set[_Connection]",
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._hall = hall
        self._here = here
        self._thread = threading.get_ident()
        self._seat: Seat | None = None
        self._heard = True
        self._heard_s = 0.0
        self._shut_s = 0.0
        self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=ENOUGH_BYTES)
        peer = peer_text(transport.get_extra_info("peername"))
        self._seat = self._hall.open(peer, self._listener.scheme, self._listener.codec())
        if self._seat is None:
            self._transport.abort()
            return
        self._here.add(self)
        self._seat.wake = self._wake
        self._send()

    def data_received(self, data: bytes) -> None:
        seat = self._seat
        assert seat is not None
        self._heard = True
        if seat.direct is not None and not seat.waiting:
            answer = seat.direct(data)
            if answer is not None:
                seat.received_bytes += len(data)
                seat.sent_bytes += len(answer)
                self._transport.write(answer)
                return
        self._hall.receive(seat, data)
        self._send()

    def eof_received(self) -> bool:
        assert self._seat is not None
        self._hall.receive(self._seat, b"")
        if self._shut_s:
            return False  # both have said their end: the loop closes
        self._send()
        return True

    def pause_writing(self) -> None:
        """Too much waits for this client: hear nothing more of it until it has read."""
        self._full = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._full = False
        self._transport.resume_reading()
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self._here.discard(self)
        if self._seat is not None:
            if isinstance(error, OSError):
                self._hall.drop(self._seat, gone(error))
            self._hall.close(self._seat)

    def look_at_clock(self, idle_s: float, now_s: float) -> None:
        assert self._seat is not None
        if self._heard:
            self._heard, self._heard_s = False, now_s
        if self._shut_s and now_s - self._shut_s > LINGER_S:
            self._transport.abort()
        elif idle_s and now_s - self._heard_s > idle_s:
            self._hall.drop(self._seat, silent(self._hall.limits))

    def abort(self) -> None:
        self._transport.abort()

    def _wake(self) -> None:
        if threading.get_ident() == self._thread:
            self._send()
        else:
            self._loop.call_soon_threadsafe(self._send)

    def _send(self) -> None:
        seat = self._seat
        assert seat is not None
        while seat.waiting and not self._full:
            chunk = bytes(seat.waiting)
            self._transport.write(chunk)
            self._hall.sent(seat, len(chunk))
        if seat.dropped:
            self._transport.abort()
        elif seat.over:
            self._end(seat)

    def _end(self, seat: Seat) -> None:
        if seat.ended:
            self._transport.close()
        elif not self._shut_s:
            self._shut_s = time.monotonic()
            try:
                self._transport.write_eof()
            except OSError:  # ENOTCONN: it has reset the connection (uvloop says nothing then)
                self._transport.abort()
