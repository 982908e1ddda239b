"""fourtuple: four views of one connection on one clock.

The public names of the library, and nothing else. They are resolved when first used, so that
``import fourtuple`` (and ``fourtuple --version``) stays free of numpy.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "FourtupleError": "fourtuple.errors",
    "Timeline": "fourtuple.event.timeline",
    "read": "fourtuple.source",
    "connections": "fourtuple.analyze",
}

__all__ = ["FourtupleError", "Timeline", "__version__", "connections", "read"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'fourtuple' has no attribute {name!r}")
