"""Tracing instances of our own (Documentation/trace/ftrace.rst, "Instances").

An instance is a ring buffer a processor and its own set of enabled events: it disturbs no other
tracer. Its name says who made it, so that one that a killed process left behind is cleared by the
next who makes one. Files are written with os.write: a buffered file would swallow the refusal.
"""

import ctypes
import errno
import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from types import FrameType, TracebackType
from typing import Self

from fourtuple.errors import N_, CapabilityMissing

__all__ = [
    "USUAL_PLACE",
    "Instance",
    "clear_stale",
    "ending_in_order",
    "instance_name",
    "mounted",
    "place",
]

USUAL_PLACE = "/sys/kernel/tracing"
#: the second is mounted by whoever looks into it, where debugfs is
_PLACES = (USUAL_PLACE, "/sys/kernel/debug/tracing")
_MINE = "fourtuple"
_TRIES, _PAUSE_S = 100, 0.02
# the same numbers on every architecture but alpha: include/uapi/asm-generic/unistd.h
_SYS_FSOPEN, _SYS_FSCONFIG, _SYS_FSMOUNT = 430, 431, 432
_FSOPEN_CLOEXEC, _FSCONFIG_CMD_CREATE, _FSMOUNT_CLOEXEC = 1, 6, 1

_NOT_ALLOWED = N_("The kernel's trace is for root to read.")
_AS_ROOT = N_("Run fourtuple as root, for example with sudo.")
_NOT_THERE = N_("This kernel has no tracefs: {reason}.")
_OTHER_KERNEL = N_("Boot a kernel that has CONFIG_FTRACE and CONFIG_EVENT_TRACING.")


@cache
def place() -> str:
    """The directory of tracefs. Where it is not mounted as usual, it is mounted for this process
    alone, in no namespace (fsmount(2), Linux 5.2), and goes with it: a mount of somebody else's
    may be gone the next moment, and is the last resort. CapabilityMissing where none can be."""
    if os.geteuid() != 0 and not any(os.access(f"{one}/instances", os.W_OK) for one in _PLACES):
        raise CapabilityMissing(_NOT_ALLOWED, _AS_ROOT)
    found = mounted()
    if found in _PLACES:
        return found
    try:
        return f"/proc/self/fd/{_mount_detached()}"
    except OSError as error:
        if found:
            return found
        if error.errno in (errno.EPERM, errno.EACCES):
            raise CapabilityMissing(_NOT_ALLOWED, _AS_ROOT) from None
        reason = {"reason": os.strerror(error.errno or 0)}
        raise CapabilityMissing(_NOT_THERE, _OTHER_KERNEL, reason) from None


def mounted() -> str:
    """Where this process sees tracefs mounted, the usual places before any other; "" where it does
    not."""
    usual = next((path for path in _PLACES if os.path.isdir(f"{path}/events")), "")
    return usual or next(filter(os.path.isdir, _mounts()), "")


def _mounts() -> Iterator[str]:
    with suppress(OSError), open("/proc/self/mounts", encoding="utf-8", errors="replace") as file:
        for line in file:
            fields = line.split(" ")
            if len(fields) > 2 and fields[2] == "tracefs":
                yield fields[1]


def _mount_detached() -> int:
    """A descriptor of tracefs's root."""
    context = _syscall(_SYS_FSOPEN, b"tracefs", _FSOPEN_CLOEXEC)
    try:
        _syscall(_SYS_FSCONFIG, context, _FSCONFIG_CMD_CREATE, None, None, 0)
        return _syscall(_SYS_FSMOUNT, context, _FSMOUNT_CLOEXEC, 0)
    finally:
        os.close(context)


def _syscall(*arguments: int | bytes | None) -> int:
    result = ctypes.CDLL(None, use_errno=True).syscall(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(result)


def _started(pid: int) -> str:
    """When a process began, in ticks since the machine did: tells it from a later one of its
    number. "" where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return ""


def instance_name(purpose: str) -> str:
    """fourtuple-<pid>-<when that process began>-<purpose>."""
    pid = os.getpid()
    return f"{_MINE}-{pid}-{_started(pid)}-{purpose}"


def clear_stale() -> list[str]:
    """Remove what processes that are no more have left; the names. An instance that is being read
    cannot be removed, whoever reads it."""
    removed = []
    for name in os.listdir(f"{place()}/instances"):
        parts = name.split("-")
        ours = len(parts) == 4 and parts[0] == _MINE and parts[1].isdigit()
        if ours and _started(int(parts[1])) != parts[2]:
            with suppress(OSError):
                os.rmdir(f"{place()}/instances/{name}")
                removed.append(name)
    return removed


class Instance:
    """`with Instance("calls", buffer_kb=8192) as instance: ...`; it is removed at the end.

    `lacking` collects the events that this kernel does not have. Nothing is recorded until
    `start()`. Times are CLOCK_MONOTONIC.
    """

    def __init__(self, purpose: str, buffer_kb: int = 4096) -> None:
        self.path = f"{place()}/instances/{instance_name(purpose)}"
        self.lacking: list[str] = []
        self._buffer_kb = buffer_kb
        self._pipes: dict[int, int] = {}

    def __enter__(self) -> Self:
        clear_stale()
        try:
            os.mkdir(self.path)
        except PermissionError:
            raise CapabilityMissing(_NOT_ALLOWED, _AS_ROOT) from None
        try:
            self.write("tracing_on", "0")
            self.write("trace_clock", "mono")
            self.write("buffer_size_kb", str(self._buffer_kb))
            with suppress(OSError):  # Linux 5.0: readers wake as soon as there is anything
                self.write("buffer_percent", "0")
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    def _remove(self) -> None:
        for pipe in self._pipes.values():
            os.close(pipe)
        self._pipes.clear()
        with suppress(OSError):
            self.write("tracing_on", "0")
        for _ in range(_TRIES):
            try:
                return os.rmdir(self.path)
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                time.sleep(_PAUSE_S)  # somebody looks at a file of it
        return os.rmdir(self.path)

    def write(self, name: str, text: str, *, append: bool = False) -> None:
        """Write one of the instance's files; OSError is the kernel's refusal."""
        mode = os.O_APPEND if append else os.O_TRUNC
        descriptor = os.open(f"{self.path}/{name}", os.O_WRONLY | os.O_CLOEXEC | mode)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)

    def read(self, name: str) -> str:
        """The content of one of the instance's files."""
        with open(f"{self.path}/{name}", encoding="utf-8", errors="replace") as file:
            return file.read()

    def enable(self, event: str, filtered: str = "") -> bool:
        """Record an event ("sock/inet_sock_set_state"), where `filtered` says so of its fields;
        False, and noted in `lacking`, where this kernel has none of that name or no such field."""
        try:
            if filtered:
                self.write(f"events/{event}/filter", filtered)
            self.write(f"events/{event}/enable", "1")
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EINVAL):
                raise
            self.lacking.append(event)
            return False
        return True

    def follow(self, threads: Iterable[int]) -> None:
        """Record only what these threads do, besides those followed before, and their children
        from now on."""
        self.write("options/event-fork", "1")
        for thread in threads:
            with suppress(ProcessLookupError):
                self.write("set_event_pid", str(thread), append=True)

    def ignore(self, threads: Iterable[int]) -> None:
        """Record nothing that these threads do (Linux 5.7)."""
        for thread in threads:
            self.write("set_event_notrace_pid", str(thread), append=True)

    def start(self) -> None:
        """Begin to record."""
        self.write("tracing_on", "1")

    def stop(self) -> None:
        """Record no more; what was recorded can still be read."""
        self.write("tracing_on", "0")

    def filenos(self) -> list[int]:
        """What to wait on until there is something to read."""
        return list(self._opened().values())

    def pages(self, page_bytes: int) -> Iterator[tuple[int, bytes]]:
        """(processor, page) of all that waits, each processor's pages in order."""
        for cpu, pipe in self._opened().items():
            with suppress(BlockingIOError):
                while page := os.read(pipe, page_bytes):
                    yield cpu, page

    def _opened(self) -> dict[int, int]:
        """Processor -> what its events are read from, opened when it is first asked for: an
        instance whose pipe a child has inherited cannot be removed before that one ends."""
        if not self._pipes:
            for cpu in self._processors():
                path = f"{self.path}/per_cpu/cpu{cpu}/trace_pipe_raw"
                self._pipes[cpu] = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        return self._pipes

    def _processors(self) -> list[int]:
        names = os.listdir(f"{self.path}/per_cpu")
        return sorted(int(name[3:]) for name in names if name.startswith("cpu"))

    def lost(self) -> int:
        """How many events found no room, so far."""
        count = 0
        for cpu in self._processors():
            for line in self.read(f"per_cpu/cpu{cpu}/stats").splitlines():
                name, _, number = line.partition(":")
                if name in ("overrun", "commit overrun", "dropped events"):
                    count += int(number)
        return count


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Within, SIGTERM and SIGHUP end the process as Ctrl-C does: what was begun is undone."""

    def stop(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
