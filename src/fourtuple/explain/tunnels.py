"""What a tunnel is called: its kind, its number, and the two addresses between which it runs.

    vxlan 7 192.0.2.1-192.0.2.2          a network of that number
    gre 192.0.2.1-192.0.2.2              no key
    ip 192.0.2.1-192.0.2.2 > gre 5 ...   a tunnel in a tunnel, the outer one first

The addresses stand in order, so that both directions have one name. Columns know a tunnel by a
number that is made of the same (`wire.columns`); the first frame of a connection tells its name.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from fourtuple.analyze.model import Connection
from fourtuple.event.timeline import Timeline

if TYPE_CHECKING:
    from fourtuple.wire import Packet

__all__ = ["tunnel_name", "tunnels_of"]


def tunnel_name(packet: "Packet") -> str | None:
    """The name of the tunnels that a packet is in; None where it is in none."""
    from fourtuple.wire import GreView, Ipv4View, Ipv6View, VxlanView

    names = []
    for tunnel in packet.tunnels:
        before = [view for view in packet.layers if view.offset <= tunnel.offset]
        outer = [view for view in before if isinstance(view, Ipv4View | Ipv6View)][-1]
        ends = sorted(map(ipaddress.ip_address, (outer.source, outer.destination)), key=int)
        match tunnel:
            case GreView(key=key):
                kind = "gre" if key is None else f"gre {key}"
            case VxlanView(network=network):
                kind = f"vxlan {network}"
            case _:
                kind = "ip"
        names.append(f"{kind} {ends[0]}-{ends[1]}")
    return " > ".join(names) or None


def tunnels_of(timeline: Timeline, connections: Iterable[Connection]) -> Mapping[int, str]:
    """The names of the tunnels that connections are in, by first frame; those in none are not
    there. All connections in a tunnel have the name that the first of them shows."""
    numbers = timeline.columns.tunnel
    if not numbers.any():
        return {}
    names: dict[int, str | None] = {}
    found: dict[int, str] = {}
    for connection in connections:
        frame = connection.frames[0]
        number = int(numbers[timeline.frames.row(frame)])
        if number and number not in names:
            names[number] = tunnel_name(timeline.packet(frame))
        if name := names.get(number):
            found[frame] = name
    return found
