"""An experiment: the question it answers, the rows it covers, its script, and what would break it.

    @experiment(
        covers="A17",
        question=N_("What repairs a lost segment?"),
        background=N_("..."),
        try_next=(N_("Lose two segments instead of one."),),
        tags="loss",
        mutation=Mutation(N_("no selective ACKs"), sysctls={"net.ipv4.tcp_sack": 0}),
    )
    def lost_segment(lab): ...

The name is the function's, with dashes. One file of `lab.experiments` may hold several.
"""

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fourtuple.errors import N_, UsageError

if TYPE_CHECKING:
    from fourtuple.lab.script import Lab

__all__ = [
    "Experiment",
    "Mutation",
    "all_experiments",
    "experiment",
    "experiments_in",
    "find_experiment",
]


@dataclass(frozen=True, slots=True)
class Mutation:
    """A change under which the experiment's expectations must fail; a test runs it.

    what     a message id: what is different
    sysctls  settings of every host; they win over the script's own
    wire     called when the wire exists, before the script goes on: installs rules
    values   what `lab.value(name, ...)` gives instead of the script's own value
    error    how the mutated run ends, by the class of the error. An expectation fails, unless
             nothing else is possible ("OutOfTime", "CallFailed")
    """

    what: str
    sysctls: Mapping[str, str | int] = field(default_factory=dict)
    wire: Callable[["Lab"], object] | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    error: str = "ExpectationFailed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """`question`, `background` and `try_next` are message ids.

    covers    rows of the catalogue (lab.catalogue)
    tags      words by which experiments are chosen
    needs     keys of capabilities beyond the lab's (lab.needs)
    families  4, 6: the address families that it runs over
    slow      it waits for what cannot be scaled
    """

    name: str
    question: str
    script: Callable[["Lab"], None]
    background: str = ""
    covers: tuple[str, ...] = ()
    try_next: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    mutation: Mutation | None = None
    needs: tuple[str, ...] = ()
    families: tuple[int, ...] = (4, 6)
    slow: bool = False


def experiment(
    *,
    question: str,
    covers: str = "",
    background: str = "",
    try_next: tuple[str, ...] = (),
    tags: str = "",
    mutation: Mutation | None = None,
    needs: str = "",
    families: str = "4 6",
    slow: bool = False,
) -> Callable[[Callable[["Lab"], None]], Experiment]:
    """Make an Experiment of a script.

    `covers`, `tags`, `needs` and `families` are words separated by spaces.
    """

    def make(script: Callable[["Lab"], None]) -> Experiment:
        return Experiment(
            name=script.__name__.replace("_", "-"),
            question=question,
            script=script,
            background=background,
            covers=tuple(covers.split()),
            try_next=try_next,
            tags=tuple(tags.split()),
            mutation=mutation,
            needs=tuple(needs.split()),
            families=tuple(map(int, families.split())),
            slow=slow,
        )

    return make


def experiments_in(module: object) -> Iterator[Experiment]:
    """The experiments that a module defines, in the order in which it does; not those that it
    imports from elsewhere."""
    home = getattr(module, "__name__", "")
    for value in vars(module).values():
        if isinstance(value, Experiment) and value.script.__module__ == home:
            yield value


def all_experiments() -> Mapping[str, Experiment]:
    """Every experiment that comes with fourtuple, by name, in the order of their files."""
    package = importlib.import_module("fourtuple.lab.experiments")
    found: dict[str, Experiment] = {}
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        for one in experiments_in(importlib.import_module(module.name)):
            assert one.name not in found, f"two experiments are called {one.name}"
            found[one.name] = one
    return found


def find_experiment(name: str) -> Experiment:
    """The experiment of that name; UsageError names those that may be meant."""
    known = all_experiments()
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, 3)
    if not close:
        raise UsageError(
            N_("No experiment is called {name}. See: fourtuple lab list"), {"name": name}
        )
    text = N_("No experiment is called {name}. Did you mean {close}? See: fourtuple lab list")
    raise UsageError(text, {"name": name, "close": ", ".join(close)})
