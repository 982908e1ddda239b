"""Kernel settings of the caller's network namespace.

Written with os.write: a buffered file would swallow the kernel's refusal until it is closed.
"""

import os
from pathlib import Path

__all__ = ["read_sysctl", "write_sysctl"]

_ROOT = Path("/proc/sys")


def _path(name: str) -> Path:
    """The file of ``net.ipv4.tcp_sack``; a dot inside a part is written as a slash (sysctl(8))."""
    return _ROOT.joinpath(*(part.replace("/", ".") for part in name.split(".")))


def read_sysctl(name: str) -> str:
    """The value, white space folded; FileNotFoundError where this kernel has no such setting."""
    return " ".join(_path(name).read_text().split())


def write_sysctl(name: str, value: str | int) -> None:
    """Set it; OSError as the kernel answers (EINVAL: not such a value, EACCES: not yours)."""
    descriptor = os.open(_path(name), os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, str(value).encode())
    finally:
        os.close(descriptor)
