"""What the evidence held when an RST was sent: what both ends had said and heard, and what came
after.

Data for the rules of `analyze.resets`; nothing is concluded here. Rules: a segment counts as heard
once it has left the wire; in a capture at once. A segment that the wire made was said by nobody.
"""

from collections.abc import Iterator
from functools import cached_property
from heapq import heappop, heappush

import msgspec

from fourtuple.analyze.evidence import End, end_of
from fourtuple.analyze.model import Connection, Reset, SegmentFact
from fourtuple.analyze.services import Service, Services
from fourtuple.event.timeline import Timeline
from fourtuple.wire import ACK, FIN, RST, SYN

__all__ = ["UNKNOWN", "Cause", "Later", "Scene", "Side", "scenes"]

#: cause, confidence, and the frames besides the RST that they rest on
Cause = tuple[str, str, tuple[int, ...]]

#: what is said where nothing is known
UNKNOWN: Cause = ("undetermined", "undetermined", ())

#: how many frames are kept of what may become evidence many times over
_KEPT = 16


class Side(msgspec.Struct):
    """What an end had said, and what had reached it, by the time of an RST.

    said      its latest segment that is no RST; `end` is the number after its highest one
    own       how many segments it has said that are neither SYN nor RST
    spoke     its latest segment with payload
    fin       its first FIN
    last_ack  its latest segment that acknowledged anything new
    window    the largest window that it ever announced, in bytes
    frames    its latest frames that are no RST, up to 16
    acks      the segments with ACK that reached it, by what they acknowledge, and `data` those with
              payload: of each number the latest, of the latest 16 numbers
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
    frames: list[int] = msgspec.field(default_factory=list)
    acks: dict[int, SegmentFact] = msgspec.field(default_factory=dict)
    data: dict[int, SegmentFact] = msgspec.field(default_factory=dict)
    asked: SegmentFact | None = None
    waiting: list[SegmentFact] = msgspec.field(default_factory=list)
    probes: list[SegmentFact] = msgspec.field(default_factory=list)
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


class Scene(msgspec.Struct, frozen=True):
    """One RST, `side` its sender and `peer` the other end as they were; `end` what a recording
    knows of the sender.

    later      what the sender says in the whole connection
    round_ns   the round trip of the handshake; 0 where that is not known
    service    what else is known of the server's port
    """

    rst: SegmentFact
    side: Side
    peer: Side
    end: End
    connection: Connection
    timeline: Timeline
    service: Service
    later: "Later"
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
    def last(self) -> SegmentFact | None:
        """The sender's last segment of all that is neither SYN nor RST, where it came later."""
        return self._later(self.later.last)

    @property
    def beyond(self) -> SegmentFact | None:
        """Of those the one that goes furthest, where it came later."""
        return self._later(self.later.beyond)

    def _later(self, segment: SegmentFact | None) -> SegmentFact | None:
        return segment if segment and segment.frame > self.rst.frame else None

    @property
    def asks_on(self) -> bool:
        """Whether the sender repeated its SYN afterwards."""
        return self.later.asked > self.rst.frame

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
    later = {client: Later(connection, client) for client in (True, False)}
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
            own = (service, later[sender], round_ns)
            scene = Scene(segment, side, peer, ends[sender], connection, timeline, *own)
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


class Later:
    """What one end says in the whole connection, for a look at what it does after an RST. Made when
    somebody asks: most resets are understood without."""

    def __init__(self, connection: Connection, client: bool) -> None:
        self._connection, self._client = connection, client

    @cached_property
    def _own(self) -> list[SegmentFact]:
        own = [s for s in self._connection.segments if s.from_client is self._client]
        return [s for s in own if not s.flags & RST and s.verdict != "injected"]

    @cached_property
    def fins(self) -> int:
        """How many segments of it have a FIN."""
        return sum(1 for s in self._own if s.flags & FIN)

    @cached_property
    def last(self) -> SegmentFact | None:
        """The last segment that is neither SYN nor RST."""
        return next((s for s in reversed(self._own) if not s.flags & SYN), None)

    @cached_property
    def beyond(self) -> SegmentFact | None:
        """Of those the one with the highest numbers."""
        said = (s for s in self._own if not s.flags & SYN)
        return max(said, key=lambda s: s.next_seq, default=None)

    @cached_property
    def confirms(self) -> int:
        """The highest number that it ever acknowledged."""
        return max((s.ack for s in self._own if s.ack is not None), default=0)

    @cached_property
    def asked(self) -> int:
        """The frame of its last SYN without ACK; 0 for none."""
        asked = (s.frame for s in reversed(self._own) if s.flags & (SYN | ACK) == SYN)
        return next(asked, 0)
