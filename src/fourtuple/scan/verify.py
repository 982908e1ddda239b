"""The scan compared with the socket table of this machine: who listens, who was found open."""

import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fourtuple.system.sock_diag import DiagSocket, SockDiag

__all__ = ["Comparison", "compare", "is_local"]

_WILDCARDS = {4: ("0.0.0.0", "::"), 6: ("::",)}


@dataclass(frozen=True, slots=True)
class Comparison:
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


def compare(
    address: str, asked: Iterable[int], found: Iterable[int], rows: Sequence[DiagSocket] = ()
) -> Comparison:
    """Compare the open ports found with the listeners of the table (`rows`, or read now).

    A listener at :: takes IPv4 connections too, unless it is for IPv6 only.
    """
    listening = _listening(address, rows or _table()) & set(asked)
    opened = set(found)
    return Comparison(
        address,
        tuple(sorted(listening & opened)),
        tuple(sorted(listening - opened)),
        tuple(sorted(opened - listening)),
    )


def _table() -> list[DiagSocket]:
    diag = SockDiag()
    try:
        return diag.dump()
    finally:
        diag.close()


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
