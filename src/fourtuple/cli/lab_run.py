"""`fourtuple lab run`: experiments are run, explained, counted; what fails is kept."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from fourtuple.cli.lab_results import Manner, Runs, RunSession
from fourtuple.cli.options import (
    Jobs,
    Json,
    Lang,
    NoColor,
    Raw,
    Width,
    jobs_at_once,
)
from fourtuple.cli.output import terminal_for, translator_for
from fourtuple.cli.recordings import recording_paths
from fourtuple.cli.values import number, seconds
from fourtuple.errors import UsageError
from fourtuple.explain.text import N_, Translator, language_from

if TYPE_CHECKING:
    from fourtuple.lab.experiment import Experiment

__all__ = ["RUN_HELP", "complete_name", "run_experiments"]

RUN_HELP = N_("""Run experiments on this machine's kernel, and explain what happened.

Experiments are named; or a row of the teaching documents that they cover (A4, cause:linger-zero);
or a file of one's own (./mine.py). Hosts are network namespaces that vanish with the run; root is
not needed. The exit status is 1 where an expectation failed, 3 where this machine cannot have the
lab (see: fourtuple doctor).

Examples:

    fourtuple lab run handshake exchange segments

    fourtuple lab run A17 --ipv6 --save loss.pcapng

    fourtuple lab run --all

    fourtuple lab run ./mine.py""")


def complete_name(incomplete: str) -> list[tuple[str, str]]:
    """For the shell: the experiments whose names begin so, with their questions."""
    from fourtuple.lab.experiment import all_experiments

    translator = Translator(language_from(os.environ))
    known = all_experiments().values()
    return [
        (one.name, translator.text(one.question))
        for one in known
        if one.name.startswith(incomplete)
    ]


def run_experiments(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help=N_("Names and rows, as `lab list` prints them; files of one's own."),
            autocompletion=complete_name,
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help=N_("Run all that do not wait for minutes."))
    ] = False,
    slow: Annotated[
        bool, typer.Option("--slow", help=N_("Also those that wait for minutes."))
    ] = False,
    tags: Annotated[
        list[str] | None, typer.Option("--tag", metavar="TAG", help=N_("Run those of a tag."))
    ] = None,
    mutate: Annotated[
        bool,
        typer.Option("--mutate", help=N_("Run under the mutation that must make it fail.")),
    ] = False,
    jobs: Jobs = None,
    ipv6: Annotated[bool, typer.Option("--ipv6", help=N_("Over IPv6."))] = False,
    save: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help=N_("Keep the recording: a .pcapng; a directory where several are run."),
        ),
    ] = None,
    seed: Annotated[
        str, typer.Option(metavar="N", help=N_("Seeds payloads and every random choice."))
    ] = "0",
    limit: Annotated[
        str | None,
        typer.Option(
            metavar="SECONDS",
            help=N_("Wall-clock limit of each run. Else 30, and 300 for one that waits."),
        ),
    ] = None,
    raw: Raw = False,
    json: Json = False,
    width: Width = None,
    lang: Lang = "",
    no_color: NoColor = False,
) -> None:
    """Run experiments and explain them."""
    from fourtuple.lab.choose import choose

    terminal, translator = terminal_for(width, no_color), translator_for(lang)
    wide = everything or bool(tags)
    choice = choose(names or (), everything=everything, tags=tags or (), slow=slow)
    family = 6 if ipv6 else 4
    chosen = _of_family(choice.experiments, family, strict=not wide)
    runs = Runs(
        chosen,
        family,
        number("--seed", seed),
        None if limit is None else seconds("--limit", limit),
        mutate,
        recording_paths(save, [one.name for one in chosen]),
        Manner(translator, terminal, json, raw, brief=wide and not json),
    )
    RunSession(runs, choice.left_out).run(jobs_at_once(jobs))


_NOT_OVER = N_("{names} cannot be run over IPv{family}: what they show is of the other family.")


def _of_family(
    experiments: "Sequence[Experiment]", family: int, *, strict: bool
) -> "list[Experiment]":
    """Those that run over the family. UsageError where one that was asked for does not."""
    found = [one for one in experiments if family in one.families]
    others = [one.name for one in experiments if family not in one.families]
    if others and (strict or not found):
        raise UsageError(_NOT_OVER, {"names": ", ".join(others), "family": family})
    return found
