"""One pass over one capture file: its frames, in blocks that share one buffer.

Memory is bounded by that buffer, whatever the file holds: it grows only for a longer record.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from fourtuple.errors import CaptureDamaged
from fourtuple.event._kernels import CAPTURED, INTERFACE, ORIGINAL, SECTION_BLOCK, START
from fourtuple.event.blocks import BlockWalk
from fourtuple.event.flaw import Flaw
from fourtuple.event.walk import Kernels, Walk, Window, new_table
from fourtuple.source.compression import Decompressed, decompressed
from fourtuple.source.opening import Source
from fourtuple.source.pcap import MAGICS, PcapWalk
from fourtuple.source.unknown import unknown

__all__ = ["FrameBlock", "Pass", "damaged", "fill", "glance", "walk_for"]

Int64s = npt.NDArray[np.int64]
Octets = npt.NDArray[np.uint8]

#: frames and bytes of a block: both together stay in a processor's second-level cache; a power of
#: two would have all columns begin at the same places of it
_FRAMES = 8184
_BYTES = 1024 * 1024
_LONGEST_MAGIC = 8
#: enough to find a first frame
_GLANCE_BYTES = 16 * 1024


class FrameBlock(msgspec.Struct, frozen=True):
    """Consecutive frames of a capture; valid until the next block is asked for.

    buffer        uint8[bytes]  the captured bytes, and others between them
    start         int64[n]      where a frame begins in `buffer`
    captured      int64[n]      how many of its bytes are there
    original      int64[n]      how many it had on the wire
    t_ns          int64[n]      nanoseconds since 1970
    link_type     int64[n]      LINKTYPE_ number
    vantage       int64[n]      index into `Capture.vantages`
    first_number  the number of the first of them among all frames read, from 1
    file          int64[n]      index into `Capture.files`; None where one file is read
    place         int64[n]      number of the frame in that file; None where one file is read
    """

    buffer: Octets
    start: Int64s
    captured: Int64s
    original: Int64s
    t_ns: Int64s
    link_type: Int64s
    vantage: Int64s
    first_number: int
    file: Int64s | None = None
    place: Int64s | None = None

    def __len__(self) -> int:
        return len(self.start)


@dataclass(slots=True)
class Pass:
    """One pass over one file: gives its blocks, with the file's own interfaces and numbers.

    It ends early, and `ended_early`, behind `most` bytes (decompressed), where that is not 0.
    `walked` is how many there were.
    """

    source: Source
    kernels: Kernels
    told: Callable[["Pass", int], None]
    step_bytes: int = _BYTES
    walk: Walk | None = None
    count: int = 0
    flaw: Flaw | None = None
    most: int = 0
    walked: int = 0
    ended_early: bool = False

    def __iter__(self) -> Iterator[FrameBlock]:
        with self.source.opened() as reader:
            stream = decompressed(reader)
            window = Window(bytearray(self.step_bytes))
            self.walk = walk_for(window, stream, self.source.name, self.kernels)
            yield from self._blocks(window, stream, self.walk)
        self.flaw = stream.flaw or self.walk.flaw

    def _blocks(self, window: Window, stream: Decompressed, walk: Walk) -> Iterator[FrameBlock]:
        table = new_table(_FRAMES)
        more = True
        while more and not walk.flaw:
            found = walk.step(window, table)
            if found:
                yield self._block(window, walk, table[:, :found])
                self.count += found
            if found < _FRAMES and not walk.flaw:
                window.forget()
                self.walked = window.base
                self.ended_early = 0 < self.most < self.walked
                more = not self.ended_early and fill(window, stream, self.step_bytes)
                self.told(self, stream.taken)
        if not self.ended_early:
            walk.finish(window)

    def _block(self, window: Window, walk: Walk, table: Int64s) -> FrameBlock:
        t_ns, interface = walk.times(table), table[INTERFACE]
        links = np.array([vantage.link_type for vantage in walk.vantages], np.int64)
        return FrameBlock(
            window.octets,
            table[START],
            table[CAPTURED],
            table[ORIGINAL],
            t_ns,
            links[interface],
            interface,
            self.count + 1,
        )


def glance(one: Pass) -> tuple[FrameBlock | None, Walk | None]:
    """The first frames of a file, if it has any, and what its walk knows by then."""
    other = Pass(one.source, one.kernels, lambda *_: None, _GLANCE_BYTES)
    return next(iter(other), None), other.walk


def fill(window: Window, stream: Decompressed, count: int) -> bool:
    """Read on: at least a part of `count` bytes. False where the stream has ended."""
    room = window.room(1)[:count]
    found = stream.read(room)
    window.filled += found
    return found > 0


def walk_for(
    window: Window, stream: Decompressed, name: str, kernels: Kernels, keep: bool = False
) -> PcapWalk | BlockWalk:
    """The walk for what the stream begins with; CaptureUnknown where that is no capture, and
    CaptureDamaged where it cannot be told."""
    while window.filled < _LONGEST_MAGIC and fill(window, stream, len(window.buffer) or _BYTES):
        pass
    magic = bytes(window.buffer[: min(4, window.filled)])
    if magic == SECTION_BLOCK.to_bytes(4, "big"):
        return BlockWalk(kernels, keep)
    if magic in MAGICS:
        return PcapWalk(magic, kernels)
    if stream.flaw:
        raise damaged(stream.flaw, name, 0)
    raise unknown(window.buffer[: window.filled], name, stream.format)


def damaged(flaw: Flaw, name: str, count: int, timeline: object = None) -> CaptureDamaged:
    """The error for a flaw of a file of which `count` frames could be read."""
    place = {"file": name, "offset": flaw.offset, "count": count, "frame": count + 1}
    return CaptureDamaged(flaw.text, {**place, **flaw.params}, timeline)
