"""Relative numbers and their arithmetic: what each side has sent, acknowledged and received.

Rules: the number of a side's SYN is 0; where no SYN was seen, the side's first byte is number 1.
Relative numbers are counted on past 2^32, so they never wrap; one before the first is negative.
SYN and FIN take one number each (RFC 9293, section 3.4). Numbers that do not add up are facts.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from itertools import takewhile

import msgspec

from fourtuple.analyze.model import Arithmetic
from fourtuple.analyze.survey._layout import SPAN_LIMIT

__all__ = ["Side", "Taken", "acknowledgment", "continuation", "unwrapped"]

_HALF, _WHOLE = 1 << 31, 1 << 32


def unwrapped(number: int, base: int, near: int) -> int:
    """The relative number of the raw `number`, of all that wrap to it the one nearest to `near`."""
    return near + (number - base - near + _HALF) % _WHOLE - _HALF


class Taken(msgspec.Struct, frozen=True):
    """A segment that took sequence numbers: its first, how many of each kind, its frame."""

    seq: int
    data: int
    syn: int
    fin: int
    frame: int

    @property
    def end(self) -> int:
        return self.seq + self.data + self.syn + self.fin


class Side(msgspec.Struct):
    """One end of a connection, as far as the frames tell. Relative numbers, but for `isn`, `base`.

    base      the raw number that is called 0; None while nothing is known
    sent      the number after the highest one it sent; None while it sent nothing
    last      its latest segment with new numbers; `open` are those not acknowledged yet
    first     the first number it sent that took one
    fin       the number of its FIN; `forged_fin` that of one which the wire made in its name
    last_ack  the latest acknowledgment it sent; `highest_ack` the highest
    asked_at  the timestamps of its first and of its latest SYN
    received  the number after the last one that reached it without a gap; `beyond` what came early,
              as up to `gaps` spans in order: what lies further ahead is forgotten
    """

    isn: int | None = None
    base: int | None = None
    sent: int | None = None
    last: Taken | None = None
    open: deque[Taken] = msgspec.field(default_factory=deque)
    first: int | None = None
    fin: int | None = None
    forged_fin: int | None = None
    last_ack: int | None = None
    highest_ack: int | None = None
    received: int | None = None
    beyond: list[tuple[int, int]] = msgspec.field(default_factory=list)
    gaps: int = SPAN_LIMIT
    mss: int | None = None
    scale: int | None = None
    timestamps: bool = False
    asked_at: tuple[int, int] | None = None
    sack: bool = False

    def place(self, number: int) -> int:
        """The relative number of the raw one; `base` must be known."""
        assert self.base is not None
        return unwrapped(number, self.base, self.sent or 0)

    def take(self, taken: Taken) -> None:
        """The side sent new numbers."""
        self.sent, self.last = taken.end, taken
        self.first = taken.seq if self.first is None else self.first
        self.open.append(taken)
        if taken.fin and self.fin is None:
            self.fin = taken.end - 1

    def receive(self, begin: int, end: int) -> None:
        """Numbers from `begin` up to, not including, `end` reached this side."""
        if self.received is None:
            self.received = begin
        if begin > self.received:
            self._keep(begin, end)
        else:
            self.received = max(self.received, end)
            self._close_gaps()

    def lacks(self, number: int) -> bool:
        """Whether a number has not reached this side, for all that is known."""
        if self.received is None or number < self.received:
            return False
        return not any(begin <= number < end for begin, end in self.beyond)

    def confirm(self, number: int) -> None:
        """Everything before `number` must have reached this side: it says so."""
        if self.received is None or number > self.received:
            self.received = number
            self._close_gaps()

    def _keep(self, begin: int, end: int) -> None:
        """Add to `beyond`, which stays in order and free of overlaps."""
        first = bisect_left(self.beyond, begin, key=lambda span: span[1])
        last = bisect_right(self.beyond, end, key=lambda span: span[0])
        touched = self.beyond[first:last]
        spans = [(begin, end), *touched]
        self.beyond[first:last] = [(min(spans)[0], max(span[1] for span in spans))]
        del self.beyond[self.gaps :]

    def _close_gaps(self) -> None:
        assert self.received is not None
        reached = bisect_right(self.beyond, self.received, key=lambda span: span[0])
        for _, end in self.beyond[:reached]:
            self.received = max(self.received, end)
        del self.beyond[:reached]


def continuation(side: Side, seq: int) -> Arithmetic | None:
    """How `seq` follows from the side's latest numbers; None where nothing came before."""
    last = side.last
    if last is None:
        return None
    return Arithmetic(
        "seq", last.seq, last.data, last.syn, last.fin, last.end, seq, frames=(last.frame,)
    )


def acknowledgment(side: Side, peer: Side, ack: int) -> Arithmetic | None:
    """How `ack`, sent by `side`, adds up from what `peer` has sent; None where it adds nothing.

    Beyond what the peer was seen to send, the sum stops: then it does not hold.
    """
    first = 0 if peer.isn is not None else peer.first
    base = side.highest_ack if side.highest_ack is not None else first
    if base is None or ack <= base:
        return None
    total = min(ack, max(base, peer.sent or 0))
    syn = int(peer.isn is not None and base <= 0 < total)
    fin = int(peer.fin is not None and base <= peer.fin < total)
    covered = takewhile(lambda taken: taken.seq < ack, peer.open)
    frames = tuple(taken.frame for taken in covered if base < taken.end)
    return Arithmetic("ack", base, total - base - syn - fin, syn, fin, total, ack, frames)
