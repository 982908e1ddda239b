"""Asks one socket of any process for its options: pidfd_getfd(2), then getsockopt(2).

The descriptor that is taken is a copy of the other's, and only asked. What a new socket says is the
default: one of the same family, type and protocol is made beside it. Taking a descriptor needs the
right to trace the process (PTRACE_MODE_ATTACH): one's own processes, unless Yama's ptrace_scope
forbids it, or CAP_SYS_PTRACE.
"""

import ctypes
import errno
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from fourtuple.errors import N_, CapabilityMissing, InputError, UsageError
from fourtuple.sockets.options import IP, IPV6, OPTIONS, SOCKET, TCP, UDP, Option

__all__ = ["Answer", "Asked", "ask", "descriptor_of", "taken"]

_PIDFD_GETFD = 438  # the same on every architecture
_TCP_INFO, _SO_NETNS_COOKIE = 11, 71
_LONGEST = 256
_INET = (socket.AF_INET, socket.AF_INET6)
NOT_WRITTEN_SO = N_("--options {text}: it is PID/FD, a process and its descriptor, as 1234/5.")
NO_SUCH = N_("Process {pid} has no descriptor {fd}, or there is no such process.")
NO_SOCKET = N_("Descriptor {fd} of process {pid} is no socket.")
NOT_ALLOWED = N_("The descriptors of process {pid} may not be copied: it is another user's, or "
                 "kernel.yama.ptrace_scope (Yama) allows it for child processes only.")  # fmt: skip
AS_ROOT = N_("Run fourtuple as root, for example with sudo.")


class Answer(NamedTuple):
    """An option's value and that of a new socket, as text; `default` is None where there is none
    to compare with."""

    option: Option
    value: str
    default: str | None

    @property
    def differs(self) -> bool:
        return self.default is not None and self.value != self.default


class Asked(NamedTuple):
    """What a socket said. `tcp_info` is the kernel's struct, empty for other protocols.
    `elsewhere`: it belongs to another network namespace, whose defaults may be others."""

    family: int
    kind: int
    protocol: int
    local: str
    remote: str
    answers: tuple[Answer, ...]
    tcp_info: bytes
    elsewhere: bool


def descriptor_of(text: str) -> tuple[int, int]:
    """PID/FD as numbers; UsageError where it is not that."""
    pid, slash, fd = text.partition("/")
    numbers = [int(one) for one in (pid, fd) if one.isascii() and one.isdigit() and len(one) < 10]
    if not slash or len(numbers) != 2 or not numbers[0]:
        raise UsageError(NOT_WRITTEN_SO, {"text": repr(text)})
    return numbers[0], numbers[1]


@contextmanager
def taken(pid: int, fd: int) -> Iterator[socket.socket]:
    """A copy of another process's socket, closed in the end, which the other does not notice.

    InputError where it is none, CapabilityMissing where it may not be had.
    """
    about = {"pid": pid, "fd": fd}
    try:
        handle = os.pidfd_open(pid)
        try:
            copy = _getfd(handle, fd)
        finally:
            os.close(handle)
    except PermissionError:
        raise CapabilityMissing(NOT_ALLOWED, AS_ROOT, about) from None
    except OSError as error:
        if error.errno in (errno.ESRCH, errno.EBADF, errno.EINVAL):
            raise InputError(NO_SUCH, about) from None
        raise
    try:
        sock = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise InputError(NO_SOCKET, about) from None
    with sock:
        yield sock


def _getfd(handle: int, fd: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    copy = int(libc.syscall(_PIDFD_GETFD, handle, fd, 0))
    if copy < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return copy


def ask(sock: socket.socket) -> Asked:
    """Every option that this socket answers, beside a new socket's."""
    # Python's own idea of the protocol is what the socket was made with, which may be 0
    protocol = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL)
    fresh = _fresh(sock, protocol)
    try:
        info = b""
        if protocol == socket.IPPROTO_TCP and sock.family in _INET:
            with suppress(OSError):
                info = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _LONGEST)
        return Asked(
            family=sock.family,
            kind=sock.type,
            protocol=protocol,
            local=_named(sock.getsockname),
            remote=_named(sock.getpeername),
            answers=tuple(_answers(sock, fresh, protocol)),
            tcp_info=info,
            elsewhere=fresh is not None and _namespace(sock) != _namespace(fresh),
        )
    finally:
        if fresh is not None:
            fresh.close()


def _answers(sock: socket.socket, fresh: socket.socket | None, protocol: int) -> Iterator[Answer]:
    levels = _levels(sock.family, protocol)
    for option in OPTIONS:
        if option.level not in levels:
            continue
        value = _value(sock, option)
        if value is None:
            continue  # this kernel or kind of socket has no such option
        compared = fresh is not None and not option.fixed
        default = _value(fresh, option) if compared and fresh is not None else None
        yield Answer(option, value, default)


def _levels(family: int, protocol: int) -> tuple[int, ...]:
    if family not in _INET:
        return (SOCKET,)
    transport = {socket.IPPROTO_TCP: (TCP,), socket.IPPROTO_UDP: (UDP,)}.get(protocol, ())
    return (SOCKET, *transport, IP, *((IPV6,) if family == socket.AF_INET6 else ()))


def _value(sock: socket.socket, option: Option) -> str | None:
    try:
        data = sock.getsockopt(option.level, option.number, _LONGEST)
    except OSError:
        return None
    return _text(option.kind, data)


def _text(kind: str, data: bytes) -> str:
    if kind == "text":
        return data.partition(b"\0")[0].decode("utf-8", "backslashreplace")
    if kind == "linger" and len(data) >= 8:
        return "({}, {})".format(*struct.unpack_from("=ii", data))
    if kind == "timeval" and len(data) >= 16:
        seconds, micros = struct.unpack_from("=qq", data)
        return f"{seconds + micros / 1e6:g} s"
    signed = kind == "int"
    width = 8 if kind == "u64" else 4
    return str(int.from_bytes(data[:width], sys.byteorder, signed=signed))


def _fresh(sock: socket.socket, protocol: int) -> socket.socket | None:
    """A new socket of the same kind; None where it may not be made (RAW needs CAP_NET_RAW)."""
    try:
        return socket.socket(sock.family, sock.type, protocol)
    except OSError:
        return None


def _named(ask_for: Callable[[], object]) -> str:
    try:
        name = ask_for()
    except OSError:
        return ""
    if isinstance(name, tuple):
        host, port = str(name[0]), name[1]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if isinstance(name, bytes):
        return "@" + name[1:].decode("utf-8", "backslashreplace")
    return str(name)


def _namespace(sock: socket.socket) -> bytes:
    """The cookie of the network namespace that it belongs to; empty before Linux 5.14."""
    try:
        return sock.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8)
    except OSError:
        return b""
