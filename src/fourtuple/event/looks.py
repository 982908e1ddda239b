"""Looks at socket tables, written as what changed from one to the next.

A `Snapshot` is a host's whole table, and most of it is what it was at the look before: written out
each time, some hundred connections fill gigabytes. A `Look` is a snapshot that names the rows which
it kept and has only the others in full. Rules: the looks of one host and series follow each other
by number, and each is understood only after the one before it; now and then one is whole, so that
what is lost costs no more than the looks up to the next whole one. Reading them back shares every
row that was kept, and tells what changed without comparing whole tables (`changes`). No numpy: each
program of the lab writes looks. What is read may be hostile.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from itertools import count as numbers
from operator import is_not

import msgspec

from fourtuple.event.model import Call, Endpoint, Note, Snapshot, SocketRow, State, Told

__all__ = [
    "Changed",
    "Look",
    "LookReader",
    "LookWriter",
    "Written",
    "changes",
    "decode_written",
    "encode_written",
]

#: (first, count, rows): so many rows of the look before, from the first on, then these rows
Part = tuple[int, int, tuple[SocketRow, ...]]
Rows = tuple[SocketRow, ...]

#: a look is whole where the rows written since the last whole one outnumber the table so often
_RENEWAL = 2
_FEW_ROWS = 64
#: no honest recording holds more rows in all its tables; each takes 8 bytes when it is read
_MOST_ROWS = 50_000_000


class Look(msgspec.Struct, frozen=True, tag="look", kw_only=True, omit_defaults=True):
    """A Snapshot by its difference from the look before it: `number` - 1 of that host and series,
    or none where it is `whole`."""

    t_ns: int
    end_ns: int
    host: str
    cause: str
    number: int
    parts: tuple[Part, ...]
    frame: int = 0
    settled: bool = True
    series: int = 0
    whole: bool = False
    about: tuple[Endpoint, Endpoint] | None = None


class _Chain(msgspec.Struct):
    """What the next look of a host follows. The writer's: `given` are the rows as they were given,
    `known` all rows so far, of equal ones the object that stands for them."""

    number: int = -1
    rows: Rows = ()
    written: int = 0
    given: Rows = ()
    known: dict[SocketRow, SocketRow] = msgspec.field(default_factory=dict)


class LookWriter:
    """Snapshots -> looks. Rows count as kept where they are equal to rows before."""

    def __init__(self, series: int = 0) -> None:
        self._series = series
        self._chains: dict[str, _Chain] = {}

    def look(self, snapshot: Snapshot) -> Look:
        """The snapshot as a look that follows those of the same host before it."""
        chain = self._chains.setdefault(snapshot.host, _Chain())
        rows = _unified(chain, snapshot.sockets)
        whole = chain.number < 0 or chain.written > _RENEWAL * len(rows) + _FEW_ROWS
        parts = _parts((), rows) if whole else _parts(chain.rows, rows)
        chain.number += 1
        chain.rows, chain.given = rows, snapshot.sockets
        chain.written = 0 if whole else chain.written + sum(len(part[2]) for part in parts)
        return Look(
            t_ns=snapshot.t_ns,
            end_ns=snapshot.end_ns,
            host=snapshot.host,
            cause=snapshot.cause,
            frame=snapshot.frame,
            settled=snapshot.settled,
            about=snapshot.about,
            series=self._series,
            number=chain.number,
            whole=whole,
            parts=parts,
        )


def _unified(chain: _Chain, given: Rows) -> Rows:
    """The rows, equal ones as one object: what is written depends on values alone."""
    head, tail = _ends_in_common(chain.given, given)
    if head == len(given) == len(chain.given):
        return chain.rows
    middle = [chain.known.setdefault(row, row) for row in given[head : len(given) - tail]]
    return (*chain.rows[:head], *middle, *chain.rows[len(chain.rows) - tail :])


def _parts(before: Rows, now: Rows) -> tuple[Part, ...]:
    head, tail = _ends_in_common(before, now)
    places = {id(row): place for place, row in enumerate(before[head : len(before) - tail], head)}
    parts: list[Part] = []
    first, count = 0, head
    new: list[SocketRow] = []
    for row in now[head : len(now) - tail]:
        place = places.pop(id(row), None)
        if place is None:
            new.append(row)
        elif place == first + count and not new:
            count += 1
        else:
            parts.append((first, count, tuple(new)))
            first, count, new = place, 1, []
    if tail and first + count == len(before) - tail and not new:
        count, tail = count + tail, 0
    parts += [(first, count, tuple(new)), (len(before) - tail, tail, ())]
    return tuple(part for part in parts if part[1] or part[2])


def _ends_in_common(before: Rows, now: Rows) -> tuple[int, int]:
    """How many rows at the beginning, and at the end, are the same objects."""
    head = _same(before, now)
    shorter = min(len(before), len(now))
    return head, min(_same(before[::-1], now[::-1]), shorter - head)


def _same(before: Rows, now: Rows) -> int:
    """How many rows at the beginning are the same objects."""
    differs = compress(numbers(), map(is_not, before, now))
    return next(differs, min(len(before), len(now)))


class LookReader:
    """Looks -> snapshots that share their rows."""

    def __init__(self) -> None:
        self._chains: dict[tuple[str, int], _Chain] = {}
        self._rows: dict[SocketRow, SocketRow] = {}
        self._room = _MOST_ROWS

    def snapshot(self, look: Look) -> Snapshot | None:
        """The snapshot that was written; None where what it follows is lost, or where it is none
        that a LookWriter writes."""
        place = (look.host, look.series)
        chain = self._chains.pop(place, _Chain(look.number))
        before = () if look.whole else chain.rows
        if not look.whole and chain.number + 1 != look.number:
            return None
        rows = self._table(before, look.parts)
        if rows is None:
            return None
        self._chains[place] = _Chain(look.number, rows)
        return Snapshot(
            t_ns=look.t_ns,
            end_ns=look.end_ns,
            host=look.host,
            cause=look.cause,
            frame=look.frame,
            sockets=rows,
            settled=look.settled,
            about=look.about,
        )

    def _table(self, before: Rows, parts: Sequence[Part]) -> Rows | None:
        if parts == ((0, len(before), ()),):
            return before
        kept = sum(count for _, count, _ in parts)
        if kept > len(before) or any(first < 0 or count < 0 for first, count, _ in parts):
            return None
        rows: list[SocketRow] = []
        for first, count, new in parts:
            rows += before[first : first + count]
            rows += (self._rows.setdefault(row, row) for row in new)
        self._room -= len(rows)
        return tuple(rows) if self._room >= 0 else None


#: what a recording holds of events; a snapshot may be written as a look, or whole
Written = Call | State | Snapshot | Look | Told | Note

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Written] = msgspec.msgpack.Decoder(Written)


def encode_written(event: Written) -> bytes:
    """An event or a look as MessagePack."""
    return _encoder.encode(event)


def decode_written(data: bytes) -> Written:
    """What `encode_written` wrote; msgspec.DecodeError for anything else."""
    return _decoder.decode(data)


class Changed(msgspec.Struct, frozen=True):
    """A snapshot, and how it differs from the one before it of that host: rows that it does not
    have any more, as they were, and those that it has and the other had not, or not so."""

    snapshot: Snapshot
    gone: Rows = msgspec.field(default=())
    new: Rows = msgspec.field(default=())


def changes(snapshots: Iterable[Snapshot]) -> Iterator[Changed]:
    """Each snapshot with its difference from the one before it of the same host."""
    tables: dict[str, Rows] = {}
    for snapshot in snapshots:
        before, now = tables.get(snapshot.host, ()), snapshot.sockets
        tables[snapshot.host] = now
        yield Changed(snapshot, *_difference(before, now))


def _difference(before: Rows, now: Rows) -> tuple[Rows, Rows]:
    if before is now:
        return (), ()
    head, tail = _ends_in_common(before, now)
    old_rest, new_rest = before[head : len(before) - tail], now[head : len(now) - tail]
    kept_ids = {id(row) for row in old_rest}.intersection(map(id, new_rest))
    gone = {row: None for row in old_rest if id(row) not in kept_ids}
    new_rows = [row for row in new_rest if id(row) not in kept_ids]
    # equal rows need not be the same objects, in a timeline that was not read from looks
    equal = gone.keys() & set(new_rows) if gone and new_rows else set()
    return (
        tuple(row for row in gone if row not in equal),
        tuple(row for row in new_rows if row not in equal),
    )
