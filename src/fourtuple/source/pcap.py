"""The walk over a classic capture file: a file header of 24 bytes, then records.

Both byte orders, micro- and nanoseconds (draft-ietf-opsawg-pcap), Kuznetsov's longer record header,
and what libpcap still reads of the versions before 2.4, which give the two lengths of a record the
other way round. Records are found by `event._kernels`.
"""

import struct
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fourtuple.errors import N_
from fourtuple.event._kernels import (
    ALWAYS,
    AT,
    FOUND,
    HIGH,
    LOW,
    MAX_FRAME,
    NEVER,
    ROW,
    TOO_LONG,
    WHERE_LONGER,
)
from fourtuple.event.flaw import FRAME_CUT, FRAME_TOO_LONG, HEADER_CUT, Flaw
from fourtuple.event.frames import Vantage
from fourtuple.event.walk import PLAIN, Kernels, Window, new_state

__all__ = ["MAGICS", "PcapWalk"]

Int64s = npt.NDArray[np.int64]

#: first four bytes: byte order as struct writes it, nanoseconds in a unit of the fraction, bytes
#: of a record's header
MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000, 16),
    b"\xa1\xb2\xc3\xd4": (">", 1000, 16),
    b"\x4d\x3c\xb2\xa1": ("<", 1, 16),
    b"\xa1\xb2\x3c\x4d": (">", 1, 16),
    b"\x34\xcd\xb2\xa1": ("<", 1000, 24),
    b"\xa1\xb2\xcd\x34": (">", 1000, 24),
}

_FILE_HEADER = 24
#: written by the tcpdump of DG/UX
_DGUX = (543, 0)

VERSION_UNKNOWN = N_(
    "{file} is a pcap file of version {major}.{minor}; versions 2.0 to 2.4 are known, 2.4 in use"
    " since 1998. Frames read: {count}."
)


@dataclass(slots=True)
class PcapWalk:
    """A walk over the records of a pcap file (see `event.walk.Walk`), by its first four bytes."""

    magic: bytes
    kernels: Kernels = field(default_factory=lambda: PLAIN, repr=False)
    swapped: int = NEVER
    flaw: Flaw | None = None
    vantages: list[Vantage] = field(default_factory=list)

    def step(self, window: Window, table: Int64s) -> int:
        order, _, head = MAGICS[self.magic]
        if window.offset == 0 and window.filled >= _FILE_HEADER:
            self._open(window)
        if self.flaw or not self.vantages:
            return 0
        state = new_state(window)
        walk = self.kernels["walk_pcap"]
        big = int(order == ">")
        given = (window.octets, window.filled, big, head, self.swapped, state, table)
        outcome = walk(*given, table.shape[1])
        window.position = int(state[AT])
        if outcome == TOO_LONG:
            limits = {"length": int(state[FOUND]), "limit": MAX_FRAME}
            self.flaw = Flaw(window.offset, FRAME_TOO_LONG, limits)
        return int(state[ROW])

    def _open(self, window: Window) -> None:
        order = MAGICS[self.magic][0]
        major, minor = struct.unpack_from(order + "HH", window.buffer, 4)
        snap_length, link = struct.unpack_from(order + "II", window.buffer, 16)
        if (major, minor) != _DGUX and not (major == 2 and minor <= 4):
            self.flaw = Flaw(0, VERSION_UNKNOWN, {"major": major, "minor": minor})
        elif (major, minor) == _DGUX or minor < 3:
            self.swapped = ALWAYS
        elif minor == 3:
            # Both orders were written under this number.
            self.swapped = WHERE_LONGER
        # The upper half tells of a frame check sequence and of other things that no frame needs.
        self.vantages.append(Vantage("capture", link & 0xFFFF, snap_length=snap_length))
        window.position = _FILE_HEADER

    def finish(self, window: Window) -> None:
        if not self.vantages:
            self.flaw = Flaw(0, HEADER_CUT)
        elif not self.flaw and window.position < window.filled:
            self.flaw = Flaw(window.offset, FRAME_CUT)

    def times(self, table: Int64s) -> Int64s:
        t_ns: Int64s = table[HIGH] * 10**9 + table[LOW] * MAGICS[self.magic][1]
        return t_ns
