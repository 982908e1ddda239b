"""The processes of hosts: programs that carry out a script's calls, functions and executables that
run beside it. Each is forked from the director and moves into its host."""

import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from fourtuple.errors import N_, OutOfTime, UsageError
from fourtuple.event.model import Note
from fourtuple.lab.channel import channel_pair
from fourtuple.lab.hosts.observer import Observer
from fourtuple.lab.hosts.programs import Program, RunningProgram
from fourtuple.lab.hosts.puppet import serve_calls
from fourtuple.lab.hosts.recorded_socket import Recorder, recording
from fourtuple.lab.hosts.sockets import Puppet
from fourtuple.lab.log import Log
from fourtuple.lab.needs import program_path
from fourtuple.lab.session import fork_process
from fourtuple.system.namespaces import LAB_HOSTS, enter

if TYPE_CHECKING:
    from fourtuple.lab.hosts.host import Host

__all__ = ["Processes"]

#: what a program writes is kept in memory: it is ended where it writes more than this. It writes
#: its share of the log, too
_MOST_BYTES = 1 << 30

NOT_STARTED = N_("{host}: {program} has not started in time.")
CANNOT_RUN = N_("{host} cannot run {program}: {reason}")
NO_PROGRAM = N_(
    'run() takes a function, or a program with its arguments in a list: ["curl", "-s", url]. It was'
    " given {given}."
)


class Processes:
    """Starts them, and notes that it did. `namespaces` gives what `LAB_HOSTS` is for a program:
    where the socket table of each host is to be had."""

    def __init__(self, log: Log, deadline_s: float, namespaces: Callable[[], str]) -> None:
        self._log = log
        self._deadline_s = deadline_s
        self._namespaces = namespaces

    def puppet(self, host: "Host", name: str) -> Puppet:
        """A process of the host that carries out the script's calls."""
        ours, theirs = channel_pair()

        def serve() -> None:
            ours.close()
            serve_calls(theirs, self._recorder(host, name))

        inner_pid = fork_process(serve, self._log)
        theirs.close()
        try:
            pid = ours.receive(self._deadline_s)["value"]
        except TimeoutError:
            raise OutOfTime(NOT_STARTED, {"host": host.name, "program": name}) from None
        self._note(host, {"pid": pid, "program": name, "command": "script"})
        return Puppet(host, name, pid, os.pidfd_open(inner_pid), ours)

    def _recorder(self, host: "Host", name: str) -> Recorder:
        """For the process that was just forked: moves it into the host."""
        enter(host.namespace)
        return Recorder(self._log, Observer(self._log, host.name, host.namespace), host.name, name)

    def program(
        self, host: "Host", what: Callable[..., Any] | Sequence[str], args: tuple[Any, ...]
    ) -> RunningProgram:
        """A function or an executable in a process of the host. CapabilityMissing where there is
        no such program, UsageError where the kernel does not run it."""
        words = [] if callable(what) else _words(what)
        path = program_path(words[0]) if words and "/" not in words[0] else "".join(words[:1])
        name = _name_of(what) if callable(what) else os.path.basename(path)
        output = os.memfd_create(f"output-{name}", os.MFD_CLOEXEC)
        number, report = os.pipe()  # closed by exec: what follows the pid is why it failed
        hosts = self._namespaces()

        def main() -> int:
            os.write(report, os.readlink("/proc/self").encode())
            _speak_into(output)
            os.environ[LAB_HOSTS] = hosts
            try:
                if not callable(what):
                    enter(host.namespace)
                    _execute(path, words, report)
                os.close(report)
                with recording(self._recorder(host, name)):
                    what(*args)
                    _await_threads()
            except SystemExit as asked:
                return _exit_status(asked)
            except BaseException:  # a program's own affair: told as a program tells it
                traceback.print_exc()
                return 1
            finally:
                with suppress(OSError, ValueError):
                    sys.stdout.flush()
            return 0

        inner_pid = fork_process(main, self._log)
        os.close(report)
        with open(number, encoding="ascii") as told:
            started, _, errno = told.read().partition(" ")
        if errno:
            os.waitpid(inner_pid, 0)
            reason = os.strerror(int(errno))
            raise UsageError(CANNOT_RUN, {"host": host.name, "program": path, "reason": reason})
        pid = int(started or 0)
        self._note(host, {"pid": pid, "program": name, "command": " ".join(words) or name})
        return RunningProgram(host, name, pid, os.pidfd_open(inner_pid), output)

    def ended(self, program: Program, status: int) -> None:
        """Note it."""
        ended = {"pid": program.pid, "program": program.name, "status": status}
        self._note(program.host, ended)

    def _note(self, host: "Host", params: dict[str, Any]) -> None:
        note = Note(t_ns=time.monotonic_ns(), kind="program", host=host.name, params=params)
        self._log.write(note)


def _words(given: Sequence[str]) -> list[str]:
    """The name of a program, and its arguments."""
    words = [] if isinstance(given, str | bytes) else list(given)
    if not words or not all(isinstance(word, str) for word in words):
        raise UsageError(NO_PROGRAM, {"given": repr(given)})
    return words


def _execute(path: str, words: list[str], report: int) -> NoReturn:
    """Become a program; where the kernel refuses, write the number of its error behind the pid."""
    try:
        os.execv(path, words)
    except OSError as error:
        os.write(report, f" {error.errno}".encode())
        os._exit(1)


def _name_of(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _await_threads() -> None:
    """As Python does at its end: for all threads that are no daemons."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()


def _exit_status(asked: SystemExit) -> int:
    """What sys.exit() gives to the system: a number, or a message and 1."""
    if asked.code is None or isinstance(asked.code, int):
        return (asked.code or 0) & 0xFF
    print(asked.code, file=sys.stderr)
    return 1


def _speak_into(output: int) -> None:
    """Make a file the standard output and standard error of this process, Python's own too.

    It is in memory, so no file of this process grows beyond a limit.
    """
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    most = _MOST_BYTES if hard == resource.RLIM_INFINITY else min(hard, _MOST_BYTES)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, closefd=False)
