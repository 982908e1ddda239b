"""A ring of packets shared with the kernel (packet(7), TPACKET_V2), behind a socket filter.

Packets begin at the IP header, whatever the link: the socket is SOCK_DGRAM, and the link's own
addresses are beside them. Every slot has the same size, so that numpy can read a row a packet.
"""

import ctypes
import mmap
import os
import socket
import struct
from collections.abc import Sequence

__all__ = ["PACKET_OFFSET", "ReceiveRing", "attach_filter", "bind_everywhere"]

_ETH_P_ALL = 0x0003
_SOL_PACKET = 263
_PACKET_RX_RING = 5
_PACKET_STATISTICS = 6
_PACKET_VERSION = 10
_PACKET_IGNORE_OUTGOING = 23  # Linux 4.20
_TPACKET_V2 = 1
_SO_ATTACH_FILTER = 26
_BLOCK_BYTES = 1 << 18
#: where the IP header lies in a slot: TPACKET_ALIGN(TPACKET2_HDRLEN) + 16 (tpacket_rcv)
PACKET_OFFSET = 80

Instruction = tuple[int, int, int, int]


class ReceiveRing:
    """Packets of every interface of this namespace that pass a classic BPF program.

    memory      slots x slot_bytes. A slot: tpacket2_hdr (32 bytes: status, length, captured, mac,
                net, seconds, nanoseconds, ...), sockaddr_ll (20), the packet from PACKET_OFFSET.
                Its first four bytes are 0 while the kernel owns it; whoever has read it writes 0.
    """

    def __init__(self, slots: int, slot_bytes: int, program: Sequence[Instruction]) -> None:
        per_block = _BLOCK_BYTES // slot_bytes
        blocks = -(-slots // per_block)
        self.slots = blocks * per_block
        self.slot_bytes = slot_bytes
        # protocol 0 receives nothing until bind() gives one: the filter is in place by then
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        attach_filter(self._socket, program)
        request = struct.pack("IIII", _BLOCK_BYTES, blocks, slot_bytes, self.slots)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_RX_RING, request)
        self.memory = mmap.mmap(self._socket.fileno(), blocks * _BLOCK_BYTES)
        bind_everywhere(self._socket)

    def fileno(self) -> int:
        return self._socket.fileno()

    def drops(self) -> int:
        """How many packets found no free slot since the last call."""
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        return int(struct.unpack("II", statistics)[1])

    def close(self) -> None:
        """Stop receiving. The memory goes with the last array that looks at it."""
        self._socket.close()


def bind_everywhere(packets: socket.socket) -> None:
    """Receive every protocol of every interface: index 0, for which socket.bind() has no name."""
    address = struct.pack("=HHiHBB8x", socket.AF_PACKET, socket.htons(_ETH_P_ALL), 0, 0, 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.bind(packets.fileno(), address, len(address)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"bind: {os.strerror(number)}")


def attach_filter(on: socket.socket, program: Sequence[Instruction]) -> None:
    """Let a socket receive only what a classic BPF program says (SO_ATTACH_FILTER).

    An instruction is (code, jump if true, jump if false, k); the program returns how many bytes of
    the packet to keep, 0 for none.
    """
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    descriptor = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    on.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, descriptor)
