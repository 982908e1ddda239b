"""Everyone who is being served, and what is still to be sent to each. No I/O.

Drivers (`talk.models`) make a seat for each connection, give it the bytes that came, and send what
lies in it. Rules: one lock round the application, so that drivers with threads need none of their
own; output of one client is in the order in which the application gave it; a client that does not
read what it is sent is dropped once `send_queue_bytes` wait for it, so that it delays nobody else
and fills no memory; a client that was told good-bye is not listened to any more.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.talk.app import Answer, App, Client, Finish, Send, Tell
from fourtuple.talk.codecs.base import Broken, Codec, Direct

__all__ = ["Hall", "Limits", "Seat", "gone", "silent"]

ARRIVED = N_("Client {number} has come from {peer} ({scheme}). Here now: {count}.")
DEPARTED = N_(
    "Client {number} has left: {received} bytes received, {sent} sent. Here now: {count}."
)
DEPARTED_UNCOUNTED = N_("Client {number} has left. Here now: {count}.")
DROPPED = N_("Client {number} was dropped: {why}.")
FULL = N_("{peer} was turned away: {count} clients are here, as many as --max-clients allows.")
SLOW = N_("it left {count} bytes unread (--send-queue)")
SILENT = N_("it said nothing for {seconds} s (--idle)")
GONE = N_("{reason}")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server will bear. Bytes, and seconds; 0 idle seconds: for ever."""

    clients: int = 10_000
    message_bytes: int = 1 << 20
    send_queue_bytes: int = 4 << 20
    idle_s: float = 0.0


def gone(error: OSError) -> Message:
    """Why a client was dropped whose connection failed."""
    return Message(GONE, {"reason": error.strerror or str(error)})


def silent(limits: Limits) -> Message:
    """Why a client was dropped that said nothing."""
    return Message(SILENT, {"seconds": f"{limits.idle_s:g}"})


@dataclass(slots=True, eq=False)
class Seat:
    """One client's place. `waiting` is what is to be sent, in order; `finishing`: after that, no
    more. `wake` is called when something was put in while the client itself was silent, by
    whichever thread did it. `direct` is the codec's short way to an answer: where nothing waits, a
    driver may send at once what it gives, and need not ask the hall; None where there is none, or
    no more. `can_end` is False where no bytes are a message, and not an end: datagrams."""

    can_end: ClassVar[bool] = True

    client: Client
    codec: Codec
    wake: Callable[[], None] = lambda: None
    direct: Direct | None = None
    waiting: bytearray = field(default_factory=bytearray)
    joined: bool = False
    finishing: bool = False
    ended: bool = False
    dropped: bool = False
    received_bytes: int = 0
    sent_bytes: int = 0

    def put(self, data: bytes) -> None:
        """More is to be sent."""
        self.waiting += data

    @property
    def over(self) -> bool:
        """Whether the driver is to close the connection now."""
        return self.dropped or (self.finishing and not self.waiting)


class Hall:
    """The seats of one server, which may listen at several addresses for one application."""

    def __init__(
        self, app: App, limits: Limits | None = None, tell: Callable[[Message], None] | None = None
    ) -> None:
        self.app = app
        self.limits = limits or Limits()
        self.tell = (lambda message: None) if tell is None else tell
        self._lock = threading.RLock()
        self._seats: dict[int, Seat] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._seats)

    def open(
        self, peer: str, scheme: str, codec: Codec, make: Callable[[Client, Codec], Seat] = Seat
    ) -> Seat | None:
        """A place for who has come, made by `make`; None where there is none left."""
        with self._lock:
            if len(self._seats) >= self.limits.clients:
                self.tell(Message(FULL, {"peer": peer, "count": len(self._seats)}))
                return None
            self._count += 1
            client = Client(self._count, peer, scheme)
            seat = self._seats[client.number] = make(client, codec)
            seat.direct = codec.direct(self.app.answer) if self.app.answer else None
            about = {"number": client.number, "peer": peer, "scheme": scheme}
            self.tell(Message(ARRIVED, {**about, "count": len(self._seats)}))
            self._join(seat)
            return seat

    def receive(self, seat: Seat, data: bytes) -> None:
        """Bytes came from a client; b"" is its FIN, where it has one."""
        with self._lock:
            if seat.dropped or seat.ended:
                return
            seat.received_bytes += len(data)
            seat.ended = not data and seat.can_end
            if seat.finishing:
                return
            answer = seat.direct(data) if seat.direct is not None and not seat.ended else None
            if answer is not None:
                self._put(seat, answer)
            else:
                self._understand(seat, data)

    def sent(self, seat: Seat, count: int) -> None:
        """The driver has sent the first `count` bytes of what waited."""
        del seat.waiting[:count]
        seat.sent_bytes += count
        if seat.waiting or not seat.codec.has_more:
            return
        with self._lock:
            if not seat.waiting and not seat.dropped:
                seat.waiting += seat.codec.more()

    def drop(self, seat: Seat, why: Message) -> None:
        """End a connection that cannot go on."""
        with self._lock:
            if not seat.dropped:
                seat.dropped = True
                about = {"number": seat.client.number, "why": why}
                self.tell(Message(DROPPED, about))
                seat.wake()

    def close(self, seat: Seat, *, counted: bool = True) -> None:
        """The connection is gone. `counted`: its bytes came through here."""
        with self._lock:
            if self._seats.pop(seat.client.number, None) is None:
                return
            if seat.joined:
                self._carry_out(seat, self.app.closed(seat.client))
            totals = {"received": seat.received_bytes, "sent": seat.sent_bytes}
            about = {"number": seat.client.number, "count": len(self._seats)}
            if counted:
                self.tell(Message(DEPARTED, {**about, **totals}))
            else:
                self.tell(Message(DEPARTED_UNCOUNTED, about))

    def finish_all(self) -> None:
        """Say good-bye to everybody: what waits is still sent."""
        with self._lock:
            for seat in list(self._seats.values()):
                self._finish(seat)
                seat.wake()

    def _understand(self, seat: Seat, data: bytes) -> None:
        try:
            found = seat.codec.receive(data)
        except Broken as error:
            self._end_broken(seat, error)
            return
        if found.answer:
            self._put(seat, found.answer)
        if not seat.joined:
            self._join(seat)
        for message in found.messages:
            if seat.finishing:
                return
            self._carry_out(seat, self.app.received(seat.client, message))
        if found.broken is not None:
            self._end_broken(seat, found.broken)
        elif found.ended and not seat.finishing:
            gone = self.app.ended(seat.client) if seat.joined else [Finish(seat.client)]
            self._carry_out(seat, gone)

    def _end_broken(self, seat: Seat, error: Broken) -> None:
        about = {"number": seat.client.number, "why": error.message}
        self.tell(Message(DROPPED, about))
        if error.last_words:
            self._put(seat, error.last_words)
        seat.finishing, seat.direct = True, None

    def _join(self, seat: Seat) -> None:
        if seat.codec.joined and not seat.joined:
            seat.joined = True
            self._carry_out(seat, self.app.opened(seat.client))

    def _carry_out(self, seat: Seat, answer: Answer) -> None:
        if isinstance(answer, bytes):
            self._put(seat, seat.codec.send(answer))
            return
        for action in answer or ():
            match action:
                case Send(client, data):
                    self._send(seat, client, data)
                case Finish(client) if target := self._seats.get(client.number):
                    self._finish(target)
                case Tell(message):
                    self.tell(message)

    def _send(self, speaker: Seat, client: Client, data: bytes) -> None:
        target = self._seats.get(client.number)
        if target is None or target.finishing or target.dropped:
            return
        self._put(target, target.codec.send(data))
        if target is not speaker:
            target.wake()

    def _put(self, seat: Seat, data: bytes) -> None:
        seat.put(data)
        if len(seat.waiting) > self.limits.send_queue_bytes:
            self.drop(seat, Message(SLOW, {"count": len(seat.waiting)}))

    def _finish(self, seat: Seat) -> None:
        if not seat.finishing:
            if last_words := seat.codec.finish():
                seat.put(last_words)
            seat.finishing, seat.direct = True, None
