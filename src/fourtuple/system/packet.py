"""Packet sockets: one end of a link, frame by frame, stamped by the kernel."""

import errno
import socket
import struct
import time

__all__ = ["PacketSocket", "WallClock"]

_ETH_P_ALL = 0x0003
_SOL_PACKET = 263
_PACKET_IGNORE_OUTGOING = 23  # Linux 4.20
_PACKET_VNET_HDR = 15
_SO_TIMESTAMPNS = 35
_ANCILLARY_BYTES = socket.CMSG_SPACE(16)
#: the largest frame a veth carries: a 64 KiB packet, its Ethernet header and VLAN tags, and before
#: it perhaps a virtio_net_hdr
_FRAME_BYTES = 65536 + 64 + 10
_LINK_DOWN = frozenset((errno.ENETDOWN, errno.ENXIO))


class PacketSocket:
    """Sends frames into, and receives those coming out of, one interface of this namespace.

    Frames that this socket (or anyone here) sends are not received again:
    PACKET_IGNORE_OUTGOING. Reading never blocks. With `vnet_header` a virtio_net_hdr of 10 bytes
    stands before each frame, in both directions: what a network card still has to do.
    """

    def __init__(
        self, interface: str, receive_buffer_bytes: int = 8 << 20, *, vnet_header: bool = False
    ) -> None:
        # protocol 0 receives nothing until bind() names interface and protocol together
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        if vnet_header:
            self._socket.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
        self._socket.bind((interface, _ETH_P_ALL))

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> tuple[bytes, int] | None:
        """The next frame and when it came (CLOCK_REALTIME, ns); None where none waits."""
        try:
            data, ancillary, _, _ = self._socket.recvmsg(_FRAME_BYTES, _ANCILLARY_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno in _LINK_DOWN:
                return None
            raise
        for level, kind, value in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
                seconds, nanoseconds = struct.unpack("qq", value)
                return data, seconds * 1_000_000_000 + nanoseconds
        return data, time.time_ns()

    def send(self, frame: bytes) -> None:
        """Give a frame to the other side. Through veth its kernel has dealt with it on return."""
        self._socket.send(frame)

    def drops(self) -> int:
        """How many frames the kernel dropped for want of buffer since the last call."""
        statistics = self._socket.getsockopt(_SOL_PACKET, 6, 8)  # PACKET_STATISTICS
        return int(struct.unpack("II", statistics)[1])

    def close(self) -> None:
        self._socket.close()


class WallClock:
    """Converts CLOCK_REALTIME, with which the kernel stamps frames, to CLOCK_MONOTONIC.

    `sample()` measures the distance of the two clocks. It returns by how many nanoseconds the wall
    clock stepped since the last sample, 0 where it only drifted (less than a millisecond).
    `error_ns` bounds the conversion: the widest bracket within which a sample was taken.
    """

    _STEP_NS = 1_000_000
    _TRIES = 3

    def __init__(self) -> None:
        self.offset_ns = 0
        self.error_ns = 0
        self.sample()

    def sample(self) -> int:
        bracket_ns, offset_ns = min(_bracketed() for _ in range(self._TRIES))
        known, self.offset_ns = self.offset_ns, offset_ns
        self.error_ns = max(self.error_ns, bracket_ns)
        moved = self.offset_ns - known if known else 0
        # what a processor taken away between two readings looks like is no step
        return moved if abs(moved) >= self._STEP_NS + bracket_ns else 0

    def monotonic(self, wall_ns: int) -> int:
        return wall_ns - self.offset_ns


def _bracketed() -> tuple[int, int]:
    """(how long it took, CLOCK_REALTIME less CLOCK_MONOTONIC): the shorter, the more exact."""
    before = time.monotonic_ns()
    wall = time.time_ns()
    after = time.monotonic_ns()
    return after - before, wall - (before + after) // 2
