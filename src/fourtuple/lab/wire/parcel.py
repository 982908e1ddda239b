"""A frame on its way through the wire, and what may be done to it on the way."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

from fourtuple.event.model import Verdict
from fourtuple.wire import Packet, dissect

__all__ = ["Fate", "Link", "Onward", "Parcel"]


@dataclass(slots=True)
class Fate:
    """Of all copies of one frame: as it entered, how many are on the way, how many arrived."""

    entered: bytes
    copies: int = 1
    arrived: int = 0


@dataclass(frozen=True)
class Parcel:
    """A frame, or a copy of it: its number, on which cable, between which hosts, when it entered,
    its bytes now.

    `verdict` is the strongest thing that was done to it so far.
    """

    number: int
    cable: str
    sender: str
    receiver: str
    t_ns: int
    data: bytes
    fate: Fate = field(compare=False)
    verdict: int = Verdict.DELIVERED

    @cached_property
    def packet(self) -> Packet:
        """The frame taken apart."""
        return dissect(self.data)

    def marked(self, verdict: int) -> "Parcel":
        """The same with a verdict, if that is stronger than the one it has."""
        strength = (
            *(Verdict.DELIVERED, Verdict.DELAYED, Verdict.DUPLICATED),
            *(Verdict.REWRITTEN, Verdict.CORRUPTED, Verdict.INJECTED),
        )
        return replace(self, verdict=max(self.verdict, verdict, key=strength.index))

    def with_data(self, data: bytes) -> "Parcel":
        """The same with other bytes: rewritten, or, where a checksum is wrong, corrupted."""
        if data == self.data:
            return self
        wrong = "bad-checksum" in dissect(data).problems()
        changed = replace(self, data=data)
        return changed.marked(Verdict.CORRUPTED if wrong else Verdict.REWRITTEN)

    def copies(self, count: int) -> list["Parcel"]:
        """Itself and `count` more."""
        self.fate.copies += count
        return [replace(self) for _ in range(count + 1)]


Onward = Callable[[Parcel], None]


class Link(Protocol):
    """A part of the wire. Links wrap one another: what one lets go on comes to the next."""

    def carry(self, parcel: Parcel, onward: Onward) -> None:
        """Let the parcel go on by `onward`: now, later, changed, more than once or never."""
