"""Which processes hold which sockets: /proc/PID/fd (proc(5)), by inode.

Rules: a process that ends meanwhile is passed over; one of another user is not to be looked into
without CAP_SYS_PTRACE, so a socket may have owners that nobody here can name.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import NamedTuple

__all__ = [
    "Owner",
    "Owners",
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


class Owners(Mapping[int, tuple[Owner, ...]]):
    """Inode -> its holders, of the sockets that have any. A socket has one, as a rule, and that is
    kept as a number (`only`: the place in `processes`, shifted by `SHIFT`, and the descriptor):
    memory that is touched for the first time costs more than taking the number apart."""

    SHIFT = 32

    def __init__(self) -> None:
        self.processes: list[tuple[int, str]] = []
        self.only: dict[int, int] = {}
        self._more: dict[int, list[int]] = {}

    def add(self, pid: int, command: str, held: Sequence[tuple[int, int]]) -> None:
        """A process's sockets: inode and descriptor of each."""
        base = len(self.processes) << self.SHIFT
        self.processes.append((pid, command))
        only, more = self.only, self._more
        fresh = {inode: base + fd for inode, fd in held}
        if len(fresh) == len(held) and only.keys().isdisjoint(fresh) and not more:
            only.update(fresh)
            return
        for inode, fd in held:
            if inode in more:
                more[inode].append(base + fd)
            elif inode in only:
                more[inode] = [only.pop(inode), base + fd]
            else:
                only[inode] = base + fd

    def __getitem__(self, inode: int) -> tuple[Owner, ...]:
        only = self.only.get(inode)
        return tuple(map(self._owner, self._more[inode] if only is None else (only,)))

    def _owner(self, packed: int) -> Owner:
        pid, command = self.processes[packed >> self.SHIFT]
        return Owner(pid, packed & (1 << self.SHIFT) - 1, command)

    def __iter__(self) -> Iterator[int]:
        return chain(self.only, self._more)

    def __len__(self) -> int:
        return len(self.only) + len(self._more)

    def unknown(self, inodes: set[int]) -> set[int]:
        """Those of these that nobody holds who may be looked into."""
        return inodes - self.only.keys() - self._more.keys()


class Search(NamedTuple):
    """What was found. `refused` processes could not be looked into."""

    owners: Owners
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
    found, refused = Owners(), 0
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
            found.add(pid, command_of(pid), held)
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
