"""User, pid and network namespaces, and processes that end with their parent.

A namespace here has no name: it lives as long as a process or a descriptor holds it, so nothing
is left behind, not even after kill -9. unshare(CLONE_NEWUSER) wants a single-threaded process:
callers fork first.
"""

import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

__all__ = [
    "CLONE_NEWNET",
    "CLONE_NEWPID",
    "CLONE_NEWUSER",
    "LAB_HOSTS",
    "die_with_parent",
    "enter",
    "inside",
    "network_namespace",
    "new_network_namespace",
    "unshare",
    "unshare_user",
]

CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
#: in the environment of the lab's programs: address=file of its network namespace, with blanks
LAB_HOSTS = "FOURTUPLE_LAB_HOSTS"
_PR_SET_PDEATHSIG = 1
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(status: int, what: str) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Move the calling process into new namespaces (unshare(2)); OSError as the kernel has it."""
    _check(_libc().unshare(flags), "unshare")


def unshare_user(flags: int = 0) -> None:
    """Enter a new user namespace along with those of `flags`, and hold every capability in it.

    The caller's own ids are the only ones mapped, which needs no privilege (user_namespaces(7)).
    They are mapped to themselves: a program that does not want to be root, or would become
    somebody else if it were, runs as it does outside. The capabilities are made ambient, so that
    programs which are executed have them too.
    """
    uid, gid = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER | flags)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    _make_capabilities_ambient()


def _make_capabilities_ambient() -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # two words each of effective, permitted and inheritable, low words first (capget(2))
    sets = (ctypes.c_uint32 * 6)()
    _check(_libc().capget(header, sets), "capget")
    sets[2], sets[5] = sets[1], sets[4]
    _check(_libc().capset(header, sets), "capset")
    permitted = sets[1] | sets[4] << 32
    for capability in range(permitted.bit_length()):
        status = _libc().prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)
        _check(status, "prctl")


def network_namespace() -> int:
    """A descriptor of the network namespace that the caller is in."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def enter(namespace: int) -> None:
    """Move the calling thread into the network namespace of a descriptor (setns(2))."""
    _check(_libc().setns(namespace, CLONE_NEWNET), "setns")


@contextmanager
def inside(namespace: int) -> Iterator[None]:
    """Run a block in another network namespace. Sockets that it opens stay there."""
    home = network_namespace()
    try:
        enter(namespace)
        try:
            yield
        finally:
            enter(home)
    finally:
        os.close(home)


def new_network_namespace() -> int:
    """Make a network namespace and return its descriptor; the caller stays where it is."""
    home = network_namespace()
    try:
        unshare(CLONE_NEWNET)
        made = network_namespace()
        enter(home)
    finally:
        os.close(home)
    return made


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel kill the caller (SIGKILL) when its parent ends.

    `parent` is the pid that the caller expects to have: where it is gone already, before the
    request could be made, the caller ends at once. Inside a new pid namespace the parent has no
    number; leave it out there.
    """
    _check(_libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    if parent is not None and os.getppid() != parent:
        os._exit(1)
