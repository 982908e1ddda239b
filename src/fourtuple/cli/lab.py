"""`fourtuple lab`: its commands put together; the list of experiments, and one of them shown."""

import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from fourtuple.cli.help import HelpfulCommand, HelpfulGroup
from fourtuple.cli.lab_claims import CLAIMS_HELP, judge_claims
from fourtuple.cli.lab_new import NEW_HELP, write_new
from fourtuple.cli.lab_run import RUN_HELP, complete_name, run_experiments
from fourtuple.cli.options import Json, Lang, Width
from fourtuple.cli.output import terminal_for, translator_for, write
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.render.columns import columns
from fourtuple.render.text import wrap

if TYPE_CHECKING:
    from fourtuple.lab.experiment import Experiment

__all__ = ["ROWS", "lab_app"]

_LIST_HELP = N_("""List the experiments: name, tags, rows, question.

With words, only those of that name, row or tag. --rows lists the rows, and what covers each.

Examples:

    fourtuple lab list

    fourtuple lab list loss

    fourtuple lab list --rows""")
_SHOW_HELP = N_("""Show an experiment: its question, its background and its script.

Also the rows that it covers, the mutation under which it must fail, and what to try next.""")

ROWS = N_(
    "Rows are those of the teaching documents' catalogue that the experiment covers: A socket "
    "labs, B HTTP and TCP, C Linux network programming, D what a socket is, E network programming "
    "part two. `fourtuple lab list --rows` says what each is, and has further ones: topics beyond "
    "the documents (beyond:), causes of a reset (cause:), the kernel's own reasons (reason:)."
)
_KINDS = ("beyond:", "cause:", "reason:")
_SLOW = N_("slow")

lab_app = typer.Typer(
    cls=HelpfulGroup,
    help=N_("Experiments on this machine's own kernel."),
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
lab_app.command("run", cls=HelpfulCommand, help=RUN_HELP)(run_experiments)


@lab_app.callback(invoke_without_command=True)
def lab(context: typer.Context) -> None:
    """Experiments: without a command, the help."""
    if context.invoked_subcommand is None:
        write(context.get_help() + "\n")


@lab_app.command("list", cls=HelpfulCommand, help=_LIST_HELP)
def list_experiments(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORD", help=N_("A name, a row or a tag."))
    ] = None,
    rows: Annotated[
        bool, typer.Option("--rows", help=N_("List the rows, and what covers each."))
    ] = False,
    json: Json = False,
    width: Width = None,
    lang: Lang = "",
) -> None:
    """List the experiments."""
    from fourtuple.lab.experiment import all_experiments

    translator, terminal = translator_for(lang), terminal_for(width)
    known = tuple(all_experiments().values())
    if words:
        known = _meant(words)
    if json:
        write("".join(map(_json_line, known, [translator] * len(known))))
        return
    table = _rows_table(known, translator) if rows else _table(known, translator)
    lines = columns(list(table), terminal.width)
    lines += ["", *wrap(translator.text(ROWS), terminal.width)]
    write("".join(f"{line}\n" for line in lines))


def _meant(words: Sequence[str]) -> "tuple[Experiment, ...]":
    from fourtuple.lab.choose import choose
    from fourtuple.lab.experiment import all_experiments

    tags = {tag for one in all_experiments().values() for tag in one.tags}
    named = [word for word in words if word not in tags]
    return choose(named, tags=[word for word in words if word in tags], slow=True).experiments


def _json_line(one: "Experiment", translator: Translator) -> str:
    fields = ("name", "covers", "tags", "needs", "families", "slow")
    item = {"kind": "experiment"} | {field: getattr(one, field) for field in fields}
    item |= {"question": translator.text(one.question)}
    return msgspec.json.encode(item).decode() + "\n"


def _table(known: "Iterable[Experiment]", translator: Translator) -> Iterator[tuple[str, ...]]:
    say = translator.text
    yield say(N_("name")), say(N_("tags")), say(N_("rows")), say(N_("question"))
    for one in known:
        tags = [*one.tags, say(_SLOW)] if one.slow else one.tags
        own = [row for row in one.covers if not row.startswith(_KINDS)]
        yield one.name, " ".join(tags), " ".join(own), say(one.question)


def _rows_table(known: "Iterable[Experiment]", translator: Translator) -> Iterator[tuple[str, ...]]:
    from fourtuple.lab.catalogue import ROWS as ALL_ROWS

    say = translator.text
    yield say(N_("row")), say(N_("what it is, and the experiments that cover it"))
    covering = list(known)
    for row in ALL_ROWS:
        names = ", ".join(one.name for one in covering if row.key in one.covers)
        covered = {"title": Message(row.title), "by": names or Message(row.why_not or "-")}
        yield row.key, say(Message("{title}: {by}", covered))


@lab_app.command("show", cls=HelpfulCommand, help=_SHOW_HELP)
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help=N_("Its name; a row, for all that cover it; a file of one's own."),
            autocompletion=complete_name,
        ),
    ],
    width: Width = None,
    lang: Lang = "",
) -> None:
    """Show an experiment, or several."""
    from fourtuple.lab.choose import choose

    translator, terminal = translator_for(lang), terminal_for(width)
    meant = choose([name], slow=True).experiments
    shown = (_shown(one, translator, terminal.width) for one in meant)
    write("\n\n".join("".join(f"{line}\n" for line in lines) for lines in shown))


def _shown(one: "Experiment", translator: Translator, width: int) -> list[str]:
    lines = [one.name, *wrap(translator.text(one.question), width), ""]
    lines += columns(list(_facts(one, translator)), width)
    return [*lines, "", *inspect.getsource(one.script).rstrip().splitlines()]


def _facts(one: "Experiment", translator: Translator) -> Iterator[tuple[str, str]]:
    """What is known of an experiment besides its script, each with its label."""
    from fourtuple.lab.catalogue import rows

    say, known = translator.text, rows()
    label = say(N_("rows"))
    for key in one.covers:
        title = Message(known[key].title) if key in known else ""
        yield label, say(Message("{row}: {title}", {"row": key, "title": title}))
        label = ""
    if one.tags or one.slow:
        yield say(N_("tags")), " ".join([*one.tags, *([say(_SLOW)] if one.slow else [])])
    if one.needs:
        yield say(N_("needs")), " ".join(one.needs)
    if one.background:
        yield say(N_("background")), say(one.background)
    if one.mutation is not None:
        yield say(N_("mutation")), say(Message(_MUTATION, {"what": Message(one.mutation.what)}))
    label = say(N_("try next"))
    for text in one.try_next:
        yield label, say(text)
        label = ""


_MUTATION = N_("{what}. The expectations must fail then: lab run --mutate")

lab_app.command("claims", cls=HelpfulCommand, help=CLAIMS_HELP)(judge_claims)
lab_app.command("new", cls=HelpfulCommand, help=NEW_HELP)(write_new)
