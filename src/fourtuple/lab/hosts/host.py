"""A host in a script's hands: its programs and sockets, its settings, its end."""

import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fourtuple.errors import N_, UsageError
from fourtuple.lab.hosts.baseline import apply_sysctls
from fourtuple.lab.hosts.programs import Program, RunningProgram
from fourtuple.lab.hosts.sockets import HostSocket, Puppet
from fourtuple.lab.needs import program_path
from fourtuple.system.namespaces import inside
from fourtuple.system.sysctl import read_sysctl

if TYPE_CHECKING:
    from fourtuple.lab.network import Network

__all__ = ["Host"]

NFT_REFUSED = N_("{host}: nft refuses the rules: {reason}")


@dataclass
class Host:
    """A network namespace with an interface for each of its links, and the programs that run in
    it. `address` is the first of its `addresses`."""

    name: str
    namespace: int
    family: socket.AddressFamily
    deadline_s: float
    network: "Network"
    addresses: list[str]
    programs: list[Program] = field(default_factory=list)

    @property
    def address(self) -> str:
        return self.addresses[0]

    # programs

    def program(self, name: str) -> Puppet:
        """Another process of this host that carries out the script's calls."""
        puppet = self.network.processes.puppet(self, name)
        self.programs.append(puppet)
        return puppet

    def socket(self, kind: str = "stream") -> HostSocket:
        """socket() in the host's first program, which is started when it is first needed."""
        first = next((p for p in self.programs if isinstance(p, Puppet) and p.running), None)
        return (first or self.program(self.name)).socket(kind)

    def run(self, what: Callable[..., Any] | Sequence[str], *args: Any) -> RunningProgram:
        """Run a function on the standard socket module (its calls are recorded), or an
        executable, in a process of this host, beside the script."""
        program = self.network.processes.program(self, what, args)
        self.programs.append(program)
        return program

    # settings

    def sysctl(self, name: str, value: str | int | None = None) -> str:
        """Set a setting of this host, where a value is given; what it is then. OSError where the
        kernel refuses."""
        with inside(self.namespace):
            if value is not None and name not in self.network.fixed:
                apply_sysctls({name: value})
            return read_sysctl(name)

    def nft(self, rules: str) -> None:
        """Have the host's packet filter take these rules (the language of nft(8)).

        CapabilityMissing where there is no nft, UsageError where it refuses them.
        """
        program = program_path("nft")
        with inside(self.namespace):
            done = subprocess.run([program, "-f", "-"], input=rules, text=True, capture_output=True)
        if done.returncode:
            raise UsageError(NFT_REFUSED, {"host": self.name, "reason": done.stderr.strip()})

    def add_address(self, number: int) -> str:
        """Give the host a further address on its first link, the one that ends in `number`."""
        return self.network.add_address(self, number)

    # its end

    def crash(self) -> None:
        """Lose everything at once, as if the power had failed: no segment says so to anybody.

        Its programs are gone, its sockets too; what is sent to it is dropped, until `boot`.
        """
        self.network.crash(self)

    def boot(self) -> None:
        """Come up again after a crash: the same addresses, no programs, no sockets."""
        self.network.boot(self)
