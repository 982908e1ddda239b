"""Python's event loop, and uvloop in its place where that is installed.

The loop calls `data_received` with what came and keeps what could not be sent; the same readiness
loop as `talk.models.ready` runs underneath (epoll on Linux), written by others and in C.
"""

import asyncio
import socket
import time
from collections.abc import Sequence
from typing import cast

from fourtuple.explain.model import Message
from fourtuple.talk.hall import GONE, SILENT, Hall, Seat
from fourtuple.talk.models.listener import LINGER_S, Listener, Stop, peer_text

__all__ = ["serve_asyncio"]

_TICK_S = 0.2
_ENOUGH_BYTES = 256 * 1024


def serve_asyncio(listeners: Sequence[Listener], hall: Hall, stop: Stop) -> None:
    """Serve until told to stop, and until all has been sent then."""
    with asyncio.Runner(loop_factory=_fastest_loop) as runner:
        runner.run(_serve(listeners, hall, stop))


def _fastest_loop() -> asyncio.AbstractEventLoop:
    try:
        from uvloop import new_event_loop
    except ImportError:
        return asyncio.new_event_loop()
    return new_event_loop()


async def _serve(listeners: Sequence[Listener], hall: Hall, stop: Stop) -> None:
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    loop.add_reader(stop.fileno(), asked.set)
    here: set[_Connection] = set()
    servers = [await _listen(loop, each, hall, here) for each in listeners]
    idle_s = hall.limits.idle_s
    while not asked.is_set():
        with_timeout = asyncio.wait_for(asked.wait(), _TICK_S if idle_s or here else None)
        try:
            await with_timeout
        except TimeoutError:
            _look_at_clock(here, idle_s, time.monotonic())
    loop.remove_reader(stop.fileno())
    for server in servers:
        server.close()
    hall.finish_all()
    while here and not stop.late:
        await asyncio.sleep(0.01)
    for connection in list(here):
        connection.abort()


async def _listen(
    loop: asyncio.AbstractEventLoop, listener: Listener, hall: Hall, here: "set[_Connection]"
) -> asyncio.AbstractServer:
    def make() -> _Connection:
        return _Connection(listener, hall, here)

    if listener.socket.family == socket.AF_UNIX:
        return await loop.create_unix_server(make, sock=listener.socket)
    return await loop.create_server(make, sock=listener.socket)


def _look_at_clock(here: "set[_Connection]", idle_s: float, now_s: float) -> None:
    for connection in list(here):
        connection.look_at_clock(idle_s, now_s)


class _Connection(asyncio.Protocol):
    def __init__(self, listener: Listener, hall: Hall, here: "set[_Connection]") -> None:
        self._listener = listener
        self._hall = hall
        self._here = here
        self._seat: Seat | None = None
        self._heard_s = time.monotonic()
        self._shut_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_ENOUGH_BYTES)
        peer = peer_text(transport.get_extra_info("peername"))
        self._seat = self._hall.open(peer, self._listener.scheme, self._listener.codec())
        if self._seat is None:
            self._transport.abort()
            return
        self._here.add(self)
        self._seat.wake = self._send
        self._send()

    def data_received(self, data: bytes) -> None:
        assert self._seat is not None
        self._heard_s = time.monotonic()
        self._hall.receive(self._seat, data)
        self._send()

    def eof_received(self) -> bool:
        assert self._seat is not None
        if self._shut_s:
            return False
        self._hall.receive(self._seat, b"")
        self._send()
        return True

    def pause_writing(self) -> None:
        """Too much waits for this client: hear nothing more of it until it has read."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        self._here.discard(self)
        if self._seat is not None:
            if error is not None:
                self._hall.drop(self._seat, Message(GONE, {"reason": str(error)}))
            self._hall.close(self._seat)

    def look_at_clock(self, idle_s: float, now_s: float) -> None:
        assert self._seat is not None
        if self._shut_s and now_s - self._shut_s > LINGER_S:
            self._transport.abort()
        elif idle_s and now_s - self._heard_s > idle_s:
            self._hall.drop(self._seat, Message(SILENT, {"seconds": f"{idle_s:g}"}))

    def abort(self) -> None:
        self._transport.abort()

    def _send(self) -> None:
        seat = self._seat
        assert seat is not None
        if seat.waiting:
            self._transport.write(bytes(seat.waiting))
            seat.took(len(seat.waiting))
        if seat.dropped:
            self._transport.abort()
        elif seat.over:
            self._end(seat)

    def _end(self, seat: Seat) -> None:
        if seat.ended:
            self._transport.close()
        elif not self._shut_s:
            self._shut_s = time.monotonic()
            self._transport.write_eof()
