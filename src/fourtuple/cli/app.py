"""The commands put together, and what happens when one fails.

A command's module is loaded when the command line names it, or wants to know of all: each needs
much that the others do not.
"""

import difflib
import os
import re
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Annotated, Any

import typer

from fourtuple import __version__
from fourtuple.cli.help import HelpfulCommand, HelpfulGroup, name_of
from fourtuple.cli.options import Lang
from fourtuple.cli.outcome import outcome
from fourtuple.cli.output import asked_language, translator_for, write
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.render.text import clean

__all__ = ["app_of", "run"]

_USAGE_STATUS = 2
#: what typer raises for a command line that it cannot parse (click's own name for it moved)
_Refused: type[Exception] = typer.BadParameter.__mro__[1]

_HELP = N_("""See what a socket really does: four views of one TCP connection on one clock.

Calls, kernel states, segments and processes, from an experiment on this machine's own kernel or
from a capture that another tool made.

Examples:

    fourtuple lab run handshake         run an experiment and explain it

    fourtuple read capture.pcapng       explain a capture

    fourtuple scan 127.0.0.1            which ports are open, and how one knows

    fourtuple sockets --who 8080        who holds a port, and the way out

    fourtuple doctor                    what this machine allows""")

#: in the order of the help; the module of each has the function of its name, or the group
_COMMANDS = ("read", "scan", "serve", "talk", "watch", "sockets", "lab", "doctor")


def app_of(names: Iterable[str] = _COMMANDS) -> typer.Typer:
    """The command line with these commands."""
    app = typer.Typer(
        name="fourtuple",
        cls=HelpfulGroup,
        help=_HELP,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_options)
    for name in names:
        module = import_module(f"fourtuple.cli.{name}")
        if hasattr(module, f"{name}_app"):
            app.add_typer(getattr(module, f"{name}_app"), name=name)
        else:
            text = getattr(module, f"{name.upper()}_HELP")
            app.command(cls=HelpfulCommand, help=text)(getattr(module, name))
    return app


def _options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", "-V", help=N_("Print the version and end."))
    ] = False,
    lang: Lang = "",
) -> None:
    """What stands before the command."""
    if version:
        write(f"fourtuple {__version__}\n")
        raise typer.Exit
    if lang:
        translator_for(lang)
        context.default_map = _for_every_command(context.command, lang)
    if context.invoked_subcommand is None:
        write(context.get_help() + "\n")


def _for_every_command(group: Any, lang: str) -> dict[str, Any]:
    """The default of --lang for each command, as the parser wants it: by the command's name."""
    return {
        name: _for_every_command(one, lang) if hasattr(one, "commands") else {"lang": lang}
        for name, one in group.commands.items()
    }


def run(arguments: Sequence[str]) -> int:
    """Carry out the command line; errors become one message and an exit status."""
    translator = Translator(asked_language(arguments, os.environ))
    named = next((word for word in arguments if not word.startswith("-")), "")
    app = app_of((named,)) if named in _COMMANDS else app_of()
    command = typer.main.get_command(app)

    def carry_out() -> object:
        try:
            return command.main(
                list(arguments), prog_name="fourtuple", standalone_mode=False, obj=translator
            )
        except _Refused as error:
            _explain(error, translator)
            return _USAGE_STATUS

    return outcome(carry_out, translator)


def _explain(error: Any, translator: Translator) -> None:
    """What is wrong with the command line and where to read how it should be."""
    path = error.ctx.command_path if error.ctx else "fourtuple"
    print(f"fourtuple: {translator.text(_complaint(error))}", file=sys.stderr)
    usage = Message("How it is used: {command} --help", {"command": path})
    print(translator.text(usage), file=sys.stderr)


def _complaint(error: Any) -> Message:
    """The parser's complaint in our words, where we know it."""
    said = clean(error.format_message())
    match type(error).__name__:
        case "MissingParameter" if error.param is not None:
            return Message("{name} is missing.", {"name": name_of(error.param)})
        case "NoSuchOption":
            return _no_such(N_("There is no option {name}"), error.option_name, error.possibilities)
        case "BadOptionUsage":
            return Message("The value of {name} is missing.", {"name": error.option_name})
        case "UsageError" if command := re.fullmatch(r"No such command '(.+?)'\..*", said):
            known = error.ctx.command.commands
            return _no_such(N_("There is no command {name}"), command[1], known)
        case "UsageError" if extra := re.fullmatch(
            r"Got unexpected extra argument\S* \((.+)\)", said
        ):
            return Message("There are too many arguments: {names}.", {"names": extra[1]})
    return Message("{text}", {"text": said})


def _no_such(text: str, name: str, known: Iterable[str] | None) -> Message:
    """It, and what may be meant."""
    what = Message(text, {"name": clean(name)})
    close = difflib.get_close_matches(name, known or (), 1)
    if not close:
        return Message("{what}.", {"what": what})
    return Message("{what}. Did you mean {close}?", {"what": what, "close": close[0]})
