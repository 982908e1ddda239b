"""The options that several commands have."""

from typing import Annotated

import typer

from fourtuple.cli.values import LANGUAGES
from fourtuple.explain.text import N_

__all__ = ["Json", "Lang", "NoColor", "Raw", "Width"]

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
Json = Annotated[bool, typer.Option("--json", help=N_("Print JSON Lines."))]
Raw = Annotated[
    bool, typer.Option("--raw", help=N_("Show sequence numbers as they are in the headers too."))
]
