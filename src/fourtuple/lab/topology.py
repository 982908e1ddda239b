"""Which hosts there are, which cables join them, and so their addresses and routes. Pure.

Each cable is a network of its own. A host at several cables is a router: it forwards. A host at one
sends everything else to the router at the other end.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fourtuple.errors import N_, UsageError
from fourtuple.event.model import WIRE

__all__ = ["Plug", "Route", "Topology", "further_address", "topology"]

#: how many bits of an address name its network
_BITS = {4: 24, 6: 64}
_EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}

TWICE = N_("Two hosts are called {name}: each needs a name of its own.")
NO_PAIR = N_('A link joins two hosts, as in "client router"; {link} does not.')
NO_HOST = N_("The link {link} names {name}, and no host is called so. There are {known}.")
NOT_JOINED = N_("No link joins {name} to another host: name one, as in {example}.")
JOINED_TWICE = N_("Two links join {one} and {other}: one is enough.")


@dataclass(frozen=True, slots=True)
class Plug:
    """A host's end of a cable: its interface there, and the wire's name for the other side."""

    host: str
    interface: str
    cable: str
    wire_end: str
    address: str
    prefix_length: int

    @property
    def link_local(self) -> str:
        """IPv6's address for this link alone."""
        return f"fe80::{self.address.rpartition(':')[2]}"


@dataclass(frozen=True, slots=True)
class Route:
    """Packets to a destination (a network, "10.77.1.0/24") go to a gateway."""

    destination: str
    gateway: str


@dataclass(frozen=True, slots=True)
class Topology:
    """`cables` are by name, each with its two plugs."""

    version: int
    hosts: tuple[str, ...]
    cables: dict[str, tuple[Plug, Plug]]

    def plugs(self, host: str) -> list[Plug]:
        """The host's, in the order of its interfaces."""
        return [plug for pair in self.cables.values() for plug in pair if plug.host == host]

    def is_router(self, host: str) -> bool:
        return len(self.plugs(host)) > 1

    def routes(self, host: str) -> Iterator[Route]:
        """To the networks that the host is not at."""
        own = self.plugs(host)
        if len(own) == 1:
            ((_, across),) = self._across(host)
            if self.is_router(across.host):
                yield Route(_EVERYWHERE[self.version], across.address)
            return
        near = {plug.cable for plug in own}
        for cable, gateway in self._ways(host).items():
            if cable not in near:
                yield Route(self._network(self.cables[cable][0]), gateway)

    def _ways(self, host: str) -> dict[str, str]:
        """Cable -> the address of the router that leads there, the nearest cables first."""
        found: dict[str, str] = {}
        waiting = deque((across.host, across.address) for _, across in self._across(host))
        seen = {host}
        while waiting:
            name, gateway = waiting.popleft()
            if name in seen:
                continue
            seen.add(name)
            for plug, across in self._across(name):
                found.setdefault(plug.cable, gateway)
                waiting.append((across.host, gateway))
        return found

    def _across(self, host: str) -> Iterator[tuple[Plug, Plug]]:
        """Each of the host's plugs, and the one at the other end of its cable."""
        for one, other in self.cables.values():
            if host in (one.host, other.host):
                yield (one, other) if one.host == host else (other, one)

    def _network(self, plug: Plug) -> str:
        number = list(self.cables).index(plug.cable)
        return f"{_address(self.version, number, 0)}/{plug.prefix_length}"


def topology(names: Sequence[str], links: Sequence[str], version: int) -> Topology:
    """Hosts of these names, joined by links ("client router"); a chain where none is given.

    UsageError where a name or a link is odd.
    """
    for name in names:
        if names.count(name) > 1:
            raise UsageError(TWICE, {"name": name})
    pairs = [_pair(link, names) for link in links] or list(pairwise(names))
    for name in names:
        if not any(name in pair for pair in pairs):
            raise UsageError(NOT_JOINED, {"name": name, "example": f'links=["{name} router"]'})
    cables: dict[str, tuple[Plug, Plug]] = {}
    plugged: list[str] = []
    for number, (one, other) in enumerate(pairs):
        name = WIRE if len(pairs) == 1 else f"{one}-{other}"
        if name in cables or f"{other}-{one}" in cables:
            raise UsageError(JOINED_TWICE, {"one": one, "other": other})
        first, second = (
            _plug(host, names.index(host) + 1, name, number, plugged.count(host), version)
            for host in (one, other)
        )
        plugged += (one, other)
        cables[name] = first, second
    return Topology(version, tuple(names), cables)


def further_address(plug: Plug, host: int) -> str:
    """Another address of the plug's network: the one that ends in that number."""
    mark, written = (":", f"{host:x}") if ":" in plug.address else (".", str(host))
    return plug.address.rpartition(mark)[0] + mark + written


def _pair(link: str, names: Sequence[str]) -> tuple[str, str]:
    words = link.split()
    if len(words) != 2 or words[0] == words[1]:
        raise UsageError(NO_PAIR, {"link": repr(link)})
    for word in words:
        if word not in names:
            known = {"link": repr(link), "name": word, "known": ", ".join(names)}
            raise UsageError(NO_HOST, known)
    return words[0], words[1]


def _plug(host: str, number: int, cable: str, network: int, interface: int, version: int) -> Plug:
    address = _address(version, network, number)
    wire_end = f"wire{network}-{number}"
    return Plug(host, f"eth{interface}", cable, wire_end, address, _BITS[version])


def _address(version: int, network: int, host: int) -> str:
    """Of a host; with 0, of the network."""
    if version == 4:
        return f"10.77.{network}.{host}"
    prefix = f"fd77:0:0:{network:x}::" if network else "fd77::"
    return f"{prefix}{host:x}" if host else prefix
