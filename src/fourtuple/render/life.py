"""When a connection lived: what tells its events from those of an earlier one with its addresses.

Two connections may use the same four-tuple one after the other; a call or a state names only
addresses, so time decides.
"""

import sys
from collections.abc import Sequence

import msgspec

from fourtuple.analyze.model import Connection

__all__ = ["Life", "life_of"]


class Life(msgspec.Struct, frozen=True):
    """A connection from `since_ns` until the next one with the same addresses begins.

    It begins with its first frame; but where no other used its addresses before, all that happened
    earlier is of this life too: a socket is SYN_SENT while its host still asks for its neighbour.
    """

    connection: Connection
    since_ns: int
    until_ns: int
    others_frames: frozenset[int] = frozenset()

    def saw(self, t_ns: int, frame: int) -> bool:
        """Whether what was seen at `t_ns`, after a frame (0: after a call), is of this life: the
        frame of an earlier one may come while this one has begun."""
        if frame in self.others_frames:
            return False
        return frame in self.connection.frames or self.spans(t_ns, t_ns)

    def spans(self, begin_ns: int, end_ns: int | None) -> bool:
        """Whether something from `begin_ns` to `end_ns` (None: for ever) falls into this life."""
        ended = sys.maxsize if end_ns is None else end_ns
        return ended >= self.since_ns and begin_ns < self.until_ns


def life_of(connection: Connection, connections: Sequence[Connection]) -> Life:
    """The life of one of the `connections`."""
    ends = {connection.client, connection.server}
    others = [other for other in connections if {other.client, other.server} == ends]
    later = [other.start_ns for other in others if other.index > connection.index]
    earlier = any(other.index < connection.index for other in others)
    since_ns = connection.start_ns if earlier else -sys.maxsize
    frames = (frame for other in others if other is not connection for frame in other.frames)
    return Life(connection, since_ns, min(later, default=sys.maxsize), frozenset(frames))
