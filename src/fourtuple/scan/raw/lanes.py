"""The ways out: for every target the interface, source address and next hop, grouped into lanes.

A lane is what one socket and one shape of probe serve: targets of one family that leave by one
interface, or that the kernel itself routes (this machine's own addresses, links without Ethernet).
"""

import errno
import socket
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct, field

from fourtuple.scan.model import Reason
from fourtuple.scan.raw.craft import Address, Crafter
from fourtuple.scan.raw.neighbors import find_neighbors
from fourtuple.scan.raw.sender import KernelSender, LinkSender, Sender
from fourtuple.scan.strategy import Probe
from fourtuple.system.route import Interface, Route, Router, interface
from fourtuple.wire import mac_text

__all__ = ["Lane", "Plan", "plan_lanes"]

Int64s = npt.NDArray[np.int64]


class Lane(Struct, frozen=True):
    """What makes the packets of an interface and family, and what sends them."""

    crafter: Crafter
    sender: Sender


class Plan(Struct):
    """How to reach every target.

    lane_of      int64[targets]  index into `lanes`; -1 where there is no way
    row_of       int64[targets]  the target's number within its lane
    unreachable  target -> reason
    near         no target is behind a router
    rtts_s       round trips measured on the way, of neighbours that answered
    """

    lane_of: Int64s
    row_of: Int64s
    lanes: list[Lane] = field(default_factory=list)
    unreachable: dict[int, str] = field(default_factory=dict)
    near: bool = True
    rtts_s: list[float] = field(default_factory=list)

    def close(self) -> None:
        for lane in self.lanes:
            lane.sender.close()


def plan_lanes(
    targets: Sequence[str],
    probe: Probe,
    payloads: Mapping[int, bytes],
    timeout_s: float,
    recorded: bool = False,
) -> Plan:
    """Find the way to every target (addresses as text), and open the sockets that lead there."""
    size, plain = len(targets), [target.partition("%")[0] for target in targets]
    plan = Plan(np.full(size, -1, dtype=np.int64), np.zeros(size, dtype=np.int64))
    routes = _routes(targets, plan)
    cards = {index: interface(index) for index in {route.interface for route in routes.values()}}
    links = _links(plain, routes, cards, plan, timeout_s)
    members: dict[tuple[int, bool, int], list[int]] = {}
    for number, route in routes.items():
        if number not in plan.unreachable:
            card = route.interface if links[number] else 0
            scope = 0 if card or targets[number] == plain[number] else route.interface
            members.setdefault((card, ":" in targets[number], scope), []).append(number)
    for (card, six, scope), numbers in members.items():
        plan.lane_of[numbers] = len(plan.lanes)
        plan.row_of[numbers] = range(len(numbers))
        ways = [Address(routes[n].source, plain[n], links[n]) for n in numbers]
        family = socket.AF_INET6 if six else socket.AF_INET
        sender = LinkSender(cards[card].name, recorded) if card else KernelSender(family, scope)
        plan.lanes.append(Lane(Crafter(probe, ways, payloads), sender))
    return plan


def _routes(targets: Sequence[str], plan: Plan) -> dict[int, Route]:
    found: dict[int, Route] = {}
    with Router() as router:
        for number, target in enumerate(targets):
            try:
                found[number] = router.route(target)
            except OSError as error:
                host = error.errno == errno.EHOSTUNREACH
                plan.unreachable[number] = Reason.HOST_UNREACH if host else Reason.NET_UNREACH
                continue
            plan.near &= not found[number].gateway
    return found


def _links(
    targets: Sequence[str],
    routes: Mapping[int, Route],
    cards: Mapping[int, Interface],
    plan: Plan,
    timeout_s: float,
) -> dict[int, tuple[str, str] | None]:
    """The Ethernet addresses (own, next hop's) for each target; None where the kernel routes."""
    hops = {
        number: route.gateway or targets[number]
        for number, route in routes.items()
        if not route.local and cards[route.interface].hardware
    }
    links: dict[int, tuple[str, str] | None] = dict.fromkeys(routes)
    for card in {routes[number].interface for number in hops}:
        ours = {n: hop for n, hop in hops.items() if routes[n].interface == card}
        sources = {hop: routes[n].source for n, hop in ours.items()}
        found = find_neighbors(cards[card], sources, timeout_s)
        plan.rtts_s += [neighbor.rtt_s for neighbor in found.values()]
        own = mac_text(cards[card].hardware)
        for number, hop in ours.items():
            if hop in found:
                links[number] = (own, found[hop].hardware)
            else:
                plan.unreachable[number] = Reason.HOST_UNREACH
    return links
