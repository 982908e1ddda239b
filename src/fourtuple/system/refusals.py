"""Why a step of the trial was refused, and what to do about it: causes and remedies, as data.

Knows the error numbers that Linux answers with and the settings that make it do so. The texts are
message ids of the catalog.
"""

import errno
import os
from collections.abc import Mapping

from msgspec import Struct, field

from fourtuple.system.machine import Machine

__all__ = ["N_", "Refusal", "why_refused"]

#: marks a message id for the catalog; explain's own marker lies in a layer above this one
N_ = str


class Refusal(Struct, frozen=True):
    """The cause, a sentence, and the remedy: message ids, and the values of their fields."""

    detail: str
    remedy: str
    params: Mapping[str, object] = field(default_factory=dict)


def why_refused(step: str, number: int, machine: Machine) -> Refusal:
    """What the error number of a step (`trial.try_namespaces`) means on this machine."""
    if step in ("user", "pid", "net"):
        return _why_no_namespace(step, number, machine)
    known = _REFUSALS.get((step, number)) or _REFUSALS.get((step, 0))
    return known or _unexplained(step, number)


def _unexplained(step: str, number: int) -> Refusal:
    return Refusal(
        N_("The kernel refuses a thing that the lab needs ({step}): {error}."),
        N_("Look for what forbids it: dmesg, and the modules in /sys/kernel/security/lsm."),
        {"step": step, "error": os.strerror(number)},
    )


def _why_no_namespace(kind: str, number: int, machine: Machine) -> Refusal:
    """Limits answer ENOSPC, a kernel built without them EINVAL, and everybody else EPERM."""
    limit = machine.settings.get(f"user/max_{kind}_namespaces")
    setting = f"user.max_{kind}_namespaces"
    if number == errno.ENOSPC and limit == 0:
        return Refusal(*_SWITCHED_OFF, {"setting": setting})
    if number == errno.ENOSPC:
        return Refusal(*_EXHAUSTED, {"setting": setting, "limit": limit})
    if number == errno.ENOENT:
        return _NO_PROC
    if number in (errno.EINVAL, errno.ENOSYS):
        return Refusal(*_NOT_BUILT, {"option": f"CONFIG_{kind.upper()}_NS"})
    if number in (errno.EPERM, errno.EACCES):
        return _why_forbidden(kind, number, machine)
    return _unexplained(kind, number)


def _why_forbidden(kind: str, number: int, machine: Machine) -> Refusal:
    for path, value, refusal in _FORBIDDING:
        if machine.settings.get(path) == value and "sys_admin" not in machine.privileges:
            return refusal
    if machine.filtered:
        return _CONTAINER
    return _CHANGED_ROOT if kind == "user" else _unexplained(kind, number)


_SWITCHED_OFF = (
    N_("Namespaces are switched off: {setting} is 0."),
    "sudo sysctl -w {setting}=10000",
)
_EXHAUSTED = (
    N_("No further namespace may be made: {setting} is {limit}, or they are nested too deep."),
    N_("Raise the limit with sudo sysctl -w {setting}=..., or leave a few namespaces."),
)
_NOT_BUILT = (
    N_("This kernel was built without {option}."),
    N_("Boot a kernel that has {option}; every large distribution's has."),
)
_NO_PROC = Refusal(N_("The file system /proc is not mounted."), "sudo mount -t proc proc /proc")
#: (setting, the value that forbids, why): they bind those without CAP_SYS_ADMIN
_FORBIDDING = (
    (
        "kernel/unprivileged_userns_clone",
        0,
        Refusal(
            N_("Only root may make user namespaces here: kernel.unprivileged_userns_clone is 0."),
            N_("sudo sysctl -w kernel.unprivileged_userns_clone=1, or run fourtuple as root."),
        ),
    ),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        1,
        Refusal(
            N_(
                "AppArmor takes all privileges from user namespaces: "
                "kernel.apparmor_restrict_unprivileged_userns is 1 (Ubuntu's default)."
            ),
            N_(
                "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, "
                "or run fourtuple as root."
            ),
        ),
    ),
)
_CONTAINER = Refusal(
    N_("A seccomp filter forbids user namespaces, as in most containers."),
    N_(
        "Start the container with --security-opt seccomp=unconfined "
        "--security-opt systempaths=unconfined, or run fourtuple outside of it."
    ),
)
_CHANGED_ROOT = Refusal(
    N_("The kernel forbids user namespaces to this process: it may live in a chroot."),
    N_(
        "Run fourtuple outside of the chroot; if there is none, look for what forbids it: "
        "dmesg, and the modules in /sys/kernel/security/lsm."
    ),
)

_READ_ONLY = Refusal(
    N_("Settings of the network cannot be written: /proc/sys is read-only, as in a container."),
    N_("Start the container with --security-opt systempaths=unconfined."),
)
_NO_SOCK_DIAG = Refusal(
    N_("The kernel does not list its sockets: the module tcp_diag is missing."),
    "sudo modprobe -a inet_diag tcp_diag udp_diag",
)
_NO_VETH = Refusal(
    N_("The kernel makes no veth pairs: the module veth is missing."), "sudo modprobe veth"
)
#: (step, errno) -> why; errno 0 stands for any other
_REFUSALS = {
    ("veth", errno.EOPNOTSUPP): _NO_VETH,
    ("packet", errno.EAFNOSUPPORT): Refusal(
        N_("The kernel has no packet sockets: the module af_packet is missing."),
        "sudo modprobe af_packet",
    ),
    ("packet", errno.ENOPROTOOPT): Refusal(
        N_("Packet sockets here cannot ignore outgoing frames (PACKET_IGNORE_OUTGOING)."),
        N_("Use Linux 4.20 or later."),
    ),
    ("sysctl", errno.EROFS): _READ_ONLY,
    ("sysctl", errno.EACCES): _READ_ONLY,
    ("sock_diag", errno.ENOENT): _NO_SOCK_DIAG,
    ("sock_diag", errno.EOPNOTSUPP): _NO_SOCK_DIAG,
    ("sock_diag", errno.EPROTONOSUPPORT): _NO_SOCK_DIAG,
    ("ehash", 0): Refusal(
        N_("A namespace here shares the host's socket hash: reading states takes longer."),
        N_("Linux 6.1 and later have tcp_child_ehash_entries; nothing else is lost."),
    ),
}
