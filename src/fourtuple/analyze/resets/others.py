"""RSTs that the end in whose name they came never sent: forged, or a firewall's.

Clues, each measured on Linux 6.18 against the kernel's own: the hop limit is not that of the end's
other packets; its number skips some; IPv4's identification, which Linux counts up by one a packet
in each socket, does not go on; the flow label of IPv6, which Linux gives every segment, is not the
connection's, or 0 (netfilter's REJECT sets none). The strongest is that the end goes on as if
nothing had happened: a kernel that sent an RST has no socket left. What a REJECT rule of Linux
sends over IPv4 is otherwise the same, bit by bit, as what the kernel sends without a socket.
"""

from collections.abc import Sequence
from itertools import pairwise

from fourtuple.analyze.resets import recorded as recorded
from fourtuple.analyze.resets.scene import Cause, Scene
from fourtuple.wire import ACK, FIN, Ipv4View, Ipv6View

__all__ = ["impostor"]

#: segments that arrive in another order do so within that time, or not at all
_OVERTAKEN_NS = 20_000_000
#: a step of IPv4's identification from one segment to the next: a large write may take many
_ID_STEPS = 64
#: states in which a socket answers with RST and stays, or is about to go
_NOT_ALIVE = frozenset(("CLOSED", "SYN_SENT", "SYN_RECV", "TIME_WAIT"))
#: how many segments of the sender show its habits
_HABIT = 4


def impostor(scene: Scene) -> Cause | None:
    """Whether somebody else sent the RST, and who; None where nothing speaks for that."""
    if not scene.side.own:
        return None  # of a handshake alone one knows no habits
    goes_on, clues = _goes_on(scene), _clues(scene)
    if not goes_on and not _strange(scene, clues) and not _lives_on(scene):
        return None
    rejected = _rejected(scene, clues)
    if rejected and recorded.forgotten(scene):
        return None  # without a socket its own kernel answers so
    evidence = _evidence(scene, goes_on, rejected)
    if rejected:
        certain = bool(goes_on) and _lives_on(scene)
        return "firewall", "certain" if certain else "likely", evidence
    # what seems to go on further may only have been overtaken: then a weak clue will not do
    telling = clues if goes_on == "later" else clues.intersection(("hops", "number"))
    certain = bool(goes_on and telling) or _lives_on(scene)
    return "forged", "certain" if certain else "likely", evidence


def _strange(scene: Scene, clues: set[str]) -> bool:
    """Whether the clues will do though the sender says nothing more: one that no kernel gives, or
    two that a socket of Linux does not."""
    if clues.intersection(("hops", "number")) or ("label" in clues and not scene.rst.flags & ACK):
        return True
    return "options" in clues and len(clues) > 1


def _goes_on(scene: Scene) -> str:
    """How its alleged sender said more afterwards: "later", or "further", with numbers that it
    had not used. An answer may have overtaken what was sent before it, in a network."""
    rst, last, beyond = scene.rst, scene.last, scene.beyond
    if last is not None and last.t_ns - rst.t_ns > _OVERTAKEN_NS:
        return "later"
    if beyond is None or not (beyond.length or beyond.flags & FIN):
        return ""
    return "further" if beyond.seq >= scene.side.end else ""


def _lives_on(scene: Scene) -> bool:
    """Whether the sender's socket table had the same socket still, a while afterwards: tcp_abort()
    sends the RST first and ends the connection then."""
    if not scene.recorded:
        return False
    before = scene.end.seen(scene.rst.t_ns)
    after = scene.end.seen(scene.rst.t_ns + _OVERTAKEN_NS, later=True)
    if before is None or after is None or before.cookie != after.cookie:
        return False
    return not {before.state, after.state}.intersection(_NOT_ALIVE)


def _rejected(scene: Scene, clues: set[str]) -> bool:
    """Whether it is what a REJECT rule sends: the answer to a segment that never got through."""
    segment = scene.answered
    if segment is None or not scene.plain:
        return False
    if segment.length or segment.flags & FIN:
        return scene.later.confirms <= segment.seq
    return not clues.intersection(("hops", "identification"))


def _evidence(scene: Scene, goes_on: str, rejected: bool) -> tuple[int, ...]:
    after = scene.last if goes_on == "later" else scene.beyond if goes_on else None
    answered = scene.answered if rejected else None
    told = (segment.frame for segment in (after, answered) if segment is not None)
    return (*scene.side.frames[-1:], *told)


def _clues(scene: Scene) -> set[str]:
    """What is not as the sender's other segments have it: of hops, number, identification, label,
    options, window."""
    found = {"number"} if _skips(scene) else set()
    rst, answer = scene.rst, not scene.rst.flags & ACK
    if answer and rst.window:
        found.add("window")
    if not answer and scene.connection.timestamps and "TSval" not in rst.options:
        found.add("options")
    return found | _clues_of_the_packet(scene)


def _skips(scene: Scene) -> bool:
    """Whether its number is beyond all that the sender had said, and no answer to anything."""
    return scene.rst.seq > scene.side.end and scene.answered is None


def _clues_of_the_packet(scene: Scene) -> set[str]:
    """What its IP header has otherwise."""
    hop_limit = scene.timeline.columns.hop_limit
    frames, rst = scene.side.frames[-_HABIT:], scene.rst
    found = set()
    rows = [scene.timeline.frames.row(frame) for frame in (rst.frame, *frames)]
    if len(frames) >= 2 and int(hop_limit[rows[0]]) not in hop_limit[rows[1:]]:
        found.add("hops")
    ours = scene.timeline.packet(rst.frame).ip
    others = [scene.timeline.packet(frame).ip for frame in frames]
    if isinstance(ours, Ipv4View) and not _counts_on(scene, ours, others):
        found.add("identification")
    if isinstance(ours, Ipv6View) and not _labelled(scene, ours, others):
        found.add("label")
    return found


def _counts_on(scene: Scene, ours: Ipv4View, others: Sequence[object]) -> bool:
    """Whether the identification fits. An answer has 0, what a socket sends the next one."""
    numbers = [one.identification for one in others if isinstance(one, Ipv4View)]
    numbers = numbers[-min(len(numbers), scene.side.own) :]  # a SYN+ACK has 0
    steps = [(b - a) % 65536 for a, b in pairwise(numbers)]
    counting = bool(steps) and all(0 < step <= _ID_STEPS for step in steps)
    if not counting:
        return True  # no habit that could be broken
    if not scene.rst.flags & ACK:
        return ours.identification == 0
    return 0 < (ours.identification - numbers[-1]) % 65536 <= _ID_STEPS


def _labelled(scene: Scene, ours: Ipv6View, others: Sequence[object]) -> bool:
    """Whether the flow label fits: where the sender's segments have one, its RST has one too, and
    what a socket sends has that of the segments before."""
    labels = {one.flow_label for one in others if isinstance(one, Ipv6View)}
    if not labels or 0 in labels:
        return True
    if not scene.rst.flags & ACK or len(labels) > 1:
        return ours.flow_label != 0
    return ours.flow_label in labels
