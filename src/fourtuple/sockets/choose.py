"""Which sockets are wanted: what was written on the command line, understood and applied.

The kernel is asked for the states and families alone; ports, addresses and processes are chosen
from what it says, so that every one of them means the same for all protocols.
"""

import socket
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourtuple.errors import N_, UsageError
from fourtuple.sockets.model import PROTOCOLS, STATE_NUMBERS, address_of, port_of
from fourtuple.system.inet_dump import EVERY_STATE, LISTEN, InetRow
from fourtuple.system.owners import command_of, processes

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

__all__ = ["Wanted", "ports_of", "wanted"]

_LAST_PORT = 65535
_UNCONNECTED = 7
_NO_STATE = N_("--state {name}: there are {known}.")
_NO_PORT = N_("--port {text}: it is a port, or two with - between, from 1 to 65535; commas part"
              " several.")  # fmt: skip
_NO_HOST = N_("--host {text}: it is an address or a network (10.0.0.0/8).")


class Wanted(NamedTuple):
    """`states` are bits; of what is empty, everything is wanted."""

    protocols: tuple[str, ...] = PROTOCOLS
    families: tuple[int, ...] = (socket.AF_INET, socket.AF_INET6)
    states: int = EVERY_STATE
    listening: bool = False
    ports: tuple[range, ...] = ()
    hosts: "tuple[IPv4Network | IPv6Network, ...]" = ()
    pid: int | None = None
    process: str | None = None

    def states_of(self, protocol: str) -> int:
        """The states to ask for: one that waits to be spoken to is unconnected, where there are no
        connections."""
        if not self.listening:
            return self.states
        return self.states & (1 << LISTEN if protocol == "tcp" else 1 << _UNCONNECTED)

    def matches(self) -> Callable[[InetRow], bool] | None:
        """What a row must pass; None where all do."""
        if not self.ports and not self.hosts:
            return None
        return lambda row: self._port(row) and self._host(row)

    @property
    def by_process(self) -> bool:
        return (self.pid, self.process) != (None, None)

    def pids(self) -> Iterable[int]:
        """The processes that are meant: by number, by the kernel's short name (* and ? match)."""
        if self.pid is not None:
            return [self.pid]
        from fnmatch import fnmatchcase

        # the kernel keeps 15 bytes of a name
        name = self.process or ""
        pattern = name if "*" in name else name[:15]
        return [pid for pid in processes() if fnmatchcase(command_of(pid), pattern)]

    def _port(self, row: InetRow) -> bool:
        both = port_of(row), port_of(row, remote=True)
        return not self.ports or any(one in some for one in both for some in self.ports)

    def _host(self, row: InetRow) -> bool:
        if not self.hosts:
            return True
        from ipaddress import ip_address

        ends = [ip_address(address_of(row, remote=remote)) for remote in (False, True)]
        ends += [mapped for one in ends if (mapped := getattr(one, "ipv4_mapped", None))]
        return any(one in network for one in ends for network in self.hosts)


def wanted(
    protocols: Sequence[str] = (),
    families: Sequence[int] = (),
    state: str | None = None,
    listening: bool = False,
    port: str | None = None,
    host: str | None = None,
    pid: int | None = None,
    process: str | None = None,
) -> Wanted:
    """The same from what was written; UsageError where it cannot be meant."""
    inet_only = families or (port, host) != (None, None) or (state is not None and not listening)
    chosen = tuple(one for one in PROTOCOLS if one in protocols) or tuple(
        one for one in PROTOCOLS if one != "unix" or not inet_only
    )
    return Wanted(
        protocols=chosen,
        families=tuple(families) or (socket.AF_INET, socket.AF_INET6),
        states=EVERY_STATE if state is None else _states(state),
        listening=listening,
        ports=() if port is None else ports_of(port),
        hosts=() if host is None else _hosts(host),
        pid=pid,
        process=process,
    )


def _states(text: str) -> int:
    bits = 0
    for word in text.split(","):
        name = word.strip().lower().replace("_", "-")
        if name not in STATE_NUMBERS:
            known = ", ".join(STATE_NUMBERS)
            raise UsageError(_NO_STATE, {"name": repr(word), "known": known})
        bits |= sum(1 << number for number in STATE_NUMBERS[name])
    return bits


def ports_of(text: str) -> tuple[range, ...]:
    """80, 8000-8100, several with commas; UsageError for anything else."""
    found = []
    for word in text.split(","):
        first, dash, last = word.strip().partition("-")
        ends = [first, last] if dash else [first]
        numbers = [int(end) for end in ends if end.isascii() and end.isdigit() and len(end) < 6]
        if len(numbers) < len(ends) or not 1 <= numbers[0] <= numbers[-1] <= _LAST_PORT:
            raise UsageError(_NO_PORT, {"text": repr(text)})
        found.append(range(numbers[0], numbers[-1] + 1))
    return tuple(found)


def _hosts(text: str) -> "tuple[IPv4Network | IPv6Network, ...]":
    from ipaddress import ip_network

    try:
        return tuple(ip_network(word.strip().strip("[]"), strict=False) for word in text.split(","))
    except ValueError:
        raise UsageError(_NO_HOST, {"text": repr(text)}) from None
