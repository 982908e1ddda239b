"""UDP, and raw IP: one socket, and no connections.

A client is an address that datagrams come from; it cannot leave, so it is forgotten when it has
been silent for `_FORGOTTEN_S`, or when another needs its place. Answers are sent at once: what does
not fit into the socket's buffer is lost, as on any path, and counted.

A raw socket also hears what it sends itself to its own address, as anybody there does: such a
packet must not be answered, or the answer would be answered in its turn.
"""

import socket
import threading
import time
from collections import OrderedDict, deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.talk.app import Client
from fourtuple.talk.codecs.base import Codec
from fourtuple.talk.codecs.stream import Whole
from fourtuple.talk.hall import Hall, Seat
from fourtuple.talk.models.listener import peer_text

__all__ = ["DatagramService"]

_FORGOTTEN_S = 60.0
_LARGEST_BYTES = 65535
_TICK_S = 0.2
#: packets to oneself that may be under way at once
_REMEMBERED = 1000

LOST = N_("The kernel refused {count} datagrams to client {number}: no room, or no way there.")
#: a raw IPv4 socket hands over the packet with its header (raw(7)); an IPv6 one does not
_IPV4_WORDS = 0x0F


@dataclass(slots=True, eq=False)
class _Sender:
    """Sends to one address, and counts what the kernel would not take. `heard_again` holds what
    will come back to this socket."""

    socket: socket.socket
    address: Any
    heard_again: deque[bytes] | None
    lost: int = 0

    def __call__(self, data: bytes) -> None:
        try:
            self.socket.sendto(data, self.address)
        except OSError:  # no room, too large, unreachable: a datagram more or less
            self.lost += 1
            return
        if self.heard_again is not None:
            self.heard_again.append(data)


class _DatagramSeat(Seat):
    """What is put into it is on its way at once: a datagram each, an empty one too."""

    __slots__ = ("send",)
    can_end = False

    def __init__(self, client: Client, codec: Codec, send: _Sender) -> None:
        super().__init__(client, codec)
        self.send = send

    def put(self, data: bytes) -> None:
        self.send(data)
        self.sent_bytes += len(data)


class DatagramService:
    """A thread that answers datagrams until `stop()`."""

    def __init__(self, sock: socket.socket, scheme: str, hall: Hall) -> None:
        self._socket = sock
        self._scheme = scheme
        self._hall = hall
        self._own = sock.getsockname()[0]
        self._heard_again: deque[bytes] = deque(maxlen=_REMEMBERED)
        self._seats: OrderedDict[Any, tuple[_DatagramSeat, float]] = OrderedDict()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def start(self) -> None:
        self._socket.settimeout(_TICK_S)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        while self._seats:
            self._forget_oldest()
        self._socket.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            with suppress(TimeoutError, ConnectionError):  # ECONNREFUSED: an ICMP answer to ours
                packet, address = self._socket.recvfrom(_LARGEST_BYTES)
                data = _payload(self._socket, packet)
                if not self._is_own(data, address):
                    self._take(data, address)
            self._forget(time.monotonic() - _FORGOTTEN_S)

    def _is_own(self, data: bytes, address: Any) -> bool:
        """Whether this server sent it, to its own address."""
        if address[0] != self._own or data not in self._heard_again:
            return False
        self._heard_again.remove(data)
        return True

    def _take(self, data: bytes, address: Any) -> None:
        seat = self._seat(address)
        if seat is None:
            return
        self._seats[address] = (seat, time.monotonic())
        self._seats.move_to_end(address)
        self._hall.receive(seat, data)
        if seat.over or seat.finishing:
            del self._seats[address]
            self._close(seat)

    def _seat(self, address: Any) -> _DatagramSeat | None:
        if address in self._seats:
            return self._seats[address][0]
        if len(self._seats) >= self._hall.limits.clients:
            self._forget_oldest()
        comes_back = self._scheme == "raw" and address[0] == self._own
        send = _Sender(self._socket, address, self._heard_again if comes_back else None)
        seat = self._hall.open(
            peer_text(address),
            self._scheme,
            Whole(),
            lambda client, codec: _DatagramSeat(client, codec, send),
        )
        return seat if isinstance(seat, _DatagramSeat) else None

    def _forget(self, before_s: float) -> None:
        while self._seats and next(iter(self._seats.values()))[1] < before_s:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, (seat, _) = self._seats.popitem(last=False)
        self._close(seat)

    def _close(self, seat: _DatagramSeat) -> None:
        if seat.send.lost:
            about = {"count": seat.send.lost, "number": seat.client.number}
            self._hall.tell(Message(LOST, about))
        self._hall.close(seat)


def _payload(sock: socket.socket, data: bytes) -> bytes:
    """A datagram's content: without the IP header that a raw socket leaves before it."""
    if sock.type & 0xF != socket.SOCK_RAW or sock.family != socket.AF_INET or not data:
        return data
    return data[(data[0] & _IPV4_WORDS) * 4 :]
