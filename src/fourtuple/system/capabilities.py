"""What this machine allows, found out once: `fourtuple doctor` prints it, the lab asks for it.

Each answer is measured (`system.machine`, `system.trial`), not guessed from versions; a "no" comes
with its cause and what mends it. Measuring leaves nothing behind and needs no privilege. Texts are
message ids of the catalog (English, with {fields}): whoever prints them translates them.
"""

import errno
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from fourtuple.errors import CapabilityMissing
from fourtuple.system.machine import Machine, measure

__all__ = ["Capability", "capabilities", "judge", "require_lab", "works"]


#: marks a message id for the catalog; explain's own marker lies in a layer above this one
N_ = str


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing that a machine may allow.

    answer      "yes", "partly" (it works, with the limit that `detail` names) or "no"
    needed_for  the parts of fourtuple that do not work without it: lab, read, trace, live, scan
    detail      what was measured; for a "no" a whole sentence, the cause
    remedy      what to do about it; "" where nothing is to be done, or an earlier row says it
    params      the values of the fields in `detail` and `remedy`
    """

    key: str
    name: str
    needed_for: tuple[str, ...]
    answer: str
    detail: str
    remedy: str = ""
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.answer == "yes"


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why something is not there, and what to do about it."""

    detail: str
    remedy: str = ""
    params: Mapping[str, object] = field(default_factory=dict)


@cache
def capabilities() -> tuple[Capability, ...]:
    """What this machine allows this process, in the order in which one thing rests on another."""
    return judge(measure())


def works(feature: str, found: Sequence[Capability]) -> bool:
    """Whether nothing that a part of fourtuple needs ("lab", "trace" ...) was answered with no."""
    return all(one.answer != "no" for one in found if feature in one.needed_for)


def require_lab() -> None:
    """Return where the lab can be set up; else CapabilityMissing with the cause and the remedy."""
    for one in capabilities():
        if one.answer == "no" and "lab" in one.needed_for:
            raise CapabilityMissing(one.detail, one.remedy, one.params)


def judge(machine: Machine) -> tuple[Capability, ...]:
    """The answers that follow from a machine's facts."""
    return (
        _linux(machine),
        Capability("python", "Python", ("lab", "read"), "yes", machine.python),
        _terminal(machine),
        *(_tried(step, machine) for step in _STEPS),
        *(_privilege(key, machine) for key in _PRIVILEGES),
        _tracefs(machine),
        _reset_reasons(machine),
    )


def _linux(machine: Machine) -> Capability:
    key, name, needed_for = "linux", N_("Linux kernel"), ("lab", "trace", "live")
    if machine.system == "Linux":
        return Capability(key, name, needed_for, "yes", machine.release)
    detail = N_("The lab runs on the kernel of Linux; this is {system}.")
    remedy = N_("Run fourtuple on Linux, in a virtual machine if need be.")
    return Capability(key, name, needed_for, "no", detail, remedy, {"system": machine.system})


def _terminal(machine: Machine) -> Capability:
    key, name = "terminal", N_("terminal encoding")
    if re.fullmatch("utf-?8", machine.encoding, re.IGNORECASE):
        return Capability(key, name, (), "yes", "UTF-8")
    detail = N_("The encoding is {encoding}: pictures are drawn in ASCII.")
    remedy = N_("Choose a UTF-8 locale: export LC_ALL=C.UTF-8")
    params = {"encoding": machine.encoding}
    return Capability(key, name, (), "partly", detail, remedy, params)


#: step of the trial -> (name, what was measured where it worked)
_STEPS = {
    "user": (N_("user namespaces"), N_("one was entered")),
    "pid": (N_("pid namespaces"), N_("one was entered")),
    "net": (N_("network namespaces"), N_("one was entered")),
    "veth": (N_("veth pairs"), N_("one was made")),
    "packet": (N_("packet sockets in a namespace"), N_("one that ignores outgoing frames")),
    "offloads": (N_("offload switches"), N_("TSO was switched off")),
    "sysctl": (N_("settings of a namespace"), N_("one was written")),
    "sock_diag": (N_("socket table (sock_diag)"), N_("it was read")),
    "ehash": (N_("socket hash of a namespace"), N_("a small one was asked for")),
}


def _tried(step: str, machine: Machine) -> Capability:
    name, measured = _STEPS[step]
    number = machine.trial.get(step)
    if number == 0:
        return Capability(step, name, ("lab",), "yes", measured)
    if number is None:
        detail = N_("not tried: something above is missing")
        return Capability(step, name, ("lab",), "no", detail)
    why = _why_refused(step, number, machine)
    answer = "partly" if step == "ehash" else "no"
    return Capability(step, name, ("lab",), answer, why.detail, why.remedy, why.params)


def _why_refused(step: str, number: int, machine: Machine) -> _Refusal:
    if step in ("user", "pid", "net"):
        return _why_no_namespace(step, number, machine)
    known = _REFUSALS.get((step, number)) or _REFUSALS.get((step, 0))
    return known or _unexplained(step, number)


def _unexplained(step: str, number: int) -> _Refusal:
    return _Refusal(
        N_("The kernel refused it ({step}): {error}."),
        N_("Look for what forbids it: dmesg, and the modules in /sys/kernel/security/lsm."),
        {"step": step, "error": os.strerror(number)},
    )


def _why_no_namespace(kind: str, number: int, machine: Machine) -> _Refusal:
    """Limits answer ENOSPC, a kernel built without them EINVAL, and everybody else EPERM."""
    limit = machine.settings.get(f"user/max_{kind}_namespaces")
    setting = f"user.max_{kind}_namespaces"
    if number == errno.ENOSPC and limit == 0:
        return _Refusal(*_SWITCHED_OFF, {"setting": setting})
    if number == errno.ENOSPC:
        return _Refusal(*_EXHAUSTED, {"setting": setting, "limit": limit})
    if number in (errno.EINVAL, errno.ENOSYS):
        return _Refusal(*_NOT_BUILT, {"option": f"CONFIG_{kind.upper()}_NS"})
    if number in (errno.EPERM, errno.EACCES):
        for path, value, refusal in _FORBIDDING:
            if machine.settings.get(path) == value:
                return refusal
        if machine.filtered:
            return _CONTAINER
        if kind == "user":
            return _CHANGED_ROOT
    return _unexplained(kind, number)


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
_FORBIDDING = (
    (
        "kernel/unprivileged_userns_clone",
        0,
        _Refusal(
            N_("Only root may make user namespaces here: kernel.unprivileged_userns_clone is 0."),
            N_("sudo sysctl -w kernel.unprivileged_userns_clone=1, or run fourtuple as root."),
        ),
    ),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        1,
        _Refusal(
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
_CONTAINER = _Refusal(
    N_("A seccomp filter forbids user namespaces, as in most containers."),
    N_(
        "Start the container with --security-opt seccomp=unconfined "
        "--security-opt systempaths=unconfined, or run fourtuple outside of it."
    ),
)
_CHANGED_ROOT = _Refusal(
    N_("The kernel forbids user namespaces to this process: it may live in a chroot."),
    N_(
        "Run fourtuple outside of the chroot; if there is none, look for what forbids it: "
        "dmesg, and the modules in /sys/kernel/security/lsm."
    ),
)

_READ_ONLY = _Refusal(
    N_("Settings of the network cannot be written: /proc/sys is read-only, as in a container."),
    N_("Start the container with --security-opt systempaths=unconfined."),
)
_NO_SOCK_DIAG = _Refusal(
    N_("The kernel does not list its sockets: the module tcp_diag is missing."),
    "sudo modprobe -a inet_diag tcp_diag udp_diag",
)
_NO_VETH = _Refusal(
    N_("The kernel makes no veth pairs: the module veth is missing."), "sudo modprobe veth"
)
#: (step, errno) -> why; errno 0 stands for any other
_REFUSALS = {
    ("veth", errno.EOPNOTSUPP): _NO_VETH,
    ("packet", errno.EAFNOSUPPORT): _Refusal(
        N_("The kernel has no packet sockets: the module af_packet is missing."),
        "sudo modprobe af_packet",
    ),
    ("packet", errno.ENOPROTOOPT): _Refusal(
        N_("Packet sockets here cannot ignore outgoing frames (PACKET_IGNORE_OUTGOING)."),
        N_("Use Linux 4.20 or later."),
    ),
    ("sysctl", errno.EROFS): _READ_ONLY,
    ("sysctl", errno.EACCES): _READ_ONLY,
    ("sock_diag", errno.ENOENT): _NO_SOCK_DIAG,
    ("sock_diag", errno.EOPNOTSUPP): _NO_SOCK_DIAG,
    ("sock_diag", errno.EPROTONOSUPPORT): _NO_SOCK_DIAG,
    ("ehash", 0): _Refusal(
        N_("A namespace here shares the host's socket hash: reading states takes longer."),
        N_("Linux 6.1 and later have tcp_child_ehash_entries; nothing else is lost."),
    ),
}

#: errno name in the trial outside -> (name, needed for)
_PRIVILEGES = {
    "net_raw": ("CAP_NET_RAW", ("live", "scan")),
    "net_admin": ("CAP_NET_ADMIN", ("live",)),
    "sys_admin": ("CAP_SYS_ADMIN", ("trace",)),
}


def _privilege(key: str, machine: Machine) -> Capability:
    name, needed_for = _PRIVILEGES[key]
    if key in machine.privileges:
        return Capability(key, name, needed_for, "yes", N_("this process holds it"))
    detail = N_("This process does not hold it, outside of a namespace of its own.")
    return Capability(key, name, needed_for, "no", detail, _AS_ROOT)


_AS_ROOT = N_("Run fourtuple as root, for example with sudo.")


def _tracefs(machine: Machine) -> Capability:
    key, name, needed_for = "tracefs", N_("kernel trace (tracefs)"), ("trace",)
    params = {"place": machine.tracefs}
    readable = isinstance(machine.reset_format, str) or machine.reset_format == errno.ENOENT
    if machine.tracefs and readable:
        return Capability(key, name, needed_for, "yes", N_("mounted at {place}"), "", params)
    if machine.tracefs:
        detail = N_("It is mounted at {place}, and this process may not read it.")
        return Capability(key, name, needed_for, "no", detail, _AS_ROOT, params)
    if isinstance(machine.reset_format, str):
        detail = N_("It is not mounted, but this process may mount it.")
        remedy = "mount -t tracefs tracefs /sys/kernel/tracing"
        return Capability(key, name, needed_for, "partly", detail, remedy)
    if machine.reset_format == errno.ENODEV:
        detail = N_("This kernel was built without tracing.")
        remedy = N_("Boot a kernel that has CONFIG_FTRACE.")
        return Capability(key, name, needed_for, "no", detail, remedy)
    detail = N_("It is not mounted, and this process may not mount it.")
    return Capability(key, name, needed_for, "no", detail, _AS_ROOT)


def _reset_reasons(machine: Machine) -> Capability:
    key, name, needed_for = "reset_reasons", N_("reset reasons of the kernel"), ("trace",)
    if isinstance(machine.reset_format, int):
        detail = N_("not read: the kernel trace is out of reach")
        return Capability(key, name, needed_for, "no", detail)
    if re.search(r"field:.*\breason;", machine.reset_format):
        detail = N_("tcp_send_reset has the field reason")
        return Capability(key, name, needed_for, "yes", detail)
    detail = N_("This kernel does not say why it sends a reset: tcp_send_reset has no reason.")
    return Capability(key, name, needed_for, "no", detail, N_("Use Linux 6.10 or later."))
