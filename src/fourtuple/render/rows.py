"""From what happened to rows: which things share a line, which calls are in progress, where
nothing happened for long.

Rules. Time runs downward and no row changes the order of two things of one lane. A row holds at
most one frame, and one call's begin or end a lane. A call's begin opens a row; the frame that its
host sends during the call joins it, as does the call's return. Where a frame wakes a waiting call,
the return joins the frame's row. Anything further apart than a silence opens a row of its own. A
frame gets two rows, where it left and where it arrived, if others overtook it, or if the wire
delayed it while others entered, calls began or a silence passed; so does one that arrived after
such a one.
"""

import sys
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import islice, pairwise
from statistics import median

import msgspec
from msgspec.structs import replace

from fourtuple.event.model import Call
from fourtuple.render import calls as words
from fourtuple.render.calls import OwnCalls
from fourtuple.render.notes import Inline
from fourtuple.render.states import Change
from fourtuple.render.view import (
    BarPhase,
    CallBar,
    KernelCell,
    ProgramCell,
    Row,
    RowKind,
    WireCell,
)
from fourtuple.render.wires import Crossing

__all__ = ["rows_of"]

#: shorter gaps are never shown as silences, whatever the others are
_SILENCE_NS = 25_000_000
#: a frame this long after a call's return may still have been sent by it: two clocks stamped them
_CLOCKS_NS = 100_000
#: a gap this many times the usual one is a silence
_UNUSUAL = 10
#: more calls in progress at once than this are not drawn: a lane has no room for their bars
_MOST_BARS = 8

_CLIENT, _SERVER = True, False


class _CallMark(msgspec.Struct):
    t_ns: int
    call: Call
    of_client: bool
    begins: bool


_Mark = _CallMark | Crossing


class _Draft(msgspec.Struct):
    """A row in the making. `begun` and `ended` hold a side's call, `states` its new state.

    It shows the time `t_ns`, its frame's where it has one; what joined it happened from `first_ns`
    to `last_ns`.
    """

    t_ns: int
    first_ns: int
    last_ns: int
    crossing: Crossing | None = None
    begun: dict[bool, Call] = msgspec.field(default_factory=dict)
    ended: dict[bool, Call] = msgspec.field(default_factory=dict)
    states: dict[bool, str] = msgspec.field(default_factory=dict)
    notes: list[Inline] = msgspec.field(default_factory=list)

    @property
    def wire(self) -> WireCell | None:
        return self.crossing.cell if self.crossing else None


def rows_of(
    own: OwnCalls,
    changes: Sequence[Change],
    crossings: Sequence[Crossing],
    notes: Sequence[Inline],
    limit: int,
) -> tuple[int, tuple[Row, ...]]:
    """(the first row's time, the rows, their times counted from it). No more than `limit` moments
    are kept: the first and the last ones."""
    marks = _marks(own, crossings)
    silence_ns = _silence([mark.t_ns for mark in marks])
    places = _Places(_drafts(marks, silence_ns))
    for change in changes:
        places.settle(change)
    drafts = places.drafts
    for note in notes:
        if drafts:
            places.of(note.t_ns, note.frame).notes.append(note)
    zero_ns = drafts[0].t_ns if drafts else 0
    return zero_ns, tuple(_elide(_finish(drafts, zero_ns, silence_ns), limit))


def _marks(own: OwnCalls, crossings: Sequence[Crossing]) -> list[_Mark]:
    """In order of time; at equal times a call begins, then a frame crosses, then calls return."""
    begun = [call.t_ns for calls in (own.client, own.server) for call in calls]
    found: list[tuple[int, _Mark]] = [(1, crossing) for crossing in _overtaken(crossings, begun)]
    for of_client, calls in ((_CLIENT, own.client), (_SERVER, own.server)):
        for call in calls:
            found.append((0, _CallMark(call.t_ns, call, of_client, True)))
            if call.end_ns is not None:
                end_ns = max(call.t_ns, call.end_ns)
                found.append((2, _CallMark(end_ns, call, of_client, False)))
    return [mark for _, mark in sorted(found, key=lambda ranked: (ranked[1].t_ns, ranked[0]))]


def _overtaken(crossings: Sequence[Crossing], begun: Iterable[int]) -> list[Crossing]:
    """The crossings, one that others overtook divided into its departure and its arrival; so is
    one that entered while such a one was on its way and arrived after it."""
    divided = _left_behind(crossings, begun)
    latest_ns = {_CLIENT: 0, _SERVER: 0}
    found: list[Crossing] = []
    for index, crossing in enumerate(crossings):
        cell, side = crossing.cell, crossing.cell.from_client
        if index in divided or crossing.t_ns < latest_ns[side] < crossing.left_ns:
            latest_ns[side] = max(latest_ns[side], crossing.left_ns)
            leaving = replace(cell, phase="leaves")
            found.append(replace(crossing, cell=leaving))
            arrival = replace(cell, phase="arrives")
            found.append(Crossing(crossing.left_ns, crossing.left_ns, arrival))
        else:
            found.append(crossing)
    return found


def _left_behind(crossings: Sequence[Crossing], begun: Iterable[int]) -> set[int]:
    """Which of the crossings others overtook, or the wire delayed while others entered, calls
    began (`begun`) or nothing happened for long."""
    found: set[int] = set()
    entered = sorted([*(crossing.t_ns for crossing in crossings), *begun])
    # by direction: when the earliest of those that entered later had arrived
    first_ns = {_CLIENT: sys.maxsize, _SERVER: sys.maxsize}
    for index in range(len(crossings) - 1, -1, -1):
        crossing = crossings[index]
        cell, side = crossing.cell, crossing.cell.from_client
        meanwhile = bisect_right(entered, crossing.t_ns) < bisect_left(entered, crossing.left_ns)
        meanwhile |= crossing.left_ns - crossing.t_ns > _SILENCE_NS
        if first_ns[side] < crossing.left_ns or (meanwhile and cell.verdict == "delayed"):
            found.add(index)
        if crossing.left_ns:
            first_ns[side] = min(first_ns[side], crossing.left_ns)
    return found


def _silence(times_ns: list[int]) -> int:
    gaps = [after - before for before, after in pairwise(times_ns)]
    return max(_SILENCE_NS, _UNUSUAL * int(median(gaps))) if gaps else _SILENCE_NS


def _drafts(marks: Sequence[_Mark], silence_ns: int) -> list[_Draft]:
    drafts: list[_Draft] = []
    for mark in marks:
        near = bool(drafts) and mark.t_ns - drafts[-1].last_ns < silence_ns
        if not (near and _joins(mark, drafts[-1])):
            drafts.append(_Draft(mark.t_ns, mark.t_ns, mark.t_ns))
        _add(mark, drafts[-1])
        drafts[-1].last_ns = mark.t_ns
    return drafts


def _joins(mark: _Mark, draft: _Draft) -> bool:
    if isinstance(mark, Crossing):
        side = mark.cell.from_client
        calling = set(draft.begun) == {side} and set(draft.ended) <= {side}
        done = side in draft.ended and mark.t_ns - draft.last_ns > _CLOCKS_NS
        return draft.crossing is None and calling and not done
    if mark.begins:
        return False
    side = mark.of_client
    if draft.begun.get(side) is mark.call:
        return True
    return draft.crossing is not None and side not in draft.begun and side not in draft.ended


def _add(mark: _Mark, draft: _Draft) -> None:
    if isinstance(mark, Crossing):
        draft.crossing = mark
        draft.t_ns = mark.t_ns
    elif mark.begins:
        draft.begun[mark.of_client] = mark.call
    else:
        draft.ended[mark.of_client] = mark.call


class _Places:
    """Where in the drafts something belongs."""

    def __init__(self, drafts: list[_Draft]) -> None:
        self.drafts = drafts
        self._halves: dict[int, list[_Draft]] = {}
        for draft in drafts:
            if draft.wire:
                self._halves.setdefault(draft.wire.frame, []).append(draft)

    def settle(self, change: Change) -> None:
        """Put a change of state where its cause is; one without a cause in sight opens a row."""
        drafts = self.drafts
        if not drafts or (change.t_ns < drafts[0].first_ns and not change.frame):
            drafts.insert(0, _Draft(change.t_ns, change.t_ns, change.t_ns))
        place = self.of(change.t_ns, change.frame, change.of_client)
        place.states[change.of_client] = change.state

    def of(self, t_ns: int, frame: int, of_client: bool | None = None) -> _Draft:
        """The row of the frame (the half that the side sees: who sent it, its departure), or else
        the last one that had begun by then."""
        halves = self._halves.get(frame, [])
        for draft in halves:
            assert draft.wire is not None
            if of_client is None or len(halves) == 1:
                return halves[-1]
            if (draft.wire.phase == "leaves") == (draft.wire.from_client == of_client):
                return draft
        begun = bisect_right(self.drafts, t_ns, key=lambda draft: draft.first_ns)
        return self.drafts[max(begun - 1, 0)]


def _finish(drafts: list[_Draft], zero_ns: int, silence_ns: int) -> Iterator[Row]:
    """The drafts as rows: with calls and states that continue, silences and notes between."""
    programs = {_CLIENT: _Programs(), _SERVER: _Programs()}
    kernels = {_CLIENT: "", _SERVER: ""}
    before: _Draft | None = None
    for draft in drafts:
        if before is not None and draft.t_ns - before.last_ns >= silence_ns:
            yield _row(RowKind.SILENCE, draft.t_ns - before.last_ns, programs, kernels)
        yield _moment(draft, zero_ns, programs, kernels)
        for note in draft.notes:
            row = _row(RowKind.NOTE, draft.t_ns - zero_ns, programs, kernels)
            yield replace(row, note=note.message)
        before = draft


def _moment(
    draft: _Draft,
    zero_ns: int,
    programs: dict[bool, "_Programs"],
    kernels: dict[bool, str],
) -> Row:
    cells = {side: programs[side].cell(draft.begun.get(side), draft.ended.get(side))
             for side in programs}  # fmt: skip
    changed = {side: draft.states.get(side, kernels[side]) != kernels[side] for side in kernels}
    kernels.update(draft.states)
    return Row(
        RowKind.MOMENT,
        draft.t_ns - zero_ns,
        client_program=cells[_CLIENT],
        client_kernel=KernelCell(kernels[_CLIENT], changed[_CLIENT]),
        wire=draft.wire,
        server_kernel=KernelCell(kernels[_SERVER], changed[_SERVER]),
        server_program=cells[_SERVER],
    )


def _row(kind: str, t_ns: int, programs: dict[bool, "_Programs"], kernels: dict[bool, str]) -> Row:
    """A row in which nothing happens: what continues, continues."""
    return Row(
        kind,
        t_ns,
        client_program=programs[_CLIENT].cell(None, None),
        client_kernel=KernelCell(kernels[_CLIENT]),
        server_kernel=KernelCell(kernels[_SERVER]),
        server_program=programs[_SERVER].cell(None, None),
    )


class _Programs:
    """The calls of one side that are in progress, each in the lowest slot that was free.

    Those of the first slots are drawn in every row, any other where it begins and ends.
    """

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}
        self._free: list[int] = []
        self._going: dict[int, CallBar] = {}

    def cell(self, begun: Call | None, ended: Call | None) -> ProgramCell:
        bars = dict(self._going)
        whole = begun is not None and begun is ended
        if begun is not None:
            slot = self._lowest()
            bars[slot] = _bar(BarPhase.WHOLE if whole else BarPhase.BEGIN, slot, begun)
            self._slots[id(begun)] = slot
            if slot < _MOST_BARS and not whole:
                self._going[slot] = _bar(BarPhase.GOING, slot, begun)
        if ended is not None:
            slot = self._slots.pop(id(ended))
            if not whole:
                bars[slot] = _bar(BarPhase.END, slot, ended)
                self._going.pop(slot, None)
            heappush(self._free, slot)
        return ProgramCell(tuple(bars[slot] for slot in sorted(bars)))

    def _lowest(self) -> int:
        return heappop(self._free) if self._free else len(self._slots)


def _bar(phase: str, slot: int, call: Call) -> CallBar:
    known = phase in (BarPhase.WHOLE, BarPhase.END) or call.end_ns is None
    return CallBar(
        phase,
        min(slot, _MOST_BARS),
        words.full(call),
        words.brief(call),
        words.outcome(call) if known else "",
        call.errno is not None and known,
    )


def _elide(rows: Iterable[Row], limit: int) -> Iterator[Row]:
    """At most `limit` of the rows: the first ones and the last, and how many were between."""
    rows, head = iter(rows), limit * 2 // 3
    yield from islice(rows, head)
    tail: deque[Row] = deque()
    gap, moments = None, 0
    for row in rows:
        tail.append(row)
        if len(tail) > limit - head:
            left_out = tail.popleft()
            gap = gap or left_out
            moments += left_out.kind == RowKind.MOMENT
    if gap is not None:
        yield replace(gap, kind=RowKind.ELIDED, count=moments, wire=None, note=None)
    yield from tail
