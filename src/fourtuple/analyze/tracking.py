"""The pass over a timeline's frames: which life of which four-tuple each belongs to, and its facts.

`start` makes a pass, `step` takes a batch of frames in, `finish` gives the connections: a capture
file is many steps, a live one too, and how the frames are cut into batches changes nothing. Rules:
a SYN whose number differs from the one known of its side begins a new life of the four-tuple; any
other segment belongs to the life whose numbers it is nearest to, so an answer to a stale SYN
stays with the connection that it disturbed. UDP has no lives: all datagrams between two endpoints
are one conversation, until none comes for five minutes (RFC 4787, REQ-5). A life that has ended
takes no segment after a minute without any, nor one on which only one end ever spoke after four: so
a long capture needs memory for what is open, and no more.
"""

from collections.abc import Container, Sequence

import msgspec
from msgspec.structs import replace

from fourtuple.analyze.batch import Batch, Key, Raw, batches
from fourtuple.analyze.evidence import end_of
from fourtuple.analyze.facts import connection_of
from fourtuple.analyze.life import Life
from fourtuple.analyze.model import Connection
from fourtuple.analyze.resets.causes import resets
from fourtuple.analyze.services import Services, services_of
from fourtuple.analyze.survey._layout import OVER_NS, SILENT_NS, UNANSWERED_NS
from fourtuple.analyze.talks import Talk
from fourtuple.event.timeline import Timeline
from fourtuple.wire import ACK, SYN
from fourtuple.wire.columns import UDP

__all__ = ["Tracking", "connections", "finish", "start", "step"]

_ROWS = 4096


class Tracking(msgspec.Struct):
    """A pass under way: everything it has met, in order of first frame, and by four-tuple."""

    complete: bool
    met: list[Life | Talk] = msgspec.field(default_factory=list)
    lives: dict[Key, list[Life]] = msgspec.field(default_factory=dict)
    talks: dict[Key, Talk] = msgspec.field(default_factory=dict)
    used: set[Key] = msgspec.field(default_factory=set)
    reused: Container[int] = ()


def connections(
    timeline: Timeline,
    rows: int = _ROWS,
    vantage: str | None = None,
    *,
    services: Services | None = None,
    reused: Container[int] = (),
) -> tuple[Connection, ...]:
    """The timeline's TCP connections and UDP conversations, in order of their first frame.

    `rows` is how many frames are taken in at a time; it changes nothing. With a `vantage` (the name
    of one) only what was seen there counts, as in a capture. Where the timeline is a part of a
    capture, `services` are those of all of it, and `reused` the frames that begin another life of a
    four-tuple.
    """
    tracking = start(timeline.complete and vantage is None)
    tracking.reused = reused
    for batch in batches(timeline, rows, vantage):
        step(tracking, batch)
    found = finish(tracking)
    known = services_of(found) if services is None else services
    return tuple(_with_events(one, timeline, known) for one in found)


def start(complete: bool) -> Tracking:
    """A new pass; `complete` where no frame can be missing (`Timeline.complete`)."""
    return Tracking(complete)


def step(tracking: Tracking, batch: Batch) -> None:
    """Take in the next frames."""
    for raw in batch.raws:
        if raw.key[0] == UDP:
            _talk_of(tracking, batch, raw).step(raw)
        else:
            _life_of(tracking, batch, raw).step(raw)


def finish(tracking: Tracking) -> tuple[Connection, ...]:
    """The connections, as far as frames alone tell."""
    return tuple(_finished(one, index) for index, one in enumerate(tracking.met))


def _finished(one: Life | Talk, index: int) -> Connection:
    one.finish()
    return one.connection(index) if isinstance(one, Talk) else connection_of(one, index)


def _talk_of(tracking: Tracking, batch: Batch, raw: Raw) -> Talk:
    talk = tracking.talks.get(raw.key)
    if talk is None or raw.now_ns - talk.latest_ns > SILENT_NS:
        talk = tracking.talks[raw.key] = Talk(batch.ends(raw))
        tracking.met.append(talk)
    return talk


def _life_of(tracking: Tracking, batch: Batch, raw: Raw) -> Life:
    lives = [life for life in tracking.lives.get(raw.key, []) if not _expired(life, raw.now_ns)]
    life = _belongs(lives, raw)
    if life is None:
        asked = lives[-1].taken_back(raw) if lives else None
        again = raw.key in tracking.used or raw.number in tracking.reused
        life = Life(batch.ends(raw), tracking.complete, reused=again)
        if asked is not None:
            life.step(asked)
        tracking.met.append(life)
        tracking.used.add(raw.key)
        # the latest two are all that a segment can still belong to
        tracking.lives[raw.key] = [*lives[-1:], life]
    return life


def _expired(life: Life, now_ns: int) -> bool:
    """Whether no segment can belong to a life any more."""
    quiet_ns = now_ns - life.latest_ns
    if quiet_ns <= OVER_NS:
        return False
    return life.ended or (quiet_ns > UNANSWERED_NS and life.one_sided)


def _belongs(lives: Sequence[Life], raw: Raw) -> Life | None:
    """The life that a segment belongs to; None: it begins a new one."""
    if not lives:
        return None
    if raw.flags & SYN:
        index = 0 if raw.forward else 1
        same = [life for life in lives if life.sides[index].isn == raw.seq]
        return same[-1] if same else lives[-1] if _opens(lives[-1], raw) else None
    if len(lives) == 1:
        return lives[0]
    return min(reversed(lives), key=lambda life: life.distance(raw))


def _opens(life: Life, raw: Raw) -> bool:
    """Whether a SYN is the first of its side in a life that has begun already."""
    index = 0 if raw.forward else 1
    side, peer = life.sides[index], life.sides[1 - index]
    if side.isn is not None:
        return False
    if raw.flags & ACK and peer.isn is not None and raw.ack == (peer.isn + 1) % (1 << 32):
        return True
    if side.sent is not None:
        # it was overtaken: it stands right before the side's first byte
        return side.base == raw.seq
    return bool(raw.flags & ACK) or (peer.isn is not None and peer.sent == 1)


def _with_events(connection: Connection, timeline: Timeline, services: Services) -> Connection:
    """What calls and socket tables, and other connections, add to the frames."""
    if connection.protocol != "tcp":
        return connection
    closing = connection.close
    if closing in ("open", "half-closed") and _timed_out(connection, timeline):
        closing = "timed-out"
    return replace(connection, close=closing, resets=resets(connection, timeline, services))


def _timed_out(connection: Connection, timeline: Timeline) -> bool:
    """Whether a program was told that the peer did not answer any more."""
    ends = (end_of(timeline, connection, client) for client in (True, False))
    return any(call.errno == "ETIMEDOUT" for end in ends for call in end.calls)
