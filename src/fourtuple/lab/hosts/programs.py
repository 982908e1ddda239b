"""Processes of a host: those that carry out a script's calls, and those that run beside it."""

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from fourtuple.errors import N_, OutOfTime

if TYPE_CHECKING:
    from fourtuple.lab.hosts.host import Host

__all__ = ["Program", "RunningProgram"]

NOT_ENDED = N_("{host}: {program} has not ended in time.")


class Program:
    """A process of a host. `pid` is as this machine's /proc knows it."""

    def __init__(self, host: "Host", name: str, pid: int, pidfd: int) -> None:
        self.host = host
        self.name = name
        self.pid = pid
        self._pidfd = pidfd
        self._status: int | None = None

    def resting(self) -> bool:
        """Whether every thread of it and of its children sleeps in the kernel (and not just for a
        while)."""
        return all(map(_thread_rests, _threads(self.pid)))

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return not select.select([self._pidfd], [], [], 0)[0]

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal. Of one that has ended already, nothing comes."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    def wait(self, limit_s: float | None = None) -> int:
        """The exit status once it has ended (128 + signal where a signal ended it)."""
        if self._status is None:
            now_s = time.monotonic()
            latest_s = self.host.deadline_s
            deadline_s = latest_s if limit_s is None else min(now_s + limit_s, latest_s)
            if not select.select([self._pidfd], [], [], max(0.0, deadline_s - now_s))[0]:
                raise OutOfTime(NOT_ENDED, {"host": self.host.name, "program": self.name})
            info = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED)
            assert info is not None
            killed = info.si_code != os.CLD_EXITED
            self._status = info.si_status + (128 if killed else 0)
            self.host.network.processes.ended(self, self._status)
        return self._status


class RunningProgram(Program):
    """A textbook function or an executable that runs beside the script."""

    def __init__(self, host: "Host", name: str, pid: int, pidfd: int, output: int) -> None:
        super().__init__(host, name, pid, pidfd)
        self._output = output

    @property
    def output(self) -> str:
        """What it has written to standard output and standard error so far."""
        size = os.fstat(self._output).st_size
        return os.pread(self._output, size, 0).decode(errors="replace")


def _threads(pid: int) -> Iterator[str]:
    """The directories of a process's threads, and of those of its children; what has ended is
    passed over."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            directory = f"/proc/{pid}/task/{thread}"
            yield directory
            with open(f"{directory}/children", encoding="ascii") as file:
                children = file.read().split()
            for child in children:
                yield from _threads(int(child))


def _thread_rests(directory: str) -> bool:
    try:
        with open(f"{directory}/stat", encoding="utf-8", errors="replace") as file:
            state = file.read().rpartition(")")[2].split()[0]
        if state not in "SZX":
            return False
        with open(f"{directory}/wchan", encoding="utf-8") as file:
            return "nanosleep" not in file.read()
    except (FileNotFoundError, ProcessLookupError):
        return True  # it has ended
