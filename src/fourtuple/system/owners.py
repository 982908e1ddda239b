"""Which processes hold which sockets: /proc/PID/fd (proc(5)), by inode.

Rules: a process that ends meanwhile is passed over; one of another user is not to be looked into
without CAP_SYS_PTRACE, so a socket may have owners that nobody here can name.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import repeat
from typing import NamedTuple

__all__ = [
    "Owner",
    "Search",
    "command_of",
    "look_for_owners",
    "owners_of",
    "processes",
    "sockets_of",
]

_SOCKET = "socket:["


class Owner(NamedTuple):
    """A descriptor of a process. `command` is the kernel's short name for it (15 bytes at most)."""

    pid: int
    fd: int
    command: str


class Search(NamedTuple):
    """What was found: the holders of each inode that has any. `refused` processes could not be
    looked into."""

    owners: dict[int, tuple[Owner, ...]]
    refused: int


def owners_of(inodes: Iterable[int]) -> dict[int, list[Owner]]:
    """The holders of each of these sockets that this process may see."""
    wanted = set(inodes)
    found = look_for_owners(wanted).owners
    return {inode: list(found.get(inode, ())) for inode in wanted}


def look_for_owners(inodes: Iterable[int] | None) -> Search:
    """The same, of the sockets that have holders, or of all sockets; and how many processes could
    not be looked into. Some 6 us a descriptor, most of it the kernel's."""
    wanted = None if inodes is None else set(inodes)
    found: dict[int, tuple[Owner, ...]] = {}
    refused = 0
    for pid in processes():
        try:
            directory = os.open(f"/proc/{pid}/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except PermissionError:
            refused += 1
            continue
        except OSError:  # it has ended
            continue
        try:
            held = _sockets_in(directory)
        except OSError:
            continue
        finally:
            os.close(directory)
        if wanted is not None:
            held = [one for one in held if one[0] in wanted]
        if held:
            _add(found, held, pid)
    return Search(found, refused)


def _sockets_in(directory: int) -> list[tuple[int, int]]:
    """(inode, descriptor) of the sockets in an open /proc/PID/fd."""
    names, begin = os.listdir(directory), len(_SOCKET)
    try:
        targets = list(map(partial(os.readlink, dir_fd=directory), names))
    except OSError:  # one was closed meanwhile
        targets = [_target(directory, name) for name in names]
    return [
        (int(target[begin:-1]), int(name))
        for name, target in zip(names, targets, strict=True)
        if target[:begin] == _SOCKET
    ]


def _target(directory: int, name: str) -> str:
    try:
        return os.readlink(name, dir_fd=directory)
    except OSError:
        return ""


def _add(found: dict[int, tuple[Owner, ...]], held: list[tuple[int, int]], pid: int) -> None:
    """A process's sockets, without a step of the interpreter for each where all are new."""
    inodes, descriptors = zip(*held, strict=True)
    every = zip(repeat(pid), descriptors, repeat(command_of(pid)), strict=False)
    owners = list(map(tuple.__new__, repeat(Owner), every))
    if len(set(inodes)) == len(inodes) and found.keys().isdisjoint(inodes):
        found.update(zip(inodes, zip(owners, strict=True), strict=True))
        return
    for inode, owner in zip(inodes, owners, strict=True):
        found[inode] = (*found.get(inode, ()), owner)


def processes() -> Iterator[int]:
    """The processes that there are."""
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


def command_of(pid: int) -> str:
    """A process's short name; "" where it has ended."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""
