"""`fourtuple lab`: list the experiments, show one, run some."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from fourtuple.cli.output import (
    LANG_HELP,
    NO_COLOR_HELP,
    WIDTH_HELP,
    terminal_for,
    translator_for,
    write,
)
from fourtuple.errors import UsageError
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.render.terminal import Terminal

if TYPE_CHECKING:
    from fourtuple.event.timeline import Timeline

__all__ = ["lab_app"]

_LIST_HELP = N_("""List the experiments: name, the rows of the catalogue covered, the question.""")
_SHOW_HELP = N_("""Show an experiment: its question, its background and its script.""")
_RUN_HELP = N_("""Run experiments on this machine's kernel, and explain what happened.

Hosts are network namespaces that vanish with the run; root is not needed. The exit status is 1
where an expectation failed, 3 where this machine cannot have the lab (see: fourtuple doctor).

Examples:

    fourtuple lab run handshake exchange segments

    fourtuple lab run close --ipv6 --save close.pcapng

    fourtuple lab run segments --json""")

lab_app = typer.Typer(
    no_args_is_help=True,
    help=N_("Experiments on this machine's own kernel."),
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Lang = Annotated[str, typer.Option(metavar="LANG", help=LANG_HELP)]
Json = Annotated[bool, typer.Option("--json", help=N_("Print JSON Lines."))]


@lab_app.command("list", help=_LIST_HELP)
def list_experiments(json: Json = False, lang: Lang = "") -> None:
    """List the experiments."""
    from fourtuple.lab.experiment import all_experiments

    translator = translator_for(lang)
    known = all_experiments().values()
    if json:
        fields = ("name", "question", "covers", "needs", "slow")
        for one in known:
            item = {field: getattr(one, field) for field in fields}
            item["question"] = translator.text(one.question)
            write(msgspec.json.encode({"kind": "experiment", **item}).decode() + "\n")
        return
    name_width = max(len(one.name) for one in known)
    rows_width = max(len(" ".join(one.covers)) for one in known)
    for one in known:
        rows = " ".join(one.covers)
        question = translator.text(one.question)
        write(f"{one.name:{name_width}}  {rows:{rows_width}}  {question}\n")


@lab_app.command("show", help=_SHOW_HELP)
def show(
    name: Annotated[str, typer.Argument(help=N_("The experiment's name."))], lang: Lang = ""
) -> None:
    """Show an experiment."""
    import inspect

    from fourtuple.lab.experiment import find_experiment
    from fourtuple.render.text import wrap

    translator, terminal = translator_for(lang), terminal_for()
    found = find_experiment(name)
    write(f"{found.name}   {translator.text(found.question)}\n")
    write(f"{translator.text(N_('rows'))}: {' '.join(found.covers)}\n\n")
    for line in wrap(translator.text(found.background), terminal.width):
        write(line + "\n")
    write("\n" + inspect.getsource(found.script))


@lab_app.command("run", help=_RUN_HELP)
def run_experiments(
    names: Annotated[list[str], typer.Argument(help=N_("Names, as `lab list` prints them."))],
    ipv6: Annotated[bool, typer.Option("--ipv6", help=N_("Over IPv6."))] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=N_("Keep the recording: a .pcapng; a directory where several are run."),
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", help=N_("Seeds payloads and every random choice."))
    ] = 0,
    limit: Annotated[
        float, typer.Option(metavar="SECONDS", help=N_("Wall-clock limit of each run."))
    ] = 30.0,
    raw: Annotated[
        bool,
        typer.Option("--raw", help=N_("Show sequence numbers as they are in the headers too.")),
    ] = False,
    json: Json = False,
    width: Annotated[int | None, typer.Option(metavar="N", help=WIDTH_HELP)] = None,
    lang: Lang = "",
    no_color: Annotated[bool, typer.Option("--no-color", help=NO_COLOR_HELP)] = False,
) -> None:
    """Run experiments and explain them."""
    from fourtuple.lab.experiment import find_experiment
    from fourtuple.lab.runner import Options, run

    terminal, translator = terminal_for(width, no_color), translator_for(lang)
    chosen = [find_experiment(name) for name in names]
    if limit <= 0:
        raise UsageError(f"--limit {limit:g}: it is a number of seconds above 0")
    paths = _recordings(save, [one.name for one in chosen])
    failed = False
    for one, path in zip(chosen, paths, strict=True):
        timeline = run(one, Options(family=6 if ipv6 else 4, seed=seed, limit_s=limit))
        if path is not None:
            _save(timeline, path, translator)
        failed |= not _print(timeline, translator, terminal, json, raw)
    if failed:
        raise typer.Exit(1)


def _recordings(save: Path | None, names: list[str]) -> list[Path | None]:
    """Where each run is kept. UsageError before anything is run, not after."""
    if save is None:
        return [None] * len(names)
    if len(names) == 1 and not save.is_dir():
        if not save.parent.is_dir():
            raise UsageError(f"--save {save}: there is no directory {save.parent}")
        return [save]
    if not save.is_dir():
        raise UsageError(f"--save {save}: several runs are kept in a directory; there is none here")
    return [save / f"{name}.pcapng" for name in names]


def _save(timeline: "Timeline", path: Path, translator: Translator) -> None:
    from fourtuple.event.recording import write_recording
    from fourtuple.explain.comments import comments

    with path.open("wb") as stream:
        write_recording(timeline, stream, comments(timeline, translator))
    kept = translator.text(Message(N_("recording kept in {file}"), {"file": path}))
    print(kept, file=sys.stderr)


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
