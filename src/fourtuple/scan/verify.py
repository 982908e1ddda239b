"""The scan compared with the scanned host's own socket table: who listens, who was found open.

The table of this machine is at hand. That of another network namespace is too, where one may enter
it: a host of the lab (which tells its programs where, `LAB_HOSTS`), a container.
"""

import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext

from msgspec import Struct

from fourtuple.errors import N_, CapabilityMissing, InputError
from fourtuple.system.namespaces import LAB_HOSTS, inside
from fourtuple.system.sock_diag import DiagSocket, SockDiag

__all__ = ["Comparison", "compare", "is_local", "lab_hosts", "socket_table"]

_WILDCARDS = {4: ("0.0.0.0", "::"), 6: ("::",)}


class Comparison(Struct, frozen=True):
    """Ports of one address: where scan and socket table agree and where they do not."""

    address: str
    agreed: tuple[int, ...]
    only_listening: tuple[int, ...]
    only_found: tuple[int, ...]

    @property
    def holds(self) -> bool:
        """Whether both say the same."""
        return not self.only_listening and not self.only_found


def is_local(address: str) -> bool:
    """Whether an address is this machine's (in this network namespace)."""
    host, _, _ = address.partition("%")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(socket.getaddrinfo(address, 0, family, socket.SOCK_DGRAM)[0][4])
        except OSError:
            return False
    return True


def lab_hosts(environ: Mapping[str, str]) -> dict[str, str]:
    """address -> the file of its network namespace, for a program of the lab; {} for others."""
    pairs = (word.partition("=") for word in environ.get(LAB_HOSTS, "").split())
    return {address: path for address, _, path in pairs}


def socket_table(namespace: str = "") -> list[DiagSocket]:
    """The TCP sockets of this network namespace, or of another, by its file.

    InputError where that is none, CapabilityMissing where it may not be entered.
    """
    with _entered(namespace) if namespace else nullcontext():
        diag = SockDiag()
    try:
        return diag.dump()
    finally:
        diag.close()


@contextmanager
def _entered(namespace: str) -> Iterator[None]:
    params = {"file": namespace}
    try:
        descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with inside(descriptor):
                yield
        finally:
            os.close(descriptor)
    except PermissionError:
        raise CapabilityMissing(
            N_("{file}: this process may not enter that network namespace (CAP_SYS_ADMIN)"),
            N_("Run fourtuple as root, for example with sudo."),
            params,
        ) from None
    except OSError as error:
        params["reason"] = os.strerror(error.errno or 0)
        raise InputError(N_("{file}: not a network namespace: {reason}"), params) from None


def compare(
    address: str, asked: Iterable[int], found: Iterable[int], rows: Iterable[DiagSocket]
) -> Comparison:
    """Compare the open ports found with the listeners of the address's socket table.

    A listener at :: takes IPv4 connections too, unless it is for IPv6 only.
    """
    listening = _listening(address, rows) & set(asked)
    opened = set(found)
    return Comparison(
        address,
        tuple(sorted(listening & opened)),
        tuple(sorted(listening - opened)),
        tuple(sorted(opened - listening)),
    )


def _listening(address: str, rows: Iterable[DiagSocket]) -> set[int]:
    wildcards = _WILDCARDS[6 if ":" in address else 4]
    ports = set()
    for row in rows:
        here = row.local[0].removeprefix("::ffff:")
        takes = here == address.partition("%")[0] or here in wildcards
        if here == "::" and ":" not in address and row.v6_only:
            takes = False
        if row.state == "LISTEN" and takes:
            ports.add(row.local[1])
    return ports
