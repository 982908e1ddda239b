"""ICMPv6 (RFC 4443) with Neighbor Discovery's messages (RFC 4861).

A neighbor or router message has its addresses and options in its header, so no payload.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from fourtuple.errors import ValueNotLegal
from fourtuple.wire.address import ipv6_text, mac_text
from fourtuple.wire.checksum import checksum
from fourtuple.wire.field import FieldValue, Named, Number, hexadecimal
from fourtuple.wire.tlv import NEIGHBOR, Item, Part, items, option_fields
from fourtuple.wire.transport import checksum_holds
from fourtuple.wire.value import IpValue, Value, check_bits, check_legal
from fourtuple.wire.view import View

__all__ = ["Icmp6", "Icmp6View"]

PROTOCOL = 58
TYPES = {
    1: "destination unreachable",
    2: "packet too big",
    3: "time exceeded",
    4: "parameter problem",
    128: "echo request",
    129: "echo reply",
    130: "multicast listener query",
    131: "multicast listener report",
    132: "multicast listener done",
    133: "router solicitation",
    134: "router advertisement",
    135: "neighbor solicitation",
    136: "neighbor advertisement",
    137: "redirect",
    143: "multicast listener report 2",
}
ERRORS = frozenset((1, 2, 3, 4))
#: bytes before the options
BEFORE_OPTIONS = {133: 8, 134: 16, 135: 24, 136: 24, 137: 40}
OPTION_LABELS = {
    1: "Source link-layer address",
    2: "Target link-layer address",
    3: "Prefix information",
    4: "Redirected header",
    5: "MTU",
    14: "Nonce",
}


class Icmp6View(View):
    """An ICMPv6 message: 8 bytes, and more for Neighbor Discovery."""

    name = "ICMPv6"
    LABELS = (
        *OPTION_LABELS.values(),
        *("Address", "Target address", "Destination address"),
        *("Reachable time (ms)", "Retransmit timer (ms)"),
    )
    __slots__ = ()

    type = Named(8, "Type", TYPES)
    code = Number(8, "Code")
    checksum = Number(16, "Checksum", hexadecimal(4))
    rest = Number(32, "Rest of header", hexadecimal(8))

    @property
    def header_length(self) -> int:
        before = BEFORE_OPTIONS.get(self.type)
        return max(before, self.length) if before else self.MINIMUM

    @property
    def identifier(self) -> int:
        """Of an echo: which program sent it."""
        return self.rest >> 16

    @property
    def sequence(self) -> int:
        """Of an echo: its number."""
        return self.rest & 0xFFFF

    @property
    def next_hop_mtu(self) -> int:
        """Of "packet too big": the MTU that is too small; else 0."""
        return self.rest if self.type == 2 else 0

    @property
    def target(self) -> str:
        """Of a neighbor message or redirect: the address it is about; else ""."""
        address = self.raw(8, 16) if self.type in (135, 136, 137) else None
        return ipv6_text(address) if address else ""

    @property
    def quoted_bytes(self) -> bytes:
        """Of an error: the beginning of the packet that it is about; else b""."""
        return self.payload if self.readable and self.type in ERRORS else b""

    @property
    def checksum_holds(self) -> bool | None:
        """Whether the checksum is right; None where that cannot be told."""
        return checksum_holds(self, PROTOCOL)

    def tail(self) -> Iterator[FieldValue]:
        before = BEFORE_OPTIONS.get(self.type)
        if not before:
            return
        if self.type == 134:
            yield self._number("reachable_ms", "Reachable time (ms)", 8)
            yield self._number("retransmit_ms", "Retransmit timer (ms)", 12)
        if before >= 24:
            yield self.raw_field("target", "Target address", 8, 16, ipv6_text)
        if before >= 40:
            yield self.raw_field("destination", "Destination address", 24, 16, ipv6_text)
        yield from option_fields(self, before, NEIGHBOR, OPTION_LABELS, _parts)

    def _number(self, name: str, label: str, at: int) -> FieldValue:
        value = self.number(at * 8, 32)
        return FieldValue(name, label, at * 8, 32, value, "" if value is None else str(value))

    def find_problems(self) -> Iterator[str]:
        yield from super().find_problems()
        before = BEFORE_OPTIONS.get(self.type)
        whole = before and len(self.header) == self.header_length
        if whole and not all(item.whole for item in items(self.header[before:], NEIGHBOR)):
            yield "bad-option"
        if self.checksum_holds is False:
            yield "bad-checksum"


def _parts(item: Item) -> tuple[Part, ...]:
    if item.kind in (1, 2) and len(item.body) == 6:
        return (Part("address", "Address", 6, mac_text),)
    return ()


@dataclass(frozen=True, slots=True)
class Icmp6(Value):
    """An ICMPv6 header; `rest` is its second four bytes. What follows them (a target address and
    options, say) is payload to `emit`."""

    IDENTITY: ClassVar[tuple[str, int]] = ("protocol", PROTOCOL)

    type: int
    code: int = 0
    rest: int = 0

    def __post_init__(self) -> None:
        check_bits(type=(self.type, 8), code=(self.code, 8), rest=(self.rest, 32))

    def emit(self, payload: bytes = b"", ip: IpValue | None = None) -> bytes:
        if ip is None:
            raise ValueNotLegal("an ICMPv6 checksum needs the IP header: emit(payload, ip)")
        start, rest = bytes((self.type, self.code)), self.rest.to_bytes(4, "big") + payload
        pseudo = ip.pseudo_header(PROTOCOL, len(rest) + 4)
        return start + checksum(pseudo + start + rest).to_bytes(2, "big") + rest

    @classmethod
    def parse(cls, view: Icmp6View) -> Self:
        check_legal(view)
        return cls(view.type, view.code, view.rest)
