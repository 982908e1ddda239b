"""Captures for Python programs: `fourtuple.read`.

    >>> import fourtuple
    >>> with fourtuple.read("page.pcap") as capture:
    ...     for connection in capture.connections:
    ...         print(connection.client, connection.close, connection.codes)

A capture may be larger than memory: connections are made when they are asked for, their segments
only when those are. What the file's damage was, if it has any, is `capture.damage`.
"""

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, overload

import msgspec

from fourtuple.analyze.choice import Choice
from fourtuple.analyze.model import Connection, SegmentFact
from fourtuple.errors import CaptureDamaged
from fourtuple.event.model import Endpoint
from fourtuple.event.timeline import Timeline
from fourtuple.explain.text import Translator
from fourtuple.reading.large import Large
from fourtuple.reading.opening import opened
from fourtuple.reading.whole import Whole
from fourtuple.source.blocks import Capture, Input

__all__ = ["ConnectionRead", "Connections", "Reading", "read"]

#: rows of a table in a notebook
_ROWS = 30
_COLUMNS = ("connection", "client", "server", "packets", "handshake", "close", "findings")


def read(files: Input | list[Input] | tuple[Input, ...], language: str = "en") -> "Reading":
    """Read a capture or a recording: a path, "-" or an open binary stream, or several of them,
    which are one capture in order of time. Sentences are in `language`, "en" or "zh".

    CaptureUnknown where a file is no capture, InputError where it cannot be read. A damaged one is
    read as far as it goes.
    """
    capture = Capture.of(files)
    try:
        return Reading(capture, opened(capture, Translator(language), capture.files))
    except BaseException:
        capture.close()
        raise


@dataclass
class Reading:
    """A capture that has been read; a context manager, which closes what was kept of pipes."""

    capture: Capture
    way: Whole | Large

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give up what was kept of pipes; nothing more can be asked of them."""
        self.capture.close()

    @property
    def files(self) -> tuple[str, ...]:
        """The files, in the order in which they were given."""
        return self.capture.files

    @property
    def frames(self) -> int:
        """How many frames the capture has."""
        return self.way.frames

    @property
    def damage(self) -> CaptureDamaged | None:
        """Why reading ended early; None where it did not."""
        return self.way.damage

    @property
    def connections(self) -> "Connections":
        """The TCP connections and UDP conversations, in order of their first frame."""
        return Connections(self.way)

    def to_arrow(self, table: str = "connections") -> Any:
        """A pyarrow.Table: "connections", "resets", "findings" or "packets", as `--parquet` writes
        them, or "facts", the columns of the survey (analyze.survey.table), which are not copied.

        KeyError for another name, CapabilityMissing without pyarrow.
        """
        from fourtuple.reading import tables

        if table == "facts":
            return tables.facts(self.way, self.capture)
        schema = tables.schema(table)
        batches = (
            tables.packet_batches(self.way)
            if table == "packets"
            else (found[table] for found in tables.record_batches(self.way))
        )
        return tables.arrow().Table.from_batches(batches, schema)

    def to_parquet(self, directory: str) -> Mapping[str, int]:
        """Write the four tables into a directory; how many rows each file has."""
        from fourtuple.reading.parquet import write_parquet

        return write_parquet(self.way, directory)

    def __repr__(self) -> str:
        names = ", ".join(self.files)
        damaged = ", damaged" if self.damage else ""
        return f"<Reading {names}: {len(self.way)} connections, {self.frames} frames{damaged}>"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>{self.connections._repr_html_()}"


class Connections(Sequence["ConnectionRead"]):
    """The connections of a capture. Each is made anew when it is asked for."""

    def __init__(self, way: Whole | Large) -> None:
        self._way = way

    def __len__(self) -> int:
        return len(self._way)

    def __iter__(self) -> Iterator["ConnectionRead"]:
        return (ConnectionRead(self._way, record) for record in _records(self._way, Choice()))

    @overload
    def __getitem__(self, index: int) -> "ConnectionRead": ...
    @overload
    def __getitem__(self, index: slice) -> "list[ConnectionRead]": ...
    def __getitem__(self, index: int | slice) -> "ConnectionRead | list[ConnectionRead]":
        wanted = range(len(self))[index]
        choice = Choice(indices=(wanted,) if isinstance(wanted, int) else wanted)
        found = {one["connection"]: one for one in _records(self._way, choice)}
        if isinstance(wanted, int):
            return ConnectionRead(self._way, found[wanted])
        return [ConnectionRead(self._way, found[one]) for one in wanted]

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
        rows = "".join(one._row() for one in self[:_ROWS])
        rest = f"<p>and {len(self) - _ROWS} more</p>" if len(self) > _ROWS else ""
        return f"<table><tr>{head}</tr>{rows}</table>{rest}"


def _records(way: Whole | Large, choice: Choice) -> Iterator[dict[str, Any]]:
    for text in way.choosing(choice).lines():
        yield from map(msgspec.json.decode, text.splitlines())


@dataclass(frozen=True)
class ConnectionRead:
    """A connection: `record` is its object of the output contract, as a dict."""

    _way: Whole | Large
    record: Mapping[str, Any]

    @property
    def index(self) -> int:
        """What `--connection` calls it."""
        return int(self.record["connection"])

    @property
    def protocol(self) -> str:
        """ "tcp" or "udp"."""
        return str(self.record["protocol"])

    @property
    def client(self) -> Endpoint:
        return Endpoint(**self.record["client"])

    @property
    def server(self) -> Endpoint:
        return Endpoint(**self.record["server"])

    @property
    def handshake(self) -> str:
        """As in the output contract; "" for UDP."""
        return str(self.record.get("handshake", ""))

    @property
    def close(self) -> str:
        """As in the output contract; "" for UDP."""
        return str(self.record.get("close", ""))

    @property
    def resets(self) -> list[Mapping[str, Any]]:
        """Each RST with its cause, as in the output contract."""
        return list(self.record.get("resets", ()))

    @property
    def findings(self) -> list[Mapping[str, Any]]:
        """What is said of it: code, severity, frames, text."""
        return list(self.record["findings"])

    @property
    def codes(self) -> list[str]:
        """The codes of the findings, each once."""
        return [*dict.fromkeys(finding["code"] for finding in self.findings)]

    @cached_property
    def _detail(self) -> tuple[Timeline, Connection, bool]:
        return self._way.detail(self.index)

    @property
    def facts(self) -> Connection:
        """All that is known of it. In a capture of many frames this reads the file once more."""
        return self._detail[1]

    @property
    def segments(self) -> tuple[SegmentFact, ...]:
        """Every segment; of a very long connection (some 20,000) the first and the last ones."""
        return self.facts.segments

    def explain(self, width: int = 100) -> str:
        """The ladder, the sentences and the findings, as `--connection` prints them."""
        from fourtuple.render.summary import report
        from fourtuple.render.terminal import Terminal

        timeline, connection, _ = self._detail
        every = len(self._way)
        told = [connection]
        terminal = Terminal(width)
        return report(timeline, self._way.translator, terminal, connections=told, every=every)

    def plot(self, path: str) -> None:
        """Draw it over time, as `--plot` does."""
        from fourtuple.reading.plots import write_plot

        write_plot(self._way, self.index, path)

    def __repr__(self) -> str:
        return f"<ConnectionRead {self.index}: {self.client} -> {self.server} {self.close}>"

    def _row(self) -> str:
        packets = self.record["packets"]
        cells = (
            self.index,
            self.client,
            self.server,
            f"{packets['client']} / {packets['server']}",
            self.handshake or self.protocol,
            self.close,
            ", ".join(self.codes),
        )
        return "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells) + "</tr>"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.explain())}</pre>"
