"""The headers that captures of loopback and of "any" interface have instead of Ethernet.

NULL and LOOP: 4 bytes of address family, in the byte order of the machine that captured (NULL) or
of the network (LOOP). SLL and SLL2: Linux's cooked headers.
"""

from fourtuple.wire.address import mac_text
from fourtuple.wire.field import Address, Named, Number, hexadecimal
from fourtuple.wire.registry import ETHERTYPES, HARDWARE
from fourtuple.wire.view import View

__all__ = ["LoopView", "NullView", "Sll2View", "SllView"]

# AF_INET is 2 everywhere; AF_INET6 is 10 on Linux, 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on
# Darwin.
ETHERTYPE_OF_FAMILY = {2: 0x0800, 10: 0x86DD, 24: 0x86DD, 28: 0x86DD, 30: 0x86DD}
PACKET_TYPES = {
    0: "host",
    1: "broadcast",
    2: "multicast",
    3: "other host",
    4: "outgoing",
}


class LoopView(View):
    """OpenBSD's loopback header: the family in network byte order."""

    name = "Loopback"
    __slots__ = ()

    family = Number(32, "Address family")

    @property
    def host_family(self) -> int:
        """The family's number."""
        return self.family

    @property
    def inner(self) -> tuple[str, int] | None:
        number = ETHERTYPE_OF_FAMILY.get(self.host_family)
        return ("ethertype", number) if self.readable and number else None


class NullView(LoopView):
    """BSD's loopback header: the family in the byte order of the machine that captured."""

    name = "Loopback"
    __slots__ = ()

    @property
    def host_family(self) -> int:
        """The family's number, whichever byte order it has: families are small numbers."""
        number = self.family
        return int.from_bytes(number.to_bytes(4, "big"), "little") if number > 0xFFFF else number


class SllView(View):
    """Linux's cooked header, version 1: 16 bytes."""

    name = "Linux cooked"
    __slots__ = ()

    packet_type = Named(16, "Packet type", PACKET_TYPES)
    hardware_type = Named(16, "Hardware type", HARDWARE)
    address_size = Number(16, "Address size")
    address = Address(64, "Address and padding", mac_text)
    protocol = Named(16, "Protocol", ETHERTYPES, hexadecimal(4))

    @property
    def inner(self) -> tuple[str, int] | None:
        return ("ethertype", self.protocol) if self.readable else None


class Sll2View(View):
    """Linux's cooked header, version 2: 20 bytes."""

    name = "Linux cooked 2"
    __slots__ = ()

    protocol = Named(16, "Protocol", ETHERTYPES, hexadecimal(4))
    reserved = Number(16, "Reserved")
    interface = Number(32, "Interface index")
    hardware_type = Named(16, "Hardware type", HARDWARE)
    packet_type = Named(8, "Packet type", PACKET_TYPES)
    address_size = Number(8, "Address size")
    address = Address(64, "Address and padding", mac_text)

    @property
    def inner(self) -> tuple[str, int] | None:
        return ("ethertype", self.protocol) if self.readable else None
