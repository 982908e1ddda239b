"""Hosts, the wire between them, and the processes of both. Lives in the director."""

import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from fourtuple.errors import HostLost, OutOfTime
from fourtuple.event.model import Note, SocketRow
from fourtuple.lab.baseline import apply_baseline, apply_sysctls
from fourtuple.lab.carrier import Carrier, End, Link, StraightLink
from fourtuple.lab.channel import Channel, channel_pair
from fourtuple.lab.hosts import Host, Program, Puppet, RunningProgram
from fourtuple.lab.log import Log
from fourtuple.lab.observer import Observer, socket_row
from fourtuple.lab.puppet import serve_calls
from fourtuple.lab.recorded_socket import Recorder, recording
from fourtuple.lab.session import fork_process
from fourtuple.system.links import add_address, bring_up, make_veth, set_offloads
from fourtuple.system.namespaces import enter, inside, new_network_namespace
from fourtuple.system.packet import PacketSocket

__all__ = ["Network"]

#: how a host is addressed: family -> (prefix, its length)
_ADDRESSES = {4: ("10.77.0.", 24), 6: ("fd77::", 64)}
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
#: no multicast reports and the like from an interface that is to carry IPv4 only, or nothing
_SILENT = {"net.ipv6.conf.all.disable_ipv6": 1, "net.ipv6.conf.default.disable_ipv6": 1}


#: the exit status of a program that is not there, as shells give it
_NOT_FOUND = 127


class Network:
    """The hosts of one run."""

    def __init__(self, log: Log, version: int, deadline_s: float, link: Link | None = None) -> None:
        self.version = version
        self.deadline_s = deadline_s
        self._log = log
        self._link = link or StraightLink()
        self._hosts: dict[str, Host] = {}
        self._observers: dict[str, Observer] = {}
        self._wire: Channel | None = None
        self._wire_pid = 0
        apply_sysctls(_SILENT)  # this namespace is the wire's: its kernel has nothing to say

    def pair(
        self, sysctls: Mapping[str, str | int], mtu: int, link: Link | None = None
    ) -> tuple[Host, Host]:
        """Two hosts, and the wire process that carries between them, as `link` decides."""
        self._link = link or self._link
        hosts = self._host("client", 1, sysctls, mtu), self._host("server", 2, sysctls, mtu)
        addresses = {host.name: [host.address] for host in hosts}
        self._note("meta", {"hosts": addresses, "mtu": mtu})
        self._start_wire(hosts)
        return hosts

    # hosts

    def _host(self, name: str, number: int, sysctls: Mapping[str, str | int], mtu: int) -> Host:
        prefix, length = _ADDRESSES[self.version]
        namespace = new_network_namespace()
        make_veth(_wire_end(name), "eth0", namespace, mtu)
        set_offloads(_wire_end(name), False)
        with inside(namespace):
            apply_baseline()
            apply_sysctls({**(_SILENT if self.version == 4 else {}), **sysctls})
            set_offloads("eth0", False)
            bring_up("lo", "eth0")
            add_address("eth0", f"{prefix}{number}", length)
        bring_up(_wire_end(name))
        host = Host(
            name=name,
            address=f"{prefix}{number}",
            namespace=namespace,
            family=_FAMILIES[self.version],
            deadline_s=self.deadline_s,
            start_puppet=self._start_puppet,
            start_program=self._start_program,
            program_ended=self._program_ended,
        )
        self._hosts[name] = host
        self._observers[name] = Observer(self._log, name, namespace)
        return host

    def sockets(self, host: Host) -> list[SocketRow]:
        """The host's TCP sockets now."""
        return [socket_row(row) for row in self._observers[host.name].look()]

    # the wire

    def _start_wire(self, hosts: tuple[Host, Host]) -> None:
        self._wire, theirs = channel_pair()

        def carry() -> None:
            ends = [
                End(
                    host.name,
                    PacketSocket(_wire_end(host.name)),
                    Observer(self._log, host.name, host.namespace),
                )
                for host in hosts
            ]
            Carrier(self._log, theirs, (ends[0], ends[1]), self._link).run()

        self._wire_pid = fork_process(carry, self._log)
        theirs.close()
        self._ask_wire(None)  # ready: both ends are open

    def end(self) -> None:
        """End the wire: what the kernels say when their programs are killed is not of the run."""
        if self._wire is not None:
            with suppress(HostLost):
                self._wire.send("stop")
            os.waitpid(self._wire_pid, 0)

    def _ask_wire(self, question: str | None) -> Any:
        assert self._wire is not None
        if question:
            self._wire.send(question)
        try:
            return self._wire.receive(self.deadline_s)
        except TimeoutError:
            raise OutOfTime("the wire does not answer") from None

    def at_rest(self) -> tuple[str, Any]:
        """("", what was seen) where nothing moves now, else (what does, ...).

        The wire answers between frames only. A socket whose retransmission timer runs waits for
        an acknowledgment; one that probes a closed window is held to be at rest.
        """
        wire = self._ask_wire("status")
        if wire["lost"]:
            raise HostLost(f"the wire lost {wire['lost']} frames: its receive buffer was full")
        for host in self._hosts.values():
            for program in host.programs:
                if not program.resting():
                    return f"{host.name}: {program.name} is running", None
        rows = [(name, row) for name, host in self._hosts.items() for row in self.sockets(host)]
        for name, row in rows:
            if row.timer == "retransmit":
                return f"{name}: {row.local} to {row.remote} waits to be acknowledged", None
        seen = [(name, row.local, row.remote, row.state, row.recv_q) for name, row in rows]
        return "", (wire["frames"], seen)

    # programs

    def _start_puppet(self, host: Host, name: str) -> Puppet:
        ours, theirs = channel_pair()

        def serve() -> None:
            ours.close()
            serve_calls(theirs, self._recorder(host, name))

        fork_process(serve, self._log)
        theirs.close()
        try:
            pid = ours.receive(self.deadline_s)["value"]
        except TimeoutError:
            raise OutOfTime(f"{host.name}: {name} does not start") from None
        self._note("program", {"pid": pid, "program": name, "command": "script"}, host.name)
        return Puppet(host, name, pid, ours)

    def _recorder(self, host: Host, name: str) -> Recorder:
        """For the process that was just forked: moves it into the host."""
        enter(host.namespace)
        return Recorder(self._log, Observer(self._log, host.name, host.namespace), host.name, name)

    def _start_program(
        self, host: Host, what: Callable[..., Any] | Sequence[str], args: tuple[Any, ...]
    ) -> RunningProgram:
        name = what.__name__ if callable(what) else os.path.basename(what[0])
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
            except BaseException as error:  # a program's own affair: told as a program tells it
                traceback.print_exc()
                return _NOT_FOUND if isinstance(error, FileNotFoundError) else 1
            finally:
                sys.stdout.flush()
            return 0

        inner_pid = fork_process(main, self._log)
        os.close(report)
        pid = int(os.read(number, 32) or b"0")
        os.close(number)
        command = name if callable(what) else " ".join(what)
        self._note("program", {"pid": pid, "program": name, "command": command}, host.name)
        return RunningProgram(host, name, pid, os.pidfd_open(inner_pid), output)

    def _program_ended(self, program: Program, status: int) -> None:
        ended = {"pid": program.pid, "program": program.name, "status": status}
        self._note("program", ended, program.host.name)

    def _note(self, kind: str, params: dict[str, Any], host: str = "") -> None:
        self._log.write(Note(t_ns=time.monotonic_ns(), kind=kind, host=host, params=params))


def _speak_into(output: int) -> None:
    """Make a file the standard output and standard error of this process, Python's own too."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, closefd=False)


def _wire_end(host: str) -> str:
    """The name of the wire's end of a host's link; interface names have 15 characters at most."""
    return f"to-{host}"[:15]
