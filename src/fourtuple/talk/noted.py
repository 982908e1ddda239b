"""The standard socket class, each call of which a journal notes.

A server that is given such sockets to listen with needs no other code to be recorded: what accept()
gives is of this class too. Not noted: questions after names and options. What a server waits in is
noted by `talk.models.waiting`.
"""

import socket
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from fourtuple.talk.journal import Journal

__all__ = ["NotedSocket", "journal_of"]

T = TypeVar("T")
_HOW = ("SHUT_RD", "SHUT_WR", "SHUT_RDWR")


class NotedSocket(socket.socket):
    """`socket.socket` with a witness. `family`, `kind` and `protocol` make a new one; `fileno`
    is one that accept() gave."""

    def __init__(
        self, journal: Journal, family: int, kind: int, protocol: int = 0, fileno: int | None = None
    ) -> None:
        self.journal = journal
        if fileno is not None:
            super().__init__(family, kind, protocol, fileno)
            return
        names = (socket.AddressFamily(family).name, socket.SocketKind(kind).name)

        def make() -> socket.socket:
            socket.socket.__init__(self, family, kind, protocol)
            return self

        journal.call(None, "socket", names, make)

    def _note(
        self, name: str, args: tuple[str | int, ...], call: Callable[[], T], size: int | None = None
    ) -> T:
        return self.journal.call(self, name, args, call, size)

    def bind(self, address: Any) -> None:
        self._note("bind", (_text(address),), lambda: super(NotedSocket, self).bind(address))

    def listen(self, *backlog: int) -> None:
        self._note("listen", backlog, lambda: super(NotedSocket, self).listen(*backlog))

    def setsockopt(self, level: int, option: int, value: Any, *length: int) -> None:
        self._note(
            "setsockopt",
            (*_option_names(level, option), value if isinstance(value, int) else len(value or b"")),
            lambda: super(NotedSocket, self).setsockopt(level, option, value, *length),
        )

    def accept(self) -> tuple["NotedSocket", Any]:
        descriptor, address = self._note("accept", (), self._accept)  # type: ignore[attr-defined]
        made = NotedSocket(self.journal, self.family, self.type, self.proto, descriptor)
        if socket.getdefaulttimeout() is None and self.gettimeout():
            made.setblocking(True)  # as socket.accept does
        self.journal.meet(made)
        return made, address

    def recv(self, size: int, *flags: int) -> bytes:
        return self._note(
            "recv", (size,), lambda: super(NotedSocket, self).recv(size, *flags), size
        )

    def recv_into(self, buffer: Any, nbytes: int = 0, *flags: int) -> int:
        size = nbytes or memoryview(buffer).nbytes
        return self._note(
            "recv_into",
            (size,),
            lambda: super(NotedSocket, self).recv_into(buffer, nbytes, *flags),
            size,
        )

    def recvfrom(self, size: int, *flags: int) -> tuple[bytes, Any]:
        return self._note(
            "recvfrom", (size,), lambda: super(NotedSocket, self).recvfrom(size, *flags), size
        )

    def send(self, data: Any, *flags: int) -> int:
        size = memoryview(data).nbytes
        return self._note(
            "send", (size,), lambda: super(NotedSocket, self).send(data, *flags), size
        )

    def sendto(self, data: Any, *rest: Any) -> int:
        size = memoryview(data).nbytes
        args = (size, _text(rest[-1]))
        return self._note(
            "sendto", args, lambda: super(NotedSocket, self).sendto(data, *rest), size
        )

    def sendmsg(self, buffers: Any, *rest: Any) -> int:
        parts = list(buffers)
        size = sum(memoryview(part).nbytes for part in parts)
        return self._note(
            "sendmsg", (size,), lambda: super(NotedSocket, self).sendmsg(parts, *rest), size
        )

    def shutdown(self, how: int) -> None:
        self._note("shutdown", (_HOW[how],), lambda: super(NotedSocket, self).shutdown(how))

    def close(self) -> None:
        if self.fileno() < 0:
            return
        self._note("close", (), super().close)


def journal_of(sockets: Iterable[socket.socket]) -> Journal | None:
    """The journal that notes the calls of these sockets, if one does."""
    return next((each.journal for each in sockets if isinstance(each, NotedSocket)), None)


def _text(address: Any) -> str:
    if isinstance(address, tuple):
        host = f"[{address[0]}]" if ":" in str(address[0]) else str(address[0])
        return f"{host}:{address[1]}"
    return str(address)


def _option_names(level: int, option: int) -> tuple[str, str]:
    known = {
        (socket.SOL_SOCKET, socket.SO_REUSEADDR): ("SOL_SOCKET", "SO_REUSEADDR"),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY): ("IPPROTO_TCP", "TCP_NODELAY"),
    }
    return known.get((level, option), (str(level), str(option)))
