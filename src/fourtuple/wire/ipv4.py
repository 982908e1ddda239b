"""IPv4 (RFC 791; the type of service as RFC 2474 and RFC 3168 divide it).

Rules: a total length of 0 means "to the end of the frame" (Linux captures show it so for packets
that the network card is going to segment). Only the first fragment has a transport header.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from fourtuple.errors import ValueNotLegal
from fourtuple.wire.address import ipv4_bytes, ipv4_text
from fourtuple.wire.checksum import checksum
from fourtuple.wire.field import Address, FieldValue, Flags, Named, Number, hexadecimal
from fourtuple.wire.registry import PROTOCOLS
from fourtuple.wire.tlv import PLAIN, items, option_fields
from fourtuple.wire.value import IpValue, check_addresses, check_bits, check_legal
from fourtuple.wire.view import Envelope, View

__all__ = ["Ipv4", "Ipv4View"]

OPTION_LABELS = {
    0: "End of options",
    1: "No operation",
    7: "Record route",
    68: "Timestamp",
    130: "Security",
    131: "Loose source route",
    137: "Strict source route",
    148: "Router alert",
}
ECN = {0: "Not-ECT", 1: "ECT(1)", 2: "ECT(0)", 3: "CE"}
FLAGS = (
    ("reserved", "Reserved"),
    ("dont_fragment", "Don't fragment"),
    ("more_fragments", "More fragments"),
)


def _flags_text(flags: int) -> str:
    names = [name for bit, name in ((2, "DF"), (1, "MF")) if flags & bit]
    return " ".join((f"{flags:#x}", *names))


class Ipv4View(View):
    """An IPv4 header: 20 to 60 bytes. `fragment_offset` counts units of 8 bytes."""

    name = "IPv4"
    LABELS = tuple(OPTION_LABELS.values()) + tuple(label for _, label in FLAGS)
    __slots__ = ()
    family: ClassVar[int] = 4

    version = Number(4, "Version")
    ihl = Number(4, "Header length (words)")
    dscp = Number(6, "Differentiated services")
    ecn = Named(2, "Explicit congestion notification", ECN)
    total_length = Number(16, "Total length")
    identification = Number(16, "Identification", hexadecimal(4))
    flags = Flags("Flags", FLAGS, _flags_text)
    fragment_offset = Number(13, "Fragment offset (8 bytes)")
    ttl = Number(8, "Time to live")
    protocol = Named(8, "Protocol", PROTOCOLS)
    checksum = Number(16, "Header checksum", hexadecimal(4))
    source = Address(32, "Source address", ipv4_text)
    destination = Address(32, "Destination address", ipv4_text)

    @property
    def dont_fragment(self) -> bool:
        return bool(self.flags & 2)

    @property
    def more_fragments(self) -> bool:
        return bool(self.flags & 1)

    @property
    def header_length(self) -> int:
        return max(self.ihl * 4, self.MINIMUM)

    @property
    def extent(self) -> int:
        return self.total_length or self.length

    @property
    def options(self) -> bytes:
        """The options as bytes, padding included, as far as they are there."""
        return self.header[self.MINIMUM :]

    @property
    def sound(self) -> bool:
        """Whether version and lengths make sense, so that what follows can be found."""
        return (
            self.readable
            and self.version == 4
            and self.ihl >= 5
            and self.header_length <= min(self.length, self.extent)
        )

    @property
    def inner(self) -> tuple[str, int] | None:
        return ("ipv4", self.protocol) if self.sound and not self.fragment_offset else None

    def inner_envelope(self) -> Envelope:
        source, destination = self.raw(12, 4) or bytes(4), self.raw(16, 4) or bytes(4)
        return Envelope(source, destination, complete=not self.more_fragments)

    def tail(self) -> Iterator[FieldValue]:
        return option_fields(self, self.MINIMUM, PLAIN, OPTION_LABELS)

    def find_problems(self) -> Iterator[str]:
        yield from super().find_problems()
        if not self.readable:
            return
        if self.version != 4:
            yield "bad-version"
        if self.ihl < 5:
            yield "bad-header-length"
        if self.extent < self.header_length:
            yield "length-too-small"
        if self.extent > self.length:
            yield "length-beyond-frame"
        if len(self.header) == self.header_length:
            yield from self._whole_problems()

    def _whole_problems(self) -> Iterator[str]:
        if not all(item.whole for item in items(self.options, PLAIN)):
            yield "bad-option"
        if checksum(self.header):
            yield "bad-checksum"


@dataclass(frozen=True, slots=True)
class Ipv4(IpValue):
    """An IPv4 header. `fragment_offset` counts units of 8 bytes; `options` are whole words."""

    IDENTITY: ClassVar[tuple[str, int]] = ("ethertype", 0x0800)
    CARRIES: ClassVar[tuple[str, str]] = ("protocol", "protocol")

    source: str
    destination: str
    protocol: int = 6
    ttl: int = 64
    identification: int = 0
    dont_fragment: bool = False
    more_fragments: bool = False
    fragment_offset: int = 0
    dscp: int = 0
    ecn: int = 0
    options: bytes = b""

    def __post_init__(self) -> None:
        check_addresses(self, ipv4_bytes, ipv4_text, "source", "destination")
        check_bits(
            protocol=(self.protocol, 8),
            ttl=(self.ttl, 8),
            identification=(self.identification, 16),
            fragment_offset=(self.fragment_offset, 13),
            dscp=(self.dscp, 6),
            ecn=(self.ecn, 2),
        )
        if len(self.options) > 40 or len(self.options) % 4:
            raise ValueNotLegal("options are 0 to 40 bytes, a multiple of 4")
        if not all(item.whole for item in items(self.options, PLAIN)):
            raise ValueNotLegal("an option's length is impossible")

    def emit(self, payload: bytes = b"", ip: IpValue | None = None) -> bytes:
        size = 20 + len(self.options)
        check_bits(total_length=(size + len(payload), 16))
        flags = self.dont_fragment << 14 | self.more_fragments << 13
        start = (
            bytes((0x40 | size // 4, self.dscp << 2 | self.ecn))
            + (size + len(payload)).to_bytes(2, "big")
            + self.identification.to_bytes(2, "big")
            + (flags | self.fragment_offset).to_bytes(2, "big")
            + bytes((self.ttl, self.protocol))
        )
        rest = ipv4_bytes(self.source) + ipv4_bytes(self.destination) + self.options
        return start + checksum(start + rest).to_bytes(2, "big") + rest + payload

    @classmethod
    def parse(cls, view: Ipv4View) -> Self:
        check_legal(view)
        if view.flags & 4 or not view.total_length:
            raise ValueNotLegal("no legal IPv4 header: reserved flag set, or total length 0")
        return cls(
            source=view.source,
            destination=view.destination,
            protocol=view.protocol,
            ttl=view.ttl,
            identification=view.identification,
            dont_fragment=view.dont_fragment,
            more_fragments=view.more_fragments,
            fragment_offset=view.fragment_offset,
            dscp=view.dscp,
            ecn=view.ecn,
            options=view.options,
        )
