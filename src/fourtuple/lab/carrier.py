"""The wire: a process that carries every frame between two hosts by hand.

Frames are taken in the order in which they entered, by the kernel's stamps. For each: note it and
the sender's sockets, let the link decide, give it to the receiver, note the receiver's sockets.
Giving a frame to a veth end is synchronous: when send() returns, the receiver's kernel has dealt
with it, so the sockets seen then are those that this very frame made.

The director asks for `status` between frames only: an answer means that none is waiting.
"""

import heapq
import select
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from fourtuple.event.model import Note, Verdict
from fourtuple.lab.channel import Channel
from fourtuple.lab.log import ClockSampled, FrameEntered, FrameLeft, Log
from fourtuple.lab.observer import Observer
from fourtuple.system.packet import PacketSocket, WallClock

__all__ = ["CarriedFrame", "Carrier", "End", "Link", "StraightLink"]

_ARP = b"\x08\x06"


@dataclass(frozen=True, slots=True)
class CarriedFrame:
    """A frame on the wire: its number, the host that sent it, when it entered, its bytes."""

    number: int
    sender: str
    t_ns: int
    data: bytes


class Link(Protocol):
    """Decides what becomes of a frame. Links wrap one another: Lossy(Slow(StraightLink()))."""

    def carry(self, frame: CarriedFrame) -> Iterable[tuple[int, bytes]]:
        """(verdict, bytes) for each time that the frame is to be delivered; none: dropped."""


class StraightLink:
    """Delivers each frame as it came."""

    def carry(self, frame: CarriedFrame) -> Iterable[tuple[int, bytes]]:
        return ((Verdict.DELIVERED, frame.data),)


@dataclass(frozen=True, slots=True)
class End:
    """One end of the wire: the host there, the socket to it, and the view of its table."""

    host: str
    packets: PacketSocket
    observer: Observer


class Carrier:
    """Carries frames between two ends until the director says "stop"."""

    def __init__(self, log: Log, channel: Channel, ends: tuple[End, End], link: Link) -> None:
        self._log = log
        self._channel = channel
        self._ends = ends
        self._link = link
        self._clock = WallClock()
        self._waiting: list[tuple[int, int, int, bytes]] = []
        self._taken = 0
        self._number = 0

    def run(self) -> None:
        self._log.write(ClockSampled(self._clock.offset_ns, self._clock.error_ns))
        self._channel.send("ready")
        sources: list[PacketSocket | Channel] = [end.packets for end in self._ends]
        sources.append(self._channel)
        while True:
            ready = select.select(sources, [], [])[0]
            while self._take() or self._waiting:
                self._carry_first()
            if self._channel in ready and not self._answer():
                return

    def _take(self) -> bool:
        """Read all that waits at both ends; True where there was anything."""
        before = self._taken
        for side, end in enumerate(self._ends):
            while (received := end.packets.receive()) is not None:
                data, wall_ns = received
                self._taken += 1
                heapq.heappush(self._waiting, (wall_ns, self._taken, side, data))
        return self._taken > before

    def _carry_first(self) -> None:
        wall_ns, _, side, data = heapq.heappop(self._waiting)
        self._watch_clock()
        sender, receiver = self._ends[side], self._ends[1 - side]
        self._number += 1
        frame = CarriedFrame(self._number, sender.host, self._clock.monotonic(wall_ns), data)
        self._log.write(FrameEntered(frame.number, frame.t_ns, frame.sender, frame.data))
        of_interest = data[12:14] != _ARP
        if of_interest:
            sender.observer.observe("entered", frame.number)
        deliveries = tuple(self._link.carry(frame))
        for verdict, content in deliveries:
            deliver = partial(self._deliver, receiver, frame.number, verdict, content)
            if of_interest:
                receiver.observer.observe("delivered", frame.number, deliver)
            else:
                deliver()
        if not deliveries:
            self._log.write(FrameLeft(frame.number, 0, Verdict.DROPPED))

    def _deliver(self, receiver: End, number: int, verdict: int, content: bytes) -> None:
        self._log.write(FrameLeft(number, time.monotonic_ns(), verdict))
        receiver.packets.send(content)

    def _watch_clock(self) -> None:
        if step_ns := self._clock.sample():
            note = Note(t_ns=time.monotonic_ns(), kind="clock", params={"step_ns": step_ns})
            self._log.write(note)

    def _answer(self) -> bool:
        if self._channel.receive() == "stop":
            return False
        lost = sum(end.packets.drops() for end in self._ends)
        self._channel.send({"frames": self._number, "lost": lost})
        return True
