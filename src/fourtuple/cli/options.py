"""The options that several commands have."""

import os
from typing import Annotated

import typer

from fourtuple.cli.values import LANGUAGES, number_between
from fourtuple.explain.text import N_

__all__ = ["Jobs", "Json", "Lang", "NoColor", "Raw", "Width", "jobs_at_once"]

_MOST_JOBS = 64

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
