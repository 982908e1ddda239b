"""The commands put together, and what happens when one fails."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from fourtuple import __version__
from fourtuple.cli.doctor import DOCTOR_HELP, doctor
from fourtuple.cli.lab import lab_app
from fourtuple.cli.output import asked_language, error_line, write
from fourtuple.cli.read import READ_HELP, read
from fourtuple.cli.scan import SCAN_HELP, scan
from fourtuple.errors import FourtupleError
from fourtuple.explain.text import N_, Translator

__all__ = ["app", "run"]

_USAGE_STATUS, _INTERRUPTED = 2, 130
#: what typer raises for a command line that it cannot parse (click's own name for it moved)
_Refused: type[Exception] = typer.BadParameter.__mro__[1]

_HELP = N_("""See what a socket really does: four views of one TCP connection on one clock.

Calls, kernel states, segments and processes, from an experiment on this machine's own kernel or
from a capture that another tool made.

Examples:

    fourtuple lab run handshake         run an experiment and explain it

    fourtuple read capture.pcapng       explain a capture

    fourtuple scan 127.0.0.1            which ports are open, and how one knows

    fourtuple doctor                    what this machine allows""")

app = typer.Typer(
    name="fourtuple",
    help=_HELP,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(help=READ_HELP)(read)
app.command(help=SCAN_HELP)(scan)
app.add_typer(lab_app, name="lab")
app.command(help=DOCTOR_HELP)(doctor)


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", "-V", help=N_("Print the version and end."))
    ] = False,
) -> None:
    if version:
        write(f"fourtuple {__version__}\n")
        raise typer.Exit


def run(arguments: Sequence[str]) -> int:
    """Carry out the command line; errors become one message and an exit status."""
    translator = Translator(asked_language(arguments, os.environ))
    command = typer.main.get_command(app)
    _translate(command, translator)
    try:
        status = command.main(list(arguments), prog_name="fourtuple", standalone_mode=False)
    except FourtupleError as error:
        print(error_line(error, translator), file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return _INTERRUPTED
    except _Refused as error:
        _explain(error, translator)
        return _USAGE_STATUS
    return status if isinstance(status, int) else 0


def _explain(error: Any, translator: Translator) -> None:
    """What is wrong with the command line and where to read how it should be; where a group of
    commands was given none, the message is its help."""
    message = error.format_message()
    if error.ctx is not None and message == error.ctx.get_help():
        print(message, file=sys.stderr)
        return
    path = error.ctx.command_path if error.ctx else "fourtuple"
    print(f"fourtuple: {message}", file=sys.stderr)
    print(f"{translator.text(N_('How it is used:'))} {path} --help", file=sys.stderr)


def _translate(command: Any, translator: Translator) -> None:
    """Put the help texts of a command, its options and its subcommands into the language."""
    command.help = translator.text(command.help or "")
    for parameter in command.params:
        if getattr(parameter, "help", None):
            parameter.help = translator.text(parameter.help)
    for subcommand in getattr(command, "commands", {}).values():
        _translate(subcommand, translator)
