"""What many connections add up to: how they began and ended, what is wrong, who talks most.

Sums come from the columns of a survey, or from connections as objects; no segment is looked at.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt

from fourtuple.analyze.model import Connection
from fourtuple.analyze.survey.table import CLOSES, HANDSHAKES, ConnectionTable, end_marks
from fourtuple.event.model import Endpoint
from fourtuple.explain.model import Finding

if TYPE_CHECKING:
    from fourtuple.explain.overview import Overview

__all__ = ["Sums", "Talker"]

_RESET = 32
_TALKERS = 3


class Talker(msgspec.Struct, frozen=True):
    """A connection that moved much: its payload in bytes, both ways."""

    octets: int
    index: int
    client: Endpoint
    server: Endpoint


class Sums(msgspec.Struct):
    """How many connections have each property; `closer` of them only a second pass decides."""

    count: int = 0
    handshakes: Counter[str] = msgspec.field(default_factory=Counter)
    closes: Counter[str] = msgspec.field(default_factory=Counter)
    rules: Counter[str] = msgspec.field(default_factory=Counter)
    servers: Counter[Endpoint] = msgspec.field(default_factory=Counter)
    resets: Counter[Endpoint] = msgspec.field(default_factory=Counter)
    octets: Counter[Endpoint] = msgspec.field(default_factory=Counter)
    talkers: list[Talker] = msgspec.field(default_factory=list)
    udp: int = 0
    closer: int = 0
    start_ns: int = 1 << 62
    end_ns: int = -(1 << 62)

    @classmethod
    def surveyed(cls, overview: "Overview") -> "Sums":
        """Of the connections of an overview that are asked for."""
        sums = cls()
        for table in overview.wanted():
            if len(table):
                sums._add(table, overview)
        return sums

    @classmethod
    def of(cls, connections: Iterable[Connection], findings: Sequence[Finding]) -> "Sums":
        """Of connections that are known in full."""
        sums = cls()
        for one in connections:
            sums._add_one(one)
        sums.rules.update(code for code, _ in {(f.code, f.connection) for f in findings})
        return sums

    @property
    def lasted_ns(self) -> int:
        """From the beginning of the first to the end of the last."""
        return max(0, self.end_ns - self.start_ns)

    def _add(self, table: ConnectionTable, overview: "Overview") -> None:
        from fourtuple.explain.columns import spotted, undecided

        tcp = table["protocol"] == 6
        self.count += len(table)
        self.udp += int((~tcp).sum())
        for words, column, sums in (
            (HANDSHAKES, "handshake", self.handshakes),
            (CLOSES, "close", self.closes),
        ):
            for code, count in enumerate(np.bincount(table[column][tcp]).tolist()):
                sums[words[code]] += count
        for one in spotted(table, overview.found.evidence, overview.found.quoted):
            self.rules[one.rule.code] += len(one.rows)
        self.closer += int(undecided(table, overview.found.quoted).sum())
        self._add_ends(table)
        self._lived(int(table["start_ns"].min()), int(table["end_ns"].max()))

    def _add_ends(self, table: ConnectionTable) -> None:
        octets = table["client_payload_bytes"] + table["server_payload_bytes"]
        _, firsts, members = np.unique(
            end_marks(table, "server"), return_index=True, return_inverse=True
        )
        reset = (table["completeness"] & _RESET) > 0
        columns = (
            np.bincount(members),
            np.bincount(members, weights=reset),
            np.bincount(members, weights=octets),
        )
        for row, count, resets, size in zip(firsts.tolist(), *map(_ints, columns), strict=True):
            server = table.server(row)
            self.servers[server] += count
            self.resets[server] += resets
            self.octets[server] += size
        for row in np.argsort(-octets, kind="stable")[:_TALKERS].tolist():
            ends = table.client(row), table.server(row)
            self._talked(Talker(int(octets[row]), int(table["index"][row]), *ends))

    def _add_one(self, one: Connection) -> None:
        self.count += 1
        if one.protocol == "tcp":
            self.handshakes[one.handshake] += 1
            self.closes[one.close] += 1
        else:
            self.udp += 1
        self.servers[one.server] += 1
        self.resets[one.server] += bool(one.completeness & _RESET)
        self.octets[one.server] += sum(one.payload_bytes)
        self._lived(one.start_ns, one.end_ns)
        self._talked(Talker(sum(one.payload_bytes), one.index, one.client, one.server))

    def _lived(self, start_ns: int, end_ns: int) -> None:
        self.start_ns, self.end_ns = min(self.start_ns, start_ns), max(self.end_ns, end_ns)

    def _talked(self, talker: Talker) -> None:
        self.talkers.append(talker)
        self.talkers.sort(key=lambda one: (-one.octets, one.index))
        del self.talkers[_TALKERS:]


def _ints(column: npt.NDArray[np.generic]) -> list[int]:
    found: list[int] = column.astype(np.int64).tolist()
    return found
