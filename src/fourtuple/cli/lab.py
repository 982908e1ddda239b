"""`fourtuple lab`: list the experiments, show one, run some."""

import os
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from fourtuple.cli.help import HelpfulCommand, HelpfulGroup
from fourtuple.cli.options import Json, Lang, NoColor, Raw, Width
from fourtuple.cli.output import terminal_for, translator_for, write
from fourtuple.cli.values import number, seconds
from fourtuple.errors import FourtupleError, UsageError
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator, language_from
from fourtuple.render.terminal import Terminal
from fourtuple.render.text import clean, pad, width_of, wrap

if TYPE_CHECKING:
    from fourtuple.event.timeline import Timeline

__all__ = ["ROWS", "lab_app"]

_LIST_HELP = N_("""List the experiments: name, rows, question.""")
_SHOW_HELP = N_("""Show an experiment: its question, its background and its script.""")
_RUN_HELP = N_("""Run experiments on this machine's kernel, and explain what happened.

Hosts are network namespaces that vanish with the run; root is not needed. The exit status is 1
where an expectation failed, 3 where this machine cannot have the lab (see: fourtuple doctor).

Examples:

    fourtuple lab run handshake exchange segments

    fourtuple lab run close --ipv6 --save close.pcapng

    fourtuple lab run segments --json""")

ROWS = N_(
    "Rows are those of the teaching documents' catalogue that the experiment covers: A socket "
    "labs, B HTTP and TCP, C Linux network programming, D what a socket is, E network programming "
    "part two."
)
_GAP = 2

lab_app = typer.Typer(
    cls=HelpfulGroup,
    help=N_("Experiments on this machine's own kernel."),
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _complete_name(incomplete: str) -> list[tuple[str, str]]:
    """For the shell: the experiments whose names begin so, with their questions."""
    from fourtuple.lab.experiment import all_experiments

    translator = Translator(language_from(os.environ))
    known = all_experiments().values()
    return [
        (one.name, translator.text(one.question))
        for one in known
        if one.name.startswith(incomplete)
    ]


@lab_app.callback(invoke_without_command=True)
def lab(context: typer.Context) -> None:
    """Experiments: without a command, the help."""
    if context.invoked_subcommand is None:
        write(context.get_help() + "\n")


@lab_app.command("list", cls=HelpfulCommand, help=_LIST_HELP)
def list_experiments(json: Json = False, width: Width = None, lang: Lang = "") -> None:
    """List the experiments."""
    from fourtuple.lab.experiment import all_experiments

    translator, terminal = translator_for(lang), terminal_for(width)
    known = all_experiments().values()
    if json:
        fields = ("name", "question", "covers", "needs", "slow")
        for one in known:
            item = {field: getattr(one, field) for field in fields}
            item["question"] = translator.text(one.question)
            write(msgspec.json.encode({"kind": "experiment", **item}).decode() + "\n")
        return
    heads = (N_("name"), N_("rows"), N_("question"))
    rows = [(one.name, " ".join(one.covers), translator.text(one.question)) for one in known]
    lines = _listed([(*map(translator.text, heads),), *rows], terminal.width)
    lines += ["", *wrap(translator.text(ROWS), terminal.width)]
    write("".join(f"{line}\n" for line in lines))


def _listed(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Two columns as wide as they need to be, and a third that is filled."""
    columns = [max(width_of(row[index]) for row in rows) for index in (0, 1)]
    lines = []
    for row in rows:
        cells = [pad(row[index], columns[index]) + " " * _GAP for index in (0, 1)]
        head = "".join(cells)
        for line in wrap(row[2], width - width_of(head)):
            lines.append(head + line)
            head = " " * width_of(head)
    return lines


@lab_app.command("show", cls=HelpfulCommand, help=_SHOW_HELP)
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help=N_("The experiment's name."), autocompletion=_complete_name
        ),
    ],
    width: Width = None,
    lang: Lang = "",
) -> None:
    """Show an experiment."""
    import inspect

    from fourtuple.lab.experiment import find_experiment

    translator, terminal = translator_for(lang), terminal_for(width)
    found = find_experiment(name)
    rows = f"{translator.text(N_('rows'))}: {' '.join(found.covers)}"
    paragraphs = [found.name, translator.text(found.question), rows]
    lines = [line for text in paragraphs for line in wrap(text, terminal.width)]
    lines += ["", *wrap(translator.text(found.background), terminal.width), ""]
    write("".join(f"{line}\n" for line in lines) + inspect.getsource(found.script))


@lab_app.command("run", cls=HelpfulCommand, help=_RUN_HELP)
def run_experiments(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME",
            help=N_("Names, as `lab list` prints them."),
            autocompletion=_complete_name,
        ),
    ],
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
        str, typer.Option(metavar="SECONDS", help=N_("Wall-clock limit of each run."))
    ] = "30",
    raw: Raw = False,
    json: Json = False,
    width: Width = None,
    lang: Lang = "",
    no_color: NoColor = False,
) -> None:
    """Run experiments and explain them."""
    from fourtuple.lab.experiment import find_experiment
    from fourtuple.lab.runner import Options, run

    terminal, translator = terminal_for(width, no_color), translator_for(lang)
    chosen = [find_experiment(name) for name in names]
    options = Options(6 if ipv6 else 4, number("--seed", seed), seconds("--limit", limit))
    paths = _recordings(save, [one.name for one in chosen])
    failed = False
    for one, path in zip(chosen, paths, strict=True):
        timeline = run(one, options, meanwhile=partial(import_module, "fourtuple.render.summary"))
        lost = _save(timeline, path, translator) if path is not None else None
        failed |= not _print(timeline, translator, terminal, json, raw)
        if lost is not None:
            raise lost
    if failed:
        raise typer.Exit(1)


_NO_NAME = N_("--save takes the name of a file, or of a directory; this one is empty.")
_NOT_KEPT = N_("The recording cannot be kept in {file}: {reason}.")
_NO_STREAM = N_(
    "--save - would write the recording to standard output, where the report goes: name a file."
)
_NO_DIRECTORY = N_(
    "--save {name}: there is no directory {directory}. Make it: mkdir -p {directory}"
)
_NOT_ONE_FILE = N_(
    "--save {name}: several runs are kept in a directory, one file each. Make it "
    "(mkdir {directory}), then: --save {directory}"
)


def _recordings(save: str | None, names: list[str]) -> list[Path | None]:
    """Where each run is kept. UsageError before anything is run, not after."""
    if save is None:
        return [None] * len(names)
    if save in ("", "-"):
        raise UsageError(_NO_STREAM if save else _NO_NAME)
    path = Path(save)
    if path.is_dir():
        return [path / f"{name}.pcapng" for name in names]
    directory = path if save.endswith("/") else path.parent
    if not directory.is_dir():
        raise UsageError(_NO_DIRECTORY, {"name": save, "directory": directory})
    if len(names) > 1:
        raise UsageError(_NOT_ONE_FILE, {"name": save, "directory": path.with_suffix("")})
    return [path]


def _save(timeline: "Timeline", path: Path, translator: Translator) -> FourtupleError | None:
    """Keep the recording; why that failed, if it did."""
    from fourtuple.event.recording import write_recording
    from fourtuple.explain.comments import comments

    said = comments(timeline, translator)
    try:
        with path.open("wb") as stream:
            write_recording(timeline, stream, said)
    except OSError as error:
        return FourtupleError(_NOT_KEPT, {"file": path, "reason": error.strerror or error})
    kept = translator.text(Message(N_("recording kept in {file}"), {"file": path}))
    print(clean(kept), file=sys.stderr)
    return None


def _print(
    timeline: "Timeline", translator: Translator, terminal: Terminal, json: bool, raw: bool
) -> bool:
    """Print the report, or the object; whether the run passed."""
    from fourtuple.analyze import connections
    from fourtuple.render.jsonout import experiment_object, json_lines
    from fourtuple.render.summary import report
    from fourtuple.render.verdicts import passed

    found = connections(timeline)
    if json:
        write(json_lines([experiment_object(timeline, found, translator)]))
    else:
        write(report(timeline, translator, terminal, connections=found, raw=raw))
    return passed(timeline, found)
