"""What the wire knows of connections beyond the frame at hand."""

from fourtuple.event.model import Endpoint
from fourtuple.lab.wire.header_fields import Numbers
from fourtuple.lab.wire.matching import ends
from fourtuple.system.sock_diag import DiagSocket
from fourtuple.wire import SYN, Packet

__all__ = ["Connections", "state_of"]


def state_of(rows: list[DiagSocket], local: Endpoint, remote: Endpoint) -> str:
    """The state of the socket of a connection; that of a listener on its port where it has none."""
    for row in rows:
        if (_plain(row.local), _plain(row.remote)) == (local, remote):
            return row.state
    listening = any(row.state == "LISTEN" and row.local[1] == local.port for row in rows)
    return "LISTEN" if listening else "CLOSED"


def _plain(end: tuple[str, int]) -> Endpoint:
    """An endpoint as frames show it: a dual-stack socket has IPv4 addresses mapped into IPv6."""
    address = end[0].removeprefix("::ffff:") if "." in end[0] else end[0]
    return Endpoint(address, end[1])


class Connections:
    """The initial sequence number of each direction that a SYN was seen in: the latest one's."""

    def __init__(self) -> None:
        self._initial: dict[object, int] = {}

    def see(self, packet: Packet) -> None:
        tcp, pair = packet.tcp, ends(packet)
        if tcp is not None and tcp.has(SYN) and pair is not None:
            self._initial[pair] = tcp.sequence

    def numbers(self, packet: Packet) -> Numbers:
        pair = ends(packet)
        if pair is None:
            return None, None
        return self._initial.get(pair), self._initial.get(pair[::-1])
