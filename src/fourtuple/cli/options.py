"""The options that several commands have, and what a value on the command line must be.

Values arrive as text and are judged here, so that a wrong one is refused in our words, in the
reader's language.
"""

import math
import os
import re
from typing import Annotated

import typer

from fourtuple.errors import UsageError
from fourtuple.explain.text import N_

__all__ = [
    "LANGUAGES",
    "NARROWEST",
    "WIDEST",
    "Jobs",
    "Json",
    "Lang",
    "NoColor",
    "Raw",
    "Width",
    "jobs_at_once",
    "number",
    "number_between",
    "seconds",
]

#: what --lang is documented to take
LANGUAGES = ("en", "zh")
NARROWEST, WIDEST = 40, 400
_MOST_JOBS = 64

_NUMBER = re.compile(r"-?[0-9]{1,18}")
_WHOLE = N_("{option} takes a whole number; {value} is none.")
_BETWEEN = N_("{option} takes a whole number from {least} to {most}; {value} is none.")
_SECONDS = N_("{option} takes a number of seconds above 0; {value} is none.")

Lang = Annotated[
    str,
    typer.Option(
        metavar="LANG",
        help=N_("Language: en or zh. The locale's where not given."),
        autocompletion=lambda: list(LANGUAGES),
    ),
]
Width = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        help=N_("Columns to draw in, 40 to 400. Else COLUMNS, else the terminal's, else 120."),
    ),
]
NoColor = Annotated[
    bool,
    typer.Option(
        "--no-color",
        help=N_("Never colour; also with NO_COLOR set. Colour says nothing that words do not."),
    ),
]
Jobs = Annotated[
    str | None,
    typer.Option(metavar="N", help=N_("Runs at a time. Else as many as there are cores.")),
]
Json = Annotated[bool, typer.Option("--json", help=N_("Print JSON Lines."))]
Raw = Annotated[
    bool, typer.Option("--raw", help=N_("Show sequence numbers as they are in the headers too."))
]


def jobs_at_once(text: str | None) -> int:
    """How many runs at a time: what --jobs says, else as many as this process has cores."""
    if text is None:
        return min(len(os.sched_getaffinity(0)), _MOST_JOBS)
    return number_between("--jobs", text, 1, _MOST_JOBS)


def number(option: str, text: str) -> int:
    """The whole number that was written for an option; UsageError where it is none."""
    if not _NUMBER.fullmatch(text):
        raise UsageError(_WHOLE, {"option": option, "value": repr(text)})
    return int(text)


def number_between(option: str, text: str, least: int, most: int) -> int:
    """The same within limits, both included."""
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        limits = {"least": least, "most": most}
        raise UsageError(_BETWEEN, {"option": option, "value": repr(text), **limits})
    return int(text)


def seconds(option: str, text: str) -> float:
    """A length of time above 0 that has an end."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise UsageError(_SECONDS, {"option": option, "value": repr(text)})
    return value
