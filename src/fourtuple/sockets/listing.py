"""Asks the kernel for the sockets that are wanted, and /proc for who holds them.

What cannot be had is left out and named: a kernel without a table has none of its sockets, a
process that may not be looked into holds sockets whose owner stays unknown. A socket that vanishes
between one question and the next is simply not there.
"""

import errno
import os
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from fourtuple.errors import N_, CapabilityMissing, InputError
from fourtuple.sockets.choose import Wanted
from fourtuple.sockets.model import Listing
from fourtuple.system.inet_dump import (
    INFO,
    LISTEN,
    MEMORY,
    InetRow,
    InetRows,
    Tables,
    UnixRow,
)
from fourtuple.system.owners import look_for_owners, processes, sockets_of
from fourtuple.system.raw_table import raw_rows

__all__ = ["every_namespace", "list_sockets", "namespace_file"]

_RAW_DIAG = 255
_MANY = 2000
#: a kernel without the table: ENOENT, or EINVAL where it is older than the question
_NO_TABLE = (errno.ENOENT, errno.EINVAL, errno.EPROTONOSUPPORT)
_NO_ENTRY = N_("{file}: this process may not enter that network namespace (CAP_SYS_ADMIN).")
_AS_ROOT = N_("Run fourtuple as root, for example with sudo.")


def list_sockets(
    wanted: Wanted, *, owners: bool = True, details: bool = False, namespace: str = ""
) -> Listing:
    """The sockets of this network namespace, or of another by its file. With `details` each row has
    the kernel's tcp_info and counts of memory, which takes twice as long.

    InputError where the file is no network namespace, CapabilityMissing where it may not be
    entered.
    """
    with _entered(namespace):
        number = os.stat("/proc/thread-self/ns/net").st_ino
        with Tables() as tables:
            listing = _asked(tables, wanted, (INFO, MEMORY) if details else ())
    listing.namespace, listing.owners_asked = number, owners
    if wanted.by_process:
        pids = list(wanted.pids())
        held = {inode for pid in pids for _, inode in sockets_of(pid)}
        _keep(listing, held)
    if owners:
        # of most of the sockets that there are, it is quicker to look at those of all processes
        found = look_for_owners(None if len(listing) > _MANY else _inodes(listing))
        listing.owners, listing.refused = found.owners, found.refused
    return listing


def _inodes(listing: Listing) -> set[int]:
    found = {row.inode for some in listing.inet.values() for row in some}
    found.update(row.inode for row in listing.unix)
    return found - {0}


def _asked(tables: Tables, wanted: Wanted, extensions: tuple[int, ...]) -> Listing:
    listing = Listing()
    passes = wanted.matches()
    for protocol in wanted.protocols:
        if protocol == "unix":
            listing.unix = _unix(tables, wanted)
            continue
        rows = _inet(tables, protocol, wanted, extensions)
        listing.inet[protocol] = rows if passes is None else list(filter(passes, rows))
    return listing


def _inet(
    tables: Tables, protocol: str, wanted: Wanted, extensions: tuple[int, ...]
) -> Collection[InetRow]:
    states = wanted.states_of(protocol)
    if not states:
        return []
    if protocol == "raw":
        return _raw(tables, wanted, states)
    if protocol == "udp":
        return tables.inet(socket.IPPROTO_UDP, states, wanted.families, (MEMORY,))
    # what a listener dropped is worth asking for; listeners are few, and are looked up apart
    listeners, others = states & 1 << LISTEN, states & ~(1 << LISTEN)
    tcp, families = socket.IPPROTO_TCP, wanted.families
    rows = InetRows()
    if listeners:
        rows.extend(tables.inet(tcp, listeners, families, tuple({*extensions, MEMORY})))
    if others:
        rows.extend(tables.inet(tcp, others, families, extensions))
    return rows


def _raw(tables: Tables, wanted: Wanted, states: int) -> Collection[InetRow]:
    try:
        return tables.inet(_RAW_DIAG, states, wanted.families)
    except OSError as error:
        if error.errno not in _NO_TABLE:
            raise
        return [row for row in raw_rows(wanted.families) if states >> row.state & 1]


def _unix(tables: Tables, wanted: Wanted) -> list[UnixRow]:
    if not wanted.states >> LISTEN & 1:
        return []
    try:
        return tables.unix_listeners()
    except OSError as error:
        if error.errno not in _NO_TABLE:
            raise
        return []


def _keep(listing: Listing, inodes: set[int]) -> None:
    for protocol, rows in listing.inet.items():
        listing.inet[protocol] = [row for row in rows if row.inode in inodes]
    listing.unix = [row for row in listing.unix if row.inode in inodes]


def namespace_file(text: str) -> str:
    """The file of a network namespace that was named by a process's number or by the file."""
    return f"/proc/{text}/ns/net" if text.isascii() and text.isdigit() else text


def every_namespace() -> list[str]:
    """A file for each network namespace that a process which we may look at is in, ours first."""
    files: dict[int, str] = {}
    for path in ("/proc/self/ns/net", *(f"/proc/{pid}/ns/net" for pid in processes())):
        try:
            files.setdefault(os.stat(path).st_ino, path)
        except OSError:  # ended, or not ours to look at
            continue
    return list(files.values())


@contextmanager
def _entered(namespace: str) -> Iterator[None]:
    if not namespace:
        yield
        return
    from fourtuple.system.namespaces import inside  # longer to load than most tables to list

    params = {"file": namespace}
    try:
        descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:
        raise CapabilityMissing(_NO_ENTRY, _AS_ROOT, params) from None
    except OSError as error:
        params["reason"] = os.strerror(error.errno or 0)
        raise InputError(N_("{file}: not a network namespace: {reason}"), params) from None
    try:
        if os.stat(descriptor).st_ino == os.stat("/proc/thread-self/ns/net").st_ino:
            yield
            return
        try:
            with inside(descriptor):
                yield
        except PermissionError:
            raise CapabilityMissing(_NO_ENTRY, _AS_ROOT, params) from None
        except OSError as error:
            params["reason"] = os.strerror(error.errno or 0)
            raise InputError(N_("{file}: not a network namespace: {reason}"), params) from None
    finally:
        os.close(descriptor)
