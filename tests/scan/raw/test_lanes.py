"""The way to each target: interface, source address and next hop, and what none leads to."""

from typing import Any

import pytest

from fourtuple.scan.raw.lanes import plan_lanes
from fourtuple.scan.raw.neighbors import find_neighbors
from fourtuple.scan.raw.sender import KernelSender, LinkSender
from fourtuple.scan.strategy import PROBES
from fourtuple.system.namespaces import inside
from fourtuple.system.route import Router, interface
from fourtuple.wire import mac_text
from scan.ground import Ground, on_ground

pytestmark = [pytest.mark.kernel, pytest.mark.oracle("nft", "ip")]


def test_the_kernels_own_routes_are_followed() -> None:
    def work(ground: Ground) -> Any:
        with Router() as router:
            routes = [router.route(a) for a in ("10.90.0.2", "fd90::2", "10.92.0.2", "127.0.0.1")]
        names = [interface(route.interface).name for route in routes]
        ways = [(r.source, r.gateway, r.local) for r in routes]
        return [[name, *way] for name, way in zip(names, ways, strict=True)]

    assert on_ground(work) == [
        ["target", "10.90.0.1", "", False],
        ["target", "fd90::1", "", False],
        ["router", "10.91.0.1", "10.91.0.2", False],
        ["lo", "127.0.0.1", "", True],
    ]


def test_where_no_route_leads_is_an_error() -> None:
    def work(ground: Ground) -> Any:
        with Router() as router:
            try:
                router.route("203.0.113.1")
            except OSError as error:
                return error.errno
        return 0

    assert on_ground(work) == 101  # ENETUNREACH


def test_neighbors_of_both_families_give_their_address_and_the_dead_do_not() -> None:
    def work(ground: Ground) -> Any:
        with Router() as router:
            card = interface(router.route("10.90.0.2").interface)
        asked = {"10.90.0.2": "10.90.0.1", "10.90.0.9": "10.90.0.1", "fd90::2": "fd90::1"}
        found = find_neighbors(card, asked, 0.2)
        with inside(ground.target), Router() as router:
            theirs = interface(router.route("10.90.0.1").interface)
        return [
            {address: one.hardware for address, one in found.items()},
            mac_text(theirs.hardware),
            min(one.rtt_s for one in found.values()),
        ]

    found, hardware, rtt_s = on_ground(work)
    assert found == {"10.90.0.2": hardware, "fd90::2": hardware}
    assert rtt_s > 0


def test_targets_share_a_lane_where_one_socket_serves_them() -> None:
    def work(ground: Ground) -> Any:
        targets = ["10.90.0.2", "10.92.0.2", "127.0.0.1", "10.90.0.1", "fd90::2", "203.0.113.1"]
        plan = plan_lanes(targets, PROBES["syn"], {}, 0.2)
        kinds = [type(lane.sender).__name__ for lane in plan.lanes]
        plan.close()
        return [plan.lane_of.tolist(), plan.row_of.tolist(), kinds, plan.unreachable, plan.near]

    lane_of, row_of, kinds, unreachable, near = on_ground(work)
    link, kernel = LinkSender.__name__, KernelSender.__name__
    assert [kinds[lane] for lane in lane_of[:5]] == [link, link, kernel, kernel, link]
    assert lane_of[2] == lane_of[3]
    assert row_of[2:4] == [0, 1]
    assert len({lane_of[0], lane_of[1], lane_of[2], lane_of[4]}) == 4
    assert lane_of[5] == -1
    assert unreachable == {"5": "net-unreach"}
    assert not near  # one is behind a router
