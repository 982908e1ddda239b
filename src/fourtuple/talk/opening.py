"""Sockets that listen, made from what was asked for; and who is in the way if they cannot be.

SO_REUSEADDR is set: a server that ended a moment ago has left connections in TIME_WAIT, which do
not keep its port from a new one (row E3). It does not let two servers share a port. TCP_NODELAY is
set too, which on Linux the connections inherit: what two people say in a room one after the other
must not wait for the first one's ACK (Nagle's algorithm), which a listener delays by 40 ms.
"""

import errno
import os
import socket
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from fourtuple.errors import CapabilityMissing, FourtupleError, UsageError
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.system.owners import owners_of
from fourtuple.system.sock_diag import DiagSocket, SockDiag
from fourtuple.talk.url import Url

__all__ = ["Make", "addresses_of", "listening_sockets"]

#: makes a socket from family, kind and protocol: socket.socket, or what is recorded in its place
Make = Callable[[int, int, int], socket.socket]

#: as long as the kernel allows (net.core.somaxconn cuts it)
_BACKLOG = 4096
#: a port that the kernel gave for one address may be taken at the next
_TRIES = 10

NO_ADDRESS = N_("The name {host} has no address here: {reason}.")
NOT_LOOPBACK = N_(
    "{host} is reachable from other machines. Say --authorized if whoever can reach this machine"
    " may use the server; without it only loopback addresses are served."
)
IN_USE = N_(
    "Port {port} of {address} is in use: {holder}. End it (kill {pid}), or choose another port."
)
IN_USE_HIDDEN = N_(
    "Port {port} of {address} is in use. By whom cannot be seen here; fourtuple sockets --who "
    "{port} says more, as root most. Or choose another port."
)
HOLDER = N_(
    "process {pid} ({command}) holds it with descriptor {fd}, socket {inode}, in state {state}"
)
FORBIDDEN_PORT = N_(
    "Port {port} is below {first}, which an ordinary user may not bind. Choose a higher one, for"
    " example {other}, or run as root (CAP_NET_BIND_SERVICE)."
)
NOT_BOUND = N_("{address}, port {port}, cannot be bound: {reason}.")
PATH_NOT_BOUND = N_("No socket can be made at {path}: {reason}.")
RAW_FORBIDDEN = N_("A raw socket needs CAP_NET_RAW.")
RAW_REMEDY = N_("Run as root, or in the lab, whose programs have it.")
SOCKET_FILE_IN_USE = N_("{path} exists, and a server listens there. Choose another path.")
NOT_A_SOCKET_FILE = N_("{path} exists and is no socket: it stays as it is. Choose another path.")


def addresses_of(url: Url) -> list[tuple[socket.AddressFamily, str]]:
    """Where a URL's host is, best first, a link-local IPv6 address with its zone; UsageError where
    it has no address."""
    try:
        found = socket.getaddrinfo(url.host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(NO_ADDRESS, {"host": url.host, "reason": reason}) from error
    return [(socket.AddressFamily(family), _zoned(*where)) for family, _, _, _, where in found]


def _zoned(address: str, _port: int, _flow: int = 0, zone: int = 0) -> str:
    plain = address.partition("%")[0]
    return f"{plain}%{socket.if_indextoname(zone)}" if zone else plain


def _sockaddr(address: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    plain, _, zone = address.partition("%")
    return (plain, port, 0, socket.if_nametoindex(zone)) if zone else (plain, port)


def listening_sockets(
    url: Url, authorized: bool = False, make: Make = socket.socket
) -> list[socket.socket]:
    """Bound sockets, which listen if their kind can: one for each address that the host has
    (localhost: 127.0.0.1 and ::1), all with the same port. UsageError and CapabilityMissing say who
    or what is in the way."""
    if url.kind.transport == "unix":
        return [_unix(url.path, make)]
    where = addresses_of(url)
    if not (authorized or all(_is_loopback(address) for _, address in where)):
        raise UsageError(NOT_LOOPBACK, {"host": url.host})
    for _ in range(_TRIES - 1):
        try:
            return _bound(url, where, make)
        except _Taken:
            if url.port:
                raise
    return _bound(url, where, make)


class _Taken(UsageError):
    """The port is in use."""


def _bound(
    url: Url, where: Sequence[tuple[socket.AddressFamily, str]], make: Make
) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    missing: FourtupleError | None = None
    try:
        for family, address in where:
            try:
                sockets.append(_bound_one(url, family, address, make))
            except _NotHere as error:  # a machine without IPv6 still has ::1 in its /etc/hosts
                missing = error
                continue
            if url.kind.transport != "raw":
                url = replace(url, port=sockets[0].getsockname()[1])
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    if missing is not None and not sockets:
        raise missing
    return sockets


class _NotHere(UsageError):
    """This machine does not have the address."""


def _bound_one(url: Url, family: socket.AddressFamily, address: str, make: Make) -> socket.socket:
    sock = _socket(url, family, make)
    try:
        _bind(sock, url, address)
    except BaseException:
        sock.close()
        raise
    return sock


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _socket(url: Url, family: socket.AddressFamily, make: Make) -> socket.socket:
    if url.kind.transport == "raw":
        try:
            return make(family, socket.SOCK_RAW, url.port)
        except PermissionError:
            raise CapabilityMissing(RAW_FORBIDDEN, RAW_REMEDY) from None
    kind = socket.SOCK_DGRAM if url.kind.transport == "udp" else socket.SOCK_STREAM
    try:
        sock = make(family, kind, 0)
    except OSError as error:
        about = {"address": url.host, "port": url.port, "reason": error.strerror}
        raise _NotHere(NOT_BOUND, about) from error
    if kind == socket.SOCK_STREAM:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _bind(sock: socket.socket, url: Url, address: str) -> None:
    port = 0 if url.kind.transport == "raw" else url.port
    try:
        sock.bind(_sockaddr(address, port))
        if sock.type == socket.SOCK_STREAM:
            sock.listen(_BACKLOG)
    except OSError as error:
        raise _not_bound(error, url, address) from error


def _not_bound(error: OSError, url: Url, address: str) -> FourtupleError:
    about = {"address": address, "port": url.port}
    if error.errno == errno.EADDRINUSE:
        return _in_use(url, address)
    if error.errno in (errno.EACCES, errno.EPERM):
        return UsageError(
            FORBIDDEN_PORT, {**about, "first": _first_free(), "other": 8000 + url.port}
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return _NotHere(NOT_BOUND, {**about, "reason": error.strerror})
    return UsageError(NOT_BOUND, {**about, "reason": error.strerror})


def _first_free() -> int:
    """The lowest port that an ordinary user may bind."""
    try:
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 1024


def _in_use(url: Url, address: str) -> UsageError:
    """Who holds the port (row A16)."""
    about = {"address": address, "port": url.port}
    rows = {row.inode: row for row in _in_the_way(url, address) if row.inode}
    holders = [(inode, owner) for inode, held in owners_of(rows).items() for owner in held]
    if not holders:
        return _Taken(IN_USE_HIDDEN, about)
    inode, owner = min(holders, key=lambda each: rows[each[0]].state != "LISTEN")
    named = {"pid": owner.pid, "command": owner.command, "fd": owner.fd}
    holder = Message(HOLDER, {**named, "inode": inode, "state": rows[inode].state})
    return _Taken(IN_USE, {**about, "pid": owner.pid, "holder": holder})


def _in_the_way(url: Url, address: str) -> Sequence[DiagSocket]:
    udp = url.kind.transport == "udp"
    diag = SockDiag()
    try:
        rows = diag.dump(socket.IPPROTO_UDP if udp else socket.IPPROTO_TCP)
    except OSError:
        return ()
    finally:
        diag.close()
    anywhere = ("0.0.0.0", "::")
    return [
        row
        for row in rows
        if row.local[1] == url.port
        and (row.local[0] == address or row.local[0] in anywhere or address in anywhere)
    ]


def _unix(path: str, make: Make) -> socket.socket:
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise UsageError(NOT_A_SOCKET_FILE, {"path": path})
        if _answers(path):
            raise UsageError(SOCKET_FILE_IN_USE, {"path": path})
        os.unlink(path)  # a server that ended without removing it
    sock = make(socket.AF_UNIX, socket.SOCK_STREAM, 0)
    try:
        sock.bind(path)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        reason = error.strerror or str(error)
        raise UsageError(PATH_NOT_BOUND, {"path": path, "reason": reason}) from error
    return sock


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(path)
        except OSError:
            return False
        return True
