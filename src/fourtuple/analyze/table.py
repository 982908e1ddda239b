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
time_wait           bit 0: the client has been in TIME_WAIT, bit 1: the server
agreed_ns, refused_ns, dropped_ns, silent
                    of the server (analyze.services); NEVER for no time
flags               bits S_* of analyze._layout; `initial_states` and `client_side` serve
                    analyze.survey alone
early_bytes         what the largest SYN carried
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fourtuple.analyze import _layout as at
from fourtuple.analyze._layout import CLOSES, FACTS, HANDSHAKES
from fourtuple.event.model import Endpoint
from fourtuple.wire.address import ip_text

__all__ = ["CLOSES", "FACTS", "HANDSHAKES", "ConnectionTable", "Evidence", "tuple_marks"]

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_PLACES = {name: place for place, name in enumerate(FACTS)}
_EARLIER = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Evidence:
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

    @cached_property
    def clients(self) -> list[Endpoint]:
        return self._endpoints("client")

    @cached_property
    def servers(self) -> list[Endpoint]:
        return self._endpoints("server")

    def _endpoints(self, role: str) -> list[Endpoint]:
        names = ("family", f"{role}_high", f"{role}_low", f"{role}_port")
        known: dict[tuple[int, int, int], str] = {}
        found = []
        for family, high, low, port in zip(*(self[n].tolist() for n in names), strict=True):
            address = known.get((family, high, low))
            if address is None:
                halves = (half.to_bytes(8, "big", signed=True) for half in (high, low))
                address = ip_text(b"".join(halves)[12 if family == 4 else 0 :])
                known[family, high, low] = address
            found.append(Endpoint(address, port))
        return found


def tuple_marks(table: ConnectionTable) -> npt.NDArray[np.uint64]:
    """A number for each four-tuple (of a protocol, in a tunnel), the same for all its lives."""
    swapped = table["client_side"] == 1
    names = ("high", "low", "port")
    ends = [(table[f"client_{name}"], table[f"server_{name}"]) for name in names]
    sides = [np.where(swapped, b, a) for a, b in ends] + [np.where(swapped, a, b) for a, b in ends]
    mark = np.zeros(len(table), np.uint64)
    for column in (*sides, table["protocol"], table["family"], table["tunnel"]):
        mark = (mark ^ column.astype(np.uint64)) * _EARLIER
        mark ^= mark >> np.uint64(29)
    return mark
