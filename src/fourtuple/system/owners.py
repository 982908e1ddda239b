"""Which processes hold which sockets: /proc/PID/fd (proc(5)), by inode.

Rules: a process that ends meanwhile is passed over; one of another user is not to be looked into
without CAP_SYS_PTRACE, so a socket may have owners that nobody here can name.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

__all__ = ["Owner", "owners_of", "sockets_of"]

_SOCKET = "socket:["


@dataclass(frozen=True, slots=True)
class Owner:
    """A descriptor of a process. `command` is the kernel's short name for it (15 bytes at most)."""

    pid: int
    fd: int
    command: str


def owners_of(inodes: Iterable[int]) -> dict[int, list[Owner]]:
    """The holders of each of these sockets that this process may see."""
    wanted = set(inodes)
    found: dict[int, list[Owner]] = {inode: [] for inode in wanted}
    for pid in _processes():
        command = ""
        for fd, inode in sockets_of(pid):
            if inode in wanted:
                command = command or _command(pid)
                found[inode].append(Owner(pid, fd, command))
    return found


def _processes() -> Iterator[int]:
    with suppress(OSError), os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdigit():
                yield int(entry.name)


def sockets_of(pid: int) -> Iterator[tuple[int, int]]:
    """(descriptor, inode) of each socket that a process holds; none where it has ended, or where
    this process may not look."""
    directory = f"/proc/{pid}/fd"
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in names:
        with suppress(OSError):
            target = os.readlink(f"{directory}/{name}")
            if target.startswith(_SOCKET):
                yield int(name), int(target[len(_SOCKET) : -1])


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""
