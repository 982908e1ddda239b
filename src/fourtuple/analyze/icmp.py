"""ICMP errors: what a router or a host says of a packet that it could not pass on or deliver.

An error quotes the beginning of that packet, ports included (RFC 792; RFC 4443, section 3): so it
is told which connection, and which of its ends, it is meant for.
"""

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from fourtuple.analyze.hosts import plain
from fourtuple.analyze.model import Connection
from fourtuple.event.model import Endpoint
from fourtuple.event.timeline import Timeline
from fourtuple.wire.columns import ICMP, ICMP6

if TYPE_CHECKING:
    from fourtuple.wire import Packet

__all__ = ["IcmpError", "icmp_errors"]

_TOO_BIG = frozenset((("ICMP", 3, 4), ("ICMPv6", 2, 0)))


class IcmpError(msgspec.Struct, frozen=True):
    """One message: `protocol` is ICMP or ICMPv6; `to_client` tells which end sent what it is
    about."""

    frame: int
    left_ns: int
    protocol: str
    type: int
    code: int
    to_client: bool

    @property
    def too_big(self) -> bool:
        """Whether it says that the packet was larger than a link takes (RFC 1191, RFC 8201)."""
        return (self.protocol, self.type, self.code) in _TOO_BIG


def icmp_errors(timeline: Timeline, connection: Connection) -> list[IcmpError]:
    """The errors about a connection's packets, seen where the connection was."""
    frames = timeline.frames
    point = frames.vantage[frames.row(connection.frames[0])]
    ends = (plain(connection.client), plain(connection.server))
    found = []
    for row, quoted in _errors(timeline):
        if frames.vantage[row] != point or quoted not in (ends, ends[::-1]):
            continue
        number = frames.number(row)
        message = timeline.packet(number).icmp
        assert message is not None
        left_ns, to_client = int(frames.left_ns[row]), quoted == ends
        error = IcmpError(number, left_ns, message.name, message.type, message.code, to_client)
        found.append(error)
    return found


def _errors(timeline: Timeline) -> list[tuple[int, tuple[Endpoint, Endpoint]]]:
    """The row of each error, and the ends of what it quotes; worked out once a timeline."""
    if "icmp errors" not in timeline.memo:
        rows = np.flatnonzero(np.isin(timeline.columns.kind, (ICMP, ICMP6))).tolist()
        quotes = [(row, _quoted(timeline.packet(timeline.frames.number(row)))) for row in rows]
        timeline.memo["icmp errors"] = [(row, ends) for row, ends in quotes if ends]
    found: list[tuple[int, tuple[Endpoint, Endpoint]]] = timeline.memo["icmp errors"]
    return found


def _quoted(packet: "Packet") -> tuple[Endpoint, Endpoint] | None:
    """Who sent the packet that an error is about, and to whom."""
    quoted = packet.quoted
    ports = quoted and (quoted.tcp or quoted.udp)
    if not quoted or not quoted.ip or not ports:
        return None
    return (
        Endpoint(quoted.ip.source, ports.source_port),
        Endpoint(quoted.ip.destination, ports.destination_port),
    )
