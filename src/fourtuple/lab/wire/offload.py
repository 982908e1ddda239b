"""What a network card does for a kernel that offloads to it: it cuts large segments up, fills in
checksums, and puts segments that came together into one. Bytes only.

A packet socket tells and takes what is still to do in a virtio_net_hdr before each frame
(PACKET_VNET_HDR; include/uapi/linux/virtio_net.h). Cutting follows tcp_gso_segment and
__udp_gso_segment, putting together follows tcp_gro_receive.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from fourtuple.lab.wire.header_fields import consistent
from fourtuple.wire import (
    ACK,
    CWR,
    FIN,
    PSH,
    Ipv4View,
    Packet,
    TcpView,
    UdpView,
    dissect,
    pseudo_header,
)

__all__ = ["HEADER_BYTES", "PLAIN", "Merged", "as_on_the_wire", "put_together"]

_HEADER = struct.Struct("=BBHHHH")  # flags, gso_type, hdr_len, gso_size, csum_start, csum_offset
HEADER_BYTES = _HEADER.size
#: nothing is left to do
PLAIN = bytes(HEADER_BYTES)
_NEEDS_CHECKSUM = 1
_TCP4, _TCP6, _WITH_CWR = 1, 4, 0x80
_TCP, _CHECKSUM_AT = 6, 16
_LARGEST_PACKET = 65535


def as_on_the_wire(header: bytes, frame: bytes) -> list[bytes]:
    """What leaves the card for a frame that a kernel gave to it: the segments, or datagrams, that
    it is cut into, all checksums right."""
    flags, gso_type, _, size, _, _ = _HEADER.unpack(header)
    packet = dissect(frame)
    transport = packet.tcp or packet.udp
    if gso_type and transport and packet.ip and 0 < size < len(transport.payload):
        return [consistent(part) for part in _cut(packet, transport, size)]
    return [consistent(frame) if flags & _NEEDS_CHECKSUM else frame]


def _cut(packet: Packet, transport: TcpView | UdpView, size: int) -> Iterator[bytes]:
    payload = transport.payload
    head = packet.data[: transport.offset + transport.header_length]
    begins = range(0, len(payload), size)
    for index, begin in enumerate(begins):
        part = bytearray(head + payload[begin : begin + size])
        _fit_lengths(part, packet, index)
        if isinstance(transport, TcpView):
            _fit_tcp(part, transport, begin, first=not index, last=begin == begins[-1])
        else:
            length = len(part) - transport.offset
            part[transport.offset + 4 : transport.offset + 6] = length.to_bytes(2, "big")
        yield bytes(part)


def _fit_lengths(part: bytearray, packet: Packet, index: int) -> None:
    ip = packet.ip
    assert ip is not None
    if isinstance(ip, Ipv4View):
        part[ip.offset + 2 : ip.offset + 4] = (len(part) - ip.offset).to_bytes(2, "big")
        number = (ip.identification + index) & 0xFFFF
        part[ip.offset + 4 : ip.offset + 6] = number.to_bytes(2, "big")
    else:
        length = len(part) - ip.offset - ip.MINIMUM
        part[ip.offset + 4 : ip.offset + 6] = length.to_bytes(2, "big")


def _fit_tcp(part: bytearray, tcp: TcpView, begin: int, *, first: bool, last: bool) -> None:
    """FIN and PSH are the last segment's, CWR is the first one's."""
    flags = tcp.flags & ~(0 if first else CWR) & ~(0 if last else FIN | PSH)
    number = (tcp.sequence + begin) & 0xFFFFFFFF
    part[tcp.offset + 4 : tcp.offset + 8] = number.to_bytes(4, "big")
    part[tcp.offset + 12] = part[tcp.offset + 12] & 0xFE | flags >> 8
    part[tcp.offset + 13] = flags & 0xFF


@dataclass
class Merged:
    """Segments as one: the virtio_net_hdr and the frame to give to the kernel, and how many."""

    header: bytes
    frame: bytes
    count: int = 1
    size: int = field(default=0, repr=False)


def put_together(frames: Sequence[bytes]) -> list[Merged]:
    """Frames that came to a card one after another, as it hands them to its kernel."""
    found: list[Merged] = []
    for frame in frames:
        if not found or not _joined(found[-1], frame):
            found.append(Merged(PLAIN, frame))
    return found


def _joined(merged: Merged, frame: bytes) -> bool:
    """Whether `frame` could be joined to what is merged; it has been, then."""
    whole, more = dissect(merged.frame), dissect(frame)
    if not _continues(whole, more, merged.size):
        return False
    assert whole.tcp and more.tcp and whole.ip
    size = merged.size or whole.tcp.payload_length
    made = bytearray(_without_padding(whole) + more.tcp.payload)
    _fit_lengths(made, whole, 0)
    tcp = whole.tcp
    made[tcp.offset + 13] |= more.tcp.flags & (FIN | PSH)
    made = bytearray(consistent(bytes(made)))
    envelope = tcp.envelope
    assert envelope is not None
    # CHECKSUM_PARTIAL: the pseudo header's sum, not inverted; the kernel asks for no more
    covered = len(made) - tcp.offset
    pseudo = pseudo_header(envelope.source, envelope.destination, _TCP, covered)
    total = sum(struct.unpack(f">{len(pseudo) // 2}H", pseudo))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    at = tcp.offset + _CHECKSUM_AT
    made[at : at + 2] = total.to_bytes(2, "big")
    kind = (_TCP4 if isinstance(whole.ip, Ipv4View) else _TCP6) | _WITH_CWR * bool(tcp.flags & CWR)
    header_length = tcp.offset + tcp.header_length
    merged.header = _HEADER.pack(
        _NEEDS_CHECKSUM, kind, header_length, size, tcp.offset, _CHECKSUM_AT
    )
    merged.frame, merged.count, merged.size = bytes(made), merged.count + 1, size
    return True


def _without_padding(packet: Packet) -> bytes:
    assert packet.ip is not None
    return packet.data[: packet.ip.offset + packet.ip.extent]


def _continues(whole: Packet, more: Packet, size: int) -> bool:
    """Whether a segment goes on where the other ends, and is like it in all that must be alike."""
    one, other = whole.tcp, more.tcp
    if one is None or other is None or whole.ip is None or more.ip is None:
        return False
    size = size or one.payload_length
    alike = (
        whole.data[:12] == more.data[:12]
        and _fixed(whole) == _fixed(more)
        and one.header[:4] == other.header[:4]
        and one.header[8:12] == other.header[8:12]
        and one.header[20:] == other.header[20:]
        and one.flags & ~(PSH | FIN) == other.flags & ~(PSH | FIN) == ACK
    )
    full = one.payload_length % size == 0 if size else False
    ended = one.flags & (FIN | PSH)
    fits = whole.ip.extent + other.payload_length <= _LARGEST_PACKET
    follows = (one.sequence + one.payload_length) & 0xFFFFFFFF == other.sequence
    sound = other.checksum_holds is not False
    small = 0 < other.payload_length <= size
    return bool(alike and full and not ended and fits and follows and sound and small)


def _fixed(packet: Packet) -> tuple[object, ...]:
    """What of IP's header must be alike."""
    ip = packet.ip
    if isinstance(ip, Ipv4View):
        rest: tuple[object, ...] = (ip.flags, ip.ttl, ip.options, ip.fragment_offset)
    else:
        assert ip is not None
        rest = (ip.flow_label, ip.hop_limit)
    return ip.source, ip.destination, ip.dscp, ip.ecn, *rest
