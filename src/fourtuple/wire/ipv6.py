"""IPv6's fixed header (RFC 8200, section 3). Extension headers are layers of their own.

Rule: a payload length of 0 means "to the end of the frame" (a jumbogram, RFC 2675, or a packet
that the network card is going to segment).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from fourtuple.errors import ValueNotLegal
from fourtuple.wire.address import ipv6_bytes, ipv6_text
from fourtuple.wire.field import Address, Named, Number, hexadecimal
from fourtuple.wire.ipv4 import ECN
from fourtuple.wire.registry import PROTOCOLS
from fourtuple.wire.value import IpValue, check_addresses, check_bits, check_legal
from fourtuple.wire.view import Envelope, View

__all__ = ["Ipv6", "Ipv6View"]


class Ipv6View(View):
    """An IPv6 header: 40 bytes. `declared_length` is its payload length field."""

    name = "IPv6"
    __slots__ = ()
    family: ClassVar[int] = 6

    version = Number(4, "Version")
    dscp = Number(6, "Differentiated services")
    ecn = Named(2, "Explicit congestion notification", ECN)
    flow_label = Number(20, "Flow label", hexadecimal(5))
    declared_length = Number(16, "Payload length")
    next_header = Named(8, "Next header", PROTOCOLS)
    hop_limit = Number(8, "Hop limit")
    source = Address(128, "Source address", ipv6_text)
    destination = Address(128, "Destination address", ipv6_text)

    @property
    def extent(self) -> int:
        declared = self.declared_length
        return declared + self.MINIMUM if declared else self.length

    @property
    def sound(self) -> bool:
        """Whether what follows can be found."""
        return self.readable and self.version == 6

    @property
    def inner(self) -> tuple[str, int] | None:
        return ("ipv6", self.next_header) if self.sound else None

    def inner_envelope(self) -> Envelope:
        return Envelope(self.raw(8, 16) or bytes(16), self.raw(24, 16) or bytes(16))

    def find_problems(self) -> Iterator[str]:
        yield from super().find_problems()
        if self.readable and self.version != 6:
            yield "bad-version"
        if self.readable and self.extent > self.length:
            yield "length-beyond-frame"


@dataclass(frozen=True, slots=True)
class Ipv6(IpValue):
    """An IPv6 header."""

    IDENTITY: ClassVar[tuple[str, int]] = ("ethertype", 0x86DD)
    CARRIES: ClassVar[tuple[str, str]] = ("protocol", "next_header")

    source: str
    destination: str
    next_header: int = 6
    hop_limit: int = 64
    dscp: int = 0
    ecn: int = 0
    flow_label: int = 0

    def __post_init__(self) -> None:
        check_addresses(self, ipv6_bytes, ipv6_text, "source", "destination")
        check_bits(
            next_header=(self.next_header, 8),
            hop_limit=(self.hop_limit, 8),
            dscp=(self.dscp, 6),
            ecn=(self.ecn, 2),
            flow_label=(self.flow_label, 20),
        )

    def emit(self, payload: bytes = b"", ip: IpValue | None = None) -> bytes:
        check_bits(payload_length=(len(payload), 16))
        first = 6 << 28 | self.dscp << 22 | self.ecn << 20 | self.flow_label
        return (
            first.to_bytes(4, "big")
            + len(payload).to_bytes(2, "big")
            + bytes((self.next_header, self.hop_limit))
            + ipv6_bytes(self.source)
            + ipv6_bytes(self.destination)
            + payload
        )

    @classmethod
    def parse(cls, view: Ipv6View) -> Self:
        check_legal(view)
        if view.payload_length and not view.declared_length:
            raise ValueNotLegal("no legal IPv6 header: payload length 0 before a payload")
        return cls(
            source=view.source,
            destination=view.destination,
            next_header=view.next_header,
            hop_limit=view.hop_limit,
            dscp=view.dscp,
            ecn=view.ecn,
            flow_label=view.flow_label,
        )
