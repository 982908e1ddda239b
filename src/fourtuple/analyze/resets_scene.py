"""What the evidence held when an RST was sent: what both ends had said and heard, and what came
after.

Data for the rules of `analyze.resets`; nothing is concluded here. Rules: a segment counts as heard
once it has left the wire; in a capture at once. A segment that the wire made was said by nobody.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush

from fourtuple.analyze.evidence import End, end_of
from fourtuple.analyze.model import Connection, Reset, SegmentFact
from fourtuple.analyze.services import Service, Services
from fourtuple.event.timeline import Timeline
from fourtuple.wire import ACK, FIN, RST, SYN

__all__ = ["UNKNOWN", "Cause", "Scene", "Side", "scenes"]

#: cause, confidence, and the frames besides the RST that they rest on
Cause = tuple[str, str, tuple[int, ...]]

#: what is said where nothing is known
UNKNOWN: Cause = ("undetermined", "undetermined", ())

#: how many frames are kept of what may become evidence many times over
_KEPT = 16


@dataclass(slots=True)
class Side:
    """What an end had said, and what had reached it, by the time of an RST.

    said      its latest segment that is no RST; `end` is the number after its highest one
    own       how many segments it has said that are neither SYN nor RST
    spoke     its latest segment with payload
    fin       its first FIN
    last_ack  its latest segment that acknowledged anything new
    window    the largest window that it ever announced, in bytes
    frames    its latest frames that are no RST, up to 16
    heard     the latest segment with ACK that reached it; `acks` by what they acknowledge, and
              `data` those with payload: each the latest of its number, of the latest 16 numbers
    asked     the latest SYN without ACK, or segment of no connection, that reached it
    waiting   up to 16 segments of payload that reached it after its own latest payload
    probes    its keepalive probes since it last heard anything
    broke     the first RST it sent that seems its own, as it was judged
    broken    the peer's RST that closed it
    confirmed the third step, where it reached this end
    """

    said: SegmentFact | None = None
    end: int = 0
    own: int = 0
    spoke: SegmentFact | None = None
    fin: SegmentFact | None = None
    last_ack: SegmentFact | None = None
    window: int = 0
    frames: list[int] = field(default_factory=list)
    heard: SegmentFact | None = None
    acks: dict[int, SegmentFact] = field(default_factory=dict)
    data: dict[int, SegmentFact] = field(default_factory=dict)
    asked: SegmentFact | None = None
    waiting: list[SegmentFact] = field(default_factory=list)
    probes: list[SegmentFact] = field(default_factory=list)
    broke: Reset | None = None
    broken: SegmentFact | None = None
    confirmed: SegmentFact | None = None

    def say(self, segment: SegmentFact) -> None:
        """It sent a segment."""
        if segment.flags & RST or segment.verdict == "injected":
            return
        self.said, self.end = segment, max(self.end, segment.next_seq)
        self.own += not segment.flags & SYN
        self.last_ack = segment if segment.acked else self.last_ack
        self.window = max(self.window, segment.window)
        self.frames = [*self.frames[1 - _KEPT :], segment.frame]
        if segment.flags & FIN and self.fin is None:
            self.fin = segment
        if segment.length:
            self.spoke = segment
            self.waiting.clear()
        if "keep_alive" in segment.notes and not {"resent", "probe"}.intersection(segment.notes):
            self.probes.append(segment)

    def hear(self, segment: SegmentFact) -> None:
        """A segment reached it."""
        self.probes.clear()
        if segment.flags & RST:
            state = segment.server_state if segment.from_client else segment.client_state
            self.broken = segment if state == "CLOSED" and not self.broken else self.broken
            return
        if segment.flags & ACK:
            self.heard = segment
            _keep(self.acks, segment)
        elif segment.flags & SYN or segment.stray:
            self.asked = segment
        if "handshake_ack" in segment.notes:
            self.confirmed = segment
        if segment.length:
            _keep(self.data, segment)
            self.waiting = [*self.waiting[1 - _KEPT :], segment]


def _keep(kept: dict[int, SegmentFact], segment: SegmentFact) -> None:
    kept.pop(segment.raw_ack, None)
    kept[segment.raw_ack] = segment
    if len(kept) > _KEPT:
        del kept[next(iter(kept))]


@dataclass(frozen=True, slots=True)
class Scene:
    """One RST, `side` its sender and `peer` the other end as they were; `end` what a recording
    knows of the sender.

    last       the sender's last segment of all that is neither SYN nor RST
    beyond     of these the one that goes furthest
    confirms   the highest number that the sender ever acknowledged
    round_ns   the round trip of the handshake; 0 where that is not known
    asks_on    whether the sender repeated its SYN afterwards
    service    what else is known of the server's port
    """

    rst: SegmentFact
    side: Side
    peer: Side
    end: End
    connection: Connection
    timeline: Timeline
    service: Service
    last: SegmentFact | None
    beyond: SegmentFact | None
    confirms: int
    asks_on: bool
    round_ns: int

    @property
    def recorded(self) -> bool:
        """Whether the sender's host was watched from within: calls and socket tables."""
        return self.end.host is not None

    @property
    def answered(self) -> SegmentFact | None:
        """The latest segment that the RST can be the answer to: without ACK it has the number
        that the segment acknowledged (RFC 9293, section 3.10.7.1)."""
        return None if self.rst.flags & ACK else self.side.acks.get(self.rst.raw_seq)

    @property
    def answered_data(self) -> SegmentFact | None:
        """The same, of those with payload."""
        return None if self.rst.flags & ACK else self.side.data.get(self.rst.raw_seq)

    @property
    def plain(self) -> bool:
        """Whether it is bare, as Linux sends an RST without a socket: no window, no option."""
        return self.rst.window == 0 and not self.rst.options

    def state(self, segment: SegmentFact, sender: bool) -> str:
        """The state of the RST's sender, or of its peer, after a segment, as the frames imply."""
        states = (segment.client_state, segment.server_state)
        return states[0 if self.rst.from_client is sender else 1]


def scenes(
    connection: Connection, timeline: Timeline, services: Services
) -> Iterator[tuple[Scene, Side]]:
    """Each RST of the connection, in order, and its sender's side, to note the verdict in."""
    sides = {True: Side(), False: Side()}
    ends = {client: end_of(timeline, connection, client) for client in (True, False)}
    later = {client: _Later(connection, client) for client in (True, False)}
    service = services.get(connection.server, Service())
    round_ns = _round_trip(connection)
    coming: list[tuple[int, int]] = []
    for segment in connection.segments:
        while coming and coming[0][0] <= segment.t_ns:
            arrived = connection.segment(heappop(coming)[1])
            sides[not arrived.from_client].hear(arrived)
        sender = segment.from_client
        if segment.flags & RST:
            side, peer = sides[sender], sides[not sender]
            found = later[sender].after(segment)
            scene = Scene(
                segment, side, peer, ends[sender], connection, timeline, service, *found, round_ns
            )
            yield scene, side
        sides[sender].say(segment)
        if segment.arrived:
            heappush(coming, (segment.left_ns, segment.frame))


def _round_trip(connection: Connection) -> int:
    """From the last SYN to the third step, wherever the capture was made."""
    asked = None
    for segment in connection.segments:
        if segment.flags & (SYN | ACK) == SYN:
            asked = segment
        if "handshake_ack" in segment.notes:
            return segment.t_ns - asked.t_ns if asked else 0
    return 0


class _Later:
    """What one end sends in the whole connection, for a look at what it does after an RST."""

    def __init__(self, connection: Connection, client: bool) -> None:
        own = [s for s in connection.segments if s.from_client is client]
        own = [s for s in own if not s.flags & RST and s.verdict != "injected"]
        said = [s for s in own if not s.flags & SYN]
        self._last = said[-1] if said else None
        self._beyond = max(said, key=lambda s: s.next_seq, default=None)
        self._confirms = max((s.ack for s in own if s.ack is not None), default=0)
        asked = [s.frame for s in own if s.flags & (SYN | ACK) == SYN]
        self._asked = asked[-1] if asked else 0

    def after(self, rst: SegmentFact) -> tuple[SegmentFact | None, SegmentFact | None, int, bool]:
        last = self._last if self._last and self._last.frame > rst.frame else None
        beyond = self._beyond if self._beyond and self._beyond.frame > rst.frame else None
        return last, beyond, self._confirms, self._asked > rst.frame
