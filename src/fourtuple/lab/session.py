"""The process tree of one run, which ends as one, whatever happens.

    launcher ── keeper ── director (process 1 of a pid namespace) ── wire, programs

The keeper enters the namespaces and forks the director. When the director ends, the kernel ends
everything in its pid namespace; it ends with the keeper, and the keeper with the launcher
(PR_SET_PDEATHSIG), kill -9 included. Nothing has a name, so nothing is left behind.
"""

import errno
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress

from fourtuple.errors import N_
from fourtuple.event.model import Note
from fourtuple.lab.log import Log
from fourtuple.system.namespaces import (
    CLONE_NEWNET,
    CLONE_NEWPID,
    die_with_parent,
    unshare,
    unshare_user,
)
from fourtuple.system.sysctl import write_sysctl

__all__ = ["Session", "failure", "fork_process", "open_standard_streams", "scarce"]

#: buckets of the hash table of connections: a dump walks them all, few are enough for a lab
_HASH_BUCKETS = 64
#: what a machine, or a limit upon a process, may run out of
_SCARCE = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EFBIG))

NO_MORE = N_("The lab ran into a limit: {reason}. See what this shell allows: ulimit -a")


def failure(message: str, error: str, params: Mapping[str, object] | None = None) -> Note:
    """The note that makes a run a failed one: what went wrong (a message id and the values of its
    {fields}), and the class of the error."""
    values = {**(params or {}), "error": error}
    return Note(t_ns=time.monotonic_ns(), kind="failure", message=message, params=values)


def scarce(error: BaseException) -> bool:
    """Whether the machine, or a limit upon a process, has run out of something."""
    return isinstance(error, OSError) and error.errno in _SCARCE


def fork_process(main: Callable[[], int | None], log: Log) -> int:
    """Fork a process that runs `main` and exits with what it returns; return its pid.

    What it raises is noted as a failure of the run. It never returns into the caller's code, and
    has no standard input.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # who is told to end ends without a traceback
        with suppress(FileNotFoundError):
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, 0)
        status = main() or 0
    except BaseException as error:
        text = traceback.format_exc().encode(errors="backslashreplace").decode()
        if isinstance(error, OSError) and scarce(error):
            log.write(failure(NO_MORE, "OSError", {"reason": error.strerror}))
        else:
            log.write(failure("{text}", "crash", {"text": text}))
    finally:
        os._exit(status)


def open_standard_streams() -> None:
    """Give standard input, output and error to /dev/null where the caller was started without.

    Otherwise the next thing opened would get their numbers, and be written to as they are.
    """
    with suppress(FileNotFoundError):
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(descriptor, True)
        os.close(descriptor)


class Session:
    """Runs `main` as the director of a new session."""

    def __init__(self, main: Callable[[], int | None], log: Log) -> None:
        launcher = os.getpid()
        self._pid = fork_process(lambda: _keep(launcher, main, log), log)
        self._pidfd = os.pidfd_open(self._pid)

    def wait(self, limit_s: float) -> bool:
        """Wait for the end; False where the limit came first, and all was killed."""
        try:
            ended = bool(select.select([self._pidfd], [], [], limit_s)[0])
        finally:
            self.end()
        return ended

    def end(self) -> None:
        """Kill whatever is left and wait until it is gone."""
        if self._pidfd < 0:
            return
        signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._pidfd)
        self._pidfd = -1


def _keep(launcher: int, main: Callable[[], int | None], log: Log) -> int:
    os.setsid()  # a Ctrl-C in the terminal is for the launcher, which then ends the session
    die_with_parent(launcher)
    _enter_namespaces()
    with suppress(FileNotFoundError):  # Linux 6.1
        write_sysctl("net.ipv4.tcp_child_ehash_entries", _HASH_BUCKETS)
    alive, keeper = os.pipe()

    def direct() -> int | None:
        die_with_parent()
        os.close(keeper)
        if select.select([alive], [], [], 0)[0]:
            return 1  # the keeper was gone before the kernel was told to end us with it
        return main()

    pid = fork_process(direct, log)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _enter_namespaces() -> None:
    namespaces = CLONE_NEWNET | CLONE_NEWPID
    try:
        unshare(namespaces)  # root needs no user namespace, and keeps what else it may do
    except PermissionError:
        unshare_user(namespaces)
