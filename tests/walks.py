"""A walk over bytes that arrive in pieces, and the frames that it found."""

from typing import NamedTuple

from fourtuple.event._kernels import CAPTURED, INTERFACE, ORIGINAL, START
from fourtuple.event.flaw import Flaw
from fourtuple.event.walk import Walk, Window, new_table

__all__ = ["Found", "Walked", "walked"]


class Found(NamedTuple):
    """A frame as a walk notes it."""

    data: bytes
    original: int
    t_ns: int
    interface: int


class Walked(NamedTuple):
    """What a walk came to, and where in the stream it stopped."""

    frames: list[Found]
    flaw: Flaw | None
    offset: int


def walked(walk: Walk, data: bytes, *cuts: int, forget: bool = False, room: int = 64) -> Walked:
    """Walk over the data, cut at these places; `forget` what has been walked, or keep all.

    `room` is for how many frames a table has room."""
    window, table, frames = Window(), new_table(room), list[Found]()
    ends = [*sorted(cuts), len(data)]
    for begin, end in zip([0, *ends], ends, strict=False):
        if forget:
            window.forget()
        window.add(data[begin:end])
        count = room
        while count == room:
            count = walk.step(window, table)
            frames += _found(walk, window, table, count)
    walk.finish(window)
    return Walked(frames, walk.flaw, window.offset)


def _found(walk: Walk, window: Window, table: object, count: int) -> list[Found]:
    noted = table[:, :count]  # type: ignore[index]
    times = walk.times(noted).tolist()
    rows = zip(*noted[[START, CAPTURED, ORIGINAL, INTERFACE]].tolist(), times, strict=True)
    return [
        Found(bytes(window.buffer[start : start + captured]), original, t_ns, interface)
        for start, captured, original, interface, t_ns in rows
    ]
