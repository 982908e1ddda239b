"""The output contract's connections as JSON Lines, straight from the columns of a survey.

render.jsonout makes an object of each connection and encodes it; tens of thousands of them take
seconds so. Here they are printed from columns (render.printing), and frames from what the survey
knows of each. Rules: what is said is the same, and a test compares both. Connections that the
columns do not tell of come from the second pass.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt

from fourtuple.analyze.survey import _layout as at
from fourtuple.analyze.survey.seen import FrameKnown, Roles
from fourtuple.explain.columns import undecided
from fourtuple.explain.overview import Detail, Overview
from fourtuple.explain.text import Translator
from fourtuple.render.jsonout import (
    NO_CONNECTION,
    connection_objects,
    flag_letters,
    json_lines,
)
from fourtuple.render.printing import Printer
from fourtuple.source.passes import FrameBlock

__all__ = ["Kept", "connection_lines", "frame_lines"]

#: which frames of a block to tell of, given the connection that each is of
Kept = Callable[[FrameBlock, npt.NDArray[np.int64]], npt.NDArray[np.bool_]]


def connection_lines(
    overview: Overview, translator: Translator, files: Sequence[str]
) -> Iterator[bytes]:
    """The connections asked for, some thousand lines at a time. `files` are the names that the user
    gave."""
    overview.found.keep()
    printer = Printer(translator, files, overview.tunnels)
    whole = _looked_at(overview, translator, files)
    for table in overview.wanted():
        for lines in printer.lines(table, overview.found, undecided(table, overview.found.quoted)):
            yield lines or next(whole)


def frame_lines(
    overview: Overview, kept: Kept | None = None, frame: int | None = None
) -> Iterator[bytes]:
    """All frames, those that are `kept`, or one frame, some thousand lines at a time."""
    roles = Roles(overview.tables())
    files = overview.names if len(overview.names) > 1 else ()
    for block, known in overview.seen():
        last = block.first_number + len(block) - 1
        if frame is None or block.first_number <= frame <= last:
            told = roles.told(known, block.first_number)
            keep = repeat(True) if kept is None else kept(block, known[:, at.F_ROW_INDEX]).tolist()
            yield json_lines(
                item
                for one, item in zip(keep, _frames(block, told, files), strict=False)
                if one and frame in (None, item["frame"])
            )
        if frame is not None and frame <= last:
            return


def _frames(
    block: FrameBlock, told: Iterable[FrameKnown | None], files: Sequence[str]
) -> Iterator[dict[str, Any]]:
    times = block.t_ns.tolist()
    for row, (t_ns, one) in enumerate(zip(times, told, strict=True)):
        head = {"kind": "frame", "frame": block.first_number + row, "t": t_ns / 10**9}
        if files and block.file is not None and block.place is not None:
            head |= {"file": files[int(block.file[row])], "file_frame": int(block.place[row])}
        yield head | (_frame(one) if one else NO_CONNECTION)


def _frame(one: FrameKnown) -> dict[str, Any]:
    whose = {"connection": one.connection, "from": "client" if one.from_client else "server"}
    if not one.tcp:
        return NO_CONNECTION | whose | {"len": one.length, "verdict": "captured"}
    return whose | {
        "flags": flag_letters(one.flags),
        "seq": one.seq,
        "ack": one.ack,
        "len": one.length,
        "raw_seq": one.raw_seq,
        "raw_ack": one.raw_ack,
        "window": one.window,
        "notes": one.notes,
        "client_state": one.states[0],
        "server_state": one.states[1],
        "verdict": "captured",
    }


def _looked_at(overview: Overview, translator: Translator, files: Sequence[str]) -> Iterator[bytes]:
    """The lines of the connections that columns do not tell of, in order."""
    for detail in overview.undecided():
        yield from _of_detail(detail, translator, files)


def _of_detail(detail: Detail, translator: Translator, files: Sequence[str]) -> Iterator[bytes]:
    from fourtuple.explain.catalog import findings

    for _, connection in sorted(detail.connections.items()):
        said = findings(detail.timeline, [connection])
        yield json_lines(connection_objects(detail.timeline, [connection], said, translator, files))
