"""fourtuple: four views of one connection on one clock.

The public names of the library, and nothing else. They are resolved when first used, so that
``import fourtuple`` (and ``fourtuple --version``) stays free of numpy.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "FourtupleError": "fourtuple.errors",
    "Reading": "fourtuple.reading",
    "Timeline": "fourtuple.event.timeline",
    "connections": "fourtuple.analyze",
    "read": "fourtuple.reading",
}

__all__ = ["FourtupleError", "Reading", "Timeline", "__version__", "connections", "read"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'fourtuple' has no attribute {name!r}")
