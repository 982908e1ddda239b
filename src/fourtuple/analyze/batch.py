"""A run of frames as plain Python numbers: what the incremental passes step over.

`batches` cuts a timeline's columns into pieces; how it is cut never changes a result. Rules: only
TCP segments and UDP datagrams whose ports are there count; a four-tuple seen at several vantage
points counts at the one with most of its frames, in the lab at a cable. What left the lab's wire
with other bytes than it had entered with is no frame of its own: it is how that one arrived.
Reading numpy scalars one by one costs ten times as much as `tolist`, hence lists.
"""

from collections import Counter
from collections.abc import Iterator

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from fourtuple.event.model import AS_LEFT, Endpoint, Verdict, is_cable
from fourtuple.event.timeline import Timeline
from fourtuple.wire.columns import TCP, UDP, Columns

__all__ = ["Batch", "Key", "Raw", "batches"]

Mask = npt.NDArray[np.bool_]

#: an endpoint as numbers: address (high half, low half) and port
End = tuple[int, int, int]
#: protocol (wire.columns' kind), address family, both ends, the smaller first, and the tunnel
Key = tuple[int, int, End, End, int]

_FIELDS = (
    "kind",
    "family",
    "source_high",
    "source_low",
    "source_port",
    "destination_high",
    "destination_low",
    "destination_port",
    "tunnel",
    "sequence",
    "acknowledgment",
    "flags",
    "window",
    "payload_length",
    "mss",
    "window_scale",
    "sack_permitted",
    "ts_value",
    "ts_echo",
    "fast_open",
    "ip_id",
    "sack_count",
)


class Raw(msgspec.Struct, frozen=True):
    """One segment or datagram as its header has it.

    `number` is that of its frame; `now_ns` the latest time of any frame so far. `key` is the same
    for both directions; `forward` says that the smaller end sent it. `left_ns` is 0 where it never
    left the wire. Options that are absent are -1; `sack` holds pairs. `as_left` is what it was when
    it left the wire, where that differs.
    """

    row: int
    number: int
    now_ns: int
    t_ns: int
    left_ns: int
    verdict: int
    key: Key
    forward: bool
    seq: int
    ack: int
    flags: int
    window: int
    length: int
    mss: int
    scale: int
    sack_permitted: int
    ts_value: int
    ts_echo: int
    fast_open: int
    ip_id: int
    sack: tuple[int, ...]
    as_left: "Raw | None" = None


class Batch(msgspec.Struct, frozen=True):
    """TCP segments and UDP datagrams of consecutive frames, in order."""

    raws: list[Raw]
    columns: Columns

    def ends(self, raw: Raw) -> tuple[Endpoint, Endpoint]:
        """Both endpoints as text, in the order of the key."""
        source = Endpoint(*self.columns.source(raw.row))
        destination = Endpoint(*self.columns.destination(raw.row))
        return (source, destination) if raw.forward else (destination, source)


def batches(timeline: Timeline, rows: int, vantage: str | None = None) -> Iterator[Batch]:
    """The timeline's segments and datagrams, at most `rows` frames at a time; those seen at one
    vantage point, or each four-tuple at the one that shows it best."""
    if vantage is None:
        chosen, arrivals = _chosen(timeline), _arrivals(timeline)
    else:
        there = _at(timeline, [name == vantage for name in _names(timeline)])
        chosen, arrivals = _usable(timeline.columns) & there, {}
    for begin in range(0, len(timeline.frames), rows):
        part = np.flatnonzero(chosen[begin : begin + rows]) + begin
        raws = _raws(timeline, part)
        if arrivals:
            raws = (replace(raw, as_left=arrivals.get(raw.row)) for raw in raws)
        yield Batch(list(raws), timeline.columns)


def _raws(timeline: Timeline, part: npt.NDArray[np.int64]) -> Iterator[Raw]:
    columns, frames = timeline.columns, timeline.frames
    lists = [getattr(columns, name)[part].tolist() for name in _FIELDS]
    timed = (_numbers(timeline), _now(timeline), frames.t_ns, frames.left_ns, frames.verdict)
    times = [column[part].tolist() for column in timed]
    edges = columns.sack_edges[part].tolist()
    for row, timed, header, sack in zip(
        part.tolist(), zip(*times, strict=True), zip(*lists, strict=True), edges, strict=True
    ):
        kind, family = header[:2]
        source, destination = header[2:5], header[5:8]
        forward = source <= destination
        pair = (source, destination) if forward else (destination, source)
        key = (kind, family, *pair, header[8])
        rest = [*header[9:-1], tuple(sack[: 2 * header[-1]])]
        yield Raw(*[row, *timed, key, forward, *rest])


def _names(timeline: Timeline) -> list[str]:
    return [vantage.name for vantage in timeline.vantages]


def _at(timeline: Timeline, wanted: list[bool]) -> Mask:
    """Which rows were seen at the vantage points that are wanted."""
    chosen: Mask = np.array(wanted, dtype=np.bool_)[timeline.frames.vantage]
    return chosen


def _arrivals(timeline: Timeline) -> dict[int, Raw]:
    """The row of a frame that was rewritten on its way -> what it was when it arrived. One copy of
    it tells: two frames never leave the wire at once."""
    frames = timeline.frames
    copies = _at(timeline, [name == AS_LEFT for name in _names(timeline)])
    rewritten = frames.verdict == Verdict.REWRITTEN
    if not (copies & rewritten).any():
        return {}
    entered = np.flatnonzero(rewritten & ~copies)
    rows = dict(zip(frames.left_ns[entered].tolist(), entered.tolist(), strict=True))
    usable = _usable(timeline.columns)
    raws = _raws(timeline, np.flatnonzero(copies & rewritten & usable))
    return {rows[raw.t_ns]: raw for raw in raws if raw.t_ns in rows}


def _usable(columns: Columns) -> Mask:
    usable: Mask = (columns.kind == TCP) | (columns.kind == UDP)
    return usable


def _numbers(timeline: Timeline) -> npt.NDArray[np.int64]:
    """The number of each frame."""
    origin = timeline.frames.origin
    return origin.number if origin else np.arange(1, len(timeline.frames) + 1)


def _now(timeline: Timeline) -> npt.NDArray[np.int64]:
    """At each frame the latest time of any so far."""
    if "now" not in timeline.memo:
        timeline.memo["now"] = np.maximum.accumulate(timeline.frames.t_ns)
    found: npt.NDArray[np.int64] = timeline.memo["now"]
    return found


def _chosen(timeline: Timeline) -> Mask:
    """Which rows count: segments and datagrams, each four-tuple at one vantage point."""
    columns, vantage = timeline.columns, timeline.frames.vantage
    usable = _usable(columns)
    if timeline.complete:
        usable &= _at(timeline, [is_cable(name) for name in _names(timeline)])
    if len(set(vantage[usable].tolist())) <= 1:
        return usable
    rows = np.flatnonzero(usable)
    points = vantage[rows].tolist()
    keys = [raw.key for raw in _raws(timeline, rows)]
    seen = Counter(zip(keys, points, strict=True))
    best: dict[Key, int] = {}
    for key, point in sorted(seen, key=lambda pair: (seen[pair], -pair[1])):
        best[key] = point
    usable[rows] = [best[key] == point for key, point in zip(keys, points, strict=True)]
    return usable
