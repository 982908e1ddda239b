"""A conversation as a Timeline: this side's calls, the kernel's states, and its frames if allowed.

Frames are those of the connections that were tried, and the ICMP errors that quote them. Where a
call failed, its own port is known no more: what was sent to and came from that address and port
meanwhile is taken for it.
"""

import os
from collections.abc import Iterable

from fourtuple import __version__
from fourtuple.errors import N_
from fourtuple.event.frames import FrameTableBuilder, Vantage
from fourtuple.event.model import Endpoint, Event, Note
from fourtuple.event.timeline import Timeline
from fourtuple.system.packet import WallClock
from fourtuple.system.sniffer import Sniffed
from fourtuple.talk.dial.conversation import Conversation
from fourtuple.wire import Packet, dissect

__all__ = ["timeline_of"]

LOST_FRAMES = N_("{count} frames were lost to the recording: there were too many at once")
LOST_CALLS = N_("{count} calls were left out: only the first 10,000 are kept")
STATES_AFTER_CALLS = N_(
    "states were looked up after each call of this side: what came and went between two is missing"
)
NO_FRAMES = N_(
    "no frames: recording them needs CAP_NET_RAW (run it as root, for example with sudo)"
)


def timeline_of(
    conversation: Conversation, frames: Iterable[Sniffed] | None, dropped: int = 0
) -> Timeline:
    """What happened. `frames` None: they could not be recorded."""
    clock = WallClock()
    builder = FrameTableBuilder()
    seen: dict[tuple[str, int], int] = {}
    wanted = _Wanted(conversation)
    last_ns = 0
    for frame in sorted(frames or (), key=lambda one: one.t_ns):
        t_ns = clock.monotonic(frame.t_ns)
        if wanted.has(dissect(frame.data, frame.link_type)):
            place = seen.setdefault((frame.interface, frame.link_type), len(seen))
            builder.add(frame.data, t_ns, vantage=place)
            last_ns = t_ns
    journal = conversation.journal
    events: list[Event] = [*journal.calls, *journal.states]
    events.sort(key=lambda event: event.t_ns)
    end_ns = max([last_ns, *(event.t_ns for event in events)], default=0) + 1
    events += _notes(conversation, frames is None, dropped, end_ns)
    vantages = tuple(Vantage(name, link_type) for name, link_type in seen)
    return Timeline(
        vantages or (Vantage("talk"),),
        builder.table(),
        tuple(events),
        _meta(conversation, frames is not None),
        epoch_ns=clock.offset_ns,
    )


def _meta(conversation: Conversation, framed: bool) -> dict[str, object]:
    return {
        "file": str(conversation.wish.url),
        "kernel": os.uname().release,
        "version": __version__,
        "talk": True,
        "views": {
            "calls": "wrapped",
            "states": "sock_diag" if conversation.journal.states else "inferred",
            "frames": "captured" if framed else "none",
        },
    }


def _notes(conversation: Conversation, unframed: bool, dropped: int, t_ns: int) -> list[Note]:
    notes = []
    if conversation.journal.states:
        notes.append(Note(t_ns=t_ns, kind="degraded", message=STATES_AFTER_CALLS))
    if unframed:
        notes.append(Note(t_ns=t_ns, kind="degraded", message=NO_FRAMES))
    if dropped:
        count = {"count": dropped}
        notes.append(Note(t_ns=t_ns, kind="degraded", message=LOST_FRAMES, params=count))
    if conversation.journal.left_out:
        count = {"count": conversation.journal.left_out}
        notes.append(Note(t_ns=t_ns, kind="degraded", message=LOST_CALLS, params=count))
    return notes


class _Wanted:
    """Which packets are the conversation's."""

    def __init__(self, conversation: Conversation) -> None:
        self._ends = {frozenset(ends) for ends in conversation.journal.ends}
        tried = {
            Endpoint(str(address[0]).partition("%")[0], int(address[1]))
            for _, address in conversation.connecting.tried
            if isinstance(address, tuple)
        }
        known = {remote for _, remote in conversation.journal.ends}
        self._places = tried - known
        url = conversation.wish.url
        self._raw = url.port if url.kind.transport == "raw" else None
        self._addresses = {place.address for place in tried}

    def has(self, packet: Packet) -> bool:
        packet = packet.quoted or packet  # an ICMP error concerns what it quotes
        if packet.ip is None:
            return False
        addresses = (str(packet.ip.source), str(packet.ip.destination))
        view = packet.tcp or packet.udp
        if view is None:
            number = getattr(packet.ip, "protocol", None) or getattr(packet.ip, "next_header", None)
            return number == self._raw and bool(self._addresses & set(addresses))
        ends = [
            Endpoint(address, port)
            for address, port in zip(
                addresses, (view.source_port, view.destination_port), strict=True
            )
        ]
        return frozenset(ends) in self._ends or bool(self._places & set(ends))
