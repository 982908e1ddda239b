"""The log of a run -> its Timeline. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from fourtuple.analyze.hosts import plain
from fourtuple.event.frames import FrameTable, FrameTableBuilder, Vantage
from fourtuple.event.looks import Look, LookReader, changes
from fourtuple.event.model import (
    AS_LEFT,
    WIRE,
    Call,
    Event,
    Note,
    Snapshot,
    SocketRow,
    State,
    Verdict,
)
from fourtuple.event.timeline import Timeline
from fourtuple.lab.log import ClockSampled, FrameEntered, FrameLeft, Record

__all__ = ["merge", "state_changes"]

#: what a vantage point is, by its name; any other is a cable's, or a host's own interface
_DESCRIPTIONS = {
    WIRE: "between the hosts, as carried by fourtuple",
    AS_LEFT: "what left the wire with other bytes than it had entered with",
}


def merge(records: Iterable[Record]) -> Timeline:
    """The Timeline of a run. Notes of kind "meta" become its `meta`, later ones over earlier."""
    records = tuple(records)
    meta: dict[str, Any] = {}
    events: list[Event] = []
    calls: dict[tuple[int, int, int], Call] = {}
    epoch_ns = 0
    reader = LookReader()
    tables: dict[str, _Table] = {}
    for record in records:
        match record:
            case ClockSampled():
                epoch_ns = record.epoch_ns
                meta["clock_error_ns"] = record.error_ns
            case Note(kind="meta"):
                meta.update(record.params)
            case Call():  # written when it begins and again when it ends: the last one holds
                calls[record.pid, record.thread, record.t_ns] = record
            case Look():
                snapshot = reader.snapshot(record)
                if snapshot is not None:
                    tables[record.host] = _Table(snapshot.sockets)
                    events.append(snapshot)
            case Snapshot():
                events.append(tables.setdefault(record.host, _Table()).with_part(record))
            case Note():
                events.append(record)
    events += [*calls.values(), *state_changes(e for e in events if isinstance(e, Snapshot))]
    events.sort(key=lambda event: event.t_ns)
    vantages, frames = _frames(records)
    return Timeline(vantages, frames, tuple(events), meta, epoch_ns, complete=True)


def _frames(records: tuple[Record, ...]) -> tuple[tuple[Vantage, ...], FrameTable]:
    """The vantage points, the wire always first, and the frames that were seen at them."""
    left: dict[int, FrameLeft] = {}
    for record in records:
        if isinstance(record, FrameLeft):
            left.setdefault(record.number, record)
    places: dict[str, int] = {WIRE: 0}
    builder = FrameTableBuilder()
    for record in records:
        if isinstance(record, FrameEntered):
            done = left.get(record.number, FrameLeft(record.number, 0, Verdict.HELD))
            builder.add(
                record.data,
                record.t_ns,
                left_ns=done.left_ns,
                vantage=places.setdefault(record.vantage, len(places)),
                verdict=done.verdict,
            )
    vantages = (Vantage(name, description=_DESCRIPTIONS.get(name, "")) for name in places)
    return tuple(vantages), builder.table()


class _Table:
    """A host's sockets as the looks so far have them, each of which may be of a part."""

    def __init__(self, rows: tuple[SocketRow, ...] = ()) -> None:
        self._rows = list(rows)
        self._places: dict[Any, int] | None = None

    def with_part(self, part: Snapshot) -> Snapshot:
        """The whole table, once what the part is about is as it says."""
        if self._places is None:
            self._places = {_known_by(row): place for place, row in enumerate(self._rows)}
        new = {_known_by(row): row for row in part.sockets}
        if part.about not in new:
            self._remove(part.about, self._places)
        for key, row in new.items():
            place = self._places.get(key)
            if place is None:
                self._places[key] = len(self._rows)
                self._rows.append(row)
            elif self._rows[place] != row:
                self._rows[place] = row
        return msgspec.structs.replace(part, sockets=tuple(self._rows))

    def _remove(self, key: Any, places: dict[Any, int]) -> None:
        """The last row takes the place of the one that is gone, if it was there."""
        place = places.pop(key, None)
        if place is None:
            return
        last = self._rows.pop()
        if place < len(self._rows):
            self._rows[place] = last
            places[_known_by(last)] = place


def _known_by(row: SocketRow) -> Any:
    """A connection is asked for by its ends, as frames have them; a listener is known by itself."""
    if row.state == "LISTEN":
        return row.cookie
    return plain(row.local), plain(row.remote)


def state_changes(snapshots: Iterable[Snapshot]) -> Iterator[State]:
    """What changed from each look at a host's sockets to the next."""
    for changed in changes(snapshots):
        before = {_key(row): row for row in changed.gone}
        now = {_key(row): row for row in changed.new}
        for key in [*before, *(key for key in now if key not in before)]:
            old, new = _state_in(before, key), _state_in(now, key)
            if old != new:
                yield _change(changed.snapshot, now.get(key) or before[key], old, new)


def _key(row: SocketRow) -> Any:
    # several listeners may have one address (SO_REUSEPORT)
    return row.local, row.remote, row.cookie if row.state == "LISTEN" else 0


def _state_in(sockets: Mapping[Any, SocketRow], key: Any) -> str:
    return sockets[key].state if key in sockets else "CLOSED"


def _change(snapshot: Snapshot, row: SocketRow, old: str, new: str) -> State:
    return State(
        t_ns=snapshot.end_ns,
        host=snapshot.host,
        local=row.local,
        remote=row.remote,
        old=old,
        new=new,
        source="sock_diag",
        frame=snapshot.frame,
        inode=row.inode,
        cookie=row.cookie,
    )
