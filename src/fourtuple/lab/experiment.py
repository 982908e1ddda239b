"""An experiment: the question it answers, the rows it covers, and its script.

    @experiment(covers="A7", question=N_("How does one send of 2950 bytes cross the wire?"))
    def segments(lab): ...

The name is the function's, with dashes. One file of `lab.experiments` may hold several.
"""

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fourtuple.errors import N_, UsageError

if TYPE_CHECKING:
    from fourtuple.lab.script import Lab

__all__ = ["Experiment", "all_experiments", "experiment", "find_experiment"]


@dataclass(frozen=True, slots=True)
class Experiment:
    """`question` and `background` are message ids; `needs` names capabilities beyond the lab's."""

    name: str
    question: str
    background: str
    covers: tuple[str, ...]
    needs: tuple[str, ...]
    slow: bool
    script: Callable[["Lab"], None]


def experiment(
    *, covers: str, question: str, background: str = "", needs: str = "", slow: bool = False
) -> Callable[[Callable[["Lab"], None]], Experiment]:
    """Make an Experiment of a script. `covers` and `needs` are words separated by spaces."""

    def make(script: Callable[["Lab"], None]) -> Experiment:
        name = script.__name__.replace("_", "-")
        rows, wants = tuple(covers.split()), tuple(needs.split())
        return Experiment(name, question, background, rows, wants, slow, script)

    return make


def all_experiments() -> Mapping[str, Experiment]:
    """Every experiment that comes with fourtuple, by name, in the order of their files."""
    package = importlib.import_module("fourtuple.lab.experiments")
    found: dict[str, Experiment] = {}
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Experiment):
                found[value.name] = value
    return found


def find_experiment(name: str) -> Experiment:
    """The experiment of that name; UsageError names the one that may be meant, and all others."""
    known = all_experiments()
    if name in known:
        return known[name]
    names = {"name": name, "known": ", ".join(known)}
    close = difflib.get_close_matches(name, known, 1)
    if not close:
        raise UsageError(N_("No experiment is called {name}. There are {known}."), names)
    text = N_("No experiment is called {name}. Did you mean {close}? There are {known}.")
    raise UsageError(text, {**names, "close": close[0]})
