"""GRE, version 0 (RFC 2784; key and sequence number: RFC 2890).

What it carries is named by an ethertype; 0x6558 is a whole Ethernet frame. Version 1 (PPTP) and the
source routes of RFC 1701 are told by their flags, and what follows them is not taken apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from fourtuple.errors import ValueNotLegal
from fourtuple.wire.checksum import checksum
from fourtuple.wire.field import FieldValue, Flags, Named, Number, hexadecimal
from fourtuple.wire.registry import ETHERTYPES
from fourtuple.wire.value import IpValue, Value, check_bits, check_legal
from fourtuple.wire.view import View

__all__ = ["Gre", "GreView"]

_FLAGS = (
    ("has_checksum", "Checksum present"),
    ("has_routing", "Routing present"),
    ("has_key", "Key present"),
    ("has_sequence", "Sequence number present"),
)
_CHECKSUM, _ROUTING, _KEY, _SEQUENCE = 8, 4, 2, 1


class GreView(View):
    """A GRE header: 4 to 16 bytes."""

    name = "GRE"
    LABELS = (
        *(label for _, label in _FLAGS),
        *("Checksum", "Offset", "Key", "Sequence number"),
    )
    __slots__ = ()

    flags = Flags("Flags", _FLAGS)
    reserved = Number(9, "Reserved")
    version = Number(3, "Version")
    type = Named(16, "Type", ETHERTYPES, hexadecimal(4))

    @property
    def header_length(self) -> int:
        words = 1 + bool(self.flags & (_CHECKSUM | _ROUTING))
        return 4 * (words + bool(self.flags & _KEY) + bool(self.flags & _SEQUENCE))

    @property
    def _key_at(self) -> int:
        return 8 if self.flags & (_CHECKSUM | _ROUTING) else 4

    @property
    def key(self) -> int | None:
        """The key; None where the header has none, or it is cut off."""
        return self.number(self._key_at * 8, 32) if self.flags & _KEY else None

    @property
    def sequence(self) -> int | None:
        """The sequence number; None as with the key."""
        return self.number((self.header_length - 4) * 8, 32) if self.flags & _SEQUENCE else None

    @property
    def checksum_holds(self) -> bool | None:
        """Whether the checksum is right; None where bytes are missing, or there is none."""
        if not self.flags & _CHECKSUM or self.flags & _ROUTING or self.version:
            return None
        complete = self.whole and not (self.envelope and not self.envelope.complete)
        return checksum(self.header + self.payload) == 0 if complete else None

    @property
    def inner(self) -> tuple[str, int] | None:
        whole = self.raw(0, self.header_length) is not None
        plain = not self.version and not self.flags & _ROUTING
        return ("ethertype", self.type) if whole and plain else None

    def tail(self) -> Iterator[FieldValue]:
        if self._key_at == 8:
            yield Number(16, "Checksum", hexadecimal(4)).placed("checksum", 32).found(self)
            yield Number(16, "Offset").placed("offset", 48).found(self)
        if self.flags & _KEY:
            yield Number(32, "Key").placed("key", self._key_at * 8).found(self)
        if self.flags & _SEQUENCE:
            at = (self.header_length - 4) * 8
            yield Number(32, "Sequence number").placed("sequence", at).found(self)

    def find_problems(self) -> Iterator[str]:
        yield from super().find_problems()
        if self.checksum_holds is False:
            yield "bad-checksum"


@dataclass(frozen=True, slots=True)
class Gre(Value):
    """A GRE header, with a checksum, a key and a sequence number if asked for."""

    IDENTITY: ClassVar[tuple[str, int]] = ("protocol", 47)
    CARRIES: ClassVar[tuple[str, str]] = ("ethertype", "type")

    type: int = 0x0800
    key: int | None = None
    sequence: int | None = None
    checksummed: bool = False

    def __post_init__(self) -> None:
        check_bits(type=(self.type, 16), key=(self.key or 0, 32), sequence=(self.sequence or 0, 32))

    def emit(self, payload: bytes = b"", ip: IpValue | None = None) -> bytes:
        flags = self.checksummed << 7 | (self.key is not None) << 5
        flags |= (self.sequence is not None) << 4
        start = bytes((flags, 0)) + self.type.to_bytes(2, "big")
        given = (number for number in (self.key, self.sequence) if number is not None)
        rest = b"".join(number.to_bytes(4, "big") for number in given) + payload
        if not self.checksummed:
            return start + rest
        return start + checksum(start + bytes(4) + rest).to_bytes(2, "big") + bytes(2) + rest

    @classmethod
    def parse(cls, view: GreView) -> Self:
        check_legal(view, "reserved", "version")
        if view.flags & _ROUTING or (view.flags & _CHECKSUM and view.number(48, 16)):
            raise ValueNotLegal("no legal GRE header: a source route, or an offset without one")
        return cls(view.type, view.key, view.sequence, bool(view.flags & _CHECKSUM))
