"""The standard socket class, each call of which is noted: begin, end, result or errno.

A program of the lab is an ordinary function on the `socket` module: `recording()` puts
`RecordedSocket` in the place of `socket.socket`, so that create_server(), accept() and all else
that the standard library builds on it are recorded too.
"""

import ctypes
import errno
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from fourtuple.event.model import Call, Endpoint
from fourtuple.lab.hosts.observer import Observer
from fourtuple.lab.log import Log

__all__ = ["RecordedSocket", "Recorder", "errno_symbol", "recording"]

T = TypeVar("T")
#: how many of the bytes that moved a Call keeps
_KEPT_BYTES = 64
_StandardSocket = socket.socket
_LINGER = struct.Struct("=ii")  # struct linger
#: constants that begin as an option's name does
_NO_OPTIONS = ("SO_VM_SOCKETS", "IP_DEFAULT", "IP_MAX")


class Recorder:
    """Notes the calls of one program, and its host's sockets after each."""

    def __init__(self, log: Log, observer: Observer, host: str, program: str) -> None:
        self._log = log
        self._observer = observer
        self._host = host
        self._program = program
        # /proc may belong to an outer pid namespace: its number is the one that others see
        self.pid = int(os.readlink("/proc/self"))

    def call(self, sock: "RecordedSocket", name: str, args: tuple[object, ...],
             function: Callable[[], T], size: int | None = None) -> T:  # fmt: skip
        """Carry out `function`, which makes the system call, and note it."""
        known = {
            "t_ns": time.monotonic_ns(),
            "host": self._host,
            "program": self._program,
            "pid": self.pid,
            "thread": _thread(),
            "name": name,
            "args": tuple(arg if type(arg) in (str, int) else str(arg) for arg in args),
            "size": None if size is None else int(size),
            **sock.identity(),
        }
        self._log.write(Call(end_ns=None, **known))
        try:
            result = function()
        except BaseException as error:
            self._finish(sock, known, {"errno": _symbol(error)})
            raise
        self._finish(sock, known, _outcome(result))
        return result

    def _finish(self, sock: "RecordedSocket", known: dict[str, Any], found: dict[str, Any]) -> None:
        end_ns = time.monotonic_ns()
        # names that the call itself gave (a bound port, a descriptor) count, those it took do not
        named = {key: value for key, value in sock.identity().items() if value}
        self._log.write(Call(end_ns=end_ns, **{**known, **named, **found}))
        self._observer.observe("call", about=_about(known))


def _about(known: dict[str, Any]) -> tuple[Endpoint, Endpoint] | None:
    """The ends of the connection that a call was made on, where it had both of them before."""
    local, remote = known["local"], known["remote"]
    return (local, remote) if local and remote else None


def _thread() -> int:
    """The calling thread, as this machine's /proc numbers it."""
    return int(os.readlink("/proc/thread-self").rpartition("/")[2])


def _symbol(error: BaseException) -> str:
    if isinstance(error, TimeoutError) and error.errno is None:
        return "timeout"  # Python's own: the socket's time-out, no word of the kernel's
    number = getattr(error, "errno", None)
    return errno_symbol(number) if number else type(error).__name__


def errno_symbol(number: int) -> str:
    """The name of an error as the kernel's manual has it: Python calls 95 by its other one."""
    return "EOPNOTSUPP" if number == errno.EOPNOTSUPP else errno.errorcode.get(number, str(number))


def _outcome(result: Any) -> dict[str, Any]:
    if isinstance(result, bytes):
        return {"result": len(result), "data": result[:_KEPT_BYTES]}
    if isinstance(result, tuple) and isinstance(result[0], int):  # accept()
        return {"result": result[0], "new_inode": os.fstat(result[0]).st_ino}
    if isinstance(result, tuple) and isinstance(result[0], bytes):  # recvfrom
        return {"result": len(result[0]), "data": result[0][:_KEPT_BYTES]}
    if isinstance(result, tuple):  # getsockname, getpeername
        return {"result": _address_text(result)}
    if result is None:
        return {"result": 0}
    return {"result": result if isinstance(result, int) else str(result)}


def _address_text(address: Any) -> str:
    if isinstance(address, tuple) and len(address) >= 2:
        return str(Endpoint(str(address[0]), int(address[1])))
    return str(address)


def _endpoint(name: Callable[[], Any]) -> Endpoint | None:
    try:
        address = name()
    except OSError:
        return None
    if isinstance(address, tuple) and len(address) >= 2 and address[1]:
        return Endpoint(address[0], address[1])
    return None


def _option_names(level: int, option: int) -> tuple[str, str]:
    levels = {
        socket.SOL_SOCKET: ("SOL_SOCKET", "SO_"),
        socket.IPPROTO_TCP: ("IPPROTO_TCP", "TCP_"),
        socket.IPPROTO_IP: ("IPPROTO_IP", "IP_"),
        socket.IPPROTO_IPV6: ("IPPROTO_IPV6", "IPV6_"),
    }
    name, prefix = levels.get(level, (str(level), "\0"))
    options = (
        key
        for key, value in vars(socket).items()
        if key.startswith(prefix) and value == option and not key.startswith(_NO_OPTIONS)
    )
    return name, next(options, str(option))


def _option_text(level: int, option: int, value: bytes) -> str:
    if (level, option) == (socket.SOL_SOCKET, socket.SO_LINGER) and len(value) == _LINGER.size:
        on, seconds = _LINGER.unpack(value)
        return f"{seconds} s" if on else "off"
    return f"{len(value)} bytes"


class RecordedSocket(_StandardSocket):
    """`socket.socket` with a witness. Set `recorder` (through `recording()`) before use."""

    recorder: Recorder

    def __init__(
        self,
        family: int = -1,
        type: int = -1,  # noqa: A002 - the name that callers use
        proto: int = -1,
        fileno: int | None = None,
    ) -> None:
        if fileno is not None:
            super().__init__(family, type, proto, fileno)
            return
        names = (
            socket.AddressFamily(family if family != -1 else socket.AF_INET).name,
            socket.SocketKind((type if type != -1 else socket.SOCK_STREAM) & 0xF).name,
        )

        def make() -> int:
            _StandardSocket.__init__(self, family, type, proto)
            return self.fileno()

        self._note("socket", names, make)

    def __repr__(self) -> str:
        # the standard one asks the kernel for both names: calls that the program did not make
        return f"<socket fd={_StandardSocket.fileno(self)}>"

    def __del__(self) -> None:
        with suppress(OSError):  # nobody is left to hear of it
            # the interpreter closes what nobody holds: the kernel sees a close()
            self._real_close()

    def identity(self) -> dict[str, Any]:
        """What names this socket: descriptor, inode, both ends as far as they are known."""
        descriptor = _StandardSocket.fileno(self)
        if descriptor < 0:
            return {"fd": None, "inode": 0, "local": None, "remote": None}
        return {
            "fd": descriptor,
            "inode": os.fstat(descriptor).st_ino,
            "local": _endpoint(super().getsockname),
            "remote": _endpoint(super().getpeername),
        }

    def _note(
        self,
        name: str,
        args: tuple[str | int, ...],
        function: Callable[[], T],
        size: int | None = None,
    ) -> T:
        return self.recorder.call(self, name, args, function, size)

    def bind(self, address: Any) -> None:
        self._note(
            "bind", (_address_text(address),), lambda: super(RecordedSocket, self).bind(address)
        )

    def listen(self, *backlog: int) -> None:
        self._note("listen", backlog, lambda: super(RecordedSocket, self).listen(*backlog))

    def accept(self) -> tuple["RecordedSocket", Any]:
        descriptor, address = self._note("accept", (), self._accept)  # type: ignore[attr-defined]
        made = RecordedSocket(self.family, self.type, self.proto, fileno=descriptor)
        if socket.getdefaulttimeout() is None and self.gettimeout():
            _StandardSocket.setblocking(made, True)  # as socket.accept does
        return made, address

    def connect(self, address: Any) -> None:
        self._note(
            "connect",
            (_address_text(address),),
            lambda: super(RecordedSocket, self).connect(address),
        )

    def disconnect(self) -> None:
        """connect() to AF_UNSPEC, for which the standard connect() has no address (connect(2))."""
        self._note("connect", ("AF_UNSPEC",), self._connect_to_nothing)

    def _connect_to_nothing(self) -> None:
        nothing = struct.pack("=H14x", socket.AF_UNSPEC)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.connect(_StandardSocket.fileno(self), nothing, len(nothing)) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def connect_ex(self, address: Any) -> int:
        return self._note(
            "connect_ex",
            (_address_text(address),),
            lambda: super(RecordedSocket, self).connect_ex(address),
        )

    def send(self, data: Any, *flags: int) -> int:
        return self._note_send("send", data, lambda: super(RecordedSocket, self).send(data, *flags))

    def sendall(self, data: Any, *flags: int) -> None:
        self._note_send("sendall", data, lambda: super(RecordedSocket, self).sendall(data, *flags))

    def sendto(self, data: Any, *rest: Any) -> int:
        return self._note_send(
            "sendto", data, lambda: super(RecordedSocket, self).sendto(data, *rest), rest[-1]
        )

    def _note_send(self, name: str, data: Any, function: Callable[[], T], address: Any = None) -> T:
        size = memoryview(data).nbytes
        args: tuple[str | int, ...] = (size,) if address is None else (size, _address_text(address))
        return self._note(name, args, function, size)

    def recv(self, size: int, *flags: int) -> bytes:
        return self._note(
            "recv", (size,), lambda: super(RecordedSocket, self).recv(size, *flags), size
        )

    def recv_into(self, buffer: Any, nbytes: int = 0, *flags: int) -> int:
        size = nbytes or memoryview(buffer).nbytes
        return self._note(
            "recv_into",
            (size,),
            lambda: super(RecordedSocket, self).recv_into(buffer, nbytes, *flags),
            size,
        )

    def recvfrom(self, size: int, *flags: int) -> tuple[bytes, Any]:
        return self._note(
            "recvfrom", (size,), lambda: super(RecordedSocket, self).recvfrom(size, *flags), size
        )

    def shutdown(self, how: int) -> None:
        name = ("SHUT_RD", "SHUT_WR", "SHUT_RDWR")[how] if 0 <= how <= 2 else how
        self._note("shutdown", (name,), lambda: super(RecordedSocket, self).shutdown(how))

    def setsockopt(self, level: int, option: int, value: Any, *length: int) -> None:
        shown = value if isinstance(value, int) else _option_text(level, option, value or b"")
        self._note(
            "setsockopt",
            (*_option_names(level, option), shown),
            lambda: super(RecordedSocket, self).setsockopt(level, option, value, *length),
        )

    def getsockopt(self, level: int, option: int, *length: int) -> Any:
        return self._note(
            "getsockopt",
            _option_names(level, option),
            lambda: super(RecordedSocket, self).getsockopt(level, option, *length),
        )

    def getsockname(self) -> Any:
        return self._note("getsockname", (), lambda: super(RecordedSocket, self).getsockname())

    def getpeername(self) -> Any:
        return self._note("getpeername", (), lambda: super(RecordedSocket, self).getpeername())

    def settimeout(self, value: float | None) -> None:
        self._note(
            "settimeout", (str(value),), lambda: super(RecordedSocket, self).settimeout(value)
        )

    def setblocking(self, flag: bool) -> None:
        self._note(
            "setblocking", (int(flag),), lambda: super(RecordedSocket, self).setblocking(flag)
        )

    def _real_close(self, *_: Any) -> None:
        # the descriptor is closed here, once the last makefile() is closed too
        if self.fileno() >= 0:
            self._note("close", (), lambda: super(_StandardSocket, self).close())


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Have every socket that is made in the block (and accepted from it) recorded."""
    RecordedSocket.recorder = recorder
    socket.socket = RecordedSocket  # type: ignore[misc]
    try:
        yield
    finally:
        socket.socket = _StandardSocket  # type: ignore[misc]
