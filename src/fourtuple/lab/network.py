"""Hosts, the wire between them, and the processes of both. Lives in the director."""

import os
import resource
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from fourtuple.errors import N_, HostLost, OutOfTime, RuleFailed, UsageError
from fourtuple.event.model import WIRE, Note, SocketRow
from fourtuple.lab import orders
from fourtuple.lab.baseline import apply_baseline, apply_sysctls
from fourtuple.lab.carrier import Cable, Carrier, End
from fourtuple.lab.channel import Channel, channel_pair
from fourtuple.lab.hosts import Host
from fourtuple.lab.log import Log
from fourtuple.lab.observer import Observer, socket_row
from fourtuple.lab.parcel import Link
from fourtuple.lab.programs import Program, RunningProgram
from fourtuple.lab.puppet import serve_calls
from fourtuple.lab.recorded_socket import Recorder, recording
from fourtuple.lab.session import fork_process
from fourtuple.lab.sockets import Puppet
from fourtuple.system.links import (
    add_address,
    bring_up,
    hardware_address,
    make_veth,
    set_down,
    set_offloads,
)
from fourtuple.system.namespaces import enter, inside, new_network_namespace
from fourtuple.system.packet import PacketSocket

__all__ = ["Network"]

#: how a host is addressed: family -> (prefix, its length)
_ADDRESSES = {4: ("10.77.0.", 24), 6: ("fd77::", 64)}
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
#: no multicast reports and the like from an interface that is to carry IPv4 only, or nothing
_SILENT = {"net.ipv6.conf.all.disable_ipv6": 1, "net.ipv6.conf.default.disable_ipv6": 1}
#: what a host may leave to its card. Not GRO: a veth with GRO delivers when it finds the time, and
#: the wire would not know when a kernel has dealt with a frame; the wire itself coalesces
_OFFLOADED = ("tx-checksum", "scatter-gather", "tso", "gso")

#: the exit status of a program that is not there, as shells give it
_NOT_FOUND = 127
#: what a program writes is kept in memory: it is ended where it writes more than this. It writes
#: its share of the log, too: with hundreds of sockets a table takes 100 kB, and each call shows one
_MOST_BYTES = 1 << 30

NO_WIRE = N_("There is no wire yet: make hosts first, as lab.pair() does.")
NO_SUCH_HOST = N_("No host is called {name}. There are {known}.")
FRAMES_LOST = N_("The wire lost {count} frames: its receive buffer was full.")
NOT_STARTED = N_("{host}: {program} has not started in time.")
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
        self._cables: dict[str, tuple[str, str]] = {}
        apply_sysctls(_SILENT)  # this namespace is the wire's: its kernel has nothing to say

    def pair(
        self,
        sysctls: Mapping[str, str | int],
        mtu: int,
        link: Link | None = None,
        offload: Sequence[str] = (),
    ) -> tuple[Host, Host]:
        """Two hosts, and the wire process that carries between them; `link` is part of it. Those
        named in `offload` leave checksums and the cutting of segments to the wire."""
        self._offloading = frozenset(offload)
        hosts = self._host("client", 1, sysctls, mtu), self._host("server", 2, sysctls, mtu)
        self._note("meta", {"mtu": mtu})
        self._note_addresses()
        self._start_wire({WIRE: hosts}, link)
        return hosts

    # hosts

    def _host(self, name: str, number: int, sysctls: Mapping[str, str | int], mtu: int) -> Host:
        prefix, length = _ADDRESSES[self.version]
        namespace = new_network_namespace()
        make_veth(_wire_end(name), "eth0", namespace, mtu)
        offloads = _OFFLOADED if name in self._offloading else ()
        set_offloads(_wire_end(name), False)
        set_offloads(_wire_end(name), True, offloads)
        with inside(namespace):
            apply_baseline()
            apply_sysctls({**(_SILENT if self.version == 4 else {}), **sysctls, **self.fixed})
            set_offloads("eth0", False)
            set_offloads("eth0", True, offloads)
            bring_up("lo", "eth0")
            add_address("eth0", f"{prefix}{number}", length)
        bring_up(_wire_end(name))
        host = Host(
            name, namespace, _FAMILIES[self.version], self.deadline_s, self, [f"{prefix}{number}"]
        )
        self._hosts[name] = host
        self._observers[name] = Observer(self._log, name, namespace)
        return host

    def sockets(self, host: Host) -> list[SocketRow]:
        """The host's TCP sockets now."""
        return [socket_row(row) for row in self._observers[host.name].look()]

    def add_address(self, host: Host, number: int) -> str:
        """A further address on the host's first link."""
        prefix, length = _ADDRESSES[self.version]
        address = f"{prefix}{number}"
        with inside(host.namespace):
            add_address("eth0", address, length)
        host.addresses.append(address)
        self._note_addresses()
        return address

    def _note_addresses(self) -> None:
        self._note("meta", {"hosts": {host.name: host.addresses for host in self._hosts.values()}})

    def crash(self, host: Host) -> None:
        """See Host.crash. What the dying sockets would say meets a link that is down."""
        with self._log.turn():  # nobody looks at what is half gone
            self._note("crash", {}, host.name)
            with inside(host.namespace):
                set_down("eth0")
            for program in host.programs:
                program.kill()
            for program in host.programs:
                program.wait()
            self._observers[host.name].destroy_sockets()
        self._observers[host.name].observe("asked")

    def boot(self, host: Host) -> None:
        """See Host.boot. IPv6 addresses go with the link, and are given again."""
        with inside(host.namespace):
            bring_up("eth0")
            for address in host.addresses if self.version == 6 else ():
                add_address("eth0", address, _ADDRESSES[6][1])

    # the wire

    def _start_wire(self, cables: Mapping[str, tuple[Host, Host]], link: Link | None) -> None:
        self._cables = {name: (one.name, other.name) for name, (one, other) in cables.items()}
        self._wire, theirs = channel_pair()

        def carry() -> None:
            joined = [
                Cable(name, (self._wire_socket(one), self._wire_socket(other)))
                for name, (one, other) in cables.items()
            ]
            Carrier(self._log, theirs, joined, link, self._seed).run()

        self._wire_pid = fork_process(carry, self._log)
        theirs.close()
        self._ask_wire(None)  # ready: every end is open

    def _wire_socket(self, host: Host) -> End:
        observer = Observer(self._log, host.name, host.namespace)
        offload = host.name in self._offloading
        packets = PacketSocket(_wire_end(host.name), vnet_header=offload)
        return End(host.name, packets, observer, offload)

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
        """The host at the other end of a cable."""
        one, other = self._cables[vantage]
        return other if host == one else one

    def hardware_address(self, name: str) -> str:
        """The link-layer address of a host's first link."""
        host = self._hosts.get(name)
        if host is None:
            raise UsageError(NO_SUCH_HOST, {"name": name, "known": ", ".join(self._hosts)})
        with inside(host.namespace):
            return hardware_address("eth0")

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

    # programs

    def start_puppet(self, host: Host, name: str) -> Puppet:
        """A process of the host that carries out the script's calls."""
        ours, theirs = channel_pair()

        def serve() -> None:
            ours.close()
            serve_calls(theirs, self._recorder(host, name))

        inner_pid = fork_process(serve, self._log)
        theirs.close()
        try:
            pid = ours.receive(self.deadline_s)["value"]
        except TimeoutError:
            raise OutOfTime(NOT_STARTED, {"host": host.name, "program": name}) from None
        self._note("program", {"pid": pid, "program": name, "command": "script"}, host.name)
        return Puppet(host, name, pid, os.pidfd_open(inner_pid), ours)

    def _recorder(self, host: Host, name: str) -> Recorder:
        """For the process that was just forked: moves it into the host."""
        enter(host.namespace)
        return Recorder(self._log, Observer(self._log, host.name, host.namespace), host.name, name)

    def start_program(
        self, host: Host, what: Callable[..., Any] | Sequence[str], args: tuple[Any, ...]
    ) -> RunningProgram:
        """A function or an executable in a process of the host."""
        name = _name_of(what) if callable(what) else os.path.basename(what[0])
        output = os.memfd_create(f"output-{name}", os.MFD_CLOEXEC)
        number, report = os.pipe()

        def main() -> int:
            os.write(report, os.readlink("/proc/self").encode())
            os.close(report)
            _speak_into(output)
            try:
                if not callable(what):
                    enter(host.namespace)
                    os.execvp(what[0], list(what))
                with recording(self._recorder(host, name)):
                    what(*args)
                    _await_threads()
            except SystemExit as asked:
                return _exit_status(asked)
            except BaseException as error:  # a program's own affair: told as a program tells it
                traceback.print_exc()
                return _NOT_FOUND if isinstance(error, FileNotFoundError) else 1
            finally:
                with suppress(OSError, ValueError):
                    sys.stdout.flush()
            return 0

        inner_pid = fork_process(main, self._log)
        os.close(report)
        pid = int(os.read(number, 32) or b"0")
        os.close(number)
        command = name if callable(what) else " ".join(what)
        self._note("program", {"pid": pid, "program": name, "command": command}, host.name)
        return RunningProgram(host, name, pid, os.pidfd_open(inner_pid), output)

    def program_ended(self, program: Program, status: int) -> None:
        """Note it."""
        ended = {"pid": program.pid, "program": program.name, "status": status}
        self._note("program", ended, program.host.name)

    def _note(self, kind: str, params: dict[str, Any], host: str = "") -> None:
        self._log.write(Note(t_ns=time.monotonic_ns(), kind=kind, host=host, params=params))


def _name_of(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _await_threads() -> None:
    """As Python does at its end: for all threads that are no daemons."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()


def _exit_status(asked: SystemExit) -> int:
    """What sys.exit() gives to the system: a number, or a message and 1."""
    if asked.code is None or isinstance(asked.code, int):
        return (asked.code or 0) & 0xFF
    print(asked.code, file=sys.stderr)
    return 1


def _speak_into(output: int) -> None:
    """Make a file the standard output and standard error of this process, Python's own too.

    It is in memory, so no file of this process grows beyond a limit.
    """
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    most = _MOST_BYTES if hard == resource.RLIM_INFINITY else min(hard, _MOST_BYTES)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, closefd=False)


def _wire_end(host: str) -> str:
    """The name of the wire's end of a host's link; interface names have 15 characters at most."""
    return f"to-{host}"[:15]
