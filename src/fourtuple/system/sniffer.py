"""Frames that pass this machine's interfaces, both ways, gathered by a process of its own.

For short looks at a few packets: each costs Python some 5 us. Both directions are seen, so a
packet over loopback is taken once, on its way in. Needs CAP_NET_RAW.
"""

import mmap
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence

from msgspec import Struct

from fourtuple.errors import CapabilityMissing
from fourtuple.system.namespaces import die_with_parent
from fourtuple.system.refusals import N_
from fourtuple.system.ring import attach_filter, bind_everywhere

__all__ = ["Sniffed", "Sniffer", "may_sniff"]

_SO_TIMESTAMPNS = 35
_SO_RCVBUFFORCE = 33
_PACKET_OUTGOING = 4
_ARPHRD_ETHER, _ARPHRD_LOOPBACK, _ARPHRD_NONE = 1, 772, 65534
_LINK_TYPES = {_ARPHRD_ETHER: 1, _ARPHRD_LOOPBACK: 1, _ARPHRD_NONE: 101}
_BUFFER_BYTES = 128 << 20
_HEAD = struct.Struct("=QII16s")
_COUNT = struct.Struct("=Q")
#: how long a frame that was sent may take until it is to be had here
_LINGER_S = 0.02


def may_sniff() -> bool:
    """Whether this process may open packet sockets (CAP_NET_RAW)."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except OSError:
        return False
    return True


class Sniffed(Struct, frozen=True):
    """A frame: when (CLOCK_REALTIME, ns), the interface, its LINKTYPE_ number, the bytes."""

    t_ns: int
    interface: str
    link_type: int
    data: bytes


class Sniffer:
    """`with Sniffer() as seen: ...`; afterwards `seen.frames()` and how many were `seen.dropped`.

    `program` is classic BPF that says which frames to take; without one, all. Only the first are
    kept, up to `most_bytes` (they are memory); how many were not is `seen.left_out`. Frames are
    taken from the making of it on.
    CapabilityMissing without the right to open a packet socket.
    """

    def __init__(
        self,
        program: Sequence[tuple[int, int, int, int]] = (),
        most_bytes: int = sys.maxsize,
    ) -> None:
        try:
            # protocol 0 receives nothing until bind() gives one: the filter is in place by then
            kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
            self._socket = socket.socket(socket.AF_PACKET, kind, 0)
        except PermissionError:
            raise CapabilityMissing(
                N_("Frames cannot be recorded: that needs a packet socket (CAP_NET_RAW)."),
                N_("Run fourtuple as root, for example with sudo."),
            ) from None
        self.narrow(program)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        except PermissionError:  # in a user namespace: as much as net.core.rmem_max allows
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        bind_everywhere(self._socket)
        self._file = os.memfd_create("fourtuple-frames", os.MFD_CLOEXEC)
        self._most_bytes = most_bytes
        self._counted = mmap.mmap(-1, _COUNT.size)  # shared with the process that gathers
        self.dropped = 0
        self.left_out = 0

    def narrow(self, program: Sequence[tuple[int, int, int, int]]) -> None:
        """From now on, take only what `program` lets through."""
        if program:
            attach_filter(self._socket, program)

    def __enter__(self) -> "Sniffer":
        parent = os.getpid()
        alive, self._end = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            try:
                _close_others(self._socket.fileno(), self._file, alive)
                die_with_parent(parent)
                for number in (signal.SIGINT, signal.SIGTERM):
                    signal.signal(number, signal.SIG_IGN)
                self._gather(alive)
            finally:
                os._exit(0)
        os.close(alive)
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(_LINGER_S)
        os.close(self._end)
        os.waitpid(self._pid, 0)
        self.dropped = struct.unpack("II", self._socket.getsockopt(263, 6, 8))[1]
        self.left_out = _COUNT.unpack(self._counted)[0]
        self._socket.close()

    def _gather(self, alive: int) -> None:
        self._socket.setblocking(False)
        kept = left_out = 0
        with os.fdopen(self._file, "wb", buffering=1 << 20) as file:
            while True:
                ended = alive in select.select([self._socket.fileno(), alive], [], [])[0]
                while (record := self._receive()) is not None:
                    if left_out or kept + len(record) > self._most_bytes:
                        left_out += bool(record)
                        self._counted[:] = _COUNT.pack(left_out)
                    else:
                        kept += len(record)
                        file.write(record)
                if ended:
                    return

    def _receive(self) -> bytes | None:
        try:
            data, ancillary, _, address = self._socket.recvmsg(1 << 17, 64)
        except BlockingIOError:
            return None
        except OSError:  # an interface went down
            return b""
        name, _, direction, hardware = address[:4]
        if hardware not in _LINK_TYPES or (hardware == 772 and direction == _PACKET_OUTGOING):
            return b""
        t_ns = time.time_ns()
        for level, kind, value in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
                seconds, nanoseconds = struct.unpack("qq", value)
                t_ns = seconds * 1_000_000_000 + nanoseconds
        return _HEAD.pack(t_ns, len(data), _LINK_TYPES[hardware], name.encode()) + data

    def frames(self) -> Iterator[Sniffed]:
        """What was seen, in order; once, after the block."""
        with os.fdopen(self._file, "rb") as file:
            file.seek(0)
            while len(head := file.read(_HEAD.size)) == _HEAD.size:
                t_ns, length, link_type, name = _HEAD.unpack(head)
                yield Sniffed(t_ns, name.rstrip(b"\0").decode(), link_type, file.read(length))


def _close_others(*kept: int) -> None:
    """What this process has inherited besides these and the standard streams: a listening socket
    that it kept open would outlive its server."""
    first = 3
    for descriptor in sorted(kept):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, 1 << 20)
