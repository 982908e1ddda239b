"""TCP's header (RFC 9293, section 3.1; the AE flag is RFC 9768's)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self, TypeVar

from fourtuple.errors import ValueNotLegal
from fourtuple.wire.checksum import checksum
from fourtuple.wire.field import FieldValue, Flags, Number, hexadecimal
from fourtuple.wire.flags import ACK, AE, CWR, ECE, FIN, PSH, RST, SYN, URG
from fourtuple.wire.tcp_options import (
    OPTION_LABELS,
    PART_LABELS,
    TcpOption,
    decode_options,
    encode_options,
    option_parts,
)
from fourtuple.wire.tlv import PLAIN, option_fields
from fourtuple.wire.transport import checksum_holds
from fourtuple.wire.value import IpValue, Value, check_bits, check_legal
from fourtuple.wire.view import View

__all__ = [
    "Tcp",
    "TcpView",
    "flag_names",
]

#: in the order that people say them: "SYN ACK", "FIN ACK", "PSH ACK"
SPOKEN = (
    (SYN, "SYN"),
    (FIN, "FIN"),
    (RST, "RST"),
    (PSH, "PSH"),
    (ACK, "ACK"),
    (URG, "URG"),
    (ECE, "ECE"),
    (CWR, "CWR"),
    (AE, "AE"),
)
FLAG_FIELDS = (
    ("ae", "Accurate ECN (AE)"),
    ("cwr", "Congestion window reduced (CWR)"),
    ("ece", "ECN echo (ECE)"),
    ("urg", "Urgent (URG)"),
    ("ack", "Acknowledgment (ACK)"),
    ("psh", "Push (PSH)"),
    ("rst", "Reset (RST)"),
    ("syn", "Synchronize (SYN)"),
    ("fin", "Finish (FIN)"),
)
PROTOCOL = 6
Option = TypeVar("Option", bound=TcpOption)


def flag_names(flags: int) -> str:
    """The flags' names as people say them: "SYN ACK"; "" for none."""
    return " ".join(name for bit, name in SPOKEN if flags & bit)


def _flags_text(flags: int) -> str:
    return f"0x{flags:02x} {flag_names(flags)}".rstrip()


class TcpView(View):
    """A TCP header: 20 to 60 bytes."""

    name = "TCP"
    LABELS = (*OPTION_LABELS.values(), *PART_LABELS, *(label for _, label in FLAG_FIELDS))
    __slots__ = ()

    source_port = Number(16, "Source port")
    destination_port = Number(16, "Destination port")
    sequence = Number(32, "Sequence number")
    acknowledgment = Number(32, "Acknowledgment number")
    data_offset = Number(4, "Data offset (words)")
    reserved = Number(3, "Reserved")
    flags = Flags("Flags", FLAG_FIELDS, _flags_text)
    window = Number(16, "Window")
    checksum = Number(16, "Checksum", hexadecimal(4))
    urgent_pointer = Number(16, "Urgent pointer")

    def has(self, flag: int) -> bool:
        """Whether all flags in `flag` are set."""
        return self.flags & flag == flag

    @property
    def header_length(self) -> int:
        return max(self.data_offset * 4, self.MINIMUM)

    @property
    def sound(self) -> bool:
        """Whether a kernel would look at the segment: the fixed part is there, and the data
        offset is possible."""
        return self.readable and self.data_offset >= 5 and self.header_length <= self.length

    @property
    def options(self) -> tuple[TcpOption, ...]:
        """The options that are there, in order, without the end and its padding."""
        return decode_options(self.header[self.MINIMUM :])[0]

    def option(self, kind: type[Option]) -> Option | None:
        """The last option of a class, which is the one that counts; None where there is none."""
        found = [option for option in self.options if isinstance(option, kind)]
        return found[-1] if found else None

    @property
    def checksum_holds(self) -> bool | None:
        """Whether the checksum is right; None where that cannot be told."""
        return checksum_holds(self, PROTOCOL)

    def tail(self) -> Iterator[FieldValue]:
        return option_fields(self, self.MINIMUM, PLAIN, OPTION_LABELS, option_parts)

    def find_problems(self) -> Iterator[str]:
        yield from super().find_problems()
        if self.readable and self.data_offset < 5:
            yield "bad-header-length"
        if len(self.header) == self.header_length and not self._options_legal():
            yield "bad-option"
        if self.checksum_holds is False:
            yield "bad-checksum"

    def _options_legal(self) -> bool:
        return decode_options(self.header[self.MINIMUM :])[1]


@dataclass(frozen=True, slots=True)
class Tcp(Value):
    """A TCP header."""

    IDENTITY: ClassVar[tuple[str, int]] = ("protocol", PROTOCOL)

    source_port: int
    destination_port: int
    sequence: int = 0
    acknowledgment: int = 0
    flags: int = 0
    window: int = 65535
    urgent_pointer: int = 0
    options: tuple[TcpOption, ...] = ()

    def __post_init__(self) -> None:
        check_bits(
            source_port=(self.source_port, 16),
            destination_port=(self.destination_port, 16),
            sequence=(self.sequence, 32),
            acknowledgment=(self.acknowledgment, 32),
            flags=(self.flags, 9),
            window=(self.window, 16),
            urgent_pointer=(self.urgent_pointer, 16),
        )
        encode_options(self.options)

    def emit(self, payload: bytes = b"", ip: IpValue | None = None) -> bytes:
        if ip is None:
            raise ValueNotLegal("a TCP checksum needs the IP header: emit(payload, ip)")
        options = encode_options(self.options)
        words = 5 + len(options) // 4
        start = (
            self.source_port.to_bytes(2, "big")
            + self.destination_port.to_bytes(2, "big")
            + self.sequence.to_bytes(4, "big")
            + self.acknowledgment.to_bytes(4, "big")
            + (words << 12 | self.flags).to_bytes(2, "big")
            + self.window.to_bytes(2, "big")
        )
        rest = self.urgent_pointer.to_bytes(2, "big") + options + payload
        pseudo = ip.pseudo_header(PROTOCOL, len(start) + 2 + len(rest))
        return start + checksum(pseudo + start + rest).to_bytes(2, "big") + rest

    @classmethod
    def parse(cls, view: TcpView) -> Self:
        check_legal(view, "reserved")
        return cls(
            source_port=view.source_port,
            destination_port=view.destination_port,
            sequence=view.sequence,
            acknowledgment=view.acknowledgment,
            flags=view.flags,
            window=view.window,
            urgent_pointer=view.urgent_pointer,
            options=view.options,
        )
