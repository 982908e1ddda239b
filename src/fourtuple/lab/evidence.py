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

__all__ = [
    "ObservedSegment",
    "ObservedSocket",
    "Segments",
    "difference",
    "frames_of",
    "observed",
    "shown",
]

#: a payload is longer than anybody wants to read
_SHOWN_BYTES = 16


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


def shown(value: Any, begin: int = 0) -> str:
    """A value as people read it: a list without brackets; of bytes the number and some of them,
    from `begin` on, as text where they are."""
    if isinstance(value, bytes):
        return _some_bytes(value, begin)
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    return str(value)


def _some_bytes(data: bytes, begin: int) -> str:
    some = data[begin : begin + _SHOWN_BYTES]
    words = some.decode("ascii") if some.isascii() else ""
    words = words if words.isprintable() and words else some.hex(" ")
    before, after = "… " * (begin > 0), " …" * (begin + len(some) < len(data))
    size = f"{len(data)} byte{'s' * (len(data) != 1)}"
    return f"{size}: {before}{words}{after}" if some else size


def difference(one: Any, other: Any) -> int:
    """Where two strings of bytes begin to differ; 0 for anything else."""
    if not (isinstance(one, bytes) and isinstance(other, bytes)) or one == other:
        return 0
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


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

    def __repr__(self) -> str:
        return f"{self.row.local} {self.row.remote} {self.row.state}"
