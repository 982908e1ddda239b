"""Observed values: numbers, words and lists that remember which frames they were read from.

They behave as the plain value. `lab.expect` takes `field` and `frames` along, so that a failure
can name them, and a recording keeps them.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from fourtuple.event.model import SocketRow
from fourtuple.wire import flag_names

if TYPE_CHECKING:
    from fourtuple.analyze.model import SegmentFact

__all__ = ["ObservedSegment", "ObservedSocket", "Segments", "frames_of", "observed"]


class _Int(int):
    field: str
    frames: tuple[int, ...]


class _Str(str):
    field: str
    frames: tuple[int, ...]


class _List(list[Any]):
    field: str
    frames: tuple[int, ...]


def observed(value: Any, field: str, frames: tuple[int, ...] = ()) -> Any:
    """`value`, remembering what it is (`field`) and where it was seen (`frames`).

    Truth values and None cannot carry anything and come back as they are.
    """
    carriers: dict[type, Any] = {int: _Int, str: _Str, list: _List}
    carrier = carriers.get(type(value))
    if carrier is None:
        return value
    made = carrier(value)
    made.field, made.frames = field, frames
    return made


def frames_of(value: Any) -> tuple[int, ...]:
    """The frames that an observed value was read from; () for any other."""
    return getattr(value, "frames", ())


class ObservedSegment:
    """A segment, with relative numbers: each attribute of `SegmentFact`, observed.

    `flags` is written out ("SYN ACK").
    """

    def __init__(self, fact: "SegmentFact") -> None:
        self.fact = fact

    def __getattr__(self, name: str) -> Any:
        value = flag_names(self.fact.flags) if name == "flags" else getattr(self.fact, name)
        return observed(value, name, (self.fact.frame,))

    def __repr__(self) -> str:
        fact = self.fact
        return f"frame {fact.frame}: {flag_names(fact.flags)} seq {fact.seq} len {fact.length}"


class Segments(Sequence[ObservedSegment]):
    """Segments in the order in which they entered the wire."""

    def __init__(self, facts: "Sequence[SegmentFact]") -> None:
        self._facts = tuple(facts)

    def __len__(self) -> int:
        return len(self._facts)

    def __getitem__(self, index: Any) -> Any:
        chosen = self._facts[index]
        return Segments(chosen) if isinstance(chosen, tuple) else ObservedSegment(chosen)

    def __iter__(self) -> Iterator[ObservedSegment]:
        return (ObservedSegment(fact) for fact in self._facts)

    def every(self, name: str) -> Any:
        """One attribute of each segment, as an observed list."""
        return observed([getattr(segment, name) for segment in self], name, self.frames)

    @property
    def frames(self) -> tuple[int, ...]:
        return tuple(fact.frame for fact in self._facts)

    @property
    def lengths(self) -> Any:
        """Payload bytes of each."""
        return self.every("length")

    @property
    def flags(self) -> Any:
        """The flags of each, written out."""
        return self.every("flags")


class ObservedSocket:
    """A row of a host's socket table: each attribute of `SocketRow`, observed."""

    def __init__(self, row: SocketRow, frame: int = 0) -> None:
        self.row = row
        self._frames = (frame,) if frame else ()

    def __getattr__(self, name: str) -> Any:
        return observed(getattr(self.row, name), name, self._frames)
