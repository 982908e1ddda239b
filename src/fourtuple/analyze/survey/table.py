"""Connections as columns: what the survey of a capture leaves, a row a connection.

The columns are those of `FACTS`: one property of the output contract each, int64, contiguous, so
that Arrow and numpy take them as they are. Of pairs the client's column comes first. Times are
nanoseconds; -1 stands for what is not known (`client_initial_seq`, `client_mss`,
`client_window_scale`) and for nobody (`first_closer`: 0 the client, 1 the server). `handshake` and
`close` are places in HANDSHAKES and CLOSES. Addresses are two halves, as in wire.columns. Those
that speak for themselves not at all:

protocol            6 or 17, as in IP
client_rtt_*        of what the client sent, until it was acknowledged; one segment timed at a time
client_flight_bytes the most that it had sent and not seen acknowledged
client_sent_again   its retransmissions that were not needless; `client_needless` those that were
client_by_acks, client_by_timer, client_reordered, client_captured_twice, client_had_arrived,
client_dsack        how many of its segments have that note (analyze.truth)
syn_frame, syn_ack_frame, client_fin_frame
                    the first of their kind; 0 for none
file                which of several files the first frame is in
time_wait           bit 0: the client has been in TIME_WAIT, bit 1: the server
agreed_ns, refused_ns, dropped_ns, silent
                    of the server (analyze.services); NEVER for no time
flags               bits S_* of analyze.survey._layout; `initial_states` and `client_side` serve
                    analyze.survey alone
client_open_bytes   what it had sent, and not seen acknowledged at the end
client_largest_bytes
                    the most payload in one segment; early_bytes: in a SYN
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from fourtuple.analyze.survey import _layout as at
from fourtuple.analyze.survey._layout import CLOSES, FACTS, HANDSHAKES
from fourtuple.event.model import Endpoint
from fourtuple.wire import _row as wire
from fourtuple.wire.address import ip_text

__all__ = [
    "CLOSES",
    "FACTS",
    "HANDSHAKES",
    "ConnectionTable",
    "Evidence",
    "among",
    "end_marks",
    "marks",
    "quoted",
    "tuple_marks",
]

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Marks = npt.NDArray[np.uint64]

_PLACES = {name: place for place, name in enumerate(FACTS)}
_ODD = np.uint64(0x9E3779B97F4A7C15)
_END = ("high", "low", "port")


class Evidence(msgspec.Struct, frozen=True):
    """The first frames of each kind of event of each connection: `keys` ascending, (connection's
    index << 5 | kind), and the frame numbers that go with them."""

    keys: Int64s
    frames: Int64s

    def of(self, first: int, last: int) -> dict[int, list[int]]:
        """Frame numbers by key, of the connections from `first` up to, not including, `last`."""
        limits = np.array([first, last]) << at.KIND_BITS
        begin, end = np.searchsorted(self.keys, limits).tolist()
        found: dict[int, list[int]] = {}
        keys, frames = self.keys[begin:end].tolist(), self.frames[begin:end].tolist()
        for key, frame in zip(keys, frames, strict=True):
            found.setdefault(key, []).append(frame)
        return found


@dataclass(frozen=True)
class ConnectionTable:
    """Facts of consecutive connections: int64[FACT, n], a row of it one column of the table."""

    facts: Int64s

    def __len__(self) -> int:
        return int(self.facts.shape[1])

    def __getitem__(self, name: str) -> Int64s:
        """A column, by its name in FACTS."""
        column: Int64s = self.facts[_PLACES[name]]
        return column

    @property
    def columns(self) -> Mapping[str, Int64s]:
        """All of them by name; nothing is copied."""
        return {name: self.facts[place] for name, place in _PLACES.items()}

    def flagged(self, bits: int) -> Bools:
        """Which connections have one of these bits in `flags`."""
        found: Bools = (self["flags"] & bits) != 0
        return found

    def only(self, chosen: Bools) -> "ConnectionTable":
        """Some of the connections."""
        return ConnectionTable(np.ascontiguousarray(self.facts[:, chosen]))

    def quotable(self) -> Marks:
        """A number for each four-tuple as an ICMP error quotes it: whatever tunnel it was in."""
        ends = [[self[f"{role}_{part}"] for part in _END] for role in ("client", "server")]
        return marks(ends[0], ends[1], self["protocol"])

    @cached_property
    def clients(self) -> list[Endpoint]:
        """All of them; `client` makes one."""
        return [*map(Endpoint, self._addresses("client"), self["client_port"].tolist())]

    @cached_property
    def servers(self) -> list[Endpoint]:
        """All of them; `server` makes one."""
        return [*map(Endpoint, self._addresses("server"), self["server_port"].tolist())]

    def client(self, row: int) -> Endpoint:
        return self._endpoint("client", row)

    def server(self, row: int) -> Endpoint:
        return self._endpoint("server", row)

    def _endpoint(self, role: str, row: int) -> Endpoint:
        names = ("family", f"{role}_high", f"{role}_low", f"{role}_port")
        *address, port = (int(self[name][row]) for name in names)
        return Endpoint(_text(*address), port)

    def _addresses(self, role: str) -> Iterator[str]:
        """As text; few of them are different ones."""
        known: dict[tuple[int, ...], str] = {}
        names = ("family", f"{role}_high", f"{role}_low")
        for key in zip(*(self[name].tolist() for name in names), strict=True):
            text = known.get(key)
            yield text if text is not None else known.setdefault(key, _text(*key))


def _text(family: int, high: int, low: int) -> str:
    halves = (half.to_bytes(8, "big", signed=True) for half in (high, low))
    return ip_text(b"".join(halves)[12 if family == 4 else 0 :])


def tuple_marks(table: ConnectionTable) -> Marks:
    """A number for each four-tuple (of a protocol, in a tunnel), the same for all its lives."""
    ends = [[table[f"{role}_{part}"] for part in _END] for role in ("client", "server")]
    return marks(ends[0], ends[1], table["protocol"], table["family"], table["tunnel"])


def end_marks(table: ConnectionTable, role: str) -> Marks:
    """A number for each endpoint of the clients or the servers."""
    return _mixed([table["family"], *(table[f"{role}_{part}"] for part in _END)])


def marks(one: Sequence[Int64s], other: Sequence[Int64s], *rest: Int64s) -> Marks:
    """A number for each four-tuple, whichever end comes first. `one` and `other` are the high and
    low half of an address and the port, `rest` what else tells four-tuples apart."""
    mark = _mixed(one) + _mixed(other)
    return _mixed((mark.view(np.int64), *rest))


def among(values: npt.NDArray[Any], some: npt.NDArray[Any]) -> Bools:
    """Which values are among some: by search, where np.isin would sort them all."""
    if not len(some):
        return np.zeros(len(values), np.bool_)
    ordered = np.sort(some)
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    found: Bools = ordered[place] == values
    return found


def quoted(table: Int64s) -> tuple[Int64s, Marks]:
    """The rows of decoded frames (`wire._row`) that are ICMP errors, and the marks of what they
    quote: `ConnectionTable.quotable`."""
    kind = table[:, wire.KIND]
    rows = np.flatnonzero((kind == wire.ICMP) | (kind == wire.ICMP6))
    rows = rows[table[rows, wire.QUOTED_PROTOCOL] > 0]
    source = (wire.QUOTED_SOURCE_HIGH, wire.QUOTED_SOURCE_LOW, wire.QUOTED_SOURCE_PORT)
    destination = (
        wire.QUOTED_DESTINATION_HIGH,
        wire.QUOTED_DESTINATION_LOW,
        wire.QUOTED_DESTINATION_PORT,
    )
    one, other = ([table[rows, column] for column in end] for end in (source, destination))
    return rows, marks(one, other, table[rows, wire.QUOTED_PROTOCOL])


def _mixed(columns: Sequence[Int64s]) -> Marks:
    mark = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        mark = (mark ^ column.astype(np.uint64)) * _ODD
        mark ^= mark >> np.uint64(29)
    return mark
