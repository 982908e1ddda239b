"""A UDP conversation: all datagrams between two endpoints. UDP has no client but by what we see.

Rules: who sent the first datagram is the client, unless the ports say that it was an answer
(analyze.facts.likely_client). A datagram cut into fragments counts once, by its first fragment.
"""

import msgspec

from fourtuple.analyze.batch import Raw
from fourtuple.analyze.facts import likely_client
from fourtuple.analyze.model import Connection
from fourtuple.event.model import Endpoint

__all__ = ["Talk"]


class Talk(msgspec.Struct):
    """A conversation in the making. `ends` as in `Life`."""

    ends: tuple[Endpoint, Endpoint]
    raws: list[Raw] = msgspec.field(default_factory=list)
    latest_ns: int = -(1 << 63)

    def step(self, raw: Raw) -> None:
        """A datagram entered the wire."""
        self.latest_ns = max(self.latest_ns, raw.t_ns)
        self.raws.append(raw)

    def finish(self) -> None:
        """No more datagrams come."""

    def connection(self, index: int) -> Connection:
        """The conversation's facts."""
        first = 0 if self.raws[0].forward else 1
        asked = likely_client(self.ends[first], self.ends[1 - first])
        client = first if asked else 1 - first
        sent = [[r for r in self.raws if r.forward == (side == 0)] for side in (client, 1 - client)]
        return Connection(
            index=index,
            protocol="udp",
            family=self.raws[0].key[1],
            client=self.ends[client],
            server=self.ends[1 - client],
            client_known=asked,
            start_ns=min(r.t_ns for r in self.raws),
            end_ns=max(r.t_ns for r in self.raws),
            frames=tuple(r.number for r in self.raws),
            packets=(len(sent[0]), len(sent[1])),
            payload_bytes=(sum(r.length for r in sent[0]), sum(r.length for r in sent[1])),
        )
