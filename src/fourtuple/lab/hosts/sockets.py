"""The sockets of a host's program, in a script's hands.

Each method of a `HostSocket` is one call (`listen` is bind and listen), carried out in the host's
own process; it returns when the call has returned. `sock.begin.accept()` only begins it and gives
a `Pending`.
"""

import socket
import struct
import time
from typing import TYPE_CHECKING, Any, Self

from fourtuple.errors import N_, CallFailed, OutOfTime
from fourtuple.lab.channel import Channel
from fourtuple.lab.hosts.programs import Program

if TYPE_CHECKING:
    from fourtuple.lab.hosts.host import Host

__all__ = ["Beginning", "HostSocket", "Pending", "Puppet"]

NOT_RETURNED = N_("{host}: {call}() has not returned in time.")

_SHUTDOWN = {"read": socket.SHUT_RD, "write": socket.SHUT_WR, "both": socket.SHUT_RDWR}


class Puppet(Program):
    """The program of a host that carries out a script's calls."""

    def __init__(self, host: "Host", name: str, pid: int, pidfd: int, channel: Channel) -> None:
        super().__init__(host, name, pid, pidfd)
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

    def connect(self, host: "Host | str", port: int) -> Self:
        """connect() to a host, or to an address."""
        self.call("connect", [_address_of(host), port]).result()
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

    def send_to(self, data: bytes, host: "Host | str", port: int) -> int:
        sent: int = self.call("sendto", data, [_address_of(host), port]).result()
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

    def connect(self, host: "Host | str", port: int) -> Pending:
        return self._sock.call("connect", [_address_of(host), port], background=True)

    def send(self, data: bytes) -> Pending:
        return self._sock.call("send", data, background=True)

    def recv(self, size: int = 65536) -> Pending:
        return self._sock.call("recv", size, background=True)


def _address_of(host: "Host | str") -> str:
    return host if isinstance(host, str) else host.address
