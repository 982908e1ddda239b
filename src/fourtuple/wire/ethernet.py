"""Ethernet II and its VLAN tags (IEEE 802.3, 802.1Q, 802.1ad).

A type below 0x600 is the length of an 802.3 frame: what follows is LLC, which is not decoded.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

from fourtuple.errors import ValueNotLegal
from fourtuple.wire.address import mac_bytes, mac_text
from fourtuple.wire.field import Address, Named, Number, hexadecimal
from fourtuple.wire.registry import ETHERTYPES
from fourtuple.wire.value import IpValue, Value, check_addresses, check_bits, check_legal
from fourtuple.wire.view import View

__all__ = ["Ethernet", "EthernetView", "Vlan", "VlanView"]

SMALLEST_TYPE = 0x600


class EthernetView(View):
    """An Ethernet header: 14 bytes."""

    name = "Ethernet"
    __slots__ = ()

    destination = Address(48, "Destination", mac_text)
    source = Address(48, "Source", mac_text)
    type = Named(16, "Type", ETHERTYPES, hexadecimal(4))

    @property
    def inner(self) -> tuple[str, int] | None:
        return ("ethertype", self.type) if self.readable else None


class VlanView(View):
    """A VLAN tag, counted from after the type that announced it: 4 bytes."""

    name = "VLAN"
    __slots__ = ()

    priority = Number(3, "Priority")
    drop_eligible = Number(1, "Drop eligible")
    vlan = Number(12, "VLAN")
    type = Named(16, "Type", ETHERTYPES, hexadecimal(4))

    @property
    def inner(self) -> tuple[str, int] | None:
        return ("ethertype", self.type) if self.readable else None


@dataclass(frozen=True, slots=True)
class Ethernet(Value):
    """An Ethernet II header. The defaults are locally administered addresses."""

    IDENTITY: ClassVar[tuple[str, int]] = ("link", 1)
    CARRIES: ClassVar[tuple[str, str]] = ("ethertype", "type")

    source: str = "02:00:00:00:00:01"
    destination: str = "02:00:00:00:00:02"
    type: int = 0x0800

    def __post_init__(self) -> None:
        check_addresses(self, mac_bytes, mac_text, "source", "destination")
        _check_type(self.type)

    def emit(self, payload: bytes = b"", ip: IpValue | None = None) -> bytes:
        addresses = mac_bytes(self.destination) + mac_bytes(self.source)
        return addresses + self.type.to_bytes(2, "big") + payload

    @classmethod
    def parse(cls, view: EthernetView) -> Self:
        check_legal(view)
        return cls(view.source, view.destination, view.type)


def _check_type(number: int) -> None:
    """ValueNotLegal unless `number` is an ethertype."""
    check_bits(type=(number, 16))
    if number < SMALLEST_TYPE:
        raise ValueNotLegal(f"type is {number:#06x}: an Ethernet II type is 0x0600 or more")


@dataclass(frozen=True, slots=True)
class Vlan(Value):
    """A VLAN tag."""

    IDENTITY: ClassVar[tuple[str, int]] = ("ethertype", 0x8100)
    CARRIES: ClassVar[tuple[str, str]] = ("ethertype", "type")

    vlan: int
    priority: int = 0
    drop_eligible: bool = False
    type: int = 0x0800

    def __post_init__(self) -> None:
        check_bits(vlan=(self.vlan, 12), priority=(self.priority, 3))
        _check_type(self.type)

    def emit(self, payload: bytes = b"", ip: IpValue | None = None) -> bytes:
        tag = self.priority << 13 | self.drop_eligible << 12 | self.vlan
        return tag.to_bytes(2, "big") + self.type.to_bytes(2, "big") + payload

    @classmethod
    def parse(cls, view: VlanView) -> Self:
        check_legal(view)
        return cls(view.vlan, view.priority, bool(view.drop_eligible), view.type)
