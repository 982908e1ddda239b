"""The processes of a trace: their threads, and what their descriptors are.

A process is known from its birth (task_newtask), or looked up when it is first met. A descriptor is
a socket where a call made it one; those from before are told by whoever looked (`adopt`). The
network namespace of a process is looked up when it makes its first socket in it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from fourtuple.source.trace.sockets import Holder, Sock

__all__ = ["Process", "Programs", "Slot"]

_CLONE_FILES, _CLONE_THREAD, _CLONE_NEWNET = 0x400, 0x10000, 0x40000000

#: thread -> (process, its command); None where it is gone
LookUp = Callable[[int], "tuple[int, str] | None"]


@dataclass(slots=True)
class Slot:
    """What a descriptor is."""

    sock: Sock
    closes_on_exec: bool = False


@dataclass(slots=True, eq=False)
class Process:
    """`files` may be another process's, too (CLONE_FILES). `netns` is the inode of its network
    namespace, 0 where that could not be found out, None where nobody has looked; below 0: a
    namespace that this process or one it comes from made, whose inode nobody has looked up."""

    pid: int
    command: str
    watched: bool
    netns: int | None = None
    files: dict[int, Slot] = field(default_factory=dict)

    def sock(self, fd: int) -> Sock | None:
        """The socket behind a descriptor; None: it is none, or not known to be one."""
        slot = self.files.get(fd)
        if slot is None:
            return None
        slot.sock = slot.sock.latest
        return slot.sock

    def put(self, fd: int, sock: Sock, *, closes_on_exec: bool = False) -> None:
        """The descriptor is this socket from now on."""
        before = self.sock(fd)
        if before is sock:
            return
        self.files[fd] = Slot(sock, closes_on_exec)
        sock.open_at += 1
        sock.left_ns = 0
        sock.held_by(Holder(self.pid, fd, self.command), watched=self.watched)
        if before is not None:
            before.open_at -= 1

    def close(self, fd: int) -> Sock | None:
        """The descriptor is nothing any more; what it was."""
        sock = self.sock(fd)
        if sock is not None:
            del self.files[fd]
            sock.open_at -= 1
        return sock


class Programs:
    """The processes by their threads. `all_watched`: every process is somebody's concern.
    `namespace_of` gives the network namespace of a process, 0 where it is gone. A namespace that
    was seen to be made is one of its own even where all its processes are gone: below 0 then."""

    def __init__(
        self,
        look_up: LookUp,
        namespace_of: Callable[[int], int] = lambda pid: 0,
        *,
        all_watched: bool = False,
    ) -> None:
        self._look_up = look_up
        self._namespace_of = namespace_of
        self._all_watched = all_watched
        self._threads: dict[int, Process] = {}
        self._processes: dict[int, Process] = {}
        self._namespaces_made = 0
        self._made_namespaces: dict[int, int] = {}  # number below 0 -> what it is known as

    def __iter__(self) -> Iterator[Process]:
        return iter(self._processes.values())

    def adopt(self, pid: int, command: str, *, watched: bool) -> Process:
        """A process that was there before."""
        process = self._processes.get(pid)
        if process is None:
            process = Process(pid, command, watched or self._all_watched)
            self._processes[pid] = self._threads[pid] = process
        process.watched |= watched
        return process

    def of(self, thread: int) -> Process:
        """The process of a thread, looked up where it is met for the first time."""
        process = self._threads.get(thread)
        if process is None:
            pid, command = self._look_up(thread) or (thread, "?")
            process = self._threads[thread] = self.adopt(pid, command, watched=False)
        return process

    def namespace(self, thread: int) -> int:
        """The network namespace of a thread's process."""
        process = self.of(thread)
        if process.netns is None:
            process.netns = self._namespace_of(process.pid)
        elif process.netns < 0:
            known = self._made_namespaces
            if process.netns not in known:
                known[process.netns] = self._namespace_of(process.pid) or process.netns
            return known[process.netns]
        return process.netns

    def moved(self, thread: int) -> None:
        """It may be in another network namespace from now on."""
        self.of(thread).netns = None

    def unshared(self, thread: int, flags: int) -> None:
        """It left what it shared with others, its network namespace for a new one perhaps."""
        if flags & _CLONE_NEWNET:
            self.of(thread).netns = self._new_namespace()

    def _new_namespace(self) -> int:
        self._namespaces_made += 1
        return -self._namespaces_made

    def born(self, parent: int, child: int, flags: int) -> None:
        """A thread made another: of its own process, or of one that has its descriptors."""
        process = self.of(parent)
        if flags & _CLONE_THREAD:
            self._threads[child] = process
            return
        netns = self._new_namespace() if flags & _CLONE_NEWNET else process.netns
        made = Process(child, process.command, process.watched, netns)
        self._processes[child] = self._threads[child] = made
        if flags & _CLONE_FILES:
            made.files = process.files
            return
        for fd in process.files:
            sock = process.sock(fd)
            if sock is not None:
                made.put(fd, sock, closes_on_exec=process.files[fd].closes_on_exec)

    def executed(self, thread: int, before: int, filename: str) -> None:
        """A process became another program; its other threads are gone."""
        process = self.of(before if before in self._threads else thread)
        self._threads[thread] = process
        process.command = filename.rpartition("/")[2][:15] or process.command
        process.files = dict(process.files)
        for fd in [fd for fd, slot in process.files.items() if slot.closes_on_exec]:
            process.close(fd)
        for fd in process.files:
            sock = process.sock(fd)
            if sock is not None:
                self._renamed(process, fd, sock)

    @staticmethod
    def _renamed(process: Process, fd: int, sock: Sock) -> None:
        holders = sock.holders
        for place, holder in enumerate(holders):
            if (holder.pid, holder.fd) == (process.pid, fd):
                holders[place] = replace(holder, command=process.command)

    def ended(self, thread: int) -> None:
        """A thread is gone; with the last one, or the process's own, all its descriptors."""
        process = self._threads.pop(thread, None)
        if process is None or thread != process.pid:
            return
        self._processes.pop(process.pid, None)
        if not any(other.files is process.files for other in self._processes.values()):
            for fd in list(process.files):
                process.close(fd)
