"""What a selector means: the state that its counts need, and the questions that it asks.

A Matcher belongs to one rule, and is shown every frame that comes to that rule, in order.
"""

import random
from collections.abc import Callable

from fourtuple.event.model import Endpoint
from fourtuple.lab.wire.forging import asks_for
from fourtuple.lab.wire.header_fields import matches
from fourtuple.lab.wire.parcel import Parcel
from fourtuple.lab.wire.select import (
    About,
    After,
    At,
    Chance,
    Condition,
    Every,
    Matching,
    Nth,
    OfKind,
    Port,
    Selector,
    SentBy,
    Times,
    To,
    Where,
)
from fourtuple.lab.wire.surroundings import Surroundings
from fourtuple.wire import ACK, FIN, RST, SYN, Icmp6View, Ipv4View, Ipv6FragmentView, Packet

__all__ = ["Matcher", "ends"]

Test = Callable[[Parcel], bool]

#: multicast listeners and routers (RFC 3810, RFC 4861): a kernel's own talk with its link
_NEIGHBOR_TYPES = frozenset((130, 131, 132, 133, 134, 135, 136, 137, 143))


class Matcher:
    """Whether the frames of a selector are met, one after the other."""

    def __init__(self, selector: Selector, surroundings: Surroundings, seed: int) -> None:
        self._surroundings = surroundings
        self._random = random.Random(seed)
        self._before: list[_Passed] = []
        self._tests = [self._test(condition) for condition in selector.conditions]

    def meets(self, parcel: Parcel) -> bool:
        """Whether the next frame is one of them."""
        met = all(test(parcel) for test in self._tests)
        for passed in self._before:
            passed.see(parcel)
        return met

    def _test(self, condition: Condition) -> Test:
        match condition:
            case OfKind(name):
                return lambda parcel: _KINDS[name](parcel.packet)
            case SentBy(host):
                return lambda parcel: parcel.sender == host
            case To(host):
                return lambda parcel: parcel.receiver == host
            case At(host):
                return lambda parcel: host in (parcel.sender, parcel.receiver)
            case About(address):
                return lambda parcel: _is_about(parcel.packet, address)
            case Port(number):
                return lambda parcel: number in _ports(parcel.packet)
            case Nth(numbers):
                return _Counting(lambda count: count in numbers)
            case Times(most):
                return _Counting(lambda count: count <= most)
            case Every(step):
                return _Counting(lambda count: count % step == 0)
            case Chance(probability):
                return lambda parcel: self._random.random() < probability
            case After(selector):
                return self._after(selector)
            case Where(states):
                return lambda parcel: self._in_states(states, parcel)
            case Matching(fields):
                return lambda parcel: self._has(fields, parcel.packet)

    def _after(self, selector: Selector) -> Test:
        passed = _Passed(Matcher(selector, self._surroundings, self._random.getrandbits(32)))
        self._before.append(passed)
        return lambda parcel: passed.seen

    def _in_states(self, states: dict[str, str], parcel: Parcel) -> bool:
        return parcel.packet.tcp is not None and all(
            self._surroundings.socket_state(host, parcel.packet, parcel.sender == host) == state
            for host, state in states.items()
        )

    def _has(self, fields: dict[str, int | str | tuple[int, int]], packet: Packet) -> bool:
        numbers = self._surroundings.numbers(packet)
        return all(matches(packet, name, value, numbers) for name, value in fields.items())


class _Counting:
    """Counts what comes to it."""

    def __init__(self, wanted: Callable[[int], bool]) -> None:
        self._wanted = wanted
        self._count = 0

    def __call__(self, parcel: Parcel) -> bool:
        self._count += 1
        return self._wanted(self._count)


class _Passed:
    """Whether a frame of a selector has been seen."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self.seen = False

    def see(self, parcel: Parcel) -> None:
        self.seen = self._matcher.meets(parcel) or self.seen


def _ports(packet: Packet) -> tuple[int, ...]:
    view = packet.tcp or packet.udp
    return (view.source_port, view.destination_port) if view else ()


def ends(packet: Packet) -> tuple[Endpoint, Endpoint] | None:
    """Source and destination of a segment or datagram."""
    ip, view = packet.ip, packet.tcp or packet.udp
    if ip is None or view is None:
        return None
    return Endpoint(ip.source, view.source_port), Endpoint(ip.destination, view.destination_port)


def _has_flags(packet: Packet, wanted: int, unwanted: int = 0) -> bool:
    tcp = packet.tcp
    return tcp is not None and tcp.has(wanted) and not tcp.flags & unwanted


def _resolves(packet: Packet) -> bool:
    icmp = packet.icmp
    return packet.arp is not None or (isinstance(icmp, Icmp6View) and icmp.type in _NEIGHBOR_TYPES)


def _is_fragment(packet: Packet) -> bool:
    ip = packet.ip
    if isinstance(ip, Ipv4View):
        return ip.more_fragments or ip.fragment_offset > 0
    return packet.layer(Ipv6FragmentView) is not None


def _is_about(packet: Packet, address: str) -> bool:
    ip = packet.ip
    return asks_for(packet, address) or (ip is not None and ip.destination == address)


def _payload(packet: Packet) -> int:
    return packet.tcp.payload_length if packet.tcp else 0


_KINDS: dict[str, Callable[[Packet], bool]] = {
    "any_frame": lambda packet: True,
    "neighbor": _resolves,
    "packet": lambda packet: packet.ip is not None and not _resolves(packet),
    "fragment": _is_fragment,
    "icmp": lambda packet: packet.icmp is not None and not _resolves(packet),
    "datagram": lambda packet: packet.udp is not None,
    "segment": lambda packet: packet.tcp is not None,
    "data": lambda packet: _payload(packet) > 0,
    "syn": lambda packet: _has_flags(packet, SYN, ACK),
    "synack": lambda packet: _has_flags(packet, SYN | ACK),
    "fin": lambda packet: _has_flags(packet, FIN),
    "rst": lambda packet: _has_flags(packet, RST),
    "pure_ack": lambda packet: _has_flags(packet, ACK, SYN | FIN | RST) and not _payload(packet),
}
