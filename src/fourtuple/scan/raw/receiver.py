"""Reads the ring in runs: many packets at once, copied out and handed back to the kernel."""

import select

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from fourtuple.scan.raw.filter import answer_filter
from fourtuple.system.ring import PACKET_OFFSET, ReceiveRing

__all__ = ["Received", "Receiver"]

Int64s = npt.NDArray[np.int64]
Uint8s = npt.NDArray[np.uint8]

_SLOTS = 8192
#: holds an ICMPv6 error with the probe that it quotes
_SLOT_BYTES = 256
_OWNED_BY_USER = 1  # TP_STATUS_USER
_STATUS, _CAPTURED, _SECONDS, _NANOSECONDS = 0, 2, 4, 5  # 32-bit words of tpacket2_hdr


class Received(Struct, frozen=True):
    """n packets: `data` uint8[n, width] from the IP header on, of which `captured` bytes count;
    `t_ns` when the kernel saw them (CLOCK_REALTIME)."""

    data: Uint8s
    captured: Int64s
    t_ns: Int64s


class Receiver:
    """Everything that may answer probes of `protocol` from our `ports`, from any interface."""

    def __init__(self, protocol: int, ports: range) -> None:
        size = _SLOT_BYTES
        program = answer_filter(protocol, ports, size - PACKET_OFFSET)
        self._ring = ReceiveRing(_SLOTS, size, program)
        memory = np.frombuffer(self._ring.memory, dtype=np.uint8)
        self._bytes = memory.reshape(self._ring.slots, size)
        self._words = memory.view(np.uint32).reshape(self._ring.slots, size // 4)
        self._head = 0
        self._poll = select.poll()
        self._poll.register(self._ring.fileno(), select.POLLIN)

    def wait(self, seconds: float) -> None:
        """Until something is there, no longer than that."""
        self._poll.poll(seconds * 1000)

    def read(self) -> Received | None:
        """The packets that wait, up to the end of the ring; None where none does."""
        run = self._words[self._head : self._head + 4096]
        if not run[0, _STATUS] & _OWNED_BY_USER:
            return None
        kernels = np.flatnonzero(run[:, _STATUS] & _OWNED_BY_USER == 0)
        count = int(kernels[0]) if kernels.size else len(run)
        words, rows = run[:count], self._bytes[self._head : self._head + count]
        received = Received(
            data=rows[:, PACKET_OFFSET:].copy(),
            captured=words[:, _CAPTURED].astype(np.int64),
            t_ns=words[:, _SECONDS].astype(np.int64) * 1_000_000_000 + words[:, _NANOSECONDS],
        )
        words[:, _STATUS] = 0
        self._head = (self._head + count) % self._ring.slots
        return received

    def drops(self) -> int:
        return self._ring.drops()

    def close(self) -> None:
        self._ring.close()
