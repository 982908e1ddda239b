"""Plain command lines of `fourtuple read` and `sockets`, understood without the parser.

The parser takes as long to load as a small capture takes to explain, or sockets to list. So a
command line that is plainly right is carried out at once; one that asks for help, is wrong, or is
written in some other way that the parser allows, is left to it (None). Tests hold that both
know the same options.
"""

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from fourtuple.cli.outcome import outcome
from fourtuple.cli.output import asked_language
from fourtuple.explain.text import Translator

__all__ = ["OPTIONS", "SOCKET_OPTIONS", "read_plainly", "sockets_plainly"]

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

#: the same of `show_sockets`
SOCKET_OPTIONS: Mapping[str, tuple[str, bool]] = MappingProxyType(
    {
        **{
            name: (name.lstrip("-").replace("-", "_"), False)
            for name in (
                "--tcp", "--udp", "--raw", "--unix", "--ipv4", "--ipv6", "--listening",
                "--no-owners", "--details", "--watch", "--json", "--csv", "--no-color",
            )
        },
        **{
            name: (name.lstrip("-"), True)
            for name in (
                "--state", "--port", "--host", "--pid", "--process", "--netns", "--options",
                "--who", "--every", "--parquet", "--width", "--lang",
            )
        },
        "-t": ("tcp", False), "-u": ("udp", False), "-w": ("raw", False), "-x": ("unix", False),
        "-4": ("ipv4", False), "-6": ("ipv6", False), "-l": ("listening", False),
        "-o": ("details", False),
    }
)  # fmt: skip


def read_plainly(arguments: Sequence[str]) -> int | None:
    """Carry out `read` and what follows it; the exit status, or None where it is not plain."""
    asked = _understood(arguments, OPTIONS)
    if asked is None or not asked[0]:
        return None
    from fourtuple.cli.reading import read_captures

    files, options = asked
    translator = Translator(asked_language(["read", *arguments], os.environ))
    return outcome(lambda: read_captures(files, **options), translator)  # type: ignore[arg-type]


def sockets_plainly(arguments: Sequence[str]) -> int | None:
    """The same for `sockets`, which takes options alone."""
    asked = _understood(arguments, SOCKET_OPTIONS)
    if asked is None or asked[0]:
        return None
    from fourtuple.cli.socket_listing import show_sockets

    translator = Translator(asked_language(["sockets", *arguments], os.environ))
    return outcome(lambda: show_sockets(**asked[1]), translator)  # type: ignore[arg-type]


def _understood(
    arguments: Sequence[str], known: Mapping[str, tuple[str, bool]]
) -> tuple[list[str], dict[str, str | bool]] | None:
    files: list[str] = []
    options: dict[str, str | bool] = {}
    words = iter(arguments)
    for word in words:
        name, takes_value = known.get(word, ("", False))
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
    return files, options
