"""What was watched, as a Timeline: frames and what the trace told, on one clock.

Frames are stamped with CLOCK_REALTIME, events with CLOCK_MONOTONIC: the former are converted.
"""

import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from fourtuple import __version__
from fourtuple.event.frames import FrameTableBuilder, Vantage
from fourtuple.event.model import Event, Note
from fourtuple.event.timeline import Timeline
from fourtuple.source.trace.sockets import CallMade, Sock, call_event, events_of
from fourtuple.system.packet import WallClock
from fourtuple.system.tapping import SNAP_BYTES, Tapped
from fourtuple.watch.pairs import Pair

__all__ = ["timeline_of"]


def timeline_of(
    title: str,
    pairs: Sequence[Pair],
    frames: Iterable[Tapped],
    clock: WallClock,
    notes: Iterable[Note] = (),
    unjoined: Iterable[CallMade] = (),
    states: str = "trace",
) -> Timeline:
    """The timeline of some connections. `states` is where states come from: trace or sock_diag."""
    builder, places = FrameTableBuilder(), dict[tuple[int, int], int]()
    for frame in sorted(frames, key=lambda one: one.t_ns):
        builder.add(
            frame.data,
            clock.monotonic(frame.t_ns),
            original=frame.original,
            vantage=places.setdefault((frame.interface, frame.link_type), len(places)),
        )
    events: list[Event] = [*_events(pairs), *map(call_event, unjoined), *notes]
    events.sort(key=lambda event: event.t_ns)
    vantages = tuple(Vantage(_name(index), link, snap_length=SNAP_BYTES) for index, link in places)
    return Timeline(
        vantages or (Vantage("watch"),),
        builder.table(),
        tuple(events),
        {
            "file": title,
            "kernel": os.uname().release,
            "version": __version__,
            "watch": True,
            "clock_error_ns": clock.error_ns,
            "views": {
                "calls": "trace" if states == "trace" else "none",
                "states": states,
                "frames": "captured" if len(builder) else "none",
            },
        },
        epoch_ns=clock.offset_ns,
    )


def _events(pairs: Sequence[Pair]) -> Iterator[Event]:
    """Those of the connections' sockets, and of the listeners that they came through."""
    socks: dict[Sock, None] = {}
    for pair in pairs:
        for sock in pair.socks:
            socks[sock] = None
            if sock.listener is not None:
                socks[sock.listener] = None
    for sock in socks:
        yield from events_of(sock)


def _name(interface: int) -> str:
    with suppress(OSError):
        return socket.if_indextoname(interface)
    return f"interface {interface}"
