"""What is installed only where somebody asked for it, and what to do where it is not."""

from importlib import import_module
from typing import Any

from fourtuple.errors import N_, CapabilityMissing

__all__ = ["extra"]

MISSING = N_("{what} needs {package}, which is not installed.")
INSTALL = N_("Install it with: python3 -m pip install 'fourtuple[{extra}]'")


def extra(module: str, name: str, what: str) -> Any:
    """A module of the extra `name`; CapabilityMissing where it is not installed. `what` is what
    cannot be done without it, an option or the like."""
    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        known = {"what": what, "package": package, "extra": name}
        raise CapabilityMissing(MISSING, INSTALL, known) from None
