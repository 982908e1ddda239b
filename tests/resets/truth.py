"""Each RST that a kernel of the lab sent: the kernel's reason, beside what a capture alone says.

The kernel names a RST before it is sent, and the lab's wire stamps it when it leaves, on the same
clock; a word belongs to the RST with its two ends, or with its sender where a listener answered for
itself. What frames were changed or made by the wire or by a firewall has no word.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fourtuple.analyze import connections
from fourtuple.analyze.model import Connection, SegmentFact
from fourtuple.event.model import Endpoint
from fourtuple.event.timeline import Timeline
from fourtuple.wire import RST
from resets.case import captured
from resets.kernel_words import WORDS, Word

__all__ = ["Seen", "contradicts", "seen"]

_BEFORE_NS, _AFTER_NS = 50_000_000, 1_000_000
#: what is no kernel's to send
NOT_TCP = ("firewall", "forged")

Key = tuple[Endpoint, Endpoint, int, int]


class Seen(NamedTuple):
    """`reason` is None where the kernel named none; `at` is the host of the capture."""

    port: int
    sender: str
    reason: str | None
    at: str
    cause: str
    confidence: str


def seen(timeline: Timeline, words: Sequence[Word]) -> Iterator[Seen]:
    """Every RST of a run, as captures at both hosts have it."""
    reasons = _reasons(timeline, words)
    for host in ("client", "server"):
        again: dict[Key, int] = {}
        for connection in connections(captured(timeline, host)):
            told = {reset.frame: reset for reset in connection.resets}
            for segment in connection.segments:
                if segment.frame not in told:
                    continue
                key = _key(connection, segment)
                nth = again[key] = again.get(key, -1) + 1
                reset, known = told[segment.frame], reasons.get((key, nth))
                if known is not None:
                    port, sender, reason = known
                    yield Seen(port, sender, reason, host, reset.cause, reset.confidence)


def _reasons(
    timeline: Timeline, words: Sequence[Word]
) -> dict[tuple[Key, int], tuple[int, str, str | None]]:
    """Of each RST that crossed the wire: the server's port, its sender, the kernel's reason."""
    left = list(words)
    found: dict[tuple[Key, int], tuple[int, str, str | None]] = {}
    again: dict[Key, int] = {}
    resets = [
        (segment.t_ns, segment, connection)
        for connection in connections(timeline)
        for segment in connection.segments
        if segment.flags & RST
    ]
    for _, segment, connection in sorted(resets, key=lambda each: each[0]):
        key = _key(connection, segment)
        nth = again[key] = again.get(key, -1) + 1
        reason = None
        if segment.verdict != "injected" and (word := _word(left, key, segment.t_ns)):
            left.remove(word)
            reason = word.reason
        sender = "client" if segment.from_client else "server"
        found[key, nth] = connection.server.port, sender, reason
    return found


def _word(words: Sequence[Word], key: Key, t_ns: int) -> Word | None:
    """The one nearest before; one that names both ends before one that names only the sender."""
    sender, receiver, *_ = key
    near = [
        word
        for word in words
        if word.sender == sender
        and (word.receiver == receiver or not word.receiver.port)
        and t_ns - _BEFORE_NS <= word.t_ns <= t_ns + _AFTER_NS
    ]
    return max(near, key=lambda word: (word.receiver == receiver, word.t_ns), default=None)


def _key(connection: Connection, segment: SegmentFact) -> Key:
    ends = connection.client, connection.server
    sender, receiver = ends if segment.from_client else ends[::-1]
    return sender, receiver, segment.raw_seq, segment.flags


def contradicts(cause: str, reason: str | None) -> bool:
    """Whether the kernel's word rules a cause out."""
    if cause == "undetermined":
        return False
    return cause not in NOT_TCP if reason is None else reason not in WORDS[cause]
