"""The packets of a pcapng capture that is in memory as a whole: frames, and where options are.

Blocks are found by `event.blocks`. What fourtuple itself puts into a capture is known to
`event.recording`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fourtuple.event._kernels import BIG, CAPTURED, END, INTERFACE, START
from fourtuple.event.blocks import BlockWalk
from fourtuple.event.flaw import Flaw
from fourtuple.event.frames import FrameTable, Vantage, captured_table
from fourtuple.event.pcapng import OptionList, options
from fourtuple.event.walk import Window

__all__ = ["Packets", "packets"]

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Packets:
    """What a pcapng capture holds.

    `frames.t_ns` counts from 1970. A row of `option_ends` is where the options of a frame's block
    begin and end; `big` tells which are big-endian. `sections` and `customs` have an entry a
    section header and a custom block (there the options that follow its enterprise number).
    """

    buffer: bytearray
    vantages: tuple[Vantage, ...]
    frames: FrameTable
    option_ends: Int64s
    big: npt.NDArray[np.bool_]
    sections: tuple[OptionList, ...]
    customs: tuple[OptionList, ...]
    flaw: Flaw | None

    def frame_options(self, row: int) -> OptionList:
        """Where the options of one frame's block are; nothing lies there if it has none."""
        begin, end = self.option_ends[row].tolist()
        return OptionList(begin, end, ">" if self.big[row] else "<")

    def options(self, where: OptionList) -> Iterator[tuple[int, bytes]]:
        """The (code, value) pairs of an option list."""
        return options(self.buffer, where.begin, where.end, where.order)


def packets(window: Window, walk: BlockWalk, table: Int64s) -> Packets:
    """All packets that `walk`, which keeps everything, has noted in `table`."""
    after = table[START] + (table[CAPTURED] + 3 & ~3)
    return Packets(
        window.buffer,
        tuple(walk.vantages),
        captured_table(window.octets, table, walk.times(table), table[INTERFACE]),
        np.stack((after, table[END]), axis=1),
        table[BIG] != 0,
        tuple(walk.section_options),
        tuple(walk.custom_options),
        walk.flaw,
    )
