"""The wire: a process that carries every frame between two hosts by hand.

Frames are taken in the order in which they entered, by the kernel's stamps. For each: note it and
the sender's sockets, let the links decide, give it to the receiver, note the receiver's sockets.
Giving a frame to a veth end is synchronous: when send() returns, the receiver's kernel has dealt
with it, so the sockets seen then are those that this very frame made.

What the links let go on later waits in a heap of timers: a late frame never holds up the others.
The director's orders are carried out between frames only: an answer means that none is waiting.
"""

import heapq
import select
import time
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from fourtuple.errors import N_, FourtupleError, RuleFailed
from fourtuple.event.model import AS_LEFT, Note, Verdict, at_host
from fourtuple.lab.channel import Channel
from fourtuple.lab.log import ClockSampled, FrameEntered, FrameLeft, Log
from fourtuple.lab.stillness import Stillness
from fourtuple.lab.wire import orders
from fourtuple.lab.wire.actions import RunningRule
from fourtuple.lab.wire.cables import Cable, End, Side
from fourtuple.lab.wire.connections import Connections, state_of
from fourtuple.lab.wire.header_fields import Numbers, changed
from fourtuple.lab.wire.matching import ends
from fourtuple.lab.wire.offload import HEADER_BYTES, Merged, as_on_the_wire, put_together
from fourtuple.lab.wire.parcel import Fate, Link, Parcel
from fourtuple.lab.wire.surroundings import Timer
from fourtuple.system.packet import PacketSocket, WallClock
from fourtuple.wire import Packet, dissect

__all__ = ["Carrier"]

#: more rules than a script makes: the rules of two seeds have no random numbers in common
_SEEDS_APART = 1009

NOT_TAKEN = N_("A frame of {bytes} bytes could not be given to {host}: {reason}.")


class Carrier:
    """Carries frames between the ends of its cables until the director says "stop".

    `link` is a part of the wire that was there before the first rule; `seed` feeds the rules.
    """

    def __init__(
        self,
        log: Log,
        channel: Channel,
        cables: Sequence[Cable],
        stillness: Stillness,
        link: Link | None = None,
        seed: int = 0,
    ) -> None:
        self._log = log
        self._stillness = stillness
        self._channel = channel
        self._sides = [
            Side(cable.name, *pair) for cable in cables for pair in (cable.ends, cable.ends[::-1])
        ]
        self._seed = seed
        self._links: list[Link] = [link] if link else []
        self._last_links: list[Link] = []
        self._rules: list[RunningRule] = []
        self._connections = Connections()
        self._clock = WallClock()
        self._waiting: list[tuple[int, int, Side, bytes]] = []
        self._timers: list[Timer] = []
        self._counter = 0
        self._number = 0
        self._entered = 0
        self._left_ns = 0
        self._error: FourtupleError | None = None

    def run(self) -> None:
        self._log.write(ClockSampled(self._clock.offset_ns, self._clock.error_ns))
        self._channel.send("ready")
        sources: list[Channel | PacketSocket] = [self._channel]
        sources += (side.sender.packets for side in self._sides)
        while True:
            ready = select.select(sources, [], [], self._patience_s())[0]
            self._carry_all()
            if self._channel in ready and not self._obey():
                return

    # frames

    def _patience_s(self) -> float | None:
        return max(0, self._timers[0][0] - self.now_ns()) / 1e9 if self._timers else None

    def _carry_all(self) -> None:
        """Whatever waits, and whatever is due, in order of time."""
        while True:
            self._take()
            if self._waiting or self._patience_s() == 0:
                self._stillness.wait()
                self._take()
            due_ns = self._timers[0][0] if self._timers else None
            entered_ns = self._clock.monotonic(self._waiting[0][0]) if self._waiting else None
            now_ns = self.now_ns()
            if due_ns is not None and due_ns <= min(now_ns, entered_ns or now_ns):
                heapq.heappop(self._timers)[2]()
            elif self._waiting:
                self._carry_first()
            else:
                return

    def _take(self) -> None:
        for side in self._sides:
            while (received := side.sender.packets.receive()) is not None:
                data, wall_ns = received
                heapq.heappush(self._waiting, (wall_ns, self._next(), side, data))

    def _next(self) -> int:
        self._counter += 1
        return self._counter

    def _carry_first(self) -> None:
        wall_ns, _, side, data = heapq.heappop(self._waiting)
        self._watch_clock()
        self._entered += 1
        t_ns = self._clock.monotonic(wall_ns)
        parcels = [self._entering(t_ns, side, part) for part in self._cut(t_ns, side, data)]
        if not _resolves(parcels[0].data):
            about = ends(parcels[-1].packet)
            side.sender.observer.observe("entered", parcels[-1].number, about=about)
        for parcel in parcels:
            self._pass_on(0, side, parcel)

    def _cut(self, t_ns: int, side: Side, data: bytes) -> list[bytes]:
        """What the sender's network card makes of it, where the kernel leaves that to the card."""
        if not side.sender.offloads:
            return [data]
        header, frame = data[:HEADER_BYTES], data[HEADER_BYTES:]
        self._note_at(side.sender, t_ns, side.sender.host, frame)
        return as_on_the_wire(header, frame)

    def _entering(self, t_ns: int, side: Side, data: bytes) -> Parcel:
        number = self._note_frame(t_ns, side.sender.host, data, side.cable)
        way = side.cable, side.sender.host, side.receiver.host
        parcel = Parcel(number, *way, t_ns, data, Fate(data))
        self._connections.see(parcel.packet)
        return parcel

    def _note_at(self, end: End, t_ns: int, sender: str, data: bytes) -> None:
        """What a capture on that host shows."""
        number = self._note_frame(t_ns, sender, data, at_host(end.host))
        self._log.write(FrameLeft(number, t_ns, Verdict.CAPTURED))

    def _note_frame(self, t_ns: int, sender: str, data: bytes, vantage: str) -> int:
        self._number += 1
        self._log.write(FrameEntered(self._number, t_ns, sender, data, vantage))
        return self._number

    def _pass_on(self, position: int, side: Side, parcel: Parcel) -> None:
        """To the link at that position of the chain, or, behind the last one, to the receiver."""
        links = (*self._links, *self._last_links)
        if position == len(links):
            self._deliver(side, [parcel])
            return
        onward = partial(self._pass_on, position + 1, side)
        try:
            links[position].carry(parcel, onward)
        except FourtupleError as error:  # of a rule, before it has let anything go on
            self._error = self._error or error
            onward(parcel)

    def _deliver(self, side: Side, parcels: Sequence[Parcel]) -> None:
        """Give the receiver frames that come together: one, unless its network card gathers."""

        def deliver() -> None:
            left_ns = self._left_ns = max(self._left_ns + 1, self.now_ns())
            for parcel in parcels:
                self._note_leaving(parcel, left_ns)
            for merged in self._given(side.receiver, [parcel.data for parcel in parcels]):
                if side.receiver.offloads:
                    self._note_at(side.receiver, left_ns, parcels[0].sender, merged.frame)
                self._send(side.receiver, merged)

        for parcel in parcels:
            parcel.fate.arrived += 1
        if _resolves(parcels[0].data):
            deliver()
        else:
            about = ends(parcels[-1].packet)
            side.receiver.observer.observe(
                "delivered", parcels[-1].number, deliver, about and about[::-1]
            )

    def _note_leaving(self, parcel: Parcel, left_ns: int) -> None:
        self._log.write(FrameLeft(parcel.number, left_ns, parcel.verdict))
        if parcel.data != parcel.fate.entered:
            other = self._note_frame(left_ns, parcel.sender, parcel.data, AS_LEFT)
            self._log.write(FrameLeft(other, left_ns, parcel.verdict))

    def _given(self, receiver: End, frames: list[bytes]) -> list[Merged]:
        return put_together(frames) if receiver.offloads else [Merged(b"", f) for f in frames]

    def _send(self, receiver: End, merged: Merged) -> None:
        try:
            receiver.packets.send(merged.header + merged.frame)
        except OSError as error:  # a frame that no link carries, made by a rule
            refused = {"bytes": len(merged.frame), "host": receiver.host, "reason": error.strerror}
            self._error = self._error or RuleFailed(NOT_TAKEN, refused)

    def _watch_clock(self) -> None:
        if step_ns := self._clock.sample():
            note = Note(t_ns=self.now_ns(), kind="clock", params={"step_ns": step_ns})
            self._log.write(note)

    # what the rules ask for (lab.wire.surroundings.WireProcess)

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def at(self, due_ns: int, deed: Callable[[], None]) -> Timer:
        timer = due_ns, self._next(), deed
        heapq.heappush(self._timers, timer)
        return timer

    def cancel(self, timer: Timer) -> None:
        if timer in self._timers:
            self._timers.remove(timer)
            heapq.heapify(self._timers)

    def drop(self, parcel: Parcel) -> None:
        """Noted where no copy is left that could still arrive, or has."""
        fate = parcel.fate
        fate.copies -= 1
        if not fate.copies and not fate.arrived:
            self._log.write(FrameLeft(parcel.number, 0, Verdict.DROPPED))

    def inject(self, to: str, data: bytes, cable: str = "") -> int:
        sides = (side for side in self._sides if side.receiver.host == to)
        side = next(side for side in sides if cable in ("", side.cable))
        t_ns = self.now_ns()
        number = self._note_frame(t_ns, "", data, side.cable)
        parcel = Parcel(number, side.cable, "", to, t_ns, data, Fate(data), Verdict.INJECTED)
        self._deliver(side, [parcel])
        return number

    def deliver_together(self, parcels: Sequence[Parcel]) -> None:
        way = parcels[0].cable, parcels[0].receiver
        side = next(s for s in self._sides if (s.cable, s.receiver.host) == way)
        self._deliver(side, parcels)

    def numbers(self, packet: Packet) -> Numbers:
        return self._connections.numbers(packet)

    def socket_state(self, host: str, packet: Packet, sent: bool) -> str:
        side = next((side for side in self._sides if side.sender.host == host), None)
        pair = ends(packet)
        if side is None or pair is None:
            return "CLOSED"
        return state_of(side.sender.observer.look(), *(pair if sent else pair[::-1]))

    # orders

    def _obey(self) -> bool:
        """Carry out an order of the director; False at the end."""
        order = msgspec.convert(self._channel.receive(), orders.Order)
        if isinstance(order, orders.StopWire):
            return False
        try:
            answer = self._carry_out(order)
        except FourtupleError as error:
            self._error = self._error or error
            answer = 0
        self._channel.send(msgspec.to_builtins(answer))
        return True

    def _carry_out(self, order: orders.Order) -> object:
        match order:
            case orders.Install():
                rule = RunningRule(order, self, self._seed * _SEEDS_APART + len(self._rules))
                self._rules.append(rule)
                # what a receiver's network card gathers has come through every other rule
                coalesces = isinstance(order.action, orders.Coalesce)
                (self._last_links if coalesces else self._links).append(rule)
                return len(self._rules) - 1
            case orders.Release(rule=index):
                self._rules[index].release()
            case orders.StopRule(rule=index):
                self._rules[index].stop()
            case orders.Injected(inject=what):
                numbers = self.numbers(dissect(what.frame))
                data = changed(what.frame, what.changes, numbers)
                return self.inject(what.to, data, what.cable)
            case orders.Status():
                return self._status()
        return 0

    def _status(self) -> orders.WireStatus:
        lost = sum(side.sender.packets.drops() for side in self._sides)
        reports = tuple(rule.report() for rule in self._rules)
        error, self._error = self._error, None
        return orders.WireStatus(
            self._entered,
            lost,
            len(self._timers),
            reports,
            error.message if error else "",
            {name: str(value) for name, value in error.params.items()} if error else {},
        )


def _resolves(frame: bytes) -> bool:
    """Whether it is ARP, in which no socket has a part."""
    return frame[12:14] == b"\x08\x06"
