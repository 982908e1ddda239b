"""The Timeline: everything that happened, in order, on one clock.

Frames are columns (`frames`, decoded once into `columns`); calls, states, snapshots, notes and what
a trace told are a list of events sorted by time. Objects for frames are made only at the edge, by
`segment()` and by iterating.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from fourtuple.event.frames import FrameTable, FrameTableBuilder, Vantage
from fourtuple.event.model import Call, Event, Note, Snapshot, State, Told, Verdict

if TYPE_CHECKING:
    from fourtuple.compiled import Kernel
    from fourtuple.wire import Packet, TcpView
    from fourtuple.wire.columns import Columns

__all__ = ["Datagram", "FrameSeen", "OtherFrame", "Segment", "Timeline"]

E = TypeVar("E", Call, State, Snapshot, Told, Note)


class FrameSeen(msgspec.Struct, frozen=True):
    """A frame as an event: number from 1, when it entered and left the wire, and the verdict."""

    number: int
    t_ns: int
    left_ns: int
    vantage: str
    verdict: str
    packet: "Packet"


class Segment(FrameSeen, frozen=True):
    """A frame that carries a TCP segment."""

    @property
    def tcp(self) -> "TcpView":
        assert self.packet.tcp is not None
        return self.packet.tcp


class Datagram(FrameSeen, frozen=True):
    """A frame that carries a UDP datagram."""


class OtherFrame(FrameSeen, frozen=True):
    """Any other frame: ARP, ICMP, a fragment, nonsense."""


def _no_frames() -> FrameTable:
    return FrameTableBuilder().table()


@dataclass(frozen=True)
class Timeline:
    """What happened, in order.

    vantages  where frames were seen; `frames.vantage` indexes it
    frames    the frames, as columns
    events    calls, states, snapshots, notes, what a trace told, sorted by t_ns
    meta      what the recording says of itself: for a lab run "experiment", "question", "covers",
              "family" (4 or 6), "seed", "hosts" (name -> list of addresses), "views"
              ({"calls": "wrapped", "states": "sock_diag", "frames": "wire"}), "kernel",
              "seconds"; for a file "file", of several "files", and "frames", how many
              the capture has, where not all of them are here
    epoch_ns  what to add to a t_ns to get nanoseconds since 1970 (0: t_ns is that already)
    complete  the wire saw every frame (the lab); a capture may have gaps
    decode    what `columns` decodes with, where a kernel has been compiled for that
    """

    vantages: tuple[Vantage, ...] = (Vantage("capture"),)
    frames: FrameTable = field(default_factory=_no_frames)
    events: Sequence[Event] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    epoch_ns: int = 0
    complete: bool = False
    decode: "Kernel | None" = field(default=None, compare=False, repr=False)

    @cached_property
    def columns(self) -> "Columns":
        """The frames' headers, decoded: one row a frame (see wire.columns)."""
        from fourtuple.wire.columns import Seen, decode_columns

        frames = self.frames
        link_types = [self.vantages[v].link_type for v in frames.vantage.tolist()]
        seen = Seen(frames.t_ns, frames.vantage, frames.left_ns == 0)
        return decode_columns(
            frames.buffer,
            frames.start,
            frames.captured,
            frames.original,
            link_types,
            seen,
            self.decode,
        )

    @cached_property
    def memo(self) -> dict[str, Any]:
        """What the layers above have worked out of all events, by a name of their own: an index
        that is made once serves every connection."""
        return {}

    def of(self, kind: type[E]) -> list[E]:
        """The events of one class, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def start_ns(self) -> int:
        """When the first thing happened; 0 for an empty timeline."""
        begins = [int(self.frames.t_ns.min())] if len(self.frames) else []
        begins += [self.events[0].t_ns] if self.events else []
        return min(begins, default=0)

    def origin(self, number: int) -> tuple[str, int]:
        """The file that frame `number` is from, and its number in it (from 1)."""
        row, origin = self.frames.row(number), self.frames.origin
        files = self.meta.get("files") or [self.meta.get("file", "")]
        if origin is None:
            return str(files[0]), number
        return str(files[int(origin.file[row])]), int(origin.place[row])

    def packet(self, number: int) -> "Packet":
        """Frame `number` (from 1), dissected. IndexError where there is none."""
        from fourtuple.wire import dissect

        row = self.frames.row(number)
        vantage = self.vantages[int(self.frames.vantage[row])]
        return dissect(self.frames.data(row), vantage.link_type, int(self.frames.original[row]))

    def frame(self, number: int) -> FrameSeen:
        """Frame `number` (from 1) as an event."""
        packet, row, frames = self.packet(number), self.frames.row(number), self.frames
        kind = Segment if packet.tcp else Datagram if packet.udp else OtherFrame
        return kind(
            number,
            int(frames.t_ns[row]),
            int(frames.left_ns[row]),
            self.vantages[int(frames.vantage[row])].name,
            Verdict.NAMES[int(frames.verdict[row])],
            packet,
        )

    def __iter__(self) -> Iterator[FrameSeen | Event]:
        """Everything in time order; at equal times a frame comes before what followed from it."""
        rows = iter(range(len(self.frames)))
        row = next(rows, None)
        for event in self.events:
            while row is not None and int(self.frames.t_ns[row]) <= event.t_ns:
                yield self.frame(self.frames.number(row))
                row = next(rows, None)
            yield event
        while row is not None:
            yield self.frame(self.frames.number(row))
            row = next(rows, None)
