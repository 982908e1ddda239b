"""Which frames a rule is about: selectors, which read as they are meant.

    data.sent_by(client).nth(2)                     the client's second segment with data
    fin.to(server).first()                          the first FIN on its way to the server
    pure_ack.sent_by(server).where(client="FIN_WAIT1")
    segment.sent_by(client).after(synack)           once a SYN ACK has passed
    packet.chance(0.05)                             each with that probability, by the run's seed

Conditions hold in the order in which they are written, and counts are of the frames for which all
that stands before them holds, from the moment when the rule was made: `data.nth(2).sent_by(client)`
is the second data segment of all, if it is the client's. A retransmission counts like any other
frame. A selector is only data: what it means is decided in the wire's process (lab.wire.matching).
"""

from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from fourtuple.errors import N_, UsageError
from fourtuple.lab.wire.header_fields import check_fields
from fourtuple.wire import TcpOption

__all__ = [
    "STATES",
    "About",
    "After",
    "At",
    "Chance",
    "Condition",
    "Every",
    "Matching",
    "Named",
    "Nth",
    "OfKind",
    "Port",
    "Selector",
    "SentBy",
    "Times",
    "To",
    "Where",
    "any_frame",
    "data",
    "datagram",
    "fin",
    "fragment",
    "hosts_named",
    "icmp",
    "name_of",
    "neighbor",
    "packet",
    "pure_ack",
    "rst",
    "segment",
    "syn",
    "synack",
    "written_values",
]

#: a socket's states as sock_diag names them, and "CLOSED" where there is no such socket
STATES = (
    *("CLOSED", "LISTEN", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2"),
    *("CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT"),
)

NTH_FROM_1 = N_("nth() counts from 1: there is no frame {number}.")
AT_LEAST_1 = N_("{method}({number}): it takes a number from 1 on.")
CHANCE = N_("chance({number}): a probability is from 0 to 1.")
NO_STATE = N_("{state} is no state of a socket. There are {known}.")
NO_PORT = N_("port({number}): a port is from 0 to 65535.")
NO_HOST = N_("{host} is no host: give the host itself, or its name.")


class Named(Protocol):
    """What has a name: a host."""

    @property
    def name(self) -> str: ...


class OfKind(msgspec.Struct, frozen=True, tag="kind"):
    """Of that kind: the name of a selector of this module."""

    name: str


class SentBy(msgspec.Struct, frozen=True, tag="sent_by"):
    """This host put it on the wire."""

    host: str


class To(msgspec.Struct, frozen=True, tag="to"):
    """On its way to this host."""

    host: str


class At(msgspec.Struct, frozen=True, tag="at"):
    """Sent by this host or on its way to it."""

    host: str


class About(msgspec.Struct, frozen=True, tag="about"):
    """Goes to this address, or asks for the link-layer address that belongs to it."""

    address: str


class Port(msgspec.Struct, frozen=True, tag="port"):
    """This port is the source's or the destination's."""

    number: int


class Nth(msgspec.Struct, frozen=True, tag="nth"):
    """One of these numbers, counted from 1."""

    numbers: tuple[int, ...]


class Times(msgspec.Struct, frozen=True, tag="times"):
    """The first so many."""

    count: int


class Every(msgspec.Struct, frozen=True, tag="every"):
    """Each n-th."""

    count: int


class Chance(msgspec.Struct, frozen=True, tag="chance"):
    """Each with this probability."""

    probability: float


class After(msgspec.Struct, frozen=True, tag="after"):
    """A frame of this selector has passed before it."""

    selector: "Selector"


class Where(msgspec.Struct, frozen=True, tag="where"):
    """host -> state of that host's socket of the frame's connection, when the frame entered."""

    states: dict[str, str]


class Matching(msgspec.Struct, frozen=True, tag="matching"):
    """Header field -> its value, or (first, last) of those that it may have."""

    fields: dict[str, int | str | tuple[int, int]]


Condition = (
    OfKind | SentBy | To | At | About | Port | Matching | Where | After
    | Nth | Times | Every | Chance
)  # fmt: skip


class Selector(msgspec.Struct, frozen=True):
    """The frames for which every condition holds; `str()` is how it is written."""

    conditions: tuple[Condition, ...] = ()

    def sent_by(self, host: Named | str) -> "Selector":
        """Those that this host puts on the wire."""
        return self._and(SentBy(name_of(host)))

    def to(self, host: Named | str) -> "Selector":
        """Those on their way to this host."""
        return self._and(To(name_of(host)))

    def at(self, host: Named | str) -> "Selector":
        """Those that this host sends or is to get."""
        return self._and(At(name_of(host)))

    def about(self, address: str) -> "Selector":
        """Those that go to an address, and those that ask for its link-layer address."""
        return self._and(About(address))

    def port(self, number: int) -> "Selector":
        """Those from or to this port, TCP or UDP."""
        if not 0 <= number <= 65535:
            raise UsageError(NO_PORT, {"number": number})
        return self._and(Port(number))

    def nth(self, *numbers: int) -> "Selector":
        """Only the n-th, counted from 1; several numbers: each of these."""
        for number in numbers:
            if number < 1:
                raise UsageError(NTH_FROM_1, {"number": number})
        return self._and(Nth(numbers))

    def first(self) -> "Selector":
        """Only the first."""
        return self.nth(1)

    def times(self, count: int) -> "Selector":
        """Only the first so many."""
        return self._and(Times(_at_least_1("times", count)))

    def every(self, count: int) -> "Selector":
        """Each n-th: every(20) is one in twenty."""
        return self._and(Every(_at_least_1("every", count)))

    def chance(self, probability: float) -> "Selector":
        """Each with that probability; the same ones for the same seed and order of frames."""
        if not 0 <= probability <= 1:
            raise UsageError(CHANCE, {"number": probability})
        return self._and(Chance(float(probability)))

    def after(self, selector: "Selector") -> "Selector":
        """Only once a frame of another selector has passed; that frame itself does not count."""
        return self._and(After(selector))

    def where(self, **states: str) -> "Selector":
        """Those that enter the wire while a host's socket of this connection is in a state:
        where(client="FIN_WAIT1"). A host without such a socket is in CLOSED or, where a socket
        listens on the port, in LISTEN."""
        for state in states.values():
            if state not in STATES:
                raise UsageError(NO_STATE, {"state": state, "known": ", ".join(STATES)})
        return self._and(Where(dict(states)))

    def matching(self, **fields: int | str | range) -> "Selector":
        """Those whose header has these values: matching(flags="PSH ACK", len=range(1, 100)).

        `len` is the payload's; `seq` and `ack` count from the initial number that the wire saw;
        any other name is that of a header field (lab.wire.header_fields).
        """
        check_fields(fields, only_read=True)
        return self._and(Matching({name: _bounds(value) for name, value in fields.items()}))

    def _and(self, condition: Condition) -> "Selector":
        return Selector((*self.conditions, condition))

    def __str__(self) -> str:
        return ".".join(map(_written, self.conditions))


def name_of(host: Named | str) -> str:
    """The name of a host; UsageError where it is none."""
    name = host if isinstance(host, str) else getattr(host, "name", None)
    if not isinstance(name, str):
        raise UsageError(NO_HOST, {"host": repr(host)})
    return name


def hosts_named(selector: Selector) -> Iterator[str]:
    """The names of the hosts that a selector speaks of."""
    for condition in selector.conditions:
        match condition:
            case SentBy(name) | To(name) | At(name):
                yield name
            case Where(states):
                yield from states
            case After(before):
                yield from hosts_named(before)


def _at_least_1(method: str, count: int) -> int:
    if count < 1:
        raise UsageError(AT_LEAST_1, {"method": method, "number": count})
    return count


def _bounds(value: int | str | range) -> int | str | tuple[int, int]:
    return (min(value), max(value)) if isinstance(value, range) else value


def _written(condition: Condition) -> str:
    """A condition as a script has it."""
    match condition:
        case OfKind(name):
            return name
        case Nth((1,)):
            return "first()"
        case Nth(numbers):
            return f"nth({', '.join(map(str, numbers))})"
        case Where(states):
            return f"where({written_values(states)})"
        case Matching(fields):
            return f"matching({written_values(fields)})"
        case SentBy(value) | To(value) | At(value) | Port(value) | After(value):
            return f"{_tag(condition)}({value})"
        case About(address):
            return f'about("{address}")'
        case Times(value) | Every(value) | Chance(value):
            return f"{_tag(condition)}({value:g})"


def _tag(condition: Condition) -> str:
    return str(condition.__struct_config__.tag)


def written_values(values: Mapping[str, object]) -> str:
    """Keyword arguments as a script has them."""
    return ", ".join(f"{name}={_written_value(value)}" for name, value in values.items())


def _written_value(value: object) -> str:
    if isinstance(value, tuple) and len(value) == 2 and all(isinstance(v, int) for v in value):
        return f"range({value[0]}, {value[1] + 1})"
    if isinstance(value, tuple) and value and isinstance(value[0], TcpOption):
        return f"({', '.join(map(str, value))})"
    if isinstance(value, str):
        return f'"{value}"'
    return str(value)


def _kind(name: str) -> Selector:
    return Selector((OfKind(name),))


#: every frame, address resolution included
any_frame = _kind("any_frame")
#: address resolution: ARP, and IPv6's Neighbor Discovery
neighbor = _kind("neighbor")
#: IP packets, but for Neighbor Discovery
packet = _kind("packet")
#: packets that are a part of a fragmented one
fragment = _kind("fragment")
#: ICMP messages, of either version, but for Neighbor Discovery
icmp = _kind("icmp")
#: UDP datagrams (of a fragmented one, the first fragment)
datagram = _kind("datagram")
#: TCP segments
segment = _kind("segment")
#: TCP segments with payload
data = _kind("data")
#: segments with SYN and without ACK
syn = _kind("syn")
#: segments with SYN and ACK
synack = _kind("synack")
#: segments with FIN
fin = _kind("fin")
#: segments with RST
rst = _kind("rst")
#: segments with nothing but an acknowledgment: neither payload nor SYN, FIN or RST
pure_ack = _kind("pure_ack")
