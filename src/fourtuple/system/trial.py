"""Tries what the lab needs, for real, in a child process that ends at once and leaves nothing.

Settings, versions and distributions say what ought to work; only a try says what does. The child
enters namespaces and does in them, once, each thing the lab does, with the lab's own functions.
Knows nothing of sentences and remedies: it gives error numbers (`system.capabilities` has words).
"""

import ctypes
import errno
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from fourtuple.system.links import make_veth, set_offloads
from fourtuple.system.namespaces import (
    CLONE_NEWNET,
    CLONE_NEWPID,
    die_with_parent,
    network_namespace,
    unshare,
    unshare_user,
)
from fourtuple.system.packet import PacketSocket
from fourtuple.system.sock_diag import SockDiag
from fourtuple.system.sysctl import write_sysctl

__all__ = ["read_trace_format", "try_namespaces", "try_privileges"]

#: the steps without which none of the later ones can be tried
_GATES = ("user", "pid", "net")
_LIMIT_S = 20.0
_CLONE_NEWNS = 0x00020000
_SO_RCVBUFFORCE = 33
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000

Report = Callable[[str], object]


def try_namespaces() -> dict[str, int]:
    """The error number of each step, in order, 0 where it worked; ends at a gate that failed.

    user, pid, net    a namespace of that kind is entered
    veth              a pair of virtual interfaces is made
    packet            a packet socket that ignores outgoing frames is opened
    offloads          an offload is switched through the ethtool ioctl
    sysctl            a network setting is written
    sock_diag         the socket table is read
    ehash             a socket hash of its own is asked for (tcp_child_ehash_entries)
    """
    import_module("pyroute2")  # before the fork: the lab's processes need it too, and inherit it
    words = _in_child(_report_steps).split()
    return {name: int(number) for name, number in zip(words[::2], words[1::2], strict=False)}


def read_trace_format(event: str, mount_at: str) -> str | int:
    """The format file of a trace event ("tcp/tcp_send_reset"), or the error number.

    tracefs is mounted for a child alone. That needs CAP_SYS_ADMIN in the first user namespace.
    """

    def read(report: Report) -> None:
        try:
            unshare(_CLONE_NEWNS)
            _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
            _mount("tracefs", mount_at, "tracefs", 0)
            report(Path(mount_at, "events", event, "format").read_text())
        except OSError as error:
            report(str(error.errno))

    text = _in_child(read)
    return int(text) if text.isdigit() else text


def try_privileges() -> frozenset[str]:
    """Which of net_raw and net_admin this process holds over the network that it is in."""
    steps: dict[str, Callable[[], object]] = {
        "net_raw": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close(),
        "net_admin": _force_buffer,
    }
    return frozenset(name for name, step in steps.items() if _errno_of(step) == 0)


def _force_buffer() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        any_socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 65536)


def _report_steps(report: Report) -> None:
    for name, step in _steps():
        number = _errno_of(step)
        report(f"{name} {number}\n")
        if number and name in _GATES:
            return


def _steps() -> Iterator[tuple[str, Callable[[], object]]]:
    yield "user", unshare_user
    yield "pid", lambda: unshare(CLONE_NEWPID)
    yield "net", lambda: unshare(CLONE_NEWNET)
    yield "veth", lambda: make_veth("try0", "try1", network_namespace())
    yield "packet", lambda: PacketSocket("lo").close()
    yield "offloads", lambda: set_offloads("lo", False, ("tso",))
    yield "sysctl", lambda: write_sysctl("net.ipv4.ip_default_ttl", 64)
    yield "sock_diag", lambda: SockDiag().dump()
    yield "ehash", lambda: write_sysctl("net.ipv4.tcp_child_ehash_entries", 256)


def _errno_of(step: Callable[[], object]) -> int:
    try:
        step()
    except OSError as error:
        return error.errno or errno.EIO
    except Exception as error:  # pyroute2's NetlinkError is no OSError; its code is an errno
        return int(getattr(error, "code", errno.EIO))
    return 0


def _mount(source: str, target: str, kind: str | None, flags: int) -> None:
    mount = ctypes.CDLL(None, use_errno=True).mount
    names = (os.fsencode(source), os.fsencode(target), os.fsencode(kind) if kind else None)
    if mount(*names, ctypes.c_ulong(flags), None):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _in_child(function: Callable[[Report], None]) -> str:
    """What `function` reported from a forked child, which dies with its parent, and which is killed
    where it takes longer than anything in it can take."""
    read_end, write_end = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            die_with_parent(parent)
            with os.fdopen(write_end, "w") as pipe:
                function(pipe.write)
        finally:
            os._exit(0)
    os.close(write_end)
    parts, deadline_s = [], time.monotonic() + _LIMIT_S
    with os.fdopen(read_end, "rb", buffering=0) as pipe_end:
        while select.select([pipe_end], [], [], max(0.0, deadline_s - time.monotonic()))[0]:
            if not (part := pipe_end.read(65536)):
                break
            parts.append(part)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return b"".join(parts).decode()
