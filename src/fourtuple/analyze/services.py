"""What the connections to one server port tell of each other: when it agreed, refused, broke off.

An RST of a server often looks the same whether its listener was closed or lives on; what the port
did to others shortly before and after tells. Rules: facts of frames only, one row a connection, so
that it can be made without the segments.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt

from fourtuple.analyze.model import Connection
from fourtuple.analyze.survey._layout import NEVER
from fourtuple.analyze.survey.table import ConnectionTable, among, end_marks
from fourtuple.event.model import Endpoint
from fourtuple.wire import ACK, RST, SYN

__all__ = ["Service", "Services", "services_of", "services_of_tables"]

Int64s = npt.NDArray[np.int64]

#: the bit of `Connection.completeness` that says that there was an RST
_RESET = 32


class Service(msgspec.Struct, frozen=True):
    """One server endpoint. Times in ns, in order.

    agreed    the first SYN+ACK of each connection
    refused   the first refusal of each that was refused
    dropped   the RST with ACK by which it ended a connection on which it had never said anything
    silent    the first SYN+ACK of each connection that it never said anything on, nor reset
    """

    agreed: tuple[int, ...] = ()
    refused: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()
    silent: tuple[int, ...] = ()

    def agreed_after(self, t_ns: int) -> bool:
        """Whether it took another connection later."""
        return bool(self.agreed) and self.agreed[-1] > t_ns

    def refused_after(self, t_ns: int) -> bool:
        """Whether it refused one later, and took none."""
        return bool(self.refused) and self.refused[-1] > t_ns and not self.agreed_after(t_ns)

    def holds(self, t_ns: int) -> bool:
        """Whether it kept a connection then that may have waited in its accept queue."""
        return bool(self.silent) and self.silent[0] < t_ns

    def dropped_near(self, t_ns: int, within_ns: int) -> int:
        """How many silent connections it dropped at about that time."""
        first = bisect_left(self.dropped, t_ns - within_ns)
        return bisect_right(self.dropped, t_ns + within_ns) - first


Services = Mapping[Endpoint, Service]


def services_of(connections: Iterable[Connection]) -> Services:
    """What the connections tell of the servers' ports, as far as a reset came up there."""
    found = [one for one in connections if one.protocol == "tcp"]
    of_interest = {one.server for one in found if one.completeness & _RESET}
    rows: dict[Endpoint, tuple[list[int], ...]] = {}
    for connection in found:
        if connection.server in of_interest:
            times = rows.setdefault(connection.server, ([], [], [], []))
            for kept, t_ns in zip(times, _times(connection), strict=True):
                kept += [t_ns] if t_ns is not None else []
    return {
        server: Service(*(tuple(sorted(times)) for times in kept)) for server, kept in rows.items()
    }


def _times(connection: Connection) -> tuple[int | None, ...]:
    """When the server agreed, refused, dropped the connection without a word, or agreed to it and
    said nothing ever after."""
    agreed = refused = dropped = None
    spoke = reset = False
    for segment in connection.segments:
        if segment.from_client:
            continue
        if segment.flags & (SYN | ACK) == SYN | ACK and agreed is None:
            agreed = segment.t_ns
        if segment.flags & RST:
            reset = True
        if segment.flags & (RST | ACK) == RST | ACK:
            if agreed is None:
                refused = segment.t_ns if refused is None else refused
            elif not spoke and dropped is None:
                dropped = segment.t_ns
        spoke = spoke or segment.length > 0
    silent = None if spoke or reset or connection.handshake != "complete" else agreed
    return agreed, refused, dropped, silent


def services_of_tables(tables: Callable[[], Iterable[ConnectionTable]]) -> Services:
    """The same from columns; `tables` gives them anew with each call."""
    reset = [_marks(one)[one["completeness"] & _RESET > 0] for one in tables()]
    of_interest, _ = np.unique(np.concatenate([np.zeros(0, np.uint64), *reset]), return_index=True)
    servers: dict[int, Endpoint] = {}
    places, pieces = [np.zeros(0, np.int64)], [np.zeros((4, 0), np.int64)]
    for table in tables() if len(of_interest) else ():
        marks = _marks(table)
        mine = np.flatnonzero(among(marks, of_interest) & (table["protocol"] == 6))
        place = np.searchsorted(of_interest, marks[mine])
        first = np.unique(place, return_index=True)[1]
        for row in first.tolist():
            if int(place[row]) not in servers:
                servers[int(place[row])] = table.server(int(mine[row]))
        places.append(place)
        pieces.append(_columns(table)[:, mine])
    place = np.concatenate(places)
    order = np.argsort(place, kind="stable")
    times = np.concatenate(pieces, axis=1)[:, order]
    known = sorted(servers)
    limits = np.searchsorted(place[order], np.array([*known, len(of_interest)])).tolist()
    return {
        servers[number]: Service(*map(_known, times[:, begin:end]))
        for number, (begin, end) in zip(known, pairwise(limits), strict=True)
    }


def _columns(table: ConnectionTable) -> Int64s:
    """The four times of each connection; NEVER where there is none."""
    agreed = table["agreed_ns"]
    silent = np.where(table["silent"] > 0, agreed, NEVER)
    return np.stack((agreed, table["refused_ns"], table["dropped_ns"], silent))


def _known(times: Int64s) -> tuple[int, ...]:
    return tuple(np.sort(times[times != NEVER]).tolist())


def _marks(table: ConnectionTable) -> npt.NDArray[np.uint64]:
    """A number for each server's endpoint."""
    return end_marks(table, "server")
