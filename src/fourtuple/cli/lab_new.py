"""`fourtuple lab new`: a file to begin an experiment of one's own with."""

import keyword
import re
from pathlib import Path
from typing import Annotated

import typer

from fourtuple.cli.options import Lang
from fourtuple.cli.output import translator_for, write
from fourtuple.errors import UsageError
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_

__all__ = ["NEW_HELP", "write_new"]

NEW_HELP = N_("""Write a file to begin an experiment of your own with.

It runs as it stands; its comments say what to change.

Examples:

    fourtuple lab new lost-ack

    fourtuple lab run lost_ack.py""")

_NO_NAME = N_(
    "{name} is no name for an experiment: take letters, digits and dashes, a letter first."
)
_THERE = N_("{file} is there already: choose another name, or take it away first.")
_NOT_WRITTEN = N_("{file} cannot be written: {reason}.")
_WRITTEN = N_("{file} is written. Run it with: fourtuple lab run {file}")


def write_new(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help=N_("The experiment's name; a path, to write into its folder.")
        ),
    ],
    lang: Lang = "",
) -> None:
    """Write the file; UsageError where the name is none, or the file is there."""
    from fourtuple.lab.template import experiment_file

    translator = translator_for(lang)
    path = Path(name).with_suffix("") if name.endswith(".py") else Path(name)
    function = path.name.replace("-", "_")
    if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", function) or keyword.iskeyword(function):
        raise UsageError(_NO_NAME, {"name": repr(name)})
    file = path.with_name(f"{function}.py")
    shown = str(file) if "/" in name else f"./{file}"
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(experiment_file(function, shown, translator.text))
    except FileExistsError:
        raise UsageError(_THERE, {"file": shown}) from None
    except OSError as error:
        raise UsageError(_NOT_WRITTEN, {"file": shown, "reason": error.strerror}) from None
    write(translator.text(Message(_WRITTEN, {"file": shown})) + "\n")
