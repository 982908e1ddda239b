"""UDP (RFC 768)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from fourtuple.errors import ValueNotLegal
from fourtuple.wire.checksum import checksum
from fourtuple.wire.field import Number, hexadecimal
from fourtuple.wire.transport import checksum_holds
from fourtuple.wire.value import IpValue, Value, check_bits, check_legal
from fourtuple.wire.view import View

__all__ = ["Udp", "UdpView"]

PROTOCOL = 17


class UdpView(View):
    """A UDP header: 8 bytes. `declared_length` is its own length field; 0 means "all there is" (a
    jumbogram, RFC 2675, or a datagram that the network card is going to segment)."""

    name = "UDP"
    __slots__ = ()

    source_port = Number(16, "Source port")
    destination_port = Number(16, "Destination port")
    declared_length = Number(16, "Length")
    checksum = Number(16, "Checksum", hexadecimal(4))

    @property
    def extent(self) -> int:
        return min(self.declared_length or self.length, self.length)

    @property
    def sound(self) -> bool:
        """Whether a kernel would look at the datagram."""
        return self.readable and self.extent >= self.MINIMUM

    @property
    def inner(self) -> tuple[str, int] | None:
        complete = self.envelope is None or self.envelope.complete
        return ("udp", self.destination_port) if self.sound and complete else None

    @property
    def checksum_holds(self) -> bool | None:
        """Whether the checksum is right; None where that cannot be told, or none was sent."""
        if self.checksum == 0 and not (self.envelope and len(self.envelope.source) == 16):
            return None
        return checksum_holds(self, PROTOCOL)

    def find_problems(self) -> Iterator[str]:
        yield from super().find_problems()
        if not self.readable:
            return
        if self.extent < self.MINIMUM:
            yield "length-too-small"
        elif self.declared_length > self.length and (not self.envelope or self.envelope.complete):
            yield "length-beyond-packet"
        elif self.checksum_holds is False:
            yield "bad-checksum"


@dataclass(frozen=True, slots=True)
class Udp(Value):
    """A UDP header."""

    IDENTITY: ClassVar[tuple[str, int]] = ("protocol", PROTOCOL)

    source_port: int
    destination_port: int

    def __post_init__(self) -> None:
        check_bits(source_port=(self.source_port, 16), destination_port=(self.destination_port, 16))

    def emit(self, payload: bytes = b"", ip: IpValue | None = None) -> bytes:
        if ip is None:
            raise ValueNotLegal("a UDP checksum needs the IP header: emit(payload, ip)")
        length = 8 + len(payload)
        check_bits(length=(length, 16))
        start = (
            self.source_port.to_bytes(2, "big")
            + self.destination_port.to_bytes(2, "big")
            + length.to_bytes(2, "big")
        )
        # RFC 768: a checksum that computes to 0 is sent as all ones, for 0 means "none"
        number = checksum(ip.pseudo_header(PROTOCOL, length) + start + payload) or 0xFFFF
        return start + number.to_bytes(2, "big") + payload

    @classmethod
    def parse(cls, view: UdpView) -> Self:
        check_legal(view)
        if not view.declared_length:
            raise ValueNotLegal("no legal UDP header: length 0")
        return cls(view.source_port, view.destination_port)
