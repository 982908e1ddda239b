"""One side's calls, the states that they left behind, and the frames seen meanwhile: a Timeline.

Both sides make theirs here. Rules: what was left out is counted and said; frames are those that
`has` knows as the conversation's, of what a packet socket saw.
"""

import os
from collections.abc import Callable, Iterable

from fourtuple import __version__
from fourtuple.errors import N_
from fourtuple.event.frames import FrameTableBuilder, Vantage
from fourtuple.event.model import Event, Note
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Message
from fourtuple.system.packet import WallClock
from fourtuple.system.sniffer import Sniffer
from fourtuple.talk.journal import MOST_CALLS, Journal
from fourtuple.talk.packets import flow_key
from fourtuple.wire import Packet, dissect

__all__ = ["LOCAL", "MOST_FRAME_BYTES", "NO_FRAMES", "timeline_of"]

#: of frames, so much is kept
MOST_FRAME_BYTES = 32 << 20

LOST_FRAMES = N_("{count} frames were lost to the recording: there were too many at once")
LEFT_OUT_FRAMES = N_("{count} frames were left out: only the first {limit} MiB are kept")
LOST_CALLS = N_("{count} calls were left out: only the first {limit} are kept")
STATES_AFTER_CALLS = N_(
    "states were looked up after each call of this side: what came and went between two is missing"
)
NO_FRAMES = N_(
    "no frames: recording them needs CAP_NET_RAW (run it as root, for example with sudo)"
)
LOCAL = N_("a unix socket has neither segments nor states of TCP: only calls are shown")


def timeline_of(
    journal: Journal,
    seen: Sniffer | None,
    has: Callable[[Packet], bool],
    name: str,
    missing: Message,
    notes: Iterable[Message] = (),
) -> Timeline:
    """What happened. `seen` has ended, and is None where no frames were recorded: `missing` says
    why. `name` is what it is called, `notes` is what else is to be said of it."""
    clock = WallClock()
    builder = FrameTableBuilder()
    places: dict[tuple[str, int], int] = {}
    last_ns = 0
    choose = _Chosen(has)
    for frame in sorted(seen.frames() if seen else (), key=lambda one: one.t_ns):
        if choose.takes(frame.data, frame.link_type):
            place = places.setdefault((frame.interface, frame.link_type), len(places))
            last_ns = clock.monotonic(frame.t_ns)
            builder.add(frame.data, last_ns, vantage=place)
    events: list[Event] = [*journal.calls, *journal.states]
    events.sort(key=lambda event: event.t_ns)
    end_ns = max([last_ns, *(event.t_ns for event in events)], default=0) + 1
    said = [*notes, *_left_out(journal, seen, missing)]
    events += [
        Note(t_ns=end_ns, kind="degraded", message=one.text, params=dict(one.params))
        for one in said
    ]
    vantages = tuple(Vantage(interface, link_type) for interface, link_type in places)
    return Timeline(
        vantages or (Vantage("talk"),),
        builder.table(),
        tuple(events),
        _meta(journal, seen is not None, name),
        epoch_ns=clock.offset_ns,
    )


class _Chosen:
    """Asks `has` once for all packets that go between the same ends."""

    def __init__(self, has: Callable[[Packet], bool]) -> None:
        self._has = has
        self._known: dict[bytes, bool] = {}

    def takes(self, data: bytes, link_type: int) -> bool:
        key = flow_key(data, link_type)
        if key is None:
            return self._has(dissect(data, link_type))
        if key not in self._known:
            self._known[key] = self._has(dissect(data, link_type))
        return self._known[key]


def _meta(journal: Journal, framed: bool, name: str) -> dict[str, object]:
    return {
        "file": name,
        "kernel": os.uname().release,
        "version": __version__,
        "talk": True,
        "views": {
            "calls": "wrapped",
            "states": "sock_diag" if journal.states else "inferred",
            "frames": "captured" if framed else "none",
        },
    }


def _left_out(journal: Journal, seen: Sniffer | None, missing: Message) -> Iterable[Message]:
    if journal.states:
        yield Message(STATES_AFTER_CALLS)
    if seen is None:
        yield missing
    elif seen.dropped:
        yield Message(LOST_FRAMES, {"count": seen.dropped})
    if seen is not None and seen.left_out:
        limit = MOST_FRAME_BYTES >> 20
        yield Message(LEFT_OUT_FRAMES, {"count": seen.left_out, "limit": limit})
    if journal.left_out:
        yield Message(LOST_CALLS, {"count": journal.left_out, "limit": MOST_CALLS})
