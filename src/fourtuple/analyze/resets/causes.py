"""Who sent an RST, and why: as far as the evidence goes, and no further.

Rules: "certain" only where nothing else explains what is seen, "likely" where one cause is by far
the usual one, else "undetermined". Linux tells its causes apart in the header, as measured on 6.18
(docs/explanation/resets.md): an RST that answers a segment has that segment's acknowledgment number
and no ACK flag (RFC 9293, section 3.10.7.1; net/ipv4/tcp_ipv4.c, tcp_v4_send_reset), or ACK where
the segment had none; it has no option, window 0, and comes from no socket. An RST that gives up a
connection has ACK, the next sequence number, and the connection's options and window
(tcp_send_active_reset). What RSTs answer, and who else may send them, have modules of their own.
Where the kernel's own word was recorded (`resets.told`), it stands above what the frames say.
"""

from collections.abc import Iterable

from fourtuple.analyze.model import Connection, Reset, SegmentFact
from fourtuple.analyze.resets import recorded as recorded
from fourtuple.analyze.resets.answers import answer, handshake
from fourtuple.analyze.resets.others import impostor
from fourtuple.analyze.resets.scene import UNKNOWN, Cause, Scene, scenes
from fourtuple.analyze.resets.told import Words, judged
from fourtuple.analyze.services import Services
from fourtuple.event.timeline import Timeline
from fourtuple.wire import ACK

__all__ = ["resets"]

#: connections that end with their listener end at once
_AT_ONCE_NS = 10_000_000
#: a program that acts upon what has come does it sooner
_SILENCE_NS = 500_000_000


def resets(
    connection: Connection, timeline: Timeline, services: Services | None = None
) -> tuple[Reset, ...]:
    """Every RST of the connection, in order.

    `services` is what other connections tell of the same server (analyze.services).
    """
    if not connection.completeness & 32:
        return ()
    found = []
    words = Words(connection, timeline)
    for scene, side in scenes(connection, timeline, services or {}):
        seen, confidence, evidence = _cause(scene)
        word = words.of(scene.rst)
        cause, confidence = judged(word, seen, confidence)
        sender = "client" if scene.rst.from_client else "server"
        frames = (*sorted(set(evidence)), scene.rst.frame)
        reset = Reset(scene.rst.frame, sender, cause, confidence, frames, word)
        found.append(reset)
        if side.broke is None and cause != "forged":
            side.broke = reset
    return tuple(found)


def _cause(scene: Scene) -> Cause:
    if scene.rst.verdict == "injected":
        return "forged", "certain", ()
    known = handshake(scene) or impostor(scene)
    if known is None and recorded.nobody_waits(scene):
        return UNKNOWN
    return known or answer(scene) or _given_up(scene) or UNKNOWN


def _given_up(scene: Scene) -> Cause | None:
    """An RST with ACK and the next number: the sender's own socket ended the connection."""
    rst, side = scene.rst, scene.side
    if not rst.flags & ACK or side.said is None or rst.seq != side.end:
        return None
    return (
        _probed_in_vain(scene)
        or recorded.by_calls(scene)
        or _with_listener(scene)
        or _unread(scene)
        or _lingered(scene)
    )


def _probed_in_vain(scene: Scene) -> Cause | None:
    """Keepalive probes without an answer, then this: net/ipv4/tcp_timer.c, tcp_keepalive_timer.

    TCP_USER_TIMEOUT ends a connection at such a moment, too: frames do not tell them apart.
    """
    probes = scene.side.probes
    if not probes or scene.rst.flags & ACK == 0:
        return None
    frames = tuple(probe.frame for probe in probes)
    known = recorded.by_timer(scene)
    return (known, "certain", frames) if known else ("keepalive-timeout", "likely", frames)


def _unread(scene: Scene) -> Cause | None:
    """Its sender's program closed with bytes in its receive buffer that it had not read: RFC
    2525, section 2.17 asks for an RST then.

    A client that got one segment may have read it, and have nothing more to say. Who has sent
    his FIN has closed in order, so what breaks off after that is what he did not read.
    """
    rst, side = scene.rst, scene.side
    if side.fin is not None and side.data:
        return "unread-data", "likely", _frames([side.fin])
    waiting = [s for s in side.waiting if rst.ack is None or s.seq < rst.ack]
    if not waiting:
        return None
    one = len(waiting) == 1 and rst.from_client and not _crammed(scene)
    return UNKNOWN if one else ("unread-data", "likely", _frames(waiting))


def _crammed(scene: Scene) -> bool:
    """Whether its window was down to half of the largest: Linux says so at once when a program
    reads on (net/ipv4/tcp.c, __tcp_cleanup_rbuf)."""
    said = scene.side.said
    return said is not None and 2 * said.window <= scene.side.window


def _with_listener(scene: Scene) -> Cause | None:
    """A server that never said anything, and broke off others at the same moment, or refuses ever
    after: its listener was closed with this connection in its queue."""
    rst, side, service = scene.rst, scene.side, scene.service
    if rst.from_client or side.spoke is not None or side.fin is not None:
        return None
    together = service.dropped_near(rst.t_ns, _AT_ONCE_NS) > 1
    ended = service.refused_after(rst.t_ns) and not side.waiting
    if not together and not ended:
        return None
    return "listener-closed", "likely", _frames([side.confirmed])


def _lingered(scene: Scene) -> Cause | None:
    """SO_LINGER with time 0 is the usual way to break off with all data read. A server that never
    said anything may as well have closed its listener; and what comes out of a silence need not be
    a program's doing, which acts when something has come: an administrator's (ss -K) looks the
    same."""
    side = scene.side
    silent = not scene.rst.from_client and side.spoke is None
    if silent and not scene.service.agreed_after(scene.rst.t_ns):
        return None
    calls = scene.end.calls
    if not recorded.linger_set(scene) if calls else _out_of_a_silence(scene):
        return None
    return "linger-zero", "likely", _frames([side.said])


def _out_of_a_silence(scene: Scene) -> bool:
    before = [s.left_ns or s.t_ns for s in scene.connection.segments if s.frame < scene.rst.frame]
    return scene.rst.t_ns - max(before) > _SILENCE_NS


def _frames(segments: Iterable[SegmentFact | None]) -> tuple[int, ...]:
    return tuple(segment.frame for segment in segments if segment is not None)
