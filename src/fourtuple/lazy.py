"""Packages that load what they export when it is first asked for.

A package's `__init__` says which module each exported name is in; importing one module of it then
does not import the others: a summary of a large capture needs no view of ARP. Type checkers read
the plain imports that stand beside that, under TYPE_CHECKING; a test holds that both agree.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["export"]


class _Package(ModuleType):
    """A package of which a name may be that of the module which holds it: `wire.dissect`."""

    _homes: dict[str, str]

    def __getattr__(self, name: str) -> Any:
        home = self._homes.get(name)
        if home is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{self.__name__}.{home}"), name)
        super().__setattr__(name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        # importing a module sets it as the package's attribute: what the package exports stands
        if not (isinstance(value, ModuleType) and name in self._homes):
            super().__setattr__(name, value)


def export(package: str, **names: str) -> None:
    """Let `package` export names: for each module of it those that it holds, parted by blanks."""
    homes = {name: home for home, several in names.items() for name in several.split()}
    module = sys.modules[package]
    module.__dict__["_homes"] = homes
    module.__class__ = _Package
