"""VXLAN (RFC 7348): Ethernet frames of virtual networks, in UDP datagrams to port 4789."""

from dataclasses import dataclass
from typing import ClassVar, Self

from fourtuple.wire.field import Flags, Number
from fourtuple.wire.value import IpValue, Value, check_bits, check_legal
from fourtuple.wire.view import View

__all__ = ["VXLAN_PORT", "Vxlan", "VxlanView"]

VXLAN_PORT = 4789

_VALID = 8
_FLAGS = (
    *(("reserved", "Reserved"),) * 4,
    ("network_valid", "Network number is valid"),
    *(("reserved", "Reserved"),) * 3,
)


class VxlanView(View):
    """A VXLAN header: 8 bytes."""

    name = "VXLAN"
    LABELS = tuple(label for _, label in _FLAGS)
    __slots__ = ()

    flags = Flags("Flags", _FLAGS)
    reserved = Number(24, "Reserved")
    network = Number(24, "Network number")
    reserved_end = Number(8, "Reserved")

    @property
    def inner(self) -> tuple[str, int] | None:
        return ("ethertype", 0x6558) if self.readable and self.flags & _VALID else None


@dataclass(frozen=True, slots=True)
class Vxlan(Value):
    """A VXLAN header; an Ethernet frame follows."""

    IDENTITY: ClassVar[tuple[str, int]] = ("udp", VXLAN_PORT)

    network: int

    def __post_init__(self) -> None:
        check_bits(network=(self.network, 24))

    def emit(self, payload: bytes = b"", ip: IpValue | None = None) -> bytes:
        return bytes((_VALID, 0, 0, 0)) + self.network.to_bytes(3, "big") + b"\0" + payload

    @classmethod
    def parse(cls, view: VxlanView) -> Self:
        check_legal(view, "reserved", "reserved_end")
        return cls(view.network)
