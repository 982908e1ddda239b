"""Whose sockets they are: the programs of a host that hold a descriptor of them.

The kernel's socket table has an inode for each socket, and /proc/PID/fd has the same number for
each descriptor: what lies between is this search, here as in netstat -p, ss -p and lsof.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from fourtuple.lab.hosts import Host

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
        for fd, target in _descriptors(program.pid)
        if target == f"socket:[{inode}]"
    ]


def _descriptors(pid: int) -> Iterator[tuple[int, str]]:
    """The descriptors of a process and what they lead to; none where it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with suppress(FileNotFoundError):  # closed meanwhile
                yield int(name), os.readlink(f"/proc/{pid}/fd/{name}")
