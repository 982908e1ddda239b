"""A segment on its way to becoming a fact, and the moments at which it meant something."""

import msgspec

from fourtuple.analyze.batch import Raw
from fourtuple.analyze.model import Arithmetic
from fourtuple.event.model import Verdict
from fourtuple.wire import FIN, SYN

__all__ = ["Draft", "Moment"]


class Draft(msgspec.Struct):
    """A segment with what is known of it so far; numbers are relative, `side` (0 or 1) sent it.

    `there`: it has reached the other end, as `as_left` where its bytes were changed on the way.
    """

    raw: Raw
    side: int
    seq: int
    ack: int | None
    window: int
    acked: int = 0
    arithmetic: tuple[Arithmetic, ...] = ()
    notes: tuple[str, ...] = ()
    there: bool = False
    as_left: "Draft | None" = None

    @property
    def frame(self) -> int:
        return self.raw.number

    @property
    def end(self) -> int:
        raw = self.raw
        return self.seq + raw.length + bool(raw.flags & SYN) + bool(raw.flags & FIN)

    @property
    def sack(self) -> list[tuple[int, int]]:
        """The blocks that SACK reports, as relative numbers of the peer."""
        if not self.raw.sack:
            return []
        ahead = [
            (edge - self.raw.ack + (1 << 31)) % (1 << 32) - (1 << 31) for edge in self.raw.sack
        ]
        near = [edge + (self.ack or 0) for edge in ahead]
        return list(zip(near[::2], near[1::2], strict=False))

    @property
    def arrives(self) -> bool:
        changed = self.raw.as_left
        return self.raw.verdict in Verdict.ARRIVED and (not changed or changed.key == self.raw.key)

    @property
    def injected(self) -> bool:
        return self.raw.verdict == Verdict.INJECTED


class Moment(msgspec.Struct, frozen=True):
    """A segment entered the wire (`side` sent it), or left it (`arrived`: it reached `side`), and
    what that means to the side: events of analyze.states."""

    t_ns: int
    draft: Draft
    side: int
    arrived: bool
    events: tuple[str, ...]
