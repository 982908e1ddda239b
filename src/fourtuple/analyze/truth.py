"""What really happened to a number that comes again, and what a segment's options prove.

Wireshark's words judge by order and rules of thumb (analyze.words); these notes by evidence:

captured_twice  the very same packet stands in the capture once more: same numbers, same options and
                same IP id within 10 ms; without an id within 50 us, with nothing in between of
                this connection, and no SYN, which two timers may repeat at once. It was sent once
reordered       it fills a gap, and was sent before the segments that overtook it: by its timestamp
                (RFC 7323), else its IP id, else because it came sooner than a round trip
by_acks         sent again after three duplicate acknowledgments, or after SACK had told of later
                data (RFC 5681, section 3.2; RFC 6675)
needless        sent again though it had been acknowledged, as the capture saw it; no SYN: a SYN+ACK
                that comes again shows that the acknowledgment was not taken
by_timer        sent again without any such: a timer (RFC 6298) or a probe of the tail (RFC 8985)
dsack           reports bytes that its sender got twice (RFC 2883)
had_arrived     acknowledges what was sent again, and echoes an older timestamp than that had: so
                the first one had arrived (RFC 3522)

Where the wire saw every frame (`complete`) nothing is captured twice or overtaken. Round trips are
measured one segment at a time, and never on one that was sent again (RFC 6298, section 3).
"""

import msgspec

from fourtuple.analyze.draft import Draft
from fourtuple.analyze.numbers import Side
from fourtuple.wire import FIN, RST, SYN

__all__ = ["TRUTHS", "Trail", "truth"]

#: the notes, in the order of the columns of analyze.survey.table
TRUTHS = (
    "needless",
    "by_acks",
    "by_timer",
    "reordered",
    "captured_twice",
    "dsack",
    "had_arrived",
)

_SAME_ID_NS, _SAME_NS = 10_000_000, 50_000
_OVERTAKEN_NS = 3_000_000
_HALF, _WHOLE = 1 << 31, 1 << 32


class Trail(msgspec.Struct):
    """What one side's earlier segments leave behind for the truth about later ones.

    latest       what makes its latest packet the very packet, and when it was seen
    stamp        timestamp and IP id of its segment with the highest number; -1 and 0 for none
    sacked       up to where the peer's SACK reports its data
    again        the end and the timestamp of what it sent again, until it is acknowledged
    timed        the end of the segment that is timed, and when it was sent
    rtts         how many round trips were measured, the least, their sum and the most, in ns
    flight       the most that was in flight, in bytes
    """

    latest: tuple[int, ...] = ()
    latest_ns: int = 0
    stamp: tuple[int, int] = (-1, 0)
    sacked: int = 0
    again: tuple[int, int] | None = None
    timed: tuple[int, int] | None = None
    rtts: tuple[int, int, int, int] = (0, 0, 0, 0)
    flight: int = 0

    def restart(self) -> None:
        """The side's numbers begin anew."""
        self.sacked, self.again, self.timed = 0, None, None

    def take(self, draft: Draft, peer: Side) -> None:
        """The side sent new numbers."""
        if self.timed is None:
            self.timed = draft.end, draft.raw.t_ns
        if peer.highest_ack is not None:
            self.flight = max(self.flight, draft.end - peer.highest_ack)

    def acknowledge(self, ack: int, t_ns: int) -> None:
        """The peer acknowledged."""
        if self.timed is None or ack < self.timed[0]:
            return
        took = t_ns - self.timed[1]
        count, least, total, most = self.rtts
        self.rtts = (
            count + 1,
            min(took, least) if count else took,
            total + took,
            max(took, most) if count else took,
        )
        self.timed = None


def truth(
    draft: Draft,
    trails: tuple[Trail, Trail],
    sides: tuple[Side, Side],
    advanced_ns: int,
    confirmed: int | None,
    duplicate_acks: int,
    rtt_ns: int,
    complete: bool,
    following: bool,
) -> tuple[str, ...]:
    """The notes for a segment whose words are known; of each pair the first is its sender's.

    `advanced_ns` is when the sender's highest number came, `confirmed` the receiver's latest
    acknowledgment and `duplicate_acks` how often it was repeated; `following`: the segment before
    was the same sender's. The sides must not have been told of the segment yet.
    """
    trail, other = trails
    if _captured_again(draft, trail, following) and not complete:
        return ("captured_twice",)
    found = _of_options(draft, other, sides[1])
    if _comes_again(draft, sides[0]):
        overtaken = not complete and sides[1].lacks(draft.seq)
        overtaken = overtaken and _overtaken(draft, trail, advanced_ns, rtt_ns)
        needless = confirmed is not None and draft.end <= confirmed
        needless = needless and not draft.raw.flags & SYN
        found += _repeated(draft, trail, needless, overtaken, duplicate_acks)
        told = {"by_acks", "by_timer"}.intersection(found) and draft.raw.ts_value >= 0
        if told and trail.again is None and draft.end > 0:
            trail.again = draft.end, draft.raw.ts_value
        if trail.timed is not None and draft.seq < trail.timed[0]:
            trail.timed = None
    return tuple(found)


def _captured_again(draft: Draft, trail: Trail, following: bool) -> bool:
    raw = draft.raw
    header = (raw.seq, raw.ack, raw.ip_id, raw.flags, raw.length, raw.window)
    mark = (*header, raw.ts_value, raw.ts_echo)
    waited, same = raw.t_ns - trail.latest_ns, mark == trail.latest
    trail.latest, trail.latest_ns = mark, raw.t_ns
    if not same or waited < 0:
        return False
    if raw.ip_id:
        return waited <= _SAME_ID_NS
    carries = bool(raw.length or raw.flags & (FIN | RST)) and not raw.flags & SYN
    return waited <= _SAME_NS and carries and following


def _of_options(draft: Draft, other: Trail, peer: Side) -> list[str]:
    found = []
    if draft.sack and draft.ack is not None:
        found += ["dsack"] * _is_dsack(draft.sack, draft.ack)
        reported = [right for _, right in draft.sack if right <= (peer.sent or -_WHOLE)]
        other.sacked = max([other.sacked, *reported])
    if other.again and draft.ack is not None and draft.ack >= other.again[0]:
        ahead = (other.again[1] - draft.raw.ts_echo) % _WHOLE
        found += ["had_arrived"] * (draft.raw.ts_echo >= 0 and 0 < ahead < _HALF)
        other.again = None
    return found


def _is_dsack(blocks: list[tuple[int, int]], ack: int) -> bool:
    """RFC 2883, section 4: the first block lies below the acknowledgment, or inside the second."""
    left, right = blocks[0]
    if left < right <= ack:
        return True
    return len(blocks) > 1 and blocks[1][0] <= left < right <= blocks[1][1]


def _comes_again(draft: Draft, side: Side) -> bool:
    probes = {"keep_alive", "zero_window_probe"}.intersection(draft.notes)
    takes = draft.end > draft.seq and (not probes or "resent" in draft.notes)
    return takes and side.sent is not None and draft.seq < side.sent


def _repeated(
    draft: Draft, trail: Trail, needless: bool, overtaken: bool, duplicate_acks: int
) -> list[str]:
    if needless:
        return ["needless"]
    if overtaken:
        return ["reordered"]
    return ["by_acks" if duplicate_acks >= 3 or trail.sacked > draft.seq else "by_timer"]


def _overtaken(draft: Draft, trail: Trail, advanced_ns: int, rtt_ns: int) -> bool:
    """Whether it was sent before the segment with the highest number."""
    stamp, identity = trail.stamp
    if stamp >= 0 and draft.raw.ts_value >= 0 and draft.raw.ts_value != stamp:
        return (stamp - draft.raw.ts_value) % _WHOLE < _HALF
    if identity > 0 and draft.raw.ip_id > 0 and draft.raw.ip_id != identity:
        return (identity - draft.raw.ip_id) % 0x10000 < 0x8000
    # clocks may run backwards
    return draft.raw.t_ns - advanced_ns < (rtt_ns if rtt_ns > 0 else _OVERTAKEN_NS)
