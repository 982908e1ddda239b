"""What the walks over capture files have in common: a window on the file, and a table to fill.

A file is walked in steps, whatever its size: the window holds what has been read and not yet
walked, a step notes the frames of all records that are whole in it (`event._kernels` does that),
and the source reads on. A window that forgets what has been walked stays as small as the longest
record; one that keeps all becomes the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fourtuple.compiled import Kernel, interpreted
from fourtuple.event._kernels import AT, STATES, WIDTH
from fourtuple.event.flaw import Flaw
from fourtuple.event.frames import Vantage

__all__ = ["PLAIN", "Kernels", "Walk", "Window", "new_state", "new_table", "walk_all"]

Int64s = npt.NDArray[np.int64]
Octets = npt.NDArray[np.uint8]

#: the walks of `event._kernels` by name, compiled or not: called with arrays
Kernels = Mapping[str, Kernel]

_A_STEP = 4096


PLAIN: Kernels = interpreted("fourtuple.event._kernels")


@dataclass(slots=True)
class Window:
    """The part of a stream that is in memory: `buffer[:filled]`, from byte `base` of the stream on.

    What lies before `position` has been walked.
    """

    buffer: bytearray = field(default_factory=bytearray)
    filled: int = 0
    position: int = 0
    base: int = 0
    octets: Octets = field(init=False)

    def __post_init__(self) -> None:
        self.octets = np.frombuffer(self.buffer, np.uint8)

    @property
    def offset(self) -> int:
        """Where in the stream the walk stands."""
        return self.base + self.position

    def forget(self) -> None:
        """Give up what has been walked: what is left moves to the front."""
        left = self.filled - self.position
        self.octets[:left] = self.octets[self.position : self.filled]
        self.base, self.position, self.filled = self.offset, 0, left

    def room(self, least: int) -> memoryview:
        """Where the next bytes of the stream go; there is room for `least` of them."""
        if len(self.buffer) - self.filled < least:
            grown = bytearray(max(self.filled + least, 2 * self.filled))
            grown[: self.filled] = memoryview(self.buffer)[: self.filled]
            self.buffer, self.octets = grown, np.frombuffer(grown, np.uint8)
        return memoryview(self.buffer)[self.filled :]

    def add(self, data: bytes) -> None:
        """Put bytes of the stream behind those that are there."""
        self.room(len(data))[: len(data)] = data
        self.filled += len(data)

    def begins(self, prefix: bytes) -> bool:
        """Whether what is to be walked begins so."""
        return self.buffer.startswith(prefix, self.position, self.filled)


class Walk(Protocol):
    """A walk over one capture file. From a `flaw` on nothing is noted."""

    flaw: Flaw | None

    @property
    def vantages(self) -> list[Vantage]:
        """The interfaces that the file has described so far."""

    def step(self, window: Window, table: Int64s) -> int:
        """Note the frames of the records that are whole, from column 0 of the table on; how many.
        Where the table is full of them, there may be more."""

    def finish(self, window: Window) -> None:
        """The stream has ended: whatever is left of it is a flaw."""

    def times(self, table: Int64s) -> Int64s:
        """When the frames of a table were seen, in nanoseconds since 1970; called once for each
        table, in order. Their interfaces are `vantages` by now."""


def new_table(frames: int) -> Int64s:
    """A table for so many frames, a column each: int64[WIDTH, frames]."""
    return np.zeros((WIDTH, frames), np.int64)


def new_state(window: Window) -> Int64s:
    """The state of a walk that goes on where the window stands, from frame 0 of the table on."""
    state = np.zeros(STATES, np.int64)
    state[AT] = window.position
    return state


def walk_all(walk: Walk, window: Window) -> Int64s:
    """A step that is not limited by a table: all frames of the records that are whole."""
    tables = [new_table(0)]
    count = _A_STEP
    while count == _A_STEP:
        table = new_table(_A_STEP)
        count = walk.step(window, table)
        tables.append(table[:, :count])
    return np.concatenate(tables, axis=1)
