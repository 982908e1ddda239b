"""Experiments in a user's own file: loaded, and what is wrong with it said with the line."""

import importlib.util
import sys
import traceback
from pathlib import Path

from fourtuple.errors import N_, UsageError
from fourtuple.lab.experiment import Experiment, experiments_in

__all__ = ["is_file", "line_in", "own_experiments"]

NO_FILE = N_("{file} cannot be read: {reason}. A new one is made by: fourtuple lab new NAME")
NOT_PYTHON = N_("{file}, line {line}: {reason}. Python cannot read the file beyond that.")
FAILED = N_("{file}, line {line}: {reason}. The file was not loaded; mend that line.")
NO_EXPERIMENT = N_(
    "There is no experiment in {file}: a function with @experiment(question=...) above it makes "
    "one. An example is written by: fourtuple lab new NAME"
)


def is_file(word: str) -> bool:
    """Whether a word of the command line names a file of experiments."""
    return word.endswith(".py") or "/" in word


def own_experiments(name: str) -> tuple[Experiment, ...]:
    """The experiments that a file defines; UsageError where it cannot be loaded, or has none."""
    path = Path(name)
    try:
        source = path.read_bytes()
    except OSError as error:
        raise UsageError(NO_FILE, {"file": name, "reason": error.strerror or error}) from None
    found = tuple(experiments_in(_loaded(path, source)))
    if not found:
        raise UsageError(NO_EXPERIMENT, {"file": name})
    return found


def _loaded(path: Path, source: bytes) -> object:
    """The module that the file is. Its folder is searched for what it imports, as Python does for
    a program."""
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(f"own_experiments_{path.stem}", path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # so that inspect finds the source of its functions
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    except SyntaxError as error:
        place = {"file": error.filename or path, "line": error.lineno or 0, "reason": error.msg}
        raise UsageError(NOT_PYTHON, place) from None
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        place = {"file": path, "line": line_in(path, error), "reason": reason}
        raise UsageError(FAILED, place) from None
    return module


def line_in(path: Path, error: BaseException) -> int:
    """The line of the file at which an exception passed through it last; 0: it did not."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((f.lineno or 0 for f in reversed(frames) if f.filename == str(path)), 0)
