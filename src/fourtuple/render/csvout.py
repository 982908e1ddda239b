"""Connections or frames as CSV (RFC 4180), a header first: the contract's objects, flattened."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

from fourtuple.render.flat import COLUMNS, flat

__all__ = ["FRAME_COLUMNS", "connections_csv", "frames_csv", "rows_csv"]

_ROWS = 1000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

#: the contract's fields of a frame
FRAME_COLUMNS = (
    "frame",
    "t",
    "file",
    "file_frame",
    "connection",
    "from",
    "flags",
    "seq",
    "ack",
    "len",
    "raw_seq",
    "raw_ack",
    "window",
    "notes",
    "client_state",
    "server_state",
    "verdict",
)


def connections_csv(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A header and a row a connection, some hundred at a time. What is not known is empty, codes
    are parted by blanks."""
    return rows_csv(COLUMNS, map(flat, records))


def frames_csv(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The same of frames."""
    return rows_csv(FRAME_COLUMNS, records)


def rows_csv(columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A header and any rows that have these columns, some hundred at a time."""
    names = list(columns)
    cells = ([_cell(row.get(name)) for name in names] for row in rows)
    lines: Iterator[list[Any]] = chain([names], cells)
    while some := list(islice(lines, _ROWS)):
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows(some)
        yield text.getvalue()


def _cell(value: Any) -> object:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case list() | tuple():
            return " ".join(map(str, value))
        case str() if value.startswith(_FORMULA):
            # a spreadsheet would take a file's name for a formula
            return f"'{value}"
    return value
