"""ICMP for IPv4 (RFC 792; the length of a quoted packet: RFC 4884)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from fourtuple.wire.checksum import checksum
from fourtuple.wire.field import Named, Number, hexadecimal
from fourtuple.wire.value import IpValue, Value, check_bits, check_legal
from fourtuple.wire.view import View

__all__ = ["Icmp", "IcmpView"]

TYPES = {
    0: "echo reply",
    3: "destination unreachable",
    4: "source quench",
    5: "redirect",
    8: "echo request",
    11: "time exceeded",
    12: "parameter problem",
    13: "timestamp request",
    14: "timestamp reply",
}
ERRORS = frozenset((3, 4, 5, 11, 12))
WITH_LENGTH = frozenset((3, 11, 12))


class IcmpView(View):
    """An ICMP message: 8 bytes; the second four depend on the type (`rest`)."""

    name = "ICMP"
    __slots__ = ()

    type = Named(8, "Type", TYPES)
    code = Number(8, "Code")
    checksum = Number(16, "Checksum", hexadecimal(4))
    rest = Number(32, "Rest of header", hexadecimal(8))

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
        """Of "fragmentation needed": the MTU that is too small (RFC 1191); else 0."""
        return self.rest & 0xFFFF if (self.type, self.code) == (3, 4) else 0

    @property
    def quoted_bytes(self) -> bytes:
        """Of an error: the beginning of the packet that it is about; else b""."""
        if not self.readable or self.type not in ERRORS:
            return b""
        words = self.rest >> 16 & 0xFF if self.type in WITH_LENGTH else 0
        return self.payload[: words * 4] if words else self.payload

    @property
    def checksum_holds(self) -> bool | None:
        """Whether the checksum is right; None where bytes are missing."""
        if not self.readable or not self.whole or (self.envelope and not self.envelope.complete):
            return None
        return checksum(self.header + self.payload) == 0

    def find_problems(self) -> Iterator[str]:
        yield from super().find_problems()
        if self.checksum_holds is False:
            yield "bad-checksum"


@dataclass(frozen=True, slots=True)
class Icmp(Value):
    """An ICMP header; `rest` is its second four bytes, whatever the type puts there."""

    IDENTITY: ClassVar[tuple[str, int]] = ("protocol", 1)

    type: int
    code: int = 0
    rest: int = 0

    def __post_init__(self) -> None:
        check_bits(type=(self.type, 8), code=(self.code, 8), rest=(self.rest, 32))

    def emit(self, payload: bytes = b"", ip: IpValue | None = None) -> bytes:
        start, rest = bytes((self.type, self.code)), self.rest.to_bytes(4, "big") + payload
        return start + checksum(start + b"\0\0" + rest).to_bytes(2, "big") + rest

    @classmethod
    def parse(cls, view: IcmpView) -> Self:
        check_legal(view)
        return cls(view.type, view.code, view.rest)
