"""Which connections are asked for: by their ends, by when they lived, by number.

The same question for connections as objects and as rows of a table. A connection is of a time
if it had begun by its end and had not ended by its beginning.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address

import numpy as np
import numpy.typing as npt

from fourtuple.analyze.model import Connection
from fourtuple.analyze.survey.table import ConnectionTable
from fourtuple.event.model import Endpoint

__all__ = ["Choice", "Network"]

Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Choice:
    """A connection is chosen if it fits every part that is given.

    networks   one of its ends is in one of them
    ports      one of its ends has one of them
    since_ns, until_ns
               nanoseconds since 1970; both included
    indices    its index is one of them
    """

    networks: tuple[Network, ...] = ()
    ports: tuple[int, ...] = ()
    since_ns: int | None = None
    until_ns: int | None = None
    indices: Collection[int] | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Choice()

    @property
    def names_connections(self) -> bool:
        """Whether it asks for connections, so that a frame of none is left out."""
        return bool(self.networks or self.ports or self.indices is not None)

    def covers(self, t_ns: int) -> bool:
        """Whether a moment, nanoseconds since 1970, is in the time asked for."""
        return self._lived(t_ns, t_ns)

    def takes(self, connection: Connection, epoch_ns: int = 0) -> bool:
        """Whether a connection of a timeline is chosen; `epoch_ns` is the timeline's."""
        ends = connection.client, connection.server
        lived = connection.start_ns + epoch_ns, connection.end_ns + epoch_ns
        numbered = self.indices is None or connection.index in self.indices
        return numbered and self._lived(*lived) and self._between(*ends)

    def rows(self, table: ConnectionTable) -> npt.NDArray[np.bool_]:
        """Which rows of a table are chosen: bool[n]."""
        found = np.ones(len(table), np.bool_)
        if self.since_ns is not None:
            found &= table["end_ns"] >= self.since_ns
        if self.until_ns is not None:
            found &= table["start_ns"] <= self.until_ns
        if self.indices is not None:
            found &= np.isin(table["index"], np.array([*self.indices], np.int64))
        if self.networks or self.ports:
            ends = zip(table.clients, table.servers, strict=True)
            found &= np.array([self._between(*pair) for pair in ends], np.bool_)
        return found

    def _lived(self, start_ns: int, end_ns: int) -> bool:
        late = self.since_ns is None or end_ns >= self.since_ns
        return late and (self.until_ns is None or start_ns <= self.until_ns)

    def _between(self, client: Endpoint, server: Endpoint) -> bool:
        if self.ports and client.port not in self.ports and server.port not in self.ports:
            return False
        if not self.networks:
            return True
        return any(_within(end.address, self.networks) for end in (client, server))


@lru_cache(maxsize=1 << 16)
def _within(address: str, networks: tuple[Network, ...]) -> bool:
    one = ip_address(address)
    return any(one in network for network in networks)
