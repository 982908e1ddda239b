"""PPP (RFC 1661; in HDLC-like framing: RFC 1662) and Cisco's HDLC, as captures have them.

Before PPP's protocol number stand HDLC's address (0xff) and control, or nothing; the number may be
squeezed into one byte, which is then odd (RFC 1661, section 6.5). Where the first byte is 0x0f or
0x8f, the link speaks Cisco's HDLC instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from fourtuple.errors import ValueNotLegal
from fourtuple.wire.field import FieldValue, Named, Number, hexadecimal
from fourtuple.wire.registry import ETHERTYPES, PPP_PROTOCOLS
from fourtuple.wire.value import IpValue, Value, check_bits, check_legal
from fourtuple.wire.view import View

__all__ = ["CiscoHdlc", "CiscoHdlcView", "Ppp", "PppView", "is_cisco"]

_ADDRESS = 0xFF
_CONTROL = 0x03
_CISCO = (0x0F, 0x8F)
_ETHERTYPE_OF_PROTOCOL = {0x0021: 0x0800, 0x0057: 0x86DD}


def is_cisco(data: bytes) -> bool:
    """Whether a frame of a PPP link speaks Cisco's HDLC."""
    return data[:1] != b"" and data[0] in _CISCO


class PppView(View):
    """A PPP header: 1 to 4 bytes."""

    name = "PPP"
    LABELS = ("Address", "Control", "Protocol")
    __slots__ = ()

    @property
    def framing(self) -> int:
        """Bytes of HDLC's address and control."""
        return 2 if self.number(0, 8) == _ADDRESS else 0

    @property
    def protocol_size(self) -> int:
        """Bytes of the protocol number."""
        return 1 if (self.number(self.framing * 8, 8) or 0) & 1 else 2

    @property
    def protocol(self) -> int:
        """The protocol number; 0 where it is cut off."""
        return self.number(self.framing * 8, self.protocol_size * 8) or 0

    @property
    def header_length(self) -> int:
        return self.framing + self.protocol_size

    @property
    def readable(self) -> bool:
        return self.raw(0, self.header_length) is not None

    @property
    def inner(self) -> tuple[str, int] | None:
        number = _ETHERTYPE_OF_PROTOCOL.get(self.protocol)
        return ("ethertype", number) if number and self.readable else None

    def tail(self) -> Iterator[FieldValue]:
        show = hexadecimal(2)
        if self.framing:
            yield Number(8, "Address", show).placed("address", 0).found(self)
            yield Number(8, "Control", show).placed("control", 8).found(self)
        bits = self.protocol_size * 8
        named = Named(bits, "Protocol", PPP_PROTOCOLS, hexadecimal(4))
        yield named.placed("protocol", self.framing * 8).found(self)


class CiscoHdlcView(View):
    """Cisco's HDLC header: 4 bytes."""

    name = "Cisco HDLC"
    __slots__ = ()

    address = Number(8, "Address", hexadecimal(2))
    control = Number(8, "Control", hexadecimal(2))
    protocol = Named(16, "Protocol", ETHERTYPES, hexadecimal(4))

    @property
    def inner(self) -> tuple[str, int] | None:
        return ("ethertype", self.protocol) if self.readable else None


@dataclass(frozen=True, slots=True)
class Ppp(Value):
    """A PPP header, with HDLC's address and control if `framed`. `type` is the ethertype of what
    it carries, IPv4 or IPv6, which PPP has numbers of its own for."""

    CARRIES: ClassVar[tuple[str, str]] = ("ethertype", "type")

    framed: bool = True
    type: int = 0x0800

    def __post_init__(self) -> None:
        if self.type not in _ETHERTYPE_OF_PROTOCOL.values():
            raise ValueNotLegal(f"type is {self.type:#06x}: PPP carries 0x0800 or 0x86dd here")

    def emit(self, payload: bytes = b"", ip: IpValue | None = None) -> bytes:
        numbers = {ethertype: number for number, ethertype in _ETHERTYPE_OF_PROTOCOL.items()}
        framing = bytes((_ADDRESS, _CONTROL)) if self.framed else b""
        return framing + numbers[self.type].to_bytes(2, "big") + payload

    @classmethod
    def parse(cls, view: PppView) -> Self:
        check_legal(view)
        ethertype = _ETHERTYPE_OF_PROTOCOL.get(view.protocol, 0)
        return cls(view.framing > 0, ethertype)


@dataclass(frozen=True, slots=True)
class CiscoHdlc(Value):
    """A Cisco HDLC header: to one station, or to all."""

    CARRIES: ClassVar[tuple[str, str]] = ("ethertype", "type")

    broadcast: bool = False
    type: int = 0x0800

    def __post_init__(self) -> None:
        check_bits(type=(self.type, 16))

    def emit(self, payload: bytes = b"", ip: IpValue | None = None) -> bytes:
        address = _CISCO[self.broadcast]
        return bytes((address, 0)) + self.type.to_bytes(2, "big") + payload

    @classmethod
    def parse(cls, view: CiscoHdlcView) -> Self:
        check_legal(view, "control")
        if view.address not in _CISCO:
            raise ValueNotLegal(f"no legal {view.name} header: address {view.address:#04x}")
        return cls(view.address == _CISCO[True], view.protocol)
