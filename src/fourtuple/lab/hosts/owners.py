"""Whose sockets they are: the programs of a host that hold a descriptor of them (`system.owners`),
as netstat -p, ss -p and lsof find out."""

from typing import NamedTuple

from fourtuple.lab.hosts.host import Host
from fourtuple.system.owners import sockets_of

__all__ = ["Owner", "owners"]


class Owner(NamedTuple):
    """A program and its descriptor of a socket. `pid` is as this machine's /proc knows it."""

    program: str
    pid: int
    fd: int


def owners(host: Host, inode: int) -> list[Owner]:
    """The programs of the host that hold the socket; none where `inode` is 0."""
    return [
        Owner(program.name, program.pid, fd)
        for program in host.programs
        if program.running  # what has ended holds none, and an ordinary user may not ask
        for fd, held in sockets_of(program.pid)
        if held == inode
    ]
