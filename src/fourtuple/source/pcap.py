"""The classic capture file: where its records are, and its frames as columns.

A file header of 24 bytes, then records: 16 bytes of header, a frame (draft-ietf-opsawg-pcap).
Microsecond and nanosecond files, both byte orders. As with pcapng, one step notes where records
begin while the buffer may still grow, another reads all record headers at once.
"""

import struct
from array import array
from dataclasses import dataclass, field

import numpy as np

from fourtuple.errors import N_
from fourtuple.event.flaw import FRAME_CUT, FRAME_TOO_LONG, HEADER_CUT, MAX_FRAME, Flaw
from fourtuple.event.frames import FrameTable, Vantage
from fourtuple.event.model import Verdict
from fourtuple.event.packets import words

__all__ = ["MAGICS", "PcapWalk", "frame_table", "vantage"]

#: first four bytes: byte order as struct writes it, nanoseconds in a unit of the fraction
MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}

_FILE_HEADER = 24
_RECORD_HEADER = 16
_VERSION = (2, 4)

VERSION_UNKNOWN = N_(
    "{file} is a pcap file of version {major}.{minor}; only version 2.4, in use since 1998, is"
    " known. Frames read: {count}."
)


@dataclass(slots=True)
class PcapWalk:
    """Notes where records begin, in a buffer that grows; `event.blocks.BlockWalk` is its like."""

    order: str
    position: int = 0
    flaw: Flaw | None = None
    offsets: "array[int]" = field(default_factory=lambda: array("q"))

    def step(self, buffer: bytearray) -> None:
        if self.position == 0 and len(buffer) >= _FILE_HEADER:
            self._open(buffer)
        if self.position and not self.flaw:
            self.position, self.flaw = _walk(buffer, self.position, self.order, self.offsets)

    def _open(self, buffer: bytearray) -> None:
        self.position = _FILE_HEADER
        major, minor = struct.unpack_from(self.order + "HH", buffer, 4)
        if (major, minor) != _VERSION:
            self.flaw = Flaw(0, VERSION_UNKNOWN, {"major": major, "minor": minor})

    def finish(self, buffer: bytearray) -> None:
        if not self.position:
            self.flaw = Flaw(0, HEADER_CUT)
        elif not self.flaw and self.position < len(buffer):
            self.flaw = Flaw(self.position, FRAME_CUT)


def _walk(
    buffer: bytearray, begin: int, order: str, offsets: "array[int]"
) -> tuple[int, Flaw | None]:
    """Note the whole records from `begin` on; where that ended, and why."""
    captured = struct.Struct(order + "I")
    position, end = begin, len(buffer)
    while end - position >= _RECORD_HEADER:
        (length,) = captured.unpack_from(buffer, position + 8)
        if length > MAX_FRAME:
            limits = {"length": length, "limit": MAX_FRAME}
            return position, Flaw(position, FRAME_TOO_LONG, limits)
        following = position + _RECORD_HEADER + length
        if following > end:
            break
        offsets.append(position)
        position = following
    return position, None


def vantage(buffer: bytearray, order: str) -> Vantage:
    """The one interface of the file, which does not name it."""
    if len(buffer) < _FILE_HEADER:
        return Vantage("capture")
    snap_length, link = struct.unpack_from(order + "II", buffer, 16)
    # The upper half tells of a frame check sequence and of other things that no frame needs.
    return Vantage("capture", link & 0xFFFF, snap_length=snap_length)


def frame_table(buffer: bytearray, walk: PcapWalk) -> FrameTable:
    """The frames of all noted records; times are nanoseconds since 1970."""
    _, unit_ns = MAGICS[bytes(buffer[:4])]
    octets, offset = np.frombuffer(buffer, np.uint8), np.array(walk.offsets, np.int64)
    big = np.full(len(offset), walk.order == ">")
    seconds, fraction, captured, original = words(octets, offset, 4, big).T.copy()
    t_ns = seconds * 10**9 + fraction * unit_ns
    return FrameTable(
        buffer=octets,
        start=offset + _RECORD_HEADER,
        captured=captured,
        original=original,
        t_ns=t_ns,
        left_ns=t_ns.copy(),
        vantage=np.zeros(len(offset), np.int64),
        verdict=np.full(len(offset), Verdict.CAPTURED, np.int64),
    )
