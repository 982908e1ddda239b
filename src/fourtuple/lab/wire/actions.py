"""What rules do with the frames that they are about; runs in the wire's process.

A rule is a link (lab.wire.parcel.Link): what it lets go on comes to the next rule, and after the
last one to the receiver. What it keeps back goes on from there, not from the beginning.
"""

from fourtuple.event.model import Verdict
from fourtuple.lab.wire import orders
from fourtuple.lab.wire.forging import answer_for_absent, asks_for, flipped, fragments, too_big
from fourtuple.lab.wire.header_fields import changed
from fourtuple.lab.wire.matching import Matcher
from fourtuple.lab.wire.orders import Report
from fourtuple.lab.wire.parcel import Onward, Parcel
from fourtuple.lab.wire.surroundings import Timer, WireProcess
from fourtuple.wire import Ipv4View

__all__ = ["RunningRule"]

_NS = 1_000_000_000


class _Action:
    """What a rule does. By default every frame goes on, and nothing is kept."""

    def meet(self, parcel: Parcel, onward: Onward) -> None:
        """A frame that the rule is about."""
        onward(parcel)

    def passed(self, parcel: Parcel, met: bool) -> None:
        """A frame has been dealt with, whether the rule `met` it or it was not its business."""

    def release(self) -> None:
        """Let go on what is kept."""

    @property
    def held(self) -> int:
        """How many frames are kept."""
        return 0


class RunningRule:
    """A rule at work: a link of the wire."""

    def __init__(self, order: orders.Install, wire: WireProcess, seed: int) -> None:
        self._matcher = Matcher(order.selector, wire, seed)
        self._action = _action(order.action, wire, seed)
        self._frames: list[int] = []
        self._stopped = False

    def carry(self, parcel: Parcel, onward: Onward) -> None:
        met = not self._stopped and self._matcher.meets(parcel)
        if met:
            self._frames.append(parcel.number)
            self._action.meet(parcel, onward)
        else:
            onward(parcel)
        self._action.passed(parcel, met)

    def release(self) -> None:
        """Let go on what it holds."""
        self._action.release()

    def stop(self) -> None:
        """It is about no frame any more."""
        self._stopped = True
        self.release()

    def report(self) -> Report:
        return Report(tuple(self._frames), self._action.held)


class _Drop(_Action):
    def __init__(self, wire: WireProcess) -> None:
        self._wire = wire

    def meet(self, parcel: Parcel, onward: Onward) -> None:
        self._wire.drop(parcel)


class _Hold(_Action):
    def __init__(self, until: Matcher | None) -> None:
        self._until = until
        self._kept: list[tuple[Parcel, Onward]] = []

    def meet(self, parcel: Parcel, onward: Onward) -> None:
        self._kept.append((parcel.marked(Verdict.DELAYED), onward))

    def passed(self, parcel: Parcel, met: bool) -> None:
        if self._until and self._until.meets(parcel) and not met:
            self.release()

    def release(self) -> None:
        kept, self._kept = self._kept, []
        for parcel, onward in kept:
            onward(parcel)

    @property
    def held(self) -> int:
        return len(self._kept)


class _Delay(_Action):
    def __init__(self, seconds: float, wire: WireProcess) -> None:
        self._delay_ns = int(seconds * _NS)
        self._wire = wire

    def meet(self, parcel: Parcel, onward: Onward) -> None:
        late = parcel.marked(Verdict.DELAYED)
        self._wire.at(parcel.t_ns + self._delay_ns, lambda: onward(late))


class _Duplicate(_Action):
    def __init__(self, times: int) -> None:
        self._times = times

    def meet(self, parcel: Parcel, onward: Onward) -> None:
        for copy in parcel.marked(Verdict.DUPLICATED).copies(self._times):
            onward(copy)


class _Reorder(_Action):
    def __init__(self, behind: int) -> None:
        self._behind = behind
        self._kept: list[tuple[int, Parcel, Onward]] = []

    def meet(self, parcel: Parcel, onward: Onward) -> None:
        self._kept.append((self._behind, parcel.marked(Verdict.DELAYED), onward))

    def passed(self, parcel: Parcel, met: bool) -> None:
        if met:
            return
        kept, self._kept = self._kept, []
        for left, waiting, onward in kept:
            left -= waiting.sender == parcel.sender
            if left:
                self._kept.append((left, waiting, onward))
            else:
                onward(waiting)

    def release(self) -> None:
        kept, self._kept = self._kept, []
        for _, parcel, onward in kept:
            onward(parcel)

    @property
    def held(self) -> int:
        return len(self._kept)


class _Corrupt(_Action):
    def __init__(self, offset: int | None) -> None:
        self._offset = offset

    def meet(self, parcel: Parcel, onward: Onward) -> None:
        onward(parcel.with_data(flipped(parcel.packet, self._offset)))


class _Rewrite(_Action):
    def __init__(self, order: orders.Rewrite, wire: WireProcess) -> None:
        self._order = order
        self._wire = wire

    def meet(self, parcel: Parcel, onward: Onward) -> None:
        numbers = self._wire.numbers(parcel.packet)
        order = self._order
        data = changed(parcel.data, order.changes, numbers, checksums=order.checksums)
        onward(parcel.with_data(data))


class _Limit(_Action):
    """One queue a sender: a frame leaves when all before it have been sent at that rate."""

    def __init__(self, order: orders.Limit, wire: WireProcess) -> None:
        self._ns_per_byte = _NS / order.bytes_per_s
        self._most_bytes = order.queue_bytes
        self._wire = wire
        self._free_ns: dict[str, float] = {}
        self._queued_bytes: dict[str, int] = {}

    def meet(self, parcel: Parcel, onward: Onward) -> None:
        sender, size = parcel.sender, len(parcel.data)
        queued = self._queued_bytes.get(sender, 0)
        if queued and queued + size > self._most_bytes:
            self._wire.drop(parcel)
            return
        self._queued_bytes[sender] = queued + size
        begin_ns = max(self._free_ns.get(sender, 0), parcel.t_ns)
        self._free_ns[sender] = begin_ns + size * self._ns_per_byte

        def leave() -> None:
            self._queued_bytes[sender] -= size
            onward(parcel.marked(Verdict.DELAYED))

        self._wire.at(int(self._free_ns[sender]), leave)


class _Mtu(_Action):
    def __init__(self, order: orders.Mtu, wire: WireProcess) -> None:
        self._size = order.size
        self._icmp = order.icmp
        self._wire = wire

    def meet(self, parcel: Parcel, onward: Onward) -> None:
        ip = parcel.packet.ip
        if ip is None or ip.extent <= self._size:
            onward(parcel)
        elif isinstance(ip, Ipv4View) and not ip.dont_fragment:
            parts = list(fragments(parcel.packet, self._size))
            for copy, part in zip(parcel.copies(len(parts) - 1), parts, strict=True):
                onward(copy.with_data(part))
        else:
            self._wire.drop(parcel)
            if self._icmp:
                error = too_big(parcel.packet, self._size)
                self._wire.inject(parcel.sender, error, parcel.cable)


class _Absent(_Action):
    def __init__(self, address: str, wire: WireProcess) -> None:
        self._address = address
        self._wire = wire

    def meet(self, parcel: Parcel, onward: Onward) -> None:
        self._wire.drop(parcel)
        if asks_for(parcel.packet, self._address):
            answer = answer_for_absent(parcel.packet, self._address)
            self._wire.inject(parcel.sender, answer, parcel.cable)


class _Coalesce(_Action):
    """Each sender's frames are gathered apart from the others'."""

    def __init__(self, order: orders.Coalesce, wire: WireProcess) -> None:
        self._most = order.frames
        self._wait_ns = int(order.seconds * _NS)
        self._wire = wire
        self._kept: dict[str, list[Parcel]] = {}
        self._timers: dict[str, Timer] = {}

    def meet(self, parcel: Parcel, onward: Onward) -> None:
        sender = parcel.sender
        kept = self._kept.setdefault(sender, [])
        kept.append(parcel)
        if len(kept) == 1:
            due_ns = self._wire.now_ns() + self._wait_ns
            self._timers[sender] = self._wire.at(due_ns, lambda: self._hand_over(sender))
        if len(kept) == self._most:
            self._hand_over(sender)

    def _hand_over(self, sender: str) -> None:
        self._wire.cancel(self._timers.pop(sender))
        self._wire.deliver_together(self._kept.pop(sender))

    def release(self) -> None:
        for sender in list(self._kept):
            self._hand_over(sender)

    @property
    def held(self) -> int:
        return sum(map(len, self._kept.values()))


class _Inject(_Action):
    def __init__(self, order: orders.Inject, wire: WireProcess) -> None:
        self._order = order
        self._wire = wire

    def meet(self, parcel: Parcel, onward: Onward) -> None:
        onward(parcel)
        order = self._order
        numbers = self._wire.numbers(parcel.packet)
        data = changed(order.frame or parcel.data, order.changes, numbers)
        if order.to:
            self._wire.inject(order.to, data, order.cable)
        else:
            self._wire.inject(parcel.receiver, data, parcel.cable)


def _action(order: orders.Action, wire: WireProcess, seed: int) -> _Action:
    match order:
        case orders.Watch():
            return _Action()
        case orders.Drop():
            return _Drop(wire)
        case orders.Hold(until):
            return _Hold(Matcher(until, wire, seed) if until else None)
        case orders.Delay(seconds):
            return _Delay(seconds, wire)
        case orders.Duplicate(times):
            return _Duplicate(times)
        case orders.Reorder(behind):
            return _Reorder(behind)
        case orders.Corrupt(offset):
            return _Corrupt(offset)
        case orders.Rewrite():
            return _Rewrite(order, wire)
        case orders.Limit():
            return _Limit(order, wire)
        case orders.Mtu():
            return _Mtu(order, wire)
        case orders.Absent(address):
            return _Absent(address, wire)
        case orders.Coalesce():
            return _Coalesce(order, wire)
        case orders.Inject():
            return _Inject(order, wire)
