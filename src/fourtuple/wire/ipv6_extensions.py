"""IPv6's extension headers (RFC 8200, section 4; AH: RFC 4302), each a layer of its own.

Only the first fragment has a transport header. ESP (RFC 4303) hides what follows it, so it is
payload here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from msgspec.structs import replace

from fourtuple.wire.field import FieldValue, Named, Number, hexadecimal
from fourtuple.wire.registry import PROTOCOLS
from fourtuple.wire.tlv import IPV6, items, option_fields
from fourtuple.wire.value import IpValue, Value, check_bits, check_legal
from fourtuple.wire.view import Envelope, View

__all__ = [
    "AuthenticationView",
    "DestinationOptionsView",
    "ExtensionView",
    "HopByHopView",
    "Ipv6Fragment",
    "Ipv6FragmentView",
    "RoutingView",
]

OPTION_LABELS = {
    0: "Padding, one byte",
    1: "Padding",
    5: "Router alert",
    0xC2: "Jumbo payload",
}


class ExtensionView(View):
    """An extension header: its first byte says what comes next."""

    __slots__ = ()

    @property
    def next_protocol(self) -> int:
        """The number in the first byte; 0 where it is cut off."""
        return self.number(0, 8) or 0

    @property
    def sound(self) -> bool:
        """Whether what follows can be found."""
        return self.readable and self.header_length <= self.length

    @property
    def inner(self) -> tuple[str, int] | None:
        if not self.sound:
            return None
        six = self.envelope is None or len(self.envelope.source) == 16
        return ("ipv6" if six else "ipv4", self.next_protocol)


class _OptionsView(ExtensionView):
    LABELS = tuple(OPTION_LABELS.values())
    __slots__ = ()

    next_header = Named(8, "Next header", PROTOCOLS)
    units = Number(8, "Header length (8 bytes, less the first)")

    @property
    def header_length(self) -> int:
        return self.units * 8 + 8

    def tail(self) -> Iterator[FieldValue]:
        return option_fields(self, self.MINIMUM, IPV6, OPTION_LABELS)

    def find_problems(self) -> Iterator[str]:
        yield from super().find_problems()
        whole = len(self.header) == self.header_length
        if whole and not all(item.whole for item in items(self.header[self.MINIMUM :], IPV6)):
            yield "bad-option"


class HopByHopView(_OptionsView):
    """Options that every router on the way looks at."""

    name = "IPv6 hop-by-hop options"
    __slots__ = ()


class DestinationOptionsView(_OptionsView):
    """Options for the destination."""

    name = "IPv6 destination options"
    __slots__ = ()


class RoutingView(ExtensionView):
    """A routing header: places to pass on the way."""

    name = "IPv6 routing"
    LABELS = ("Content",)
    __slots__ = ()

    next_header = Named(8, "Next header", PROTOCOLS)
    units = Number(8, "Header length (8 bytes, less the first)")
    type = Number(8, "Routing type")
    segments_left = Number(8, "Segments left")

    @property
    def header_length(self) -> int:
        return self.units * 8 + 8

    def inner_envelope(self) -> Envelope | None:
        # The destination is not the final one yet, and the checksum is made with the final one.
        if self.envelope and self.segments_left:
            return replace(self.envelope, complete=False)
        return self.envelope

    def tail(self) -> Iterator[FieldValue]:
        yield self.raw_field("content", "Content", 4, self.header_length - 4)


class Ipv6FragmentView(ExtensionView):
    """A fragment header: 8 bytes. `fragment_offset` counts units of 8 bytes."""

    name = "IPv6 fragment"
    __slots__ = ()

    next_header = Named(8, "Next header", PROTOCOLS)
    reserved = Number(8, "Reserved")
    fragment_offset = Number(13, "Fragment offset (8 bytes)")
    reserved_bits = Number(2, "Reserved")
    more_fragments = Number(1, "More fragments")
    identification = Number(32, "Identification", hexadecimal(8))

    @property
    def inner(self) -> tuple[str, int] | None:
        return None if self.fragment_offset else super().inner

    def inner_envelope(self) -> Envelope | None:
        if self.envelope and self.more_fragments:
            return replace(self.envelope, complete=False)
        return self.envelope


class AuthenticationView(ExtensionView):
    """An authentication header: what it protects is in the clear."""

    name = "AH"
    LABELS = ("Integrity check value",)
    __slots__ = ()

    next_header = Named(8, "Next header", PROTOCOLS)
    words = Number(8, "Header length (words, less two)")
    reserved = Number(16, "Reserved")
    spi = Number(32, "Security parameters index", hexadecimal(8))
    sequence = Number(32, "Sequence number")

    @property
    def header_length(self) -> int:
        return max(self.words * 4 + 8, self.MINIMUM)

    @property
    def sound(self) -> bool:
        return super().sound and self.words >= 1

    def tail(self) -> Iterator[FieldValue]:
        count = self.header_length - self.MINIMUM
        if count:
            yield self.raw_field("icv", "Integrity check value", self.MINIMUM, count)

    def find_problems(self) -> Iterator[str]:
        yield from super().find_problems()
        if self.readable and self.words < 1:
            yield "bad-header-length"


@dataclass(frozen=True, slots=True)
class Ipv6Fragment(Value):
    """A fragment header. `fragment_offset` counts units of 8 bytes."""

    IDENTITY: ClassVar[tuple[str, int]] = ("protocol", 44)
    CARRIES: ClassVar[tuple[str, str]] = ("protocol", "next_header")

    identification: int
    fragment_offset: int = 0
    more_fragments: bool = False
    next_header: int = 6

    def __post_init__(self) -> None:
        check_bits(
            identification=(self.identification, 32),
            fragment_offset=(self.fragment_offset, 13),
            next_header=(self.next_header, 8),
        )

    def emit(self, payload: bytes = b"", ip: IpValue | None = None) -> bytes:
        place = self.fragment_offset << 3 | self.more_fragments
        start = bytes((self.next_header, 0)) + place.to_bytes(2, "big")
        return start + self.identification.to_bytes(4, "big") + payload

    @classmethod
    def parse(cls, view: Ipv6FragmentView) -> Self:
        check_legal(view, "reserved", "reserved_bits")
        return cls(
            view.identification, view.fragment_offset, bool(view.more_fragments), view.next_header
        )
