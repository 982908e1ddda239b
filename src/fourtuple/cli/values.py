"""What a value on the command line must be.

Values arrive as text and are judged here, so that a wrong one is refused in our words, in the
reader's language. Nothing here knows of the parser: it takes long to load.
"""

import math
import re

from fourtuple.errors import UsageError
from fourtuple.explain.text import N_

__all__ = [
    "LANGUAGES",
    "NARROWEST",
    "WIDEST",
    "number",
    "number_between",
    "seconds",
]

#: what --lang is documented to take
LANGUAGES = ("en", "zh")
NARROWEST, WIDEST = 40, 400

_NUMBER = re.compile(r"-?[0-9]{1,18}")
_WHOLE = N_("{option} takes a whole number; {value} is none.")
_BETWEEN = N_("{option} takes a whole number from {least} to {most}; {value} is none.")
_SECONDS = N_("{option} takes a number of seconds above 0; {value} is none.")


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
