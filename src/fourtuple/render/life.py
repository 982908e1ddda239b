"""When a connection lived: what tells its events from those of an earlier one with its addresses.

Two connections may use the same four-tuple one after the other; a call or a state names only
addresses, so time decides.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from fourtuple.analyze.model import Connection

__all__ = ["Life", "life_of"]


@dataclass(frozen=True, slots=True)
class Life:
    """A connection from its first frame until the next one with the same addresses begins."""

    connection: Connection
    until_ns: int

    def spans(self, begin_ns: int, end_ns: int | None) -> bool:
        """Whether something from `begin_ns` to `end_ns` (None: for ever) falls into this life."""
        ended = sys.maxsize if end_ns is None else end_ns
        return ended >= self.connection.start_ns and begin_ns < self.until_ns


def life_of(connection: Connection, connections: Sequence[Connection]) -> Life:
    """The life of one of the `connections`."""
    ends = {connection.client, connection.server}
    later = [
        other.start_ns
        for other in connections
        if other.index > connection.index and {other.client, other.server} == ends
    ]
    return Life(connection, min(later, default=sys.maxsize))
