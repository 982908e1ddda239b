"""Which experiment judges which textbook sentences, told from the scripts without running them."""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Sequence
from functools import cache
from types import FunctionType

from fourtuple.lab.experiment import Experiment

__all__ = ["judged_by", "judges_of"]


def judged_by(experiment: Experiment) -> tuple[str, ...]:
    """The sentences (message ids) that the script, or a function of its file that it calls,
    gives to `lab.claim`."""
    assert isinstance(experiment.script, FunctionType)
    return tuple(dict.fromkeys(_sentences(experiment.script, set())))


def judges_of(experiments: Sequence[Experiment], sentence: str) -> tuple[Experiment, ...]:
    """Those of the experiments that judge a sentence."""
    return tuple(one for one in experiments if sentence in judged_by(one))


def _sentences(function: FunctionType, seen: set[FunctionType]) -> Iterator[str]:
    seen.add(function)
    for node in ast.walk(_tree(function)):
        if not isinstance(node, ast.Call):
            continue
        match node.func, node.args:
            case ast.Attribute(attr="claim"), [ast.Constant(value=str(sentence)), *_]:
                yield sentence
            case ast.Name(id=name), _:
                called = function.__globals__.get(name)
                if (
                    isinstance(called, FunctionType)
                    and called.__module__ == function.__module__
                    and called not in seen
                ):
                    yield from _sentences(called, seen)


@cache
def _tree(function: FunctionType) -> ast.AST:
    return ast.parse(textwrap.dedent(inspect.getsource(function)))
