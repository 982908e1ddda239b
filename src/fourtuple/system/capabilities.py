"""What this machine allows, found out once: `fourtuple doctor` prints it, the lab asks for it.

Each answer is measured (`system.machine`, `system.trial`), not guessed from versions; a "no" comes
with its cause and what mends it. Measuring leaves nothing behind and needs no privilege. Texts are
message ids of the catalog (English, with {fields}): whoever prints them translates them.
"""

import errno
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from fourtuple.errors import CapabilityMissing
from fourtuple.system.machine import Machine, measure
from fourtuple.system.refusals import N_, why_refused

__all__ = ["Capability", "capabilities", "judge", "require_lab", "works"]


@dataclass(frozen=True, slots=True)
class Capability:
    """One thing that a machine may allow.

    answer      "yes", "partly" (it works, with the limit that `detail` names) or "no"
    needed_for  the parts of fourtuple that do not work without it: lab, read, trace, live, scan
    detail      what was measured; where there is a remedy a whole sentence, the cause
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
    why = why_refused(step, number, machine)
    answer = "partly" if step == "ehash" else "no"
    return Capability(step, name, ("lab",), answer, why.detail, why.remedy, why.params)


#: a privilege that counts outside of the lab -> (name, needed for)
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
