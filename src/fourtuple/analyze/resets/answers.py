"""RSTs that answer a segment: no socket took it, or the one that did could not.

Each answer names what it answers by its number, so the rules first look for that segment, and then
for what made it unwelcome: a handshake that failed, an earlier end of the connection, a socket that
nobody reads any more.
"""

from fourtuple.analyze.model import SegmentFact
from fourtuple.analyze.resets import recorded
from fourtuple.analyze.resets.scene import UNKNOWN, Cause, Scene
from fourtuple.wire import ACK, FIN, SYN

__all__ = ["answer", "handshake"]

#: an RST that refuses the third step of a handshake comes no later than that, or two round trips
_SOON_NS = 50_000_000
#: what a listener does to those in its queue, it does within that time of what it does to others
_AROUND_NS = 100_000_000

#: what made an end answer one segment with RST makes it answer the next ones
_LASTING = frozenset(
    ("data-after-close", "backlog-overflow", "listener-closed", "firewall", "no-such-connection")
)


def handshake(scene: Scene) -> Cause | None:
    """An end that had said nothing yet, or nothing but a SYN."""
    side = scene.side
    if side.said is None:
        return _refusal(scene) or _unknown(scene)
    if side.own or not side.said.flags & SYN:
        return None
    return _third_step(scene) if side.said.flags & ACK else _second_step(scene)


def _refusal(scene: Scene) -> Cause | None:
    """A SYN, or a segment of no connection, answered by RST+ACK and nothing else: that is what a
    closed port does, and a firewall that rejects with RST."""
    asked, rst = scene.side.asked, scene.rst
    if asked is None or not rst.flags & ACK or rst.raw_seq != 0 or rst.ack != asked.next_seq:
        return None
    if _joins(scene, asked):
        return UNKNOWN
    known = recorded.of_refusal(scene)
    return (*(known or ("port-closed", "likely")), (asked.frame,))


def _joins(scene: Scene, asked: SegmentFact) -> bool:
    """Whether a SYN asks to join a Multipath TCP connection: a listener refuses one that it does
    not know (RFC 8684, section 3.2)."""
    timeline = scene.timeline
    return bool(timeline.columns.multipath_join[timeline.frames.row(asked.frame)])


def _unknown(scene: Scene) -> Cause | None:
    """It says nothing but this: it knows of no such connection."""
    heard = scene.answered
    if heard is None:
        return None
    certain = recorded.forgotten(scene)
    return "no-such-connection", "certain" if certain else "likely", (heard.frame,)


def _second_step(scene: Scene) -> Cause | None:
    """It had sent a SYN, and a segment came that is no fit answer, or that nobody waited for."""
    side, heard = scene.side, scene.answered
    if side.said is None or heard is None:
        return None
    frames = (side.said.frame, heard.frame)
    forgotten = recorded.forgotten(scene)
    # a kernel that still asks has not forgotten its SYN: then it is the answer that does not fit
    if heard.ack != side.end or recorded.asking(scene):
        certain = scene.asks_on or (scene.recorded and not forgotten)
        return "invalid-ack", "certain" if certain else "likely", frames
    return "no-such-connection", "certain" if forgotten else "likely", frames


def _third_step(scene: Scene) -> Cause | None:
    """It had agreed, and the third step came."""
    side, heard = scene.side, scene.answered
    if side.said is None or heard is None:
        return None
    if heard.ack != side.end:
        return "invalid-ack", "likely", (side.said.frame, heard.frame)
    if side.broke is not None:
        return _still(scene)
    if recorded.let_in(scene) or not _soon(scene):
        return None
    return recorded.of_handshake(scene) or _full_or_gone(scene) or UNKNOWN


def _soon(scene: Scene) -> bool:
    """Whether nothing but the third step, and what came along with it, can be what it answers."""
    confirmed = scene.side.confirmed
    if confirmed is None:
        return False
    return scene.rst.t_ns - confirmed.left_ns <= max(_SOON_NS, 2 * scene.round_ns)


def _full_or_gone(scene: Scene) -> Cause | None:
    """With net.ipv4.tcp_abort_on_overflow a full accept queue answers so, and so does a listener
    that was closed meanwhile: which, the others show who connect later, or who wait in the queue,
    since a listener that is closed resets them."""
    service, t_ns = scene.service, scene.rst.t_ns
    frames = tuple(s.frame for s in (scene.side.said, scene.side.confirmed) if s is not None)
    if service.refused_after(t_ns) or service.dropped_near(t_ns, _AROUND_NS):
        return "listener-closed", "likely", frames
    lives = service.agreed_after(t_ns) or service.holds(t_ns)
    return ("backlog-overflow", "likely", frames) if lives else None


def answer(scene: Scene) -> Cause | None:
    """An end that had been part of the connection."""
    segment = scene.answered
    if segment is None:
        return None
    return (
        _still(scene)
        or _broken(scene, segment)
        or _time_wait(scene, segment)
        or _after_close(scene)
        or _old(scene, segment)
        or _vanished(scene, segment)
    )


def _still(scene: Scene) -> Cause | None:
    """It had sent an RST before: the reason lasts, or the socket is gone since then."""
    broke, segment = scene.side.broke, scene.answered
    if broke is None or segment is None or not scene.plain:
        return None
    frames = (broke.frame, segment.frame)
    answered = not scene.connection.segment(broke.frame).flags & ACK
    # whom a listener that closes has in its queue it resets unasked: then the socket is gone, too
    if broke.cause in _LASTING and (answered or broke.cause != "listener-closed"):
        return broke.cause, broke.confidence, frames
    if broke.confidence == "undetermined" and answered:
        return UNKNOWN
    return "no-such-connection", "certain", frames


def _broken(scene: Scene, segment: SegmentFact) -> Cause | None:
    """The peer's RST had ended its socket."""
    broken = scene.side.broken
    if broken is None or not scene.plain:
        return None
    return "no-such-connection", "certain", (broken.frame, segment.frame)


def _time_wait(scene: Scene, segment: SegmentFact) -> Cause | None:
    """Both had closed, and the peer's TIME_WAIT repeated its last ACK though nothing of this
    connection had asked for it: so a SYN of another one had (RFC 9293, section 3.10.7.4).

    Its timestamp tells that it is no copy of that ACK which the network had kept.
    """
    said = scene.peer.last_ack
    bare = not segment.length and not segment.flags & (SYN | FIN)
    waits = scene.state(segment, sender=False) == "TIME_WAIT"
    if said is None or not (bare and waits and scene.plain) or segment.acked:
        return None
    if scene.later.fins > 1:
        return None  # a FIN that is repeated asks for that ACK, too
    certain = "TSval" in segment.options and segment.options != said.options
    return "time-wait", "certain" if certain else "likely", (said.frame, segment.frame)


def _after_close(scene: Scene) -> Cause | None:
    """It had closed, so nobody could read the new data that came: net/ipv4/tcp_input.c,
    tcp_rcv_state_process, TCPABORTONDATA; after a while tcp_minisocks.c,
    tcp_timewait_state_process.

    Where the capture is far from it, the data may have been captured before the FIN; what the
    sender had acknowledged tells what had reached it by then.
    """
    fin, data = scene.side.fin, scene.answered_data
    if fin is None or data is None or _taken(scene, data):
        return None
    certain = scene.plain and not _gap(scene)
    return "data-after-close", "certain" if certain else "likely", (fin.frame, data.frame)


def _taken(scene: Scene, segment: SegmentFact) -> bool:
    """Whether the RST's sender had acknowledged all of a segment."""
    said = scene.side.said
    return said is not None and said.ack is not None and segment.next_seq <= said.ack


def _gap(scene: Scene) -> bool:
    """Whether the sender's segments were not all seen, so that one after its FIN may be missing."""
    return "lost_segment" in (scene.side.said.notes if scene.side.said else ())


def _old(scene: Scene, segment: SegmentFact) -> Cause | None:
    """Its socket was closed altogether, as the frames have it, and a late segment came."""
    said = scene.side.said
    if said is None or scene.state(segment, sender=True) != "CLOSED" or not scene.plain:
        return None
    return "no-such-connection", "certain", (said.frame, segment.frame)


def _vanished(scene: Scene, segment: SegmentFact) -> Cause | None:
    """It had neither closed nor broken off, and answers as if it had never known: restarted,
    given up without a word, or a firewall's doing."""
    if not scene.plain:
        return None
    frames = (*((scene.side.said.frame,) if scene.side.said else ()), segment.frame)
    certain = recorded.forgotten(scene)
    return "no-such-connection", "certain" if certain else "likely", frames
