"""A capture of any size: surveyed once, and looked at more closely where that is asked for.

The first pass gives a row of facts a connection (analyze.survey). What rows do not tell - every
segment's own facts, the cause of a reset, rare findings - the whole way tells of chosen
connections, whose frames a second pass collects. Rules: memory is bounded by the connections that
are open, and by how much the second pass keeps at a time; of a connection with more frames than
`LONGEST` those are its first and its last ones. Nothing here draws or prints.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from fourtuple.analyze.model import Connection
from fourtuple.analyze.services import Services, services_of_tables
from fourtuple.analyze.survey import _layout as at
from fourtuple.analyze.survey.passing import Survey, Surveyed
from fourtuple.analyze.survey.table import ConnectionTable
from fourtuple.compiled import Kernel, kernels
from fourtuple.errors import CaptureDamaged
from fourtuple.event.timeline import Timeline
from fourtuple.explain.columns import undecided
from fourtuple.explain.picking import Picking, picked, same_tuple
from fourtuple.source.blocks import Capture
from fourtuple.source.collect import Collected
from fourtuple.source.passes import FrameBlock

__all__ = ["Announce", "Chosen", "Detail", "Overview"]

Int64s = npt.NDArray[np.int64]
Announce = Callable[[str, Mapping[str, object]], None]
#: which connections of a table are wanted
Chosen = Callable[[ConnectionTable], npt.NDArray[np.bool_]]

#: how many frames a second pass keeps at a time, or little more
_AT_ONCE = 200_000


@dataclass(frozen=True, slots=True)
class Detail:
    """Chosen connections with their segments, by index in the overview, and the timeline that they
    are in. Of those in `shortened` not all frames are there."""

    timeline: Timeline
    connections: Mapping[int, Connection]
    shortened: frozenset[int]


@dataclass(slots=True)
class Overview:
    """What the first pass over a capture found; `damage` is why it ended early. `chosen` tells
    which connections are asked for: all where it is None."""

    capture: Capture
    found: Surveyed
    damage: CaptureDamaged | None
    announce: Announce | None = None
    chosen: Chosen | None = None
    _services: Services | None = field(default=None, repr=False)
    _tunnels: dict[int, str] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, capture: Capture, announce: Announce | None = None) -> "Overview":
        """Survey a capture; `announce` is told when kernels must be compiled first."""
        survey = _survey(announce)
        capture.kernels = kernels("fourtuple.event._kernels", announce)
        damage = None
        try:
            for block in capture.blocks():
                _take(survey, block)
        except CaptureDamaged as error:
            damage = error
        return cls(capture, survey.finish(), damage, announce)

    def __len__(self) -> int:
        return len(self.found)

    @property
    def names(self) -> list[str]:
        """The files' own names."""
        return [os.path.basename(name) for name in self.capture.files]

    @property
    def frames(self) -> int:
        """How many frames the capture has."""
        return self.found.frames

    def tables(self) -> Iterator[ConnectionTable]:
        """All connections, some thousand at a time, in order of their first frame."""
        return self.found.tables()

    def wanted(self) -> Iterator[ConnectionTable]:
        """The connections that are asked for, as `tables` gives them."""
        for table in self.tables():
            yield table if self.chosen is None else table.only(self.chosen(table))

    @property
    def tunnels(self) -> Mapping[int, str]:
        """The names of the tunnels by their numbers in the tables; learned in a pass of its own,
        if there are any."""
        if self._tunnels is None:
            self._tunnels = self._named_tunnels()
        return self._tunnels

    def _named_tunnels(self) -> dict[int, str]:
        firsts: dict[int, int] = {}
        for table in self.tables():
            inside = np.flatnonzero(table["tunnel"])
            for row in inside[np.unique(table["tunnel"][inside], return_index=True)[1]].tolist():
                firsts.setdefault(int(table["tunnel"][row]), int(table["first_frame"][row]))
        if not firsts:
            return {}
        from fourtuple.explain.tunnels import tunnel_name

        timeline = self._frames(np.sort(np.array([*firsts.values()], np.int64)))
        named = {number: tunnel_name(timeline.packet(frame)) for number, frame in firsts.items()}
        return {number: name for number, name in named.items() if name}

    def _frames(self, numbers: Int64s) -> Timeline:
        """These frames, by ascending number."""
        collected = Collected()
        for block in self.capture.blocks():
            limits = block.first_number, block.first_number + len(block)
            begin, end = np.searchsorted(numbers, limits).tolist()
            if begin < end:
                collected.add(block, numbers[begin:end] - block.first_number)
            if limits[1] > numbers[-1]:
                break
        return self._timeline(collected)

    def undecided(self) -> Iterator[Detail]:
        """The connections asked for whose resets or findings the tables do not tell."""
        some: list[Int64s] = []
        size = 0
        for table in self.wanted():
            found = picked(table, undecided(table, self.found.quoted))
            if len(found):
                some.append(found)
                size += Picking(found).size
            if size > _AT_ONCE:
                yield self._detail(np.concatenate(some))
                some, size = [], 0
        if some:
            yield self._detail(np.concatenate(some))

    def detail(self, index: int) -> Detail:
        """One connection. IndexError where there is none of that index."""
        for table in self.tables():
            chosen = table["index"] == index
            if chosen.any():
                return self._detail(picked(table, chosen))
        raise IndexError(index)

    def _detail(self, chosen: Int64s) -> Detail:
        """The chosen connections; other lives of their four-tuples must come along, for a segment
        belongs to the life that it fits best."""
        every = [picked(table, same_tuple(table, chosen)) for table in self.tables()]
        picking = Picking(np.concatenate(every), heard=len(self.found.quoted) > 0)
        timeline = self._collected(picking)
        from fourtuple.analyze.tracking import connections

        found = connections(timeline, services=self._known_services(), reused=picking.reused)
        index = Picking(chosen).index
        of_interest = {
            index[one.frames[0]]: replace(one, index=index[one.frames[0]])
            for one in found
            if one.frames[0] in index
        }
        return Detail(timeline, of_interest, Picking(chosen).shortened)

    def _collected(self, picking: Picking) -> Timeline:
        collected = Collected()
        decode = _decode(self.announce)
        try:
            for block in self.capture.blocks():
                rows = picking.rows(block, decode)
                if len(rows):
                    collected.add(block, rows)
                if block.first_number > picking.last and not picking.heard:
                    break
        except CaptureDamaged:
            pass  # known from the first pass
        return self._timeline(collected)

    def _timeline(self, collected: Collected) -> Timeline:
        from fourtuple.source.capture import named

        meta: dict[str, Any] = {"file": ", ".join(self.names), "frames": self.frames}
        meta |= {"files": self.names} if len(self.names) > 1 else {}
        return Timeline(
            tuple(named(self.capture.vantages)),
            collected.table(),
            meta=meta,
            decode=_decode(self.announce),
        )

    def around(self, frame: int) -> tuple[Timeline, list[Connection]]:
        """The connection that a frame is of, where it is of one, and a timeline that has the frame.
        IndexError where the capture has no such frame."""
        if not 1 <= frame <= self.frames:
            raise IndexError(frame)
        for block, known in self.seen():
            row = frame - block.first_number
            if row < len(block):
                index = int(known[row, at.F_ROW_INDEX])
                break
        if index >= 0:
            detail = self.detail(index)
            if frame in detail.connections[index].frames:
                return detail.timeline, [detail.connections[index]]
        collected = Collected()
        collected.add(block, np.array([row]))
        return self._timeline(collected), []

    def packets(self, index: int) -> int:
        """How many frames a connection has."""
        for table in self.tables():
            chosen = table["index"] == index
            if chosen.any():
                both = table["client_packets"] + table["server_packets"]
                return int(both[chosen][0])
        raise IndexError(index)

    def seen(self) -> Iterator[tuple[FrameBlock, Int64s]]:
        """All frames once more, and what is known of each: int64[n, SEGMENT], the connection's
        index here in the first column, -1 for none."""
        survey, number_of = _survey(self.announce), self.found.number_of()
        try:
            for block in self.capture.blocks():
                known = _take(survey, block, every=True)
                mine = known[:, at.F_ROW_INDEX]
                known[:, at.F_ROW_INDEX] = np.where(mine < 0, -1, number_of[mine])
                yield block, known
        except CaptureDamaged:
            return

    def _known_services(self) -> Services:
        if self._services is None:
            self._services = services_of_tables(self.tables)
        return self._services


def _decode(announce: Announce | None) -> Kernel:
    return kernels("fourtuple.wire._kernels", announce)["decode_rows"]


def _survey(announce: Announce | None) -> Survey:
    return Survey(
        kernels("fourtuple.wire._kernels", announce),
        kernels("fourtuple.analyze.survey._kernels", announce),
    )


def _take(survey: Survey, block: FrameBlock, every: bool = False) -> Int64s:
    return survey.step(
        block.buffer,
        block.start,
        block.captured,
        block.original,
        block.link_type,
        block.t_ns,
        block.vantage,
        block.first_number,
        block.file,
        every,
    )
