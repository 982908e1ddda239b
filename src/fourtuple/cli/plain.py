"""The plain command lines of `fourtuple read`, understood without the parser.

The parser takes as long to load as a small capture takes to explain. So a command line that is
plainly right is carried out at once; one that asks for help, is wrong, or is written in some other
way that the parser allows, is left to it (None). A test holds that both know the same options.
"""

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from fourtuple.cli.outcome import outcome
from fourtuple.cli.output import asked_language
from fourtuple.cli.reading import read_captures
from fourtuple.explain.text import Translator

__all__ = ["OPTIONS", "read_plainly"]

#: option -> the parameter of `read_captures` that it sets, and whether it takes a value
OPTIONS: Mapping[str, tuple[str, bool]] = MappingProxyType(
    {
        "--connection": ("connection", True),
        "--frame": ("frame", True),
        "--frames": ("frames", False),
        "--host": ("host", True),
        "--port": ("port", True),
        "--since": ("since", True),
        "--until": ("until", True),
        "--findings": ("findings", True),
        "--json": ("json", False),
        "--csv": ("csv", False),
        "--parquet": ("parquet", True),
        "--plot": ("plot", True),
        "--raw": ("raw", False),
        "--width": ("width", True),
        "--lang": ("lang", True),
        "--no-color": ("no_color", False),
    }
)


def read_plainly(arguments: Sequence[str]) -> int | None:
    """Carry out `read` and what follows it; the exit status, or None where it is not plain."""
    asked = _understood(arguments)
    if asked is None:
        return None
    files, options = asked
    translator = Translator(asked_language(["read", *arguments], os.environ))
    return outcome(lambda: read_captures(files, **options), translator)  # type: ignore[arg-type]


def _understood(arguments: Sequence[str]) -> tuple[list[str], dict[str, str | bool]] | None:
    files: list[str] = []
    options: dict[str, str | bool] = {}
    words = iter(arguments)
    for word in words:
        name, takes_value = OPTIONS.get(word, ("", False))
        if name and takes_value:
            value = next(words, "-")
            if value.startswith("-"):
                return None
            options[name] = value
        elif name:
            options[name] = True
        elif word.startswith("-") and word != "-":
            return None
        else:
            files.append(word)
    return (files, options) if files else None
