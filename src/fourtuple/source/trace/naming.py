"""System calls as a reader of the program would write them.

The trace gives numbers: names come from the constants of this platform. What a pointer points to is
not in the trace, so addresses come from elsewhere and values of options are not known.
"""

import errno
import fcntl
import socket
from collections.abc import Callable, Mapping
from functools import cache

from fourtuple.source.trace.formats import Value

__all__ = ["Args", "arguments", "call_name", "error_name", "long", "offered", "whole"]

Args = tuple[str | int, ...]
Values = Mapping[str, Value]

#: what a program sees in place of these is that the call is made again (include/linux/errno.h)
_RESTARTS = {
    512: "ERESTARTSYS",
    513: "ERESTARTNOINTR",
    514: "ERESTARTNOHAND",
    516: "ERESTART_RESTARTBLOCK",
}
_EPOLL = {1: "EPOLL_CTL_ADD", 2: "EPOLL_CTL_DEL", 3: "EPOLL_CTL_MOD"}
_HOW = {0: "SHUT_RD", 1: "SHUT_WR", 2: "SHUT_RDWR"}
_KIND_MASK = 0xF
#: how many bytes a call offers or asks for, by the field that says so
_SIZES = {
    "sendto": "len", "recvfrom": "size", "read": "count", "write": "count",
    "sendfile64": "count", "splice": "len",
}  # fmt: skip
_LEVELS = {
    socket.SOL_SOCKET: ("SOL_SOCKET", "SO_"),
    socket.IPPROTO_TCP: ("IPPROTO_TCP", "TCP_"),
    socket.IPPROTO_IP: ("IPPROTO_IP", "IP_"),
    socket.IPPROTO_IPV6: ("IPPROTO_IPV6", "IPV6_"),
}


def whole(values: Values, name: str) -> int:
    """A field that is a C int, though the trace holds it as a long; 0 where there is none."""
    value = values.get(name, 0)
    number = value if isinstance(value, int) else 0
    return (number & 0xFFFFFFFF) - ((number & 0x80000000) << 1)


def long(values: Values, name: str) -> int:
    """A field that is a C long or a size."""
    value = values.get(name, 0)
    return value if isinstance(value, int) else 0


def error_name(number: int) -> str:
    """The symbol of an error number above 0."""
    return errno.errorcode.get(number) or _RESTARTS.get(number) or str(number)


def call_name(name: str, values: Values) -> str:
    """What the program most likely called: send() is sendto() without an address for the kernel."""
    if name == "sendto" and not long(values, "addr"):
        return "send"
    if name == "recvfrom" and not long(values, "addr"):
        return "recv"
    return {"accept4": "accept", "sendfile64": "sendfile"}.get(name, name)


def offered(name: str, values: Values) -> int | None:
    """How many bytes the call offers or asks for; None where it does not say."""
    field = _SIZES.get(name)
    return long(values, field) if field and field in values else None


def arguments(name: str, values: Values) -> Args:
    """The arguments, without the descriptor, as far as the trace has them."""
    make = _ARGUMENTS.get(name)
    if make is not None:
        return make(values)
    size = offered(name, values)
    return () if size is None else (size,)


def _socket(values: Values) -> Args:
    kind = whole(values, "type")
    flags = [name for name in ("SOCK_NONBLOCK", "SOCK_CLOEXEC") if kind & getattr(socket, name)]
    family = _constant("AF_", whole(values, "family"))
    named = "|".join(map(str, [_constant("SOCK_", kind & _KIND_MASK), *flags]))
    protocol = whole(values, "protocol")
    return (family, named, protocol) if protocol else (family, named)


def _option(values: Values) -> Args:
    level, number = whole(values, "level"), whole(values, "optname")
    named, prefix = _LEVELS.get(level, (level, ""))
    return named, _constant(prefix, number) if prefix else number


def _fcntl(values: Values) -> Args:
    command, argument = whole(values, "cmd"), whole(values, "arg")
    named = next(
        (name for prefix in ("F_GET", "F_SET", "F_DUP")  # F_UNLCK and others are no commands
         if (name := _constant(prefix, command)) != command), command
    )  # fmt: skip
    if named == "F_SETFL":
        return named, "O_NONBLOCK" if argument & 0o4000 else 0
    return (named, argument) if named in ("F_SETFD", "F_DUPFD", "F_DUPFD_CLOEXEC") else (named,)


def _constant(prefix: str, number: int) -> str | int:
    return _named(prefix).get(number, number)


@cache
def _named(prefix: str) -> dict[int, str]:
    """The shortest name of each constant that begins so."""
    constants = {**vars(fcntl), **vars(socket)}
    named = {name: value for name, value in constants.items() if name.startswith(prefix)}
    by_length = sorted(named, key=len, reverse=True)
    return {int(named[name]): name for name in by_length if isinstance(named[name], int)}


_ARGUMENTS: Mapping[str, Callable[[Values], Args]] = {
    "socket": _socket,
    "bind": lambda _: (),
    "connect": lambda _: (),
    "listen": lambda values: (whole(values, "backlog"),),
    "accept": lambda _: (),
    "accept4": lambda _: (),
    "shutdown": lambda values: (_HOW.get(whole(values, "how"), whole(values, "how")),),
    "setsockopt": _option,
    "getsockopt": _option,
    "fcntl": _fcntl,
    "epoll_ctl": lambda values: (_EPOLL.get(whole(values, "op"), whole(values, "op")),),
    "dup2": lambda values: (whole(values, "newfd"),),
    "dup3": lambda values: (whole(values, "newfd"),),
}
