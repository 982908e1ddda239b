"""Plain command lines of `fourtuple read`, `scan` and `sockets`, understood without the parser.

The parser takes as long to load as a small capture takes to explain, or sockets to list. So a
command line that is plainly right is carried out at once; one that asks for help, is wrong, or is
written in some other way that the parser allows, is left to it (None). Tests hold that both
know the same options.
"""

import gc
import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType

from fourtuple.cli.outcome import outcome
from fourtuple.cli.output import asked_language
from fourtuple.explain.text import Translator

__all__ = ["OPTIONS", "plainly"]

#: so many more objects than before, and the interpreter looks for garbage
_GARBAGE = 20_000

_Options = Mapping[str, tuple[str, bool]]


def _options(flags: str, values: str, letters: str = "") -> _Options:
    """Options without and with a value; `letters` names those of one letter: "p:ports"."""
    known = {f"--{name}": (name.replace("-", "_"), False) for name in flags.split()}
    known |= {f"--{name}": (name, True) for name in values.split()}
    pairs = (one.split(":") for one in letters.split())
    return MappingProxyType(known | {f"-{letter}": known[f"--{name}"] for letter, name in pairs})


#: command -> option -> the parameter that it sets, and whether it takes a value. `scan --exclude`,
#: which may be written several times, is for the parser
OPTIONS: Mapping[str, _Options] = MappingProxyType(
    {
        "read": _options(
            "frames json csv raw no-color",
            "connection frame host port since until findings parquet plot width lang",
        ),
        "scan": _options(
            "verify banner ipv6 authorized json no-color",
            "ports method workers timeout retries rate seed shard resume netns explain save xml "
            "width lang",
            "p:ports 6:ipv6",
        ),
        "sockets": _options(
            "tcp udp raw unix ipv4 ipv6 listening no-owners details watch json csv no-color",
            "state port host pid process netns options who every parquet width lang",
            "t:tcp u:udp w:raw x:unix 4:ipv4 6:ipv6 l:listening o:details",
        ),
    }
)

#: command -> where it is carried out, and whether it takes words besides the options
_CARRIED_OUT = {
    "read": ("fourtuple.cli.reading", "read_captures", True),
    "scan": ("fourtuple.cli.scanning", "scan_ports", True),
    "sockets": ("fourtuple.cli.socket_listing", "show_sockets", False),
}


def plainly(arguments: Sequence[str]) -> int | None:
    """Carry out a command line; the exit status, or None where it is not plain."""
    if not arguments or arguments[0] not in OPTIONS:
        return None
    command, *rest = arguments
    asked = _understood(rest, OPTIONS[command])
    module, function, takes_words = _CARRIED_OUT[command]
    if asked is None or bool(asked[0]) != takes_words:
        return None
    words, options = asked
    # OpenBLAS, which numpy loads, would let threads spin for 25 ms that nobody has work for; and
    # what is loaded now stays: to look for garbage in it again and again takes as long
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(_GARBAGE)
    carry_out = getattr(import_module(module), function)
    translator = Translator(asked_language(arguments, os.environ))
    return outcome(lambda: carry_out(*([words] if takes_words else []), **options), translator)


def _understood(
    arguments: Sequence[str], known: _Options
) -> tuple[list[str], dict[str, str | bool]] | None:
    """The words and the options; None where one is not plain."""
    others: list[str] = []
    options: dict[str, str | bool] = {}
    words = iter(arguments)
    for word in words:
        short, rest = word[:2], word[2:]
        if word in known and not known[word][1]:
            options[known[word][0]] = True
        elif word in known:
            value = next(words, "-")
            if value.startswith("-"):
                return None
            options[known[word][0]] = value
        elif rest and known.get(short, ("", False))[1]:  # -p22, as nmap has it
            options[known[short][0]] = rest
        elif word.startswith("-") and word != "-":
            return None
        else:
            others.append(word)
    return others, options
