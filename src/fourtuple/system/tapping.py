"""Frames of every interface of this namespace, through a ring that is shared with the kernel
(packet(7), TPACKET_V3; Documentation/networking/packet_mmap.rst).

The kernel fills blocks of many frames; who reads takes whole blocks, so that a frame costs nothing
until somebody looks at it. Loopback passes each frame twice and is taken once, on its way in.
Needs CAP_NET_RAW.
"""

import mmap
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fourtuple.errors import CapabilityMissing
from fourtuple.system.refusals import N_
from fourtuple.system.ring import attach_filter, bind_everywhere

__all__ = ["SNAP_BYTES", "TRANSPORT", "FrameTap", "Tapped", "frames_of"]

_SOL_PACKET = 263
_PACKET_RX_RING, _PACKET_STATISTICS, _PACKET_VERSION = 5, 6, 10
_TPACKET_V3 = 2
_BLOCK_BYTES = 1 << 20
_RETIRE_MS = 20
_USER = 1
#: of a block: status, frames, where the first is, bytes in use
_BLOCK = struct.Struct("=IIII")
_BLOCK_STATUS_AT = 8
#: of a frame: distance to the next, seconds, nanoseconds, captured, length, status, where the link
#: header is; then, in its struct sockaddr_ll, interface, hardware type and kind
_FRAME = struct.Struct("=IIIIIIH26xiHB")
_VLAN_AT, _VLAN = 32, struct.Struct("=IH")
_VLAN_VALID = 0x10
_ARPHRD_ETHER, _ARPHRD_LOOPBACK, _ARPHRD_NONE = 1, 772, 65534
_LINK_TYPES = {_ARPHRD_ETHER: 1, _ARPHRD_LOOPBACK: 1, _ARPHRD_NONE: 101}

# classic BPF (linux/filter.h): offsets from 0xfffff000 on name what the kernel knows of a frame
_LD_W, _LD_B, _JEQ, _RET = 0x20, 0x30, 0x15, 0x06
_PROTOCOL, _KIND, _HARDWARE, _NETWORK = 0xFFFFF000, 0xFFFFF004, 0xFFFFF01C, 0xFFF00000
_OUTGOING = 4
_IPV4, _IPV6, _VLAN_TAG = 0x0800, 0x86DD, 0x8100

#: of a frame so much is kept: loopback's segments have up to 64 KiB, and would fill the ring
SNAP_BYTES = 2048
#: TCP, UDP and ICMP over IPv4 and IPv6, and what hides behind IPv6's extension headers or VLAN tags
TRANSPORT = (
    (_LD_W, 0, 0, _HARDWARE),
    (_JEQ, 0, 2, _ARPHRD_LOOPBACK),
    (_LD_W, 0, 0, _KIND),
    (_JEQ, 17, 0, _OUTGOING),
    (_LD_W, 0, 0, _PROTOCOL),
    (_JEQ, 3, 0, _IPV4),
    (_JEQ, 6, 0, _IPV6),
    (_JEQ, 12, 0, _VLAN_TAG),
    (_RET, 0, 0, 0),
    (_LD_B, 0, 0, _NETWORK + 9),
    (_JEQ, 9, 0, 6),
    (_JEQ, 8, 0, 17),
    (_JEQ, 7, 8, 1),
    (_LD_B, 0, 0, _NETWORK + 6),
    (_JEQ, 5, 0, 6),
    (_JEQ, 4, 0, 17),
    (_JEQ, 3, 0, 58),
    (_JEQ, 2, 0, 0),
    (_JEQ, 1, 0, 43),
    (_JEQ, 0, 1, 44),
    (_RET, 0, 0, SNAP_BYTES),
    (_RET, 0, 0, 0),
)


class Tapped(NamedTuple):
    """A frame: when (CLOCK_REALTIME, ns), the index of the interface, its LINKTYPE_ number, how
    long it was, and what was kept of it."""

    t_ns: int
    interface: int
    link_type: int
    original: int
    data: bytes


class FrameTap:
    """`with FrameTap() as tap: ...; for block in tap.blocks(): for frame in frames_of(block)`.

    `program` is classic BPF that says which frames to take. CapabilityMissing without the right to
    open a packet socket.
    """

    def __init__(
        self, blocks: int = 64, program: Sequence[tuple[int, int, int, int]] = TRANSPORT
    ) -> None:
        try:
            # protocol 0 receives nothing until bind() gives one: all is in place by then
            kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
            self._socket = socket.socket(socket.AF_PACKET, kind, 0)
        except PermissionError:
            raise CapabilityMissing(
                N_("Frames cannot be recorded: that needs a packet socket (CAP_NET_RAW)."),
                N_("Run fourtuple as root, for example with sudo."),
            ) from None
        self._socket.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V3)
        attach_filter(self._socket, program)
        request = struct.pack("7I", _BLOCK_BYTES, blocks, 2048, blocks * _BLOCK_BYTES // 2048,
                              _RETIRE_MS, 0, 0)  # fmt: skip
        self._socket.setsockopt(_SOL_PACKET, _PACKET_RX_RING, request)
        self._memory = mmap.mmap(self._socket.fileno(), blocks * _BLOCK_BYTES)
        self._blocks, self._next = blocks, 0
        self._dropped = 0

    def __enter__(self) -> "FrameTap":
        bind_everywhere(self._socket)
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._memory.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def blocks(self) -> Iterator[bytes]:
        """The blocks that are ready, in order; each is the kernel's again at once."""
        for _ in range(self._blocks):
            at = self._next * _BLOCK_BYTES + _BLOCK_STATUS_AT
            status, frames, first, used = _BLOCK.unpack_from(self._memory, at)
            if not status & _USER:
                return
            begin = self._next * _BLOCK_BYTES
            block = self._memory[begin + first : begin + used] if frames else b""
            self._memory[at : at + 4] = bytes(4)
            self._next = (self._next + 1) % self._blocks
            if block:
                yield block

    def dropped(self) -> int:
        """How many frames found no room so far."""
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 12)
        self._dropped += struct.unpack("3I", statistics)[1]
        return self._dropped


def frames_of(block: bytes) -> Iterator[Tapped]:
    """The frames of a block, but for those of links that are not decoded."""
    at, last = 0, len(block) - _FRAME.size
    unpack, kinds = _FRAME.unpack_from, _LINK_TYPES
    while at <= last:
        (
            following, seconds, nanoseconds, captured, length, status, mac,
            interface, hardware, kind,
        ) = unpack(block, at)  # fmt: skip
        link_type = kinds.get(hardware)
        twice = kind == _OUTGOING and hardware == _ARPHRD_LOOPBACK
        if link_type is not None and not twice:
            data = block[at + mac : at + mac + captured]
            if status & _VLAN_VALID:  # the kernel has taken the tag out
                tag, protocol = _VLAN.unpack_from(block, at + _VLAN_AT)
                head = struct.pack("!HH", protocol or _VLAN_TAG, tag & 0xFFFF)
                data, length = data[:12] + head + data[12:], length + 4
            t_ns = seconds * 1_000_000_000 + nanoseconds
            yield Tapped(t_ns, interface, link_type, length, data)
        if not following:
            return
        at += following
