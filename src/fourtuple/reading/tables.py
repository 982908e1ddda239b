"""Connections, resets, findings and packets as tables of Arrow.

The four are joined by `connection`. Columns are called as in the output contract (render.flat),
except `from`, a word that SQL has taken: it is `sender`. Rows come in batches, so memory does not
grow with their number. pyarrow is imported when the first table is made.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from fourtuple.analyze.survey._states import NAMES, NO_STATE
from fourtuple.analyze.survey.seen import FrameColumns, notes_of
from fourtuple.analyze.survey.table import FACTS
from fourtuple.explain.overview import Overview
from fourtuple.reading.extras import extra
from fourtuple.reading.large import Large
from fourtuple.reading.whole import Whole
from fourtuple.render.flat import COLUMNS, flat
from fourtuple.render.jsonout import flag_letters
from fourtuple.source.blocks import Capture, FrameBlock

__all__ = ["TABLES", "arrow", "facts", "packet_batches", "record_batches", "schema"]

Object = Mapping[str, Any]
Bools = npt.NDArray[np.bool_]
Int64s = npt.NDArray[np.int64]

_ONE = MappingProxyType({"connection": "int", "frame": "int"})

#: table -> column -> what it holds
TABLES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "connections": {**COLUMNS, "start": "time"},
        "resets": {
            **_ONE,
            "sender": "text",
            "cause": "text",
            "confidence": "text",
            "kernel_reason": "text",
        },
        "findings": {
            **_ONE,
            "code": "text",
            "severity": "text",
            "frames": "numbers",
            "text": "text",
        },
        "packets": {
            "frame": "int",
            "time": "time",
            "file": "text",
            "file_frame": "int",
            "connection": "int",
            "sender": "text",
            "flags": "text",
            "seq": "int",
            "ack": "int",
            "len": "int",
            "raw_seq": "int",
            "raw_ack": "int",
            "window": "int",
            "notes": "codes",
            "client_state": "text",
            "server_state": "text",
            "verdict": "text",
        },
    }
)
#: frames of a capture that is in memory, taken at a time
_ROWS = 8192
_CAPTURED = "captured"


def arrow() -> Any:
    """pyarrow; CapabilityMissing where it is not installed."""
    return extra("pyarrow", "parquet", "--parquet")


def schema(table: str) -> Any:
    """A table's pyarrow.Schema. Times are UTC, in nanoseconds."""
    pa = arrow()
    kinds = {
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "text": pa.string(),
        "time": pa.timestamp("ns", "UTC"),
        "codes": pa.list_(pa.string()),
        "numbers": pa.list_(pa.int64()),
    }
    return pa.schema([(name, kinds[kind]) for name, kind in TABLES[table].items()])


def record_batches(reading: Whole | Large) -> Iterator[Mapping[str, Any]]:
    """Connections asked for, their resets and findings: pyarrow.RecordBatches by table name."""
    for text in reading.lines():
        records = [msgspec.json.decode(line) for line in text.splitlines()]
        if records:
            yield {
                "connections": _batch("connections", map(_connection, records)),
                "resets": _batch("resets", _parts(records, "resets")),
                "findings": _batch("findings", _parts(records, "findings")),
            }


def facts(reading: Whole | Large, capture: Capture) -> Any:
    """The survey's columns (analyze.survey.table) as a pyarrow.Table, by chunks; none is copied."""
    overview = reading.overview if isinstance(reading, Large) else Overview.of(capture)
    columns: dict[str, list[Any]] = {name: [] for name in FACTS}
    for table in overview.wanted():
        for name, column in table.columns.items():
            columns[name].append(arrow().array(column))
    kind = arrow().int64()
    return arrow().table(
        {name: arrow().chunked_array(chunks, kind) for name, chunks in columns.items()}
    )


def _batch(table: str, rows: Iterable[Object]) -> Any:
    return arrow().RecordBatch.from_pylist(list(rows), schema(table))


def _connection(record: Object) -> Object:
    # JSON's times are fractions: what is finer than 100 ns they cannot tell
    return flat(record) | {"start": round(record["start"] * 10**7) * 100}


def _parts(records: Iterable[Object], name: str) -> Iterator[Object]:
    for record in records:
        for part in record.get(name) or ():
            first = {"frame": part["frames"][0]} if part.get("frames") else {}
            sender = {"sender": part["from"]} if "from" in part else {}
            yield {"connection": record["connection"], **first, **sender, **part}


def packet_batches(reading: Whole | Large) -> Iterator[Any]:
    """The packets of the connections asked for - of all, those of none too - as RecordBatches."""
    if isinstance(reading, Large):
        names = reading.overview.names
        for block, told, kept in reading.packets():
            if kept.any():
                yield _Packets(block, told, np.flatnonzero(kept), names).batch()
        return
    rows: list[Object] = []
    names = [str(name) for name in reading.timeline.meta.get("files", ())]
    alone = names[0] if names else str(reading.timeline.meta.get("file", ""))
    for t_ns, item in reading.packets():
        here = {"file": alone, "file_frame": item["frame"]} if "file" not in item else {}
        here |= {"time": t_ns, "sender": item["from"]}
        rows.append({"verdict": reading.verdict(item["frame"]), **item, **here})
        if len(rows) == _ROWS:
            yield _batch("packets", rows)
            rows = []
    if rows:
        yield _batch("packets", rows)


class _Packets:
    """Rows of a block of a surveyed capture, as a batch."""

    def __init__(
        self, block: FrameBlock, told: FrameColumns, rows: Int64s, names: list[str]
    ) -> None:
        self.pa, self.block, self.told, self.rows, self.names = arrow(), block, told, rows, names
        self.known = told.connection[rows] >= 0
        self.tcp = self.known & told.tcp[rows]

    def batch(self) -> Any:
        block, told, rows = self.block, self.told, self.rows
        number = block.first_number + rows
        place = number if block.place is None else block.place[rows]
        file = np.zeros(len(rows), np.int64) if block.file is None else block.file[rows]
        sender = np.where(told.from_client[rows], 0, 1)
        client, server = (
            np.where(self.known, states[rows], NO_STATE)
            for states in (told.client_state, told.server_state)
        )
        columns = {
            "frame": self.pa.array(number),
            "time": self.pa.array(block.t_ns[rows]),
            "file": self._words(file, self.names.__getitem__),
            "file_frame": self.pa.array(place),
            "connection": self._numbers(told.connection, self.known),
            "sender": self._words(np.where(self.known, sender, -1), _sender),
            "flags": self._words(np.where(self.tcp, told.flags[rows], 0), flag_letters),
            "seq": self._numbers(told.seq, self.tcp),
            "ack": self._numbers(told.ack, self.tcp & told.has_ack[rows]),
            "len": self._numbers(told.length, self.known),
            "raw_seq": self._numbers(told.raw_seq, self.tcp),
            "raw_ack": self._numbers(told.raw_ack, self.tcp),
            "window": self._numbers(told.window, self.tcp),
            "notes": self._words(np.where(self.tcp, told.words[rows], 0), notes_of),
            "client_state": self._words(client, NAMES.__getitem__),
            "server_state": self._words(server, NAMES.__getitem__),
            "verdict": self._words(np.zeros(len(rows), np.int64), lambda _: _CAPTURED),
        }
        made = schema("packets")
        arrays = [columns[name].cast(made.field(name).type) for name in TABLES["packets"]]
        return self.pa.RecordBatch.from_arrays(arrays, schema=made)

    def _numbers(self, column: Int64s, there: Bools) -> Any:
        return self.pa.array(column[self.rows], mask=~there)

    def _words(self, numbers: Int64s, text: Callable[[int], Any]) -> Any:
        """What the numbers stand for: few of them differ."""
        different, places = np.unique(numbers, return_inverse=True)
        words = [text(number) for number in different.tolist()]
        listed = self.pa.list_(self.pa.string())
        kind = listed if words and isinstance(words[0], tuple) else self.pa.string()
        return self.pa.array(words, kind).take(self.pa.array(places))


def _sender(number: int) -> str | None:
    return None if number < 0 else ("client", "server")[number]
