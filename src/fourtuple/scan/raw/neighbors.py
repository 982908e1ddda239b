"""Link addresses of neighbours, asked for by ourselves: ARP (RFC 826), Neighbor Discovery
(RFC 4861).

The kernel's own table is not used: it has what was true once, and asking many at once takes no
longer than asking one. The time that an answer took is the first round trip that a scan measures.
"""

import select
import threading
import time
from collections.abc import Collection, Mapping

from msgspec import Struct

from fourtuple.system.packet import PacketSocket
from fourtuple.system.route import Interface
from fourtuple.wire import (
    Arp,
    Ethernet,
    Icmp6,
    Icmp6View,
    Ipv6,
    dissect,
    frame,
    ip_bytes,
    ip_text,
    mac_text,
)

__all__ = ["Neighbor", "find_neighbors"]

_TRIES = 3
_REQUEST, _REPLY = 1, 2
_SOLICITATION, _ADVERTISEMENT = 135, 136
_BROADCAST, _UNKNOWN = "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"


class Neighbor(Struct, frozen=True):
    """Who answered on the link: a hardware address, and how soon it did."""

    hardware: str
    rtt_s: float


def find_neighbors(
    interface: Interface, sources: Mapping[str, str], timeout_s: float
) -> dict[str, Neighbor]:
    """Ask for the link addresses of `sources`' keys; the values are our own addresses to ask from.

    Who has not answered three times is absent. Waits `timeout_s` after each time, no longer than
    until all have answered.
    """
    found: dict[str, Neighbor] = {}
    packets = PacketSocket(interface.name)
    try:
        for _ in range(_TRIES):
            asked = [address for address in sources if address not in found]
            sent_s: dict[str, float] = {}
            for address in asked:
                sent_s[address] = time.monotonic()
                packets.send(_question(interface, sources[address], address))
                _collect(packets, sent_s, found)
            end_s = time.monotonic() + timeout_s
            while len(found) < len(sources) and (left_s := end_s - time.monotonic()) > 0:
                select.select([packets], [], [], left_s)
                _collect(packets, sent_s, found)
            if len(found) == len(sources):
                break
    finally:
        # the kernel waits 10 ms until no processor uses the socket any more: we need not
        threading.Thread(target=packets.close).start()
    return found


def _collect(
    packets: PacketSocket, sent_s: Mapping[str, float], found: dict[str, Neighbor]
) -> None:
    while (received := packets.receive()) is not None:
        address, hardware = _answer(received[0], sent_s)
        if address and address not in found:
            found[address] = Neighbor(hardware, time.monotonic() - sent_s[address])


def _question(interface: Interface, source: str, address: str) -> bytes:
    own = mac_text(interface.hardware)
    if ":" not in address:
        return frame(Ethernet(own, _BROADCAST), Arp(_REQUEST, own, source, _UNKNOWN, address))
    packed = ip_bytes(address)
    group = ip_bytes("ff02::1:ff00:0")[:13] + packed[13:]
    source_option = b"\x01\x01" + interface.hardware
    return frame(
        Ethernet(own, mac_text(b"\x33\x33" + group[12:])),
        Ipv6(source, ip_text(group), hop_limit=255),
        Icmp6(_SOLICITATION),
        packed + source_option,
    )


def _answer(data: bytes, asked: Collection[str]) -> tuple[str, str]:
    """(address, link address) where a frame is a neighbour's answer to us, else ("", "")."""
    packet = dissect(data)
    if packet.arp is not None and not packet.problems():
        arp = packet.arp
        if arp.operation == _REPLY and arp.sender_address in asked:
            return arp.sender_address, arp.sender_hardware
    icmp6 = packet.layer(Icmp6View)
    if icmp6 is not None and icmp6.type == _ADVERTISEMENT and icmp6.target in asked:
        return icmp6.target, _target_option(icmp6.header) or mac_text(data[6:12])
    return "", ""


def _target_option(message: bytes) -> str:
    """The link address of a neighbor advertisement's option; "" where it carries none."""
    at = 24
    while at + 8 <= len(message):
        size = 8 * message[at + 1]
        if message[at] == 2 and size == 8:
            return mac_text(message[at + 2 : at + 8])
        if not size:
            break
        at += size
    return ""
