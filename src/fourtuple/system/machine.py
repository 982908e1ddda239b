"""The raw facts of this machine, as data: settings, privileges, mounts, what the trial gave.

Only measures; `system.capabilities` judges. A test makes a `Machine` of its own.
"""

import errno
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fourtuple.system.tracefs import USUAL_PLACE, mounted
from fourtuple.system.trial import read_trace_format, try_namespaces, try_privileges

__all__ = ["RESET_EVENT", "Machine", "measure"]

RESET_EVENT = "tcp/tcp_send_reset"
_CAP_SYS_ADMIN = 21
_FIRST_USER_NAMESPACE = 0xEFFFFFFD  # PROC_USER_INIT_INO, include/linux/proc_ns.h
_SETTINGS = (
    "user/max_user_namespaces",
    "user/max_pid_namespaces",
    "user/max_net_namespaces",
    "kernel/unprivileged_userns_clone",
    "kernel/apparmor_restrict_unprivileged_userns",
)


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts of one machine, as one process sees them.

    trial         what `try_namespaces` gave: step -> errno, 0 where it worked
    settings      number of each setting of /proc/sys that exists, by path ("user/max_...")
    privileges    which of net_raw, net_admin, sys_admin this process holds where they count
    filtered      a seccomp filter is upon this process, as in most containers
    tracefs       where it is mounted, "" where it is not
    reset_format  the format file of `RESET_EVENT`, or the errno with which it was refused
    """

    system: str
    release: str
    python: str
    encoding: str
    trial: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, int] = field(default_factory=dict)
    privileges: frozenset[str] = frozenset()
    filtered: bool = False
    tracefs: str = ""
    reset_format: str | int = errno.ENOENT


def measure() -> Machine:
    """Ask this machine. Takes about 0.2 s."""
    system, release = platform.system(), platform.release()
    encoding = (sys.stdout.encoding if sys.stdout else None) or "ascii"
    python = platform.python_version()
    if system != "Linux":
        return Machine(system, release, python, encoding)
    status = _status()
    tracefs = mounted()
    return Machine(
        system,
        release,
        python,
        encoding,
        trial=try_namespaces(),
        settings=_settings(),
        privileges=_privileges(int(status.get("CapEff", "0"), 16)),
        filtered=status.get("Seccomp", "0") != "0",
        tracefs=tracefs,
        reset_format=_reset_format(tracefs),
    )


def _read(path: str) -> str:
    """The text of a file of /proc; "" where this kernel does not have it or does not show it."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _status() -> dict[str, str]:
    """/proc/self/status, line by line."""
    lines = _read("/proc/self/status").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _privileges(effective: int) -> frozenset[str]:
    """Those over this network, and sys_admin, which counts in the first user namespace only."""
    held = effective >> _CAP_SYS_ADMIN & 1
    namespace = Path("/proc/self/ns/user")
    first = namespace.exists() and namespace.stat().st_ino == _FIRST_USER_NAMESPACE
    return try_privileges() | ({"sys_admin"} if held and first else set())


def _settings() -> dict[str, int]:
    texts = {name: _read(f"/proc/sys/{name}").strip() for name in _SETTINGS}
    return {name: int(text) for name, text in texts.items() if text.isdigit()}


def _reset_format(tracefs: str) -> str | int:
    if not tracefs:
        return read_trace_format(RESET_EVENT, USUAL_PLACE)
    try:
        return Path(tracefs, "events", RESET_EVENT, "format").read_text()
    except OSError as error:
        return error.errno or errno.EIO
