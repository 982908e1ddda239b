"""What was watched, as a Timeline: frames and what the trace told, on one clock.

Frames are stamped with CLOCK_REALTIME, events with CLOCK_MONOTONIC: the former are converted.
"""

import os
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress

from fourtuple import __version__
from fourtuple.event.frames import FrameTable, FrameTableBuilder, Vantage
from fourtuple.event.model import Event
from fourtuple.event.timeline import Timeline
from fourtuple.source.trace.sockets import events_of
from fourtuple.system.packet import WallClock
from fourtuple.system.tapping import SNAP_BYTES, Tapped
from fourtuple.watch.pairs import Pair
from fourtuple.watch.spool import Spool

__all__ = ["recorded", "timeline_of"]


def timeline_of(
    title: str,
    pair: Pair,
    frames: Iterable[Tapped],
    clock: WallClock,
) -> Timeline:
    """The timeline of a connection that was seen a moment ago."""
    builder, places = FrameTableBuilder(), dict[tuple[int, int], int]()
    for frame in sorted(frames, key=lambda one: one.t_ns):
        builder.add(
            frame.data,
            clock.monotonic(frame.t_ns),
            original=frame.original,
            vantage=places.setdefault((frame.interface, frame.link_type), len(places)),
        )
    socks = [*pair.socks, *(sock.listener for sock in pair.socks if sock.listener)]
    events = sorted((event for sock in socks for event in events_of(sock)), key=_time)
    return _timeline(title, builder.table(), tuple(events), places, clock)


def recorded(title: str, spool: Spool, clock: WallClock) -> Timeline:
    """The timeline of all that was kept."""
    return _timeline(title, spool.frames(), spool.events(), spool.places, clock)


def _timeline(
    title: str,
    frames: FrameTable,
    events: Sequence[Event],
    places: Iterable[tuple[int, int]],
    clock: WallClock,
) -> Timeline:
    vantages = tuple(Vantage(_name(index), link, snap_length=SNAP_BYTES) for index, link in places)
    return Timeline(
        vantages or (Vantage("watch"),),
        frames,
        events,
        {
            "file": title,
            "kernel": os.uname().release,
            "version": __version__,
            "watch": True,
            "clock_error_ns": clock.error_ns,
            "views": {
                "calls": "trace",
                "states": "trace",
                "frames": "captured" if len(frames) else "none",
            },
        },
        epoch_ns=clock.offset_ns,
    )


def _time(event: Event) -> int:
    return event.t_ns


def _name(interface: int) -> str:
    with suppress(OSError):
        return socket.if_indextoname(interface)
    return f"interface {interface}"
