"""The pass over a capture of any size: compiled, in bounded memory, a row of facts a connection.

`Survey.step` takes frames in, `finish` gives the connections as tables. Memory grows with the
connections that are open (analyze.tracking says when one is over) and not with frames: rows of
those that are over leave as facts, to a temporary file where they are many. Frames are decoded
here while those before are tracked aside, by another processor. The same rules as in
analyze.tracking and analyze.life, which know more: every segment's own facts, and what calls and
socket tables tell. A property test holds that both say the same of every connection.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from fourtuple.analyze.survey import _layout as at
from fourtuple.analyze.survey._states import transitions
from fourtuple.analyze.survey.aside import AHEAD, Aside
from fourtuple.analyze.survey.spill import Shelf, Spill
from fourtuple.analyze.survey.table import ConnectionTable, Evidence, quoted, tuple_marks
from fourtuple.compiled import Kernel
from fourtuple.wire._row import (
    FRAGMENT_MISFIT,
    FRAGMENT_OVERLAP,
    PROBLEMS,
    QUOTED_PROTOCOL,
    TOO_DEEP,
    UNFINISHED_CHECKSUM,
    UNKNOWN_LINK_TYPE,
    WIDTH,
)
from fourtuple.wire.reassembly import Reassembly, Seen

__all__ = ["Survey", "Surveyed"]

Int64s = npt.NDArray[np.int64]
Octets = npt.NDArray[np.uint8]
Marks = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]

#: frames decoded and tracked at a time: half of a block of source.Capture
_STEP = 4092
_NOTES_A_FRAME = 8
_ROWS, _EXTRAS = 1 << 17, 1 << 15
#: connections of a table; a power of two would have all columns begin at the same places of the
#: processor's cache
_CHUNK = 8_184
#: up to so many connections are concluded once where that is asked for, and their tables kept
_KEPT = 8 * _CHUNK
#: rows turned into columns at a time: they stay in the processor's cache
_TURNED = 1024
#: what is told of in the end (render.leftover), as wire.columns calls it
_PROBLEMS = MappingProxyType(
    {
        TOO_DEEP: "too-deep",
        FRAGMENT_OVERLAP: "fragment-overlap",
        FRAGMENT_MISFIT: "fragment-misfit",
        UNFINISHED_CHECKSUM: "unfinished-checksum",
    }
)
_HIDING = UNKNOWN_LINK_TYPE | sum(_PROBLEMS)
_BEFORE_ALL = -(1 << 63)
_SIGNED_BITS = 63


@dataclass(slots=True)
class Survey:
    """A survey under way. `decode` are the kernels of wire._kernels, `kernels` those of
    analyze.survey._kernels; `capacity` rows are there to begin with."""

    decode: Mapping[str, Kernel]
    kernels: Mapping[str, Kernel]
    capacity: int = _ROWS
    rows: Int64s = field(init=False)
    extra: Int64s = field(init=False)
    slots: Int64s = field(init=False)
    free: Int64s = field(init=False)
    extra_free: Int64s = field(init=False)
    log: Int64s = field(init=False)
    control: Int64s = field(init=False)
    moves: Int64s = field(init=False)
    tables: list[Int64s] = field(init=False)
    concluded: Int64s = field(init=False)
    fragments: Reassembly = field(default_factory=Reassembly)
    aside: Aside = field(default_factory=Aside)
    quoted: set[int] = field(default_factory=set)
    problems: Counter[str] = field(default_factory=Counter)
    unknown_links: Counter[int] = field(default_factory=Counter)
    facts: Shelf = field(init=False)
    marks: Spill = field(default_factory=lambda: Spill(_MARKS))
    notes: Spill = field(default_factory=lambda: Spill(2))

    def __post_init__(self) -> None:
        extras = min(self.capacity, _EXTRAS)
        self.rows = np.zeros((self.capacity, at.ROW), np.int64)
        self.extra = np.zeros((extras, at.EXTRA_ROW), np.int64)
        self.slots = np.zeros(2 * self.capacity, np.int64)
        self.free = np.zeros(self.capacity, np.int64)
        self.extra_free = np.zeros(extras, np.int64)
        self.log = np.zeros((max(2 * _STEP * _NOTES_A_FRAME, 1), 2), np.int64)
        self.control = np.zeros(at.CONTROL, np.int64)
        self.control[[at.C_ROWS, at.C_EXTRAS]] = 1
        self.control[at.C_NOW] = _BEFORE_ALL
        self.moves = np.array(transitions(), np.int64)
        self.tables = [np.zeros((_STEP, WIDTH), np.int64) for _ in range(1 + AHEAD)]
        self.concluded = np.zeros((_TURNED, at.FACT), np.int64)
        self.facts = Shelf(self.kernels)

    @property
    def count(self) -> int:
        """How many connections have begun."""
        return int(self.control[at.C_NEXT_INDEX])

    def step(
        self,
        buffer: Octets,
        start: Int64s,
        captured: Int64s,
        original: Int64s,
        link_type: Int64s,
        t_ns: Int64s,
        vantage: Int64s,
        first_number: int,
        file: Int64s | None = None,
        every: bool = False,
    ) -> Int64s:
        """Take frames in; the arguments are those of source.FrameBlock.

        With `every`, the result is int64[n, SEGMENT]: what is known of each frame; else empty.
        """
        if every:
            self.aside.wait()
        count = len(start)
        files = np.zeros(count, np.int64) if file is None else file
        seen = np.zeros((count if every else 0, at.SEGMENT), np.int64)
        place = seen if every else np.zeros((1, at.SEGMENT), np.int64)
        for begin in range(0, count, _STEP):
            part = slice(begin, min(begin + _STEP, count))
            self.tables.append(self.tables.pop(0))  # the others may still be looked at
            table = self.tables[-1][: part.stop - begin]
            table.view(np.uint8).fill(0)  # in half the time of table[:] = 0
            columns = (column[part] for column in (start, captured, original, link_type))
            if self.decode["decode_rows"](buffer, *columns, table):
                self.fragments.step(buffer, table, Seen(t_ns[part], vantage[part]))
                self._hear(table)
                self._note_problems(table, link_type[part])
            known = place[part] if every else place
            # while these frames are tracked, the columns may become those of the next block
            seen_at = tuple(column[part].copy() for column in (t_ns, vantage, files))
            track = partial(self._track, table, seen_at, first_number + begin, known)
            track() if every else self.aside.do(track)
        return seen

    def _track(self, table: Int64s, seen_at: tuple[Int64s, ...], first: int, seen: Int64s) -> None:
        self._make_room(len(table))
        self.kernels["track"](
            table,
            *seen_at,
            first,
            self.rows,
            self.slots,
            self.free,
            self.extra,
            self.extra_free,
            self.log,
            self.control,
            self.moves,
            seen,
        )

    def _hear(self, table: Int64s) -> None:
        """Note whom ICMP errors are about: nothing in the connection's own frames tells of them."""
        if table[:, QUOTED_PROTOCOL].any():
            _, found = quoted(table)
            self.quoted.update(found.tolist())

    def _note_problems(self, table: Int64s, link_type: Int64s) -> None:
        """Count the frames that their headers keep from being in a connection."""
        masks = table[:, PROBLEMS]
        if not (masks & _HIDING).any():
            return
        for bit, name in _PROBLEMS.items():
            self.problems[name] += int(np.sum(masks & bit > 0))
        self.unknown_links.update(link_type[masks & UNKNOWN_LINK_TYPE > 0].tolist())

    def _make_room(self, frames: int) -> None:
        """So many frames may begin as many connections, and each may be noted eight times."""
        if int(self.control[at.C_LOG]) + _NOTES_A_FRAME * frames > len(self.log):
            self.notes.add(self.log[: self.control[at.C_LOG]])
            self.control[at.C_LOG] = 0
        if self._room(at.C_ROWS, at.C_FREE, self.rows) < frames:
            self._sweep()
            lacking = max(frames, len(self.rows) // 3) - self._room(at.C_ROWS, at.C_FREE, self.rows)
            if lacking > 0:
                self._grow(len(self.rows) + lacking)
        while self._room(at.C_EXTRAS, at.C_EXTRA_FREE, self.extra) < frames:
            _lengthen(self.extra, 2 * len(self.extra))
            _lengthen(self.extra_free, len(self.extra))

    def _room(self, used: int, free: int, table: Int64s) -> int:
        return len(table) - int(self.control[used]) + int(self.control[free])

    def _sweep(self) -> None:
        """Let go of the connections that are over: their facts are kept, their rows used again."""
        gone = np.zeros(len(self.rows), np.int64)
        count = self.kernels["sweep"](self.rows, self.slots, self.control, gone)
        over = gone[:count]
        over = over[np.argsort(self.rows[over, at.INDEX])]
        for begin in range(0, count, _TURNED):
            self._let_go(over[begin : begin + _TURNED])

    def _let_go(self, gone: Int64s) -> None:
        facts = self.facts_of(gone)
        self.facts.add(facts[:, at.A_INDEX], facts)
        self.marks.add(_marks(ConnectionTable(facts.T)))
        extras = self.rows[gone, at.EXTRA]
        extras = extras[extras > 0]
        for chosen, rows, free, level in (
            (gone, self.rows, self.free, at.C_FREE),
            (extras, self.extra, self.extra_free, at.C_EXTRA_FREE),
        ):
            rows[chosen] = 0
            filled = int(self.control[level])
            free[filled : filled + len(chosen)] = chosen
            self.control[level] += len(chosen)

    def _grow(self, rows: int) -> None:
        _lengthen(self.rows, rows)
        _lengthen(self.free, rows)
        slots = len(self.slots)
        while slots < 2 * rows:
            slots *= 2
        if slots > len(self.slots):
            self.slots = np.zeros(slots, np.int64)
            self._sweep()

    def facts_of(self, chosen: Int64s) -> Int64s:
        """The facts of up to `_TURNED` rows: int64[n, FACT]; valid until the next are asked for."""
        facts = self.concluded[: len(chosen)]
        facts.view(np.uint8).fill(0)
        self.kernels["conclude"](self.rows, self.extra, chosen, facts)
        return facts

    def columns(self, chosen: Int64s) -> Int64s:
        """The facts of rows, as a ConnectionTable has them: int64[FACT, n]."""
        found = np.empty((at.FACT, len(chosen)), np.int64)
        for begin in range(0, len(chosen), _TURNED):
            part = slice(begin, begin + _TURNED)
            found[:, part] = self.facts_of(chosen[part]).T
        return found

    def finish(self) -> "Surveyed":
        """No more frames come."""
        self.aside.end()
        self.notes.add(self.log[: self.control[at.C_LOG]])
        self.control[at.C_LOG] = 0
        return Surveyed.of(self)

    def live(self) -> Int64s:
        """The rows in use, in order of the connections' indices."""
        used = np.flatnonzero(self.rows[: self.control[at.C_ROWS], at.FIRST_FRAME])
        return used[np.argsort(self.rows[used, at.INDEX], kind="stable")]


def _lengthen(table: Int64s, rows: int) -> None:
    """Give a table more rows, of zeros. The system moves its pages; nothing is copied."""
    table.resize((rows, *table.shape[1:]), refcheck=False)


@dataclass(slots=True)
class Surveyed:
    """What a survey found: `count` connections, given out as `tables` in order of their first
    frame, the evidence for what is said of them, and the marks (`ConnectionTable.quotable`) of
    those that ICMP errors are about."""

    survey: Survey
    frames: int
    kept: Int64s | None
    reused: Bools
    evidence: Evidence
    quoted: Marks
    made: list[ConnectionTable] | None = None

    @classmethod
    def of(cls, survey: Survey) -> "Surveyed":
        marks = _Marks.of(survey)
        kept = _vantage_points(marks)
        reused = np.zeros(survey.count, np.bool_)
        chosen = np.arange(survey.count) if kept is None else kept
        _, firsts = np.unique(marks.tuples[chosen], return_index=True)
        reused[chosen] = True
        reused[chosen[firsts]] = False
        reused &= marks.begins
        del marks, firsts, chosen  # of millions of connections each is large
        control = survey.control
        frames = int(control[at.C_FRAMES] + control[at.C_OTHER])
        about = np.array(sorted(survey.quoted), np.uint64)
        return cls(survey, frames, kept, reused, _evidence(survey, kept), about)

    def __len__(self) -> int:
        return self.survey.count if self.kept is None else len(self.kept)

    def tables(self) -> Iterator[ConnectionTable]:
        """All connections, some thousand at a time; anew with each call."""
        yield from self._numbered() if self.made is None else self.made

    def keep(self) -> None:
        """The tables will be asked for again and again: have them at hand, if they are few. (Who
        needs them once does without: fresh memory is slow.)"""
        if self.made is None and self.survey.count <= _KEPT and not len(self.survey.facts):
            self.made = [*self._numbered()]

    def _numbered(self) -> Iterator[ConnectionTable]:
        """The connections that count, with what only all of them together tell."""
        begin = 0
        for facts in _all(self.survey):
            end = begin + facts.shape[1]
            facts[at.A_REUSED] = self.reused[begin:end]
            if self.kept is not None:
                first, last = np.searchsorted(self.kept, [begin, end]).tolist()
                facts = np.ascontiguousarray(facts[:, self.kept[first:last] - begin])
                facts[at.A_INDEX] = np.arange(first, last)
            begin = end
            yield ConnectionTable(facts)

    def number_of(self) -> Int64s:
        """For each connection as the kernels number them, its index here; -1 where it is of a
        vantage point that does not count."""
        found = np.arange(self.survey.count)
        if self.kept is not None:
            found[:] = -1
            found[self.kept] = np.arange(len(self.kept))
        return found


def _all(survey: Survey) -> Iterator[Int64s]:
    """Facts of all connections, in order of their indices, in pieces: int64[FACT, n]."""
    live = survey.live()
    if not len(survey.facts):
        for begin in range(0, len(live), _CHUNK):
            yield survey.columns(live[begin : begin + _CHUNK])
        return
    gone, indices = survey.facts.ordered(), survey.rows[live, at.INDEX]
    for first in range(0, survey.count, _CHUNK):
        found = np.empty((at.FACT, min(_CHUNK, survey.count - first)), np.int64)
        gone.columns(first, found)
        begin, end = np.searchsorted(indices, [first, first + _CHUNK]).tolist()
        for some in range(begin, end, _TURNED):
            part = slice(some, min(some + _TURNED, end))
            found[:, indices[part] - first] = survey.facts_of(live[part]).T
        yield found


@dataclass(frozen=True, slots=True)
class _Marks:
    """Of each connection its four-tuple's mark, vantage point, packets; whether a SYN begins it."""

    tuples: Int64s
    vantages: Int64s
    packets: Int64s
    begins: Bools

    @classmethod
    def of(cls, survey: Survey) -> "_Marks":
        """Of those that have left and those that are there, in order of their indices."""
        live = survey.live()
        for begin in range(0, len(live), _TURNED):
            facts = survey.facts_of(live[begin : begin + _TURNED])
            survey.marks.add(_marks(ConnectionTable(facts.T)))
        order = np.argsort(survey.marks.column(0))
        columns = [survey.marks.column(column)[order] for column in range(1, _MARKS)]
        return cls(columns[0], columns[1], columns[2], columns[3] > 0)


_MARKS = 5


def _marks(table: ConnectionTable) -> Int64s:
    """Index, and what `_Marks` has of each: int64[n, 5]."""
    begins = (table["syn_frame"] == table["first_frame"]) & (table["protocol"] == 6)
    packets = table["client_packets"] + table["server_packets"]
    marks = tuple_marks(table).view(np.int64)
    return np.stack((table["index"], marks, table["vantage"], packets, begins), axis=1)


def _vantage_points(marks: _Marks) -> Int64s | None:
    """The connections that count, each four-tuple at the vantage point with most of its frames (of
    several the first); None where there is one vantage point."""
    vantages = marks.vantages
    if not len(vantages) or (vantages == vantages[0]).all():
        return None
    _, tuples = np.unique(marks.tuples, return_inverse=True)
    pairs, members = np.unique(np.stack((tuples, vantages)), axis=1, return_inverse=True)
    frames = np.bincount(members.ravel(), weights=marks.packets)
    order = np.lexsort((-pairs[1], frames, pairs[0]))
    last = np.append(np.flatnonzero(np.diff(pairs[0][order])), len(order) - 1)
    best = np.zeros(pairs.shape[1], np.bool_)
    best[order[last]] = True
    return np.flatnonzero(best[members.ravel()])


def _in_order(keys: Int64s, frames: Int64s) -> tuple[Int64s, Int64s]:
    """By key, then by frame. One column is sorted in its place where both fit into it: a large
    capture has tens of millions."""
    bits = int(frames.max(initial=0)).bit_length()
    if int(keys.max(initial=0)).bit_length() + bits > _SIGNED_BITS:
        order = np.lexsort((frames, keys))
        return keys[order], frames[order]
    keys <<= bits
    keys |= frames
    keys.sort()
    np.bitwise_and(keys, (1 << bits) - 1, out=frames)
    keys >>= bits
    return keys, frames


def _evidence(survey: Survey, kept: Int64s | None) -> Evidence:
    keys, frames = _in_order(survey.notes.column(0), survey.notes.column(1))
    if kept is not None:
        index = keys >> at.KIND_BITS
        place = np.searchsorted(kept, index)
        there = place < len(kept)
        there[there] = kept[place[there]] == index[there]
        kind = keys & (1 << at.KIND_BITS) - 1
        keys, frames = (place << at.KIND_BITS | kind)[there], frames[there]
    return Evidence(np.ascontiguousarray(keys), np.ascontiguousarray(frames))
