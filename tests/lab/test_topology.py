"""Names and links become networks, addresses and routes."""

import pytest

from fourtuple.errors import UsageError
from fourtuple.lab.topology import Route, further_address, topology

CHAIN = ("client", "router", "server")


def test_two_hosts_share_the_wire() -> None:
    joined = topology(("client", "server"), (), 4)
    assert list(joined.cables) == ["wire"]
    assert [plug.address for pair in joined.cables.values() for plug in pair] == [
        "10.77.0.1",
        "10.77.0.2",
    ]
    assert not any(joined.is_router(host) for host in joined.hosts)
    assert list(joined.routes("client")) == []


def test_a_host_in_the_middle_of_a_chain_is_a_router() -> None:
    joined = topology(CHAIN, (), 4)
    assert list(joined.cables) == ["client-router", "router-server"]
    assert [plug.interface for plug in joined.plugs("router")] == ["eth0", "eth1"]
    assert [plug.address for plug in joined.plugs("router")] == ["10.77.0.2", "10.77.1.2"]
    assert [host for host in CHAIN if joined.is_router(host)] == ["router"]
    assert list(joined.routes("client")) == [Route("0.0.0.0/0", "10.77.0.2")]
    assert list(joined.routes("server")) == [Route("0.0.0.0/0", "10.77.1.2")]
    assert list(joined.routes("router")) == []


def test_networks_of_ipv6_differ_in_their_prefix() -> None:
    joined = topology(CHAIN, (), 6)
    assert [plug.address for plug in joined.plugs("router")] == ["fd77::2", "fd77:0:0:1::2"]
    assert list(joined.routes("server")) == [Route("::/0", "fd77:0:0:1::2")]


def test_routers_know_the_way_to_networks_they_are_not_at() -> None:
    joined = topology(("client", "one", "two", "three", "server"), (), 4)
    assert list(joined.routes("one")) == [
        Route("10.77.2.0/24", "10.77.1.3"),
        Route("10.77.3.0/24", "10.77.1.3"),
    ]
    assert list(joined.routes("two")) == [
        Route("10.77.0.0/24", "10.77.1.2"),
        Route("10.77.3.0/24", "10.77.2.4"),
    ]


def test_two_servers_behind_one_router() -> None:
    links = ("client router", "router server", "router other")
    joined = topology((*CHAIN, "other"), links, 4)
    assert [plug.address for plug in joined.plugs("other")] == ["10.77.2.4"]
    assert list(joined.routes("other")) == [Route("0.0.0.0/0", "10.77.2.2")]


def test_every_interface_of_the_wire_has_a_name_of_its_own_that_the_kernel_takes() -> None:
    names = tuple(f"a-host-with-a-long-name-{number}" for number in range(30))
    joined = topology(names, (), 4)
    ends = [plug.wire_end for pair in joined.cables.values() for plug in pair]
    assert len(set(ends)) == len(ends)
    assert max(map(len, ends)) <= 15


@pytest.mark.parametrize(
    ("version", "first", "further"), [(4, "10.77.0.1", "10.77.0.9"), (6, "fd77::1", "fd77::9")]
)
def test_a_further_address_is_of_the_same_network(version: int, first: str, further: str) -> None:
    plug = topology(("client", "server"), (), version).plugs("client")[0]
    assert plug.address == first
    assert further_address(plug, 9) == further


@pytest.mark.parametrize(
    ("names", "links", "told"),
    [
        (("a", "a"), (), "Two hosts are called a"),
        (("a", "b"), ("a",), "A link joins two hosts"),
        (("a", "b"), ("a a",), "A link joins two hosts"),
        (("a", "b"), ("a c",), "names c, and no host is called so. There are a, b."),
        (("a", "b", "c"), ("a b",), "No link joins c to another host"),
        (("a",), (), "No link joins a to another host"),
        (("a", "b"), ("a b", "b a"), "Two links join b and a"),
    ],
)
def test_odd_names_and_links_are_told(
    names: tuple[str, ...], links: tuple[str, ...], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        topology(names, links, 4)
