"""A command that waits at the start until everything is ready to watch it.

The child waits on a pipe between fork() and exec(), so its first instruction is seen: no process is
too short. What cannot be executed is known by the kernel's errno, through another pipe.
"""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress

from fourtuple.errors import UsageError
from fourtuple.system.refusals import N_

__all__ = ["Command"]

NOT_STARTED = N_("{command} cannot be run: {reason}.")
#: a shell's answer where a command could not be run
_NOT_RUN = 127


class Command:
    """`pid` is the child's; it runs nothing of its own until `go()`.

    `output`: a descriptor that standard output goes to instead.
    """

    def __init__(self, words: Sequence[str], output: int | None = None) -> None:
        self._words = list(words)
        gate_read, self._gate = os.pipe()
        self._refusal, refusal_write = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self._gate)
            os.close(self._refusal)
            self._wait_and_become(gate_read, refusal_write, output)
        os.close(gate_read)
        os.close(refusal_write)
        #: becomes readable when it ends
        self.ended = os.pidfd_open(self.pid)
        self.status: int | None = None

    def _wait_and_become(self, gate: int, refusal: int, output: int | None) -> None:
        try:
            if os.read(gate, 1):
                if output is not None:
                    os.dup2(output, 1)
                for number in (signal.SIGPIPE, signal.SIGXFSZ):
                    signal.signal(number, signal.SIG_DFL)  # Python ignores them
                for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                    signal.signal(number, signal.SIG_DFL)
                os.execvp(self._words[0], self._words)
        except OSError as error:
            os.write(refusal, str(error.errno).encode())
        finally:
            os._exit(_NOT_RUN)

    def go(self) -> None:
        """Let it run. UsageError where it cannot."""
        os.write(self._gate, b"g")
        os.close(self._gate)
        refused = os.read(self._refusal, 16)
        os.close(self._refusal)
        if refused:
            self.reap()
            about = {"command": self._words[0], "reason": os.strerror(int(refused))}
            raise UsageError(NOT_STARTED, about)

    def reap(self) -> int | None:
        """Its exit status, as a shell counts; None while it runs."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self.status = code if code >= 0 else 128 - code
        return self.status

    def end(self, number: int = signal.SIGTERM) -> None:
        """Tell it to end, where it has not."""
        if self.reap() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
