"""What is to be watched, and when it is enough."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from fourtuple.errors import N_, UsageError
from fourtuple.source.trace.sockets import Sock
from fourtuple.watch.looking import descendants
from fourtuple.watch.pairs import Pair

__all__ = ["Wish"]

NO_PROCESS = N_("There is no process {pid}.")


@dataclass(frozen=True, slots=True)
class Wish:
    """What to watch. One of `command`, `pids`, `port`, `everything`.

    seconds, count   end after so long, or so many connections that ended
    frames           take frames, too
    keep             keep what was seen for `Session.recording`, in a file of this folder
    draw             each connection is wanted whole when it ends, with its frames
    output           a descriptor for the command's standard output
    buffer_kb        memory for each processor's events; 0: as suits
    """

    command: Sequence[str] = ()
    pids: Sequence[int] = ()
    port: int | None = None
    everything: bool = False
    seconds: float | None = None
    count: int | None = None
    frames: bool = False
    keep: str = ""
    draw: bool = False
    output: int | None = None
    buffer_kb: int = 0

    @property
    def title(self) -> str:
        """What is watched, as it was asked for."""
        if self.command:
            return " ".join(self.command)
        if self.pids:
            return "--pid " + " ".join(map(str, self.pids))
        return "--all" if self.port is None else f"--port {self.port}"

    def family(self) -> list[int]:
        """The processes that were asked for, and their descendants. UsageError where one is not
        there."""
        for pid in self.pids:
            if not os.path.isdir(f"/proc/{pid}"):
                raise UsageError(NO_PROCESS, {"pid": pid})
        return sorted({one for pid in self.pids for one in descendants(pid)})

    def wants(self, pair: Pair) -> bool:
        """Whether a connection was asked for."""
        if self.port is None:
            return pair.watched
        return self.port in (pair.ends[0].port, pair.ends[1].port)

    def wants_listener(self, sock: Sock) -> bool:
        """Whether a listener was."""
        if self.port is None:
            return sock.watched
        return sock.local is not None and sock.local.port == self.port

    def enough(self, seconds: float, connections: int) -> bool:
        """Whether a limit is reached."""
        late = self.seconds is not None and seconds >= self.seconds
        return late or (self.count is not None and connections >= self.count)
