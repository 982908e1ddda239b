"""What every command does to its output: language, terminal, errors, a reader who went away."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence

from fourtuple.errors import CapabilityMissing, FourtupleError, InputError, UsageError
from fourtuple.explain.model import Message
from fourtuple.explain.text import LANGUAGES, N_, Translator, language_from, language_of
from fourtuple.render.terminal import ASCII, UNICODE, Terminal
from fourtuple.render.text import clean

__all__ = [
    "LANG_HELP",
    "NARROWEST",
    "NO_COLOR_HELP",
    "WIDEST",
    "WIDTH_HELP",
    "asked_language",
    "error_line",
    "terminal_for",
    "translator_for",
    "write",
]

LANG_HELP = N_("Language: en or zh. The locale's where not given.")
WIDTH_HELP = N_("Columns to draw in. The terminal's where not given, 120 without one.")
NO_COLOR_HELP = N_("Never colour; also with NO_COLOR set. Colour says nothing that words do not.")

_WITHOUT_TERMINAL = 120
NARROWEST, WIDEST = 40, 400


def translator_for(lang: str | None = None) -> Translator:
    """The translator for `--lang`, or for the locale. UsageError for a language we lack."""
    if not lang:
        return Translator(language_from(os.environ))
    if language_of(lang) is None:
        raise UsageError(f"no texts in {lang!r}: there are {', '.join(LANGUAGES)}")
    return Translator(lang)


def asked_language(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """The language of a command line that has not been parsed: for its help and its errors."""
    asked = ""
    for index, word in enumerate(arguments):
        if word == "--lang":
            asked = next(iter(arguments[index + 1 : index + 2]), "")
        elif word.startswith("--lang="):
            asked = word.partition("=")[2]
    return language_of(asked) or language_from(environ)


def terminal_for(width: int | None = None, no_color: bool = False) -> Terminal:
    """What standard output can show."""
    found = shutil.get_terminal_size((_WITHOUT_TERMINAL, 0)).columns if width is None else width
    unwanted = no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    colour = sys.stdout.isatty() and not unwanted
    glyphs = UNICODE if _encodes(UNICODE.right + UNICODE.held + UNICODE.begin) else ASCII
    return Terminal(max(NARROWEST, min(found, WIDEST)), colour, glyphs)


def _encodes(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def error_line(error: FourtupleError, translator: Translator) -> str:
    """The one clear message of an error; a remedy, where there is one, on a line of its own."""
    if isinstance(error, CapabilityMissing):
        parts = [Message(error.what, error.params), Message(error.remedy, error.params)]
        texts = [translator.text(part) for part in parts if part.text]
    elif isinstance(error, InputError):
        texts = [translator.text(Message(error.message, error.params))]
    else:
        texts = [translator.text(line) for line in str(error).splitlines()]
    return "fourtuple: " + "\n".join(map(clean, texts))


def write(text: str) -> None:
    """Print to standard output. A reader who has gone away (`| head`) is no error."""
    try:
        # what the encoding lacks becomes "?": a picture with a hole beats a traceback
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:
        # the interpreter flushes once more at its end: give it something that is open
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
