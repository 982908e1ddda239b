"""What a script holds in its hands: hosts, their programs, and the sockets of these.

Each method of a `HostSocket` is one call (`listen` is bind and listen), carried out in the host's
own process; it returns when the call has returned. `sock.begin.accept()` only begins it and gives
a `Pending`.
"""

import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from fourtuple.errors import N_, CallFailed, OutOfTime
from fourtuple.lab.channel import Channel

__all__ = ["Beginning", "Host", "HostSocket", "Pending", "Program", "Puppet", "RunningProgram"]

NOT_RETURNED = N_("{host}: {call}() has not returned in time.")
NOT_ENDED = N_("{host}: {program} has not ended in time.")

_SHUTDOWN = {"read": socket.SHUT_RD, "write": socket.SHUT_WR, "both": socket.SHUT_RDWR}


class Program:
    """A process of a host. `pid` is as this machine's /proc knows it."""

    def __init__(self, host: "Host", name: str, pid: int) -> None:
        self.host = host
        self.name = name
        self.pid = pid

    def resting(self) -> bool:
        """Whether every thread of it sleeps in the kernel (and not just for a while)."""
        try:
            threads = os.listdir(f"/proc/{self.pid}/task")
            return all(_thread_rests(f"/proc/{self.pid}/task/{thread}") for thread in threads)
        except (FileNotFoundError, ProcessLookupError):
            return True  # it has ended


def _thread_rests(directory: str) -> bool:
    with open(f"{directory}/stat", encoding="utf-8", errors="replace") as file:
        state = file.read().rpartition(")")[2].split()[0]
    if state not in "SZX":
        return False
    with open(f"{directory}/wchan", encoding="utf-8") as file:
        return "nanosleep" not in file.read()


class Puppet(Program):
    """The program of a host that carries out a script's calls."""

    def __init__(self, host: "Host", name: str, pid: int, channel: Channel) -> None:
        super().__init__(host, name, pid)
        self._channel = channel
        self._answers: dict[int, dict[str, Any]] = {}
        self._last_id = 0

    def socket(self, kind: str = "stream") -> "HostSocket":
        """socket(): of the lab's address family; `kind` is stream, datagram or raw."""
        kinds = {
            "stream": socket.SOCK_STREAM,
            "datagram": socket.SOCK_DGRAM,
            "raw": socket.SOCK_RAW,
        }
        handle = self.begin(
            "socket", None, [int(self.host.family), int(kinds[kind])], False
        ).result()
        return HostSocket(self, handle)

    def begin(
        self, method: str, handle: int | None, args: list[Any], background: bool
    ) -> "Pending":
        """Send a request; the answer is the Pending's result."""
        self._last_id += 1
        self._channel.send(
            {"id": self._last_id, "method": method, "handle": handle, "args": args,
             "background": background}
        )  # fmt: skip
        return Pending(self, self._last_id, method)

    def answer(self, number: int, deadline_s: float) -> dict[str, Any]:
        """The answer to a request; TimeoutError where it has not come by the deadline."""
        while number not in self._answers:
            answer = self._channel.receive(deadline_s)
            self._answers[answer["id"]] = answer
        return self._answers[number]


class Pending:
    """A call that was begun."""

    def __init__(self, puppet: Puppet, number: int, method: str) -> None:
        self._puppet = puppet
        self._number = number
        self._method = method

    @property
    def returned(self) -> bool:
        """Whether the call has returned by now."""
        try:
            self._puppet.answer(self._number, 0)
        except TimeoutError:
            return False
        return True

    def result(self, limit_s: float | None = None) -> Any:
        """What the call returned, once it has. CallFailed where the kernel refused, OutOfTime
        where it has not returned within `limit_s` (default: before the run's limit)."""
        host = self._puppet.host
        deadline_s = host.deadline_s if limit_s is None else time.monotonic() + limit_s
        try:
            answer = self._puppet.answer(self._number, min(deadline_s, host.deadline_s))
        except TimeoutError:
            raise OutOfTime(NOT_RETURNED, {"host": host.name, "call": self._method}) from None
        if "errno" in answer:
            raise CallFailed(answer["errno"], f"{host.name}: {self._method}(): {answer['text']}")
        value = answer["value"]
        if self._method == "accept":
            return HostSocket(self._puppet, value[0])
        return value


class HostSocket:
    """A socket in a host's program. Calls may be chained where they return nothing of their own."""

    def __init__(self, puppet: Puppet, handle: int) -> None:
        self._puppet = puppet
        self._handle = handle

    @property
    def begin(self) -> "Beginning":
        """``sock.begin.recv(100)``: begin the call in a thread of its own and go on."""
        return Beginning(self)

    def call(self, method: str, *args: Any, background: bool = False) -> Pending:
        return self._puppet.begin(method, self._handle, list(args), background)

    def bind(self, port: int, address: str | None = None) -> Self:
        self.call("bind", [address or self._puppet.host.address, port]).result()
        return self

    def listen(self, port: int | None = None, backlog: int = 5) -> Self:
        """listen(backlog); with a port, bind() to it first."""
        if port is not None:
            self.bind(port)
        self.call("listen", backlog).result()
        return self

    def accept(self) -> "HostSocket":
        made: HostSocket = self.call("accept").result()
        return made

    def connect(self, host: "Host", port: int) -> Self:
        self.call("connect", [host.address, port]).result()
        return self

    def send(self, data: bytes) -> int:
        sent: int = self.call("send", data).result()
        return sent

    def recv(self, size: int = 65536) -> bytes:
        received: bytes = self.call("recv", size).result()
        return received

    def recv_exactly(self, size: int) -> bytes:
        """recv() until `size` bytes have come, or the end."""
        parts = b""
        while len(parts) < size and (part := self.recv(size - len(parts))):
            parts += part
        return parts

    def shutdown(self, how: str = "write") -> Self:
        self.call("shutdown", _SHUTDOWN[how]).result()
        return self

    def send_all(self, data: bytes) -> Self:
        """sendall(): send() until all of it has been taken."""
        self.call("sendall", data).result()
        return self

    def send_to(self, data: bytes, host: "Host", port: int) -> int:
        sent: int = self.call("sendto", data, [host.address, port]).result()
        return sent

    def recv_from(self, size: int = 65536) -> bytes:
        """What recvfrom() reads, without the sender's address."""
        return bytes(self.call("recvfrom", size).result()[0])

    def set_option(self, level: int, option: int, value: int | bytes) -> Self:
        self.call("setsockopt", level, option, value).result()
        return self

    def option(self, level: int, option: int) -> int:
        """getsockopt() of an option that is a number."""
        value: int = self.call("getsockopt", level, option).result()
        return value

    def set_timeout(self, seconds: float | None) -> Self:
        """settimeout(): None blocks for ever, 0 never."""
        self.call("settimeout", seconds).result()
        return self

    def disconnect(self) -> Self:
        """connect() to AF_UNSPEC: the socket gives up its peer."""
        self.call("disconnect").result()
        return self

    def linger(self, seconds: int) -> Self:
        """SO_LINGER on: how long close() waits; 0 gives the connection up."""
        linger = struct.pack("=ii", 1, seconds)
        return self.set_option(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def close(self) -> None:
        self.call("close").result()


class Beginning:
    """The calls of a socket that may block, begun in the background."""

    def __init__(self, sock: HostSocket) -> None:
        self._sock = sock

    def accept(self) -> Pending:
        return self._sock.call("accept", background=True)

    def connect(self, host: "Host", port: int) -> Pending:
        return self._sock.call("connect", [host.address, port], background=True)

    def send(self, data: bytes) -> Pending:
        return self._sock.call("send", data, background=True)

    def recv(self, size: int = 65536) -> Pending:
        return self._sock.call("recv", size, background=True)


class RunningProgram(Program):
    """A textbook function or an executable that runs beside the script."""

    def __init__(self, host: "Host", name: str, pid: int, pidfd: int, output: int) -> None:
        super().__init__(host, name, pid)
        self._pidfd = pidfd
        self._output = output
        self._status: int | None = None

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
            self.host.program_ended(self, self._status)
        return self._status

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return not select.select([self._pidfd], [], [], 0)[0]

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal."""
        signal.pidfd_send_signal(self._pidfd, number)

    @property
    def output(self) -> str:
        """What it has written to standard output and standard error so far."""
        size = os.fstat(self._output).st_size
        return os.pread(self._output, size, 0).decode(errors="replace")


@dataclass
class Host:
    """A network namespace with one interface, eth0, and the programs that run in it."""

    name: str
    address: str
    namespace: int
    family: socket.AddressFamily
    deadline_s: float
    start_puppet: Callable[["Host", str], Puppet]
    start_program: Callable[["Host", Any, tuple[Any, ...]], RunningProgram]
    program_ended: Callable[[Program, int], None]
    programs: list[Program] = field(default_factory=list)

    def program(self, name: str) -> Puppet:
        """Another process of this host that carries out the script's calls."""
        puppet = self.start_puppet(self, name)
        self.programs.append(puppet)
        return puppet

    def socket(self, kind: str = "stream") -> HostSocket:
        """socket() in the host's first program, which is started when it is first needed."""
        first = next((p for p in self.programs if isinstance(p, Puppet)), None)
        return (first or self.program(self.name)).socket(kind)

    def run(self, what: Callable[..., Any] | Sequence[str], *args: Any) -> RunningProgram:
        """Run a function on the standard socket module (its calls are recorded), or an
        executable, in a process of this host, beside the script."""
        program = self.start_program(self, what, args)
        self.programs.append(program)
        return program
