"""Sockets that listen, made from what was asked for; and who is in the way if they cannot be.

SO_REUSEADDR is set: a server that ended a moment ago has left connections in TIME_WAIT, which do
not keep its port from a new one (row E3). It does not let two servers share a port.
"""

import errno
import os
import socket
import stat
from collections.abc import Sequence
from contextlib import suppress

from fourtuple.errors import CapabilityMissing, FourtupleError, UsageError
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.system.owners import owners_of
from fourtuple.system.sock_diag import DiagSocket, SockDiag
from fourtuple.talk.url import Url

__all__ = ["addresses_of", "listening_socket"]

#: as long as the kernel allows (net.core.somaxconn cuts it)
_BACKLOG = 4096

NO_ADDRESS = N_("The name {host} has no address here: {reason}.")
NOT_LOOPBACK = N_(
    "{host} is reachable from other machines. Say --authorized if whoever can reach this machine"
    " may use the server; without it only loopback addresses are served."
)
IN_USE = N_(
    "Port {port} of {address} is in use: {holders}. End it (kill {pid}), or choose another port."
)
IN_USE_HIDDEN = N_(
    "Port {port} of {address} is in use by a process that you may not look into; as root, ss -ltnp"
    " names it. Choose another port, or end that process."
)
HOLDER = N_("process {pid} ({command}) holds it with descriptor {fd}")
FORBIDDEN_PORT = N_(
    "Port {port} is below {first}, which an ordinary user may not bind. Choose a higher one, for"
    " example {other}, or run as root (CAP_NET_BIND_SERVICE)."
)
NOT_BOUND = N_("{address}, port {port}, cannot be bound: {reason}.")
RAW_FORBIDDEN = N_("A raw socket needs CAP_NET_RAW.")
RAW_REMEDY = N_("Run as root, or in the lab, whose programs have it.")
SOCKET_FILE_IN_USE = N_("{path} exists, and a server listens there. Choose another path.")
NOT_A_SOCKET_FILE = N_("{path} exists and is no socket: it stays as it is. Choose another path.")


def addresses_of(url: Url) -> list[tuple[socket.AddressFamily, str]]:
    """Where a URL's host is, best first; UsageError where it has no address."""
    try:
        found = socket.getaddrinfo(url.host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(NO_ADDRESS, {"host": url.host, "reason": reason}) from error
    return [(socket.AddressFamily(family), str(where[0])) for family, _, _, _, where in found]


def listening_socket(url: Url, authorized: bool = False) -> socket.socket:
    """A bound socket, which listens if its kind can. UsageError and CapabilityMissing say who or
    what is in the way."""
    if url.kind.transport == "unix":
        return _unix(url.path)
    family, address = addresses_of(url)[0]
    if not (authorized or _is_loopback(address)):
        raise UsageError(NOT_LOOPBACK, {"host": url.host})
    sock = _socket(url, family)
    try:
        _bind(sock, url, address)
    except BaseException:
        sock.close()
        raise
    return sock


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _socket(url: Url, family: socket.AddressFamily) -> socket.socket:
    if url.kind.transport == "raw":
        try:
            return socket.socket(family, socket.SOCK_RAW, url.port)
        except PermissionError:
            raise CapabilityMissing(RAW_FORBIDDEN, RAW_REMEDY) from None
    kind = socket.SOCK_DGRAM if url.kind.transport == "udp" else socket.SOCK_STREAM
    sock = socket.socket(family, kind)
    if kind == socket.SOCK_STREAM:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock


def _bind(sock: socket.socket, url: Url, address: str) -> None:
    port = 0 if url.kind.transport == "raw" else url.port
    try:
        sock.bind((address, port))
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
    inodes = [row.inode for row in _in_the_way(url, address) if row.inode]
    holders = [owner for held in owners_of(inodes).values() for owner in held]
    if not holders:
        return UsageError(IN_USE_HIDDEN, about)
    first = holders[0]
    named = {"pid": first.pid, "command": first.command, "fd": first.fd}
    return UsageError(IN_USE, {**about, "pid": first.pid, "holders": Message(HOLDER, named)})


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
        and (udp or row.state == "LISTEN")
        and (row.local[0] == address or row.local[0] in anywhere or address in anywhere)
    ]


def _unix(path: str) -> socket.socket:
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise UsageError(NOT_A_SOCKET_FILE, {"path": path})
        if _answers(path):
            raise UsageError(SOCKET_FILE_IN_USE, {"path": path})
        os.unlink(path)  # a server that ended without removing it
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        reason = error.strerror or str(error)
        raise UsageError(NOT_BOUND, {"address": path, "port": 0, "reason": reason}) from error
    return sock


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(path)
        except OSError:
            return False
        return True
