"""ARP (RFC 826), for any address lengths; the value is ARP for IPv4 over Ethernet."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from fourtuple.errors import ValueNotLegal
from fourtuple.wire.address import ipv4_bytes, ipv4_text, mac_bytes, mac_text
from fourtuple.wire.field import FieldValue, Named, Number, bytes_text, hexadecimal
from fourtuple.wire.registry import ETHERTYPES, HARDWARE
from fourtuple.wire.value import IpValue, Value, check_addresses, check_bits, check_legal
from fourtuple.wire.view import View

__all__ = ["Arp", "ArpView"]

OPERATIONS = {1: "request", 2: "reply", 3: "reverse request", 4: "reverse reply"}
ADDRESS_FIELDS = (
    ("sender_hardware", "Sender's hardware address"),
    ("sender_address", "Sender's protocol address"),
    ("target_hardware", "Target's hardware address"),
    ("target_address", "Target's protocol address"),
)


class ArpView(View):
    """An ARP message: 8 bytes and four addresses."""

    name = "ARP"
    LABELS = tuple(label for _, label in ADDRESS_FIELDS)
    __slots__ = ()

    hardware_type = Named(16, "Hardware type", HARDWARE)
    protocol_type = Named(16, "Protocol type", ETHERTYPES, hexadecimal(4))
    hardware_size = Number(8, "Hardware address size")
    protocol_size = Number(8, "Protocol address size")
    operation = Named(16, "Operation", OPERATIONS)

    @property
    def header_length(self) -> int:
        return self.MINIMUM + 2 * (self.hardware_size + self.protocol_size)

    @property
    def extent(self) -> int:
        return min(self.header_length, self.length)

    @property
    def sender_hardware(self) -> str:
        return self._address(0).text

    @property
    def sender_address(self) -> str:
        return self._address(1).text

    @property
    def target_hardware(self) -> str:
        return self._address(2).text

    @property
    def target_address(self) -> str:
        return self._address(3).text

    def _address(self, index: int) -> FieldValue:
        sizes = (self.hardware_size, self.protocol_size)
        at = self.MINIMUM + (index // 2) * sum(sizes) + (index % 2) * sizes[0]
        ipv4 = index % 2 == 1 and self.protocol_type == 0x0800 and sizes[1] == 4
        ethernet = index % 2 == 0 and sizes[0] == 6
        show = ipv4_text if ipv4 else mac_text if ethernet else bytes_text
        return self.raw_field(*ADDRESS_FIELDS[index], at, sizes[index % 2], show)

    def tail(self) -> Iterator[FieldValue]:
        found = (self._address(index) for index in range(4))
        return (field for field in found if field.bits)


@dataclass(frozen=True, slots=True)
class Arp(Value):
    """ARP for IPv4 over Ethernet."""

    IDENTITY: ClassVar[tuple[str, int]] = ("ethertype", 0x0806)

    operation: int
    sender_hardware: str
    sender_address: str
    target_hardware: str
    target_address: str

    def __post_init__(self) -> None:
        check_bits(operation=(self.operation, 16))
        check_addresses(self, mac_bytes, mac_text, "sender_hardware", "target_hardware")
        check_addresses(self, ipv4_bytes, ipv4_text, "sender_address", "target_address")

    def emit(self, payload: bytes = b"", ip: IpValue | None = None) -> bytes:
        start = b"\x00\x01\x08\x00\x06\x04" + self.operation.to_bytes(2, "big")
        sender = mac_bytes(self.sender_hardware) + ipv4_bytes(self.sender_address)
        target = mac_bytes(self.target_hardware) + ipv4_bytes(self.target_address)
        return start + sender + target + payload

    @classmethod
    def parse(cls, view: ArpView) -> Self:
        check_legal(view)
        shape = (view.hardware_type, view.protocol_type, view.hardware_size, view.protocol_size)
        if shape != (1, 0x0800, 6, 4):
            raise ValueNotLegal("not ARP for IPv4 over Ethernet")
        return cls(
            operation=view.operation,
            sender_hardware=view.sender_hardware,
            sender_address=view.sender_address,
            target_hardware=view.target_hardware,
            target_address=view.target_address,
        )
