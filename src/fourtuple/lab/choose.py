"""Which experiments are meant: by name, by row of the catalogue, by tag, or from a file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fourtuple.errors import N_, UsageError
from fourtuple.lab.catalogue import rows
from fourtuple.lab.experiment import Experiment, all_experiments, find_experiment
from fourtuple.lab.own import is_file, own_experiments

__all__ = ["Choice", "choose", "with_tag"]

NOTHING = N_("Name experiments or rows (fourtuple lab list), or take them all: --all")
NO_TAG = N_("No experiment has the tag {tag}. There are {known}.")
WHY_NOT = N_("No experiment covers {row}: {why}")
NONE_COVERS = N_("No experiment covers {row}.")
IN_A_FILE = N_("{name} is no experiment of fourtuple's. Of your own: fourtuple lab run ./{file}")
ONLY_SLOW = N_("These wait for minutes: {names}. Add --slow to run them.")


@dataclass(frozen=True, slots=True)
class Choice:
    """The experiments, each once; and the slow ones that a row, a tag or `everything` would have
    added, had they been asked for."""

    experiments: tuple[Experiment, ...]
    left_out: tuple[Experiment, ...] = ()


def choose(
    words: Sequence[str], *, everything: bool = False, tags: Sequence[str] = (), slow: bool = False
) -> Choice:
    """The experiments that are meant by names, rows ("A4", "cause:linger-zero") and files, by tags,
    or all there are. What is named itself is taken though it is slow.

    UsageError where a word means nothing, or nothing is meant.
    """
    known = all_experiments()
    named: dict[str, Experiment] = {}
    found: dict[str, Experiment] = dict(known) if everything else {}
    for tag in tags:
        found |= _named(with_tag(tag))
    for word in words:
        row = _row(word, known)
        if is_file(word):
            named |= _named(own_experiments(word))
        elif row is None:
            _refer_to_file(word, known)
            named |= _named([find_experiment(word)])
        else:
            found |= _named(row)
    if not (named or found):
        raise UsageError(NOTHING)
    chosen = [one for one in (named | found).values() if slow or not one.slow or one.name in named]
    left_out = [one for one in found.values() if one not in chosen]
    if not chosen:
        raise UsageError(ONLY_SLOW, {"names": ", ".join(one.name for one in left_out)})
    return Choice(tuple(chosen), tuple(left_out))


def _refer_to_file(word: str, known: Mapping[str, Experiment]) -> None:
    """UsageError where the name is that of an experiment of one's own, in a file of this folder."""
    file = Path(word.replace("-", "_") + ".py")
    if word not in known and file.is_file():
        raise UsageError(IN_A_FILE, {"name": word, "file": file})


def with_tag(tag: str) -> tuple[Experiment, ...]:
    """The experiments that have a tag; UsageError where none has."""
    known = all_experiments().values()
    found = tuple(one for one in known if tag in one.tags)
    if not found:
        tags = sorted({tag for one in known for tag in one.tags})
        raise UsageError(NO_TAG, {"tag": tag, "known": ", ".join(tags)})
    return found


def _row(word: str, known: Mapping[str, Experiment]) -> tuple[Experiment, ...] | None:
    """The experiments that cover a row; None where the word is no row's key."""
    row = {key.lower(): row for key, row in rows().items()}.get(word.lower())
    if row is None or word in known:
        return None
    found = tuple(one for one in known.values() if row.key in one.covers)
    if not found:
        why = {"row": row.key, "why": row.why_not}
        raise UsageError(WHY_NOT if row.why_not else NONE_COVERS, why)
    return found


def _named(experiments: Iterable[Experiment]) -> dict[str, Experiment]:
    return {one.name: one for one in experiments}
