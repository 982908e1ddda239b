"""Hosts, and the wire between them. Lives in the director."""

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from fourtuple.errors import N_, HostLost, OutOfTime, RuleFailed, UsageError
from fourtuple.event.model import Note, SocketRow
from fourtuple.lab.channel import Channel, channel_pair
from fourtuple.lab.hosts.baseline import apply_baseline, apply_sysctls
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.hosts.observer import Observer, socket_row
from fourtuple.lab.hosts.processes import Processes
from fourtuple.lab.log import Log
from fourtuple.lab.session import fork_process
from fourtuple.lab.stillness import Stillness
from fourtuple.lab.topology import Plug, Topology, further_address
from fourtuple.lab.wire import orders
from fourtuple.lab.wire.cables import Cable, End
from fourtuple.lab.wire.carrier import Carrier
from fourtuple.lab.wire.parcel import Link
from fourtuple.system.links import (
    add_address,
    add_route,
    bring_up,
    hardware_address,
    make_veth,
    multicast_reports,
    remove_addresses,
    set_down,
    set_offloads,
    tentative_addresses,
)
from fourtuple.system.namespaces import inside, new_network_namespace
from fourtuple.system.packet import PacketSocket

__all__ = ["Network"]

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
#: no multicast reports and the like from an interface that is to carry IPv4 only, or nothing
_SILENT = {"net.ipv6.conf.all.disable_ipv6": 1, "net.ipv6.conf.default.disable_ipv6": 1}
#: how long one waits at most for what a kernel does in its own time
_KERNELS_TIME_S = 1.0
#: of an interface: the kernel makes no link-local address of its own, some time later, and reports
#: its multicast groups once, not again within a day
_QUIET = {"addr_gen_mode": 1, "mldv2_unsolicited_report_interval": 86_400_000}
#: what makes a router of a host
_FORWARDING = {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1}
#: what a host may leave to its card. Not GRO: a veth with GRO delivers when it finds the time, and
#: the wire would not know when a kernel has dealt with a frame; the wire itself coalesces
_OFFLOADED = ("tx-checksum", "scatter-gather", "tso", "gso")

NO_WIRE = N_("There is no wire yet: make hosts first, as lab.pair() does.")
HOSTS_ALREADY = N_(
    "There are hosts already: {known}. A run makes all of its hosts at once: "
    "lab.hosts(names, links=...)."
)
NO_SUCH_HOST = N_("No host is called {name}. There are {known}.")
FRAMES_LOST = N_("The wire lost {count} frames: its receive buffer was full.")
STILL_RUNNING = N_("The lab did not come to rest in time: on {host}, {program} is running.")
STILL_UNDER_WAY = N_(
    "The lab did not come to rest in time: frames that the wire delays are still to come ({count})."
)
STILL_WAITING = N_(
    "The lab did not come to rest in time: on {host}, {local} waits for {remote} to acknowledge."
)


class Network:
    """The hosts of one run. `fixed` are settings that no script changes."""

    def __init__(
        self,
        log: Log,
        version: int,
        deadline_s: float,
        fixed: Mapping[str, str | int] | None = None,
        seed: int = 0,
    ) -> None:
        self.version = version
        self.deadline_s = deadline_s
        self.fixed = fixed or {}
        self._log = log
        self._seed = seed
        self._hosts: dict[str, Host] = {}
        self._observers: dict[str, Observer] = {}
        self._wire: Channel | None = None
        self._wire_pid = 0
        self._offloading: frozenset[str] = frozenset()
        self._topology = Topology(version, (), {})
        self.processes = Processes(log, deadline_s, self._namespace_files)
        apply_sysctls(_SILENT)  # this namespace is the wire's: its kernel has nothing to say

    def build(
        self,
        joined: Topology,
        sysctls: Mapping[str, str | int],
        mtu: int,
        link: Link | None = None,
        offload: Sequence[str] = (),
    ) -> tuple[Host, ...]:
        """The hosts, and the wire process that carries between them; `link` is part of it. Those
        named in `offload` leave checksums and the cutting of segments to the wire. UsageError where
        there are hosts already."""
        if self._hosts:
            raise UsageError(HOSTS_ALREADY, {"known": ", ".join(self._hosts)})
        self._topology = joined
        self._offloading = frozenset(offload)
        for name in joined.hosts:
            self._hosts[name] = self._host(name, sysctls, mtu)
        self._note("meta", {"mtu": mtu})
        if len(joined.cables) > 1:
            cables = {name: [p.host for p in pair] for name, pair in joined.cables.items()}
            self._note("meta", {"cables": cables})
        self._note_addresses()
        for host in self._hosts.values() if self.version == 6 else ():
            self._await_reports(host)
        self._start_wire(link)
        return tuple(self._hosts.values())

    # hosts

    def _host(self, name: str, sysctls: Mapping[str, str | int], mtu: int) -> Host:
        plugs = self._topology.plugs(name)
        namespace = new_network_namespace()
        offloads = _OFFLOADED if name in self._offloading else ()
        for plug in plugs:
            make_veth(plug.wire_end, plug.interface, namespace, mtu)
            set_offloads(plug.wire_end, False)
            set_offloads(plug.wire_end, True, offloads)
        forwarding = _FORWARDING if self._topology.is_router(name) else {}
        silent = _SILENT if self.version == 4 else {}
        with inside(namespace):
            apply_baseline()
            apply_sysctls({**silent, **forwarding, **sysctls, **self.fixed})
            bring_up("lo")
            for plug in plugs:
                set_offloads(plug.interface, False)
                set_offloads(plug.interface, True, offloads)
        self._observers[name] = Observer(self._log, name, namespace)
        addresses = [plug.address for plug in plugs]
        host = Host(name, namespace, _FAMILIES[self.version], self.deadline_s, self, addresses)
        self._join(host)
        bring_up(*(plug.wire_end for plug in plugs))
        return host

    def _await_reports(self, host: Host) -> None:
        """Wait until the kernel has said, as it does 8 ms after a link is up, which multicast
        groups it has joined: the wire, which is not there yet, would carry it at any moment."""
        wanted = len(self._topology.plugs(host.name))
        with inside(host.namespace):
            self._wait_for(lambda: multicast_reports() >= wanted)

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        """For something that the kernel does in its own time, if it does."""
        end_s = time.monotonic() + _KERNELS_TIME_S
        while not condition() and time.monotonic() < end_s:
            time.sleep(0.002)

    def _join(self, host: Host) -> None:
        """Bring the host's interfaces up, with its addresses and routes."""
        plugs = self._topology.plugs(host.name)
        further = host.addresses[len(plugs) :]
        with inside(host.namespace):
            for plug in plugs:
                if self.version == 6:
                    here = f"net.ipv6.conf.{plug.interface}"
                    apply_sysctls({f"{here}.{name}": value for name, value in _QUIET.items()})
                bring_up(plug.interface)
                if self.version == 6:
                    add_address(plug.interface, plug.link_local, 64)
                add_address(plug.interface, plug.address, plug.prefix_length)
            for address in further:
                add_address(plugs[0].interface, address, plugs[0].prefix_length)
            self._wait_for(lambda: not tentative_addresses())
            for route in self._topology.routes(host.name):
                add_route(route.destination, route.gateway)

    def sockets(self, host: Host) -> list[SocketRow]:
        """The host's TCP sockets now."""
        return [socket_row(row) for row in self._observers[host.name].look()]

    def add_address(self, host: Host, number: int) -> str:
        """A further address on the host's first link."""
        plug = self._topology.plugs(host.name)[0]
        address = further_address(plug, number)
        with inside(host.namespace):
            add_address(plug.interface, address, plug.prefix_length)
        host.addresses.append(address)
        self._note_addresses()
        return address

    def _note_addresses(self) -> None:
        self._note("meta", {"hosts": {host.name: host.addresses for host in self._hosts.values()}})

    def crash(self, host: Host) -> None:
        """See Host.crash. What the dying sockets would say meets links that are down."""
        with self._log.turn():  # nobody looks at what is half gone
            self._note("crash", {}, host.name)
            with inside(host.namespace):
                for plug in self._topology.plugs(host.name):
                    set_down(plug.interface)
                    remove_addresses(plug.interface)
            for program in host.programs:
                program.kill()
            for program in host.programs:
                program.wait()
            self._observers[host.name].destroy_sockets()
        self._observers[host.name].observe("asked")

    def boot(self, host: Host) -> None:
        """See Host.boot."""
        self._join(host)

    # the wire

    def _start_wire(self, link: Link | None) -> None:
        self._wire, theirs = channel_pair()
        director = int(os.readlink("/proc/self"))

        def carry() -> None:
            cables = [
                Cable(name, (self._wire_socket(one), self._wire_socket(other)))
                for name, (one, other) in self._topology.cables.items()
            ]
            Carrier(self._log, theirs, cables, Stillness(director), link, self._seed).run()

        self._wire_pid = fork_process(carry, self._log)
        theirs.close()
        self._ask_wire(None)  # ready: every end is open

    def _wire_socket(self, plug: Plug) -> End:
        observer = Observer(self._log, plug.host, self._hosts[plug.host].namespace)
        offload = plug.host in self._offloading
        packets = PacketSocket(plug.wire_end, vnet_header=offload)
        return End(plug.host, packets, observer, offload)

    def end(self) -> None:
        """End the wire: what the kernels say when their programs are killed is not of the run."""
        if self._wire is not None:
            with suppress(HostLost):
                self._wire.send(msgspec.to_builtins(orders.StopWire()))
            os.waitpid(self._wire_pid, 0)

    def order(self, order: orders.Order) -> Any:
        """Have the wire carry out an order; what it answers. It obeys between frames only."""
        return self._ask_wire(msgspec.to_builtins(order))

    def wire_status(self) -> orders.WireStatus:
        """What the wire has carried, and what its rules have met. RuleFailed where one of them was
        to do what cannot be done, HostLost where frames were lost."""
        status = msgspec.convert(self.order(orders.Status()), orders.WireStatus)
        if status.lost:
            raise HostLost(FRAMES_LOST, {"count": status.lost})
        if status.error:
            raise RuleFailed(status.error, status.params)
        return status

    def opposite(self, vantage: str, host: str) -> str:
        """The host at the other end of a cable; "" where the vantage point is no cable, or the host
        is at neither end."""
        ends = [plug.host for plug in self._topology.cables.get(vantage, ())]
        return next((one for one in ends if host in ends and one != host), "")

    def known(self, name: str) -> Host:
        """The host of that name; UsageError where there is none."""
        host = self._hosts.get(name)
        if host is None:
            raise UsageError(NO_SUCH_HOST, {"name": name, "known": ", ".join(self._hosts)})
        return host

    def hardware_address(self, name: str) -> str:
        """The link-layer address of a host's first link."""
        with inside(self.known(name).namespace):
            return hardware_address(self._topology.plugs(name)[0].interface)

    def _ask_wire(self, order: Any) -> Any:
        if self._wire is None:
            raise UsageError(NO_WIRE)
        if order is not None:
            self._wire.send(order)
        try:
            return self._wire.receive(self.deadline_s)
        except TimeoutError:
            raise OutOfTime(N_("The wire has not answered in time.")) from None

    def at_rest(self, unanswered: bool = False) -> tuple[OutOfTime | None, Any]:
        """(None, what was seen) where nothing moves now, else (what to say if time is up, None).

        The wire answers between frames only. A socket whose retransmission timer runs waits for
        an acknowledgment, and is at rest only where it may be `unanswered`; one that probes a
        closed window is held to be at rest.
        """
        wire = self.wire_status()
        if wire.under_way:
            return OutOfTime(STILL_UNDER_WAY, {"count": wire.under_way}), None
        for host in self._hosts.values():
            for program in host.programs:
                if not program.resting():
                    names = {"host": host.name, "program": program.name}
                    return OutOfTime(STILL_RUNNING, names), None
        rows = [(name, row) for name, host in self._hosts.items() for row in self.sockets(host)]
        for name, row in rows:
            if row.timer == "retransmit" and not unanswered:
                ends = {"host": name, "local": str(row.local), "remote": str(row.remote)}
                return OutOfTime(STILL_WAITING, ends), None
        seen = [(name, row.local, row.remote, row.state, row.recv_q) for name, row in rows]
        return None, (wire.frames, seen)

    def _namespace_files(self) -> str:
        """Where the socket table of each host is to be had (`fourtuple scan --verify`)."""
        director = os.readlink("/proc/self")
        return " ".join(
            f"{address}=/proc/{director}/fd/{host.namespace}"
            for host in self._hosts.values()
            for address in host.addresses
        )

    def _note(self, kind: str, params: dict[str, Any], host: str = "") -> None:
        self._log.write(Note(t_ns=time.monotonic_ns(), kind=kind, host=host, params=params))
