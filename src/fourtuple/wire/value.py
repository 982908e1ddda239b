"""Values: headers that can only be legal, and frames built of them.

A value checks itself when it is made: ValueNotLegal where its protocol does not allow it. `frame`
stacks values, outermost first, and makes neighbours agree:

    frame(Ethernet(), Ipv4("10.0.0.1", "10.0.0.2"), Tcp(40000, 80, flags=SYN), b"")

Lengths and checksums are never fields of a value: `emit` computes them.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, Self

from fourtuple.errors import ValueNotLegal
from fourtuple.wire.address import ip_bytes
from fourtuple.wire.checksum import pseudo_header
from fourtuple.wire.view import View

__all__ = ["IpValue", "Value", "check_addresses", "check_bits", "check_legal", "frame"]


def check_bits(**widths: tuple[int, int]) -> None:
    """Each keyword is name=(number, bits). ValueNotLegal for a number that does not fit."""
    for name, (number, bits) in widths.items():
        if not 0 <= number < 1 << bits:
            raise ValueNotLegal(f"{name} is {number}: it must be from 0 to {(1 << bits) - 1}")


def check_legal(view: View, *zero: str) -> None:
    """ValueNotLegal where the view has problems, or a field named in `zero` is not 0."""
    problems = view.problems()
    problems += tuple(f"{name} is not 0" for name in zero if getattr(view, name))
    if problems:
        raise ValueNotLegal(f"no legal {view.name} header: {', '.join(problems)}")


def check_addresses(
    value: "Value", read: Callable[[str], bytes], show: Callable[[bytes], str], *names: str
) -> None:
    """ValueNotLegal where the fields named are no addresses. Each gets the one form that its
    text has in a view, so that values are equal where their bytes are."""
    for name in names:
        object.__setattr__(value, name, show(read(getattr(value, name))))


class Value:
    """A legal header. Subclasses are frozen dataclasses."""

    #: what the layer around it says that it carries: a registry and a number of it
    IDENTITY: ClassVar[tuple[str, int]] = ("", 0)
    #: the registry its own "what comes next" field takes numbers from, and that field's name
    CARRIES: ClassVar[tuple[str, str]] = ("", "")

    __slots__ = ()

    def emit(self, payload: bytes = b"", ip: "IpValue | None" = None) -> bytes:
        """Header and payload as bytes. `ip` is the IP header that is going around it: TCP, UDP
        and ICMPv6 include its addresses in their checksum."""
        raise NotImplementedError

    @classmethod
    def parse(cls, view: Any) -> Self:
        """The value of a view; ValueNotLegal where the view's header is not legal."""
        raise NotImplementedError


class IpValue(Value):
    """An IP header: what a pseudo header is made of."""

    source: str
    destination: str

    __slots__ = ()

    def pseudo_header(self, protocol: int, length: int) -> bytes:
        """What TCP, UDP and ICMPv6 sum before their own `length` bytes."""
        check_bits(length=(length, 16))
        return pseudo_header(ip_bytes(self.source), ip_bytes(self.destination), protocol, length)


def frame(*layers: Value | bytes) -> bytes:
    """The layers as one frame, outermost first; bytes only at the end.

    A layer's "what comes next" field (Ethernet's type, IP's protocol) is set to what comes next.
    """
    payload, below = b"", None
    for index in reversed(range(len(layers))):
        layer = layers[index]
        if isinstance(layer, Value):
            payload = _agreeing(layer, below).emit(payload, _last_ip(layers[:index]))
            below = layer
        elif index == len(layers) - 1:
            payload = layer
        else:
            raise ValueNotLegal("bytes are payload: they come after every header")
    return payload


def _last_ip(layers: tuple[Value | bytes, ...]) -> IpValue | None:
    return next((layer for layer in reversed(layers) if isinstance(layer, IpValue)), None)


def _agreeing(layer: Value, below: Value | None) -> Value:
    registry, name = layer.CARRIES
    if below is None or not registry or below.IDENTITY[0] != registry:
        return layer
    changes: Any = {name: below.IDENTITY[1]}
    return replace(layer, **changes)  # type: ignore[type-var]
