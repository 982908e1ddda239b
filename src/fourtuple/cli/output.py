"""What every command does to its output: language, terminal, errors, a reader who went away."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from fourtuple.cli.values import LANGUAGES, NARROWEST, WIDEST, number_between
from fourtuple.errors import CapabilityMissing, FourtupleError, UsageError
from fourtuple.explain.message import Message
from fourtuple.explain.text import N_, Translator, language_from, language_of
from fourtuple.render.terminal import ASCII, UNICODE, Terminal
from fourtuple.render.text import clean

__all__ = ["asked_language", "error_line", "terminal_for", "translator_for", "write"]

_WITHOUT_TERMINAL = 120
_STANDARD_OUTPUT, _STANDARD_ERROR, _STANDARD_INPUT = 1, 2, 0
_NOT_WRITTEN = N_("Standard output cannot be written: {reason}.")
_CHINESE = "\u4e2d\u6587"
_NO_CHINESE = N_(
    "Standard output cannot show Chinese, so this is in English: its encoding is {encoding}. "
    "A UTF-8 locale (LC_ALL=C.UTF-8) or PYTHONIOENCODING=utf-8 changes that."
)


def translator_for(lang: str | None = None) -> Translator:
    """The translator for `--lang`, or for the locale. UsageError for a language we lack.

    Where standard output cannot show the language, it is English, and a note says so.
    """
    language = language_of(lang) if lang else language_from(os.environ)
    if language is None:
        known = {"language": repr(lang), "known": ", ".join(LANGUAGES)}
        raise UsageError(N_("There are no texts in {language}: --lang takes {known}."), known)
    shown = _showable(language)
    if shown != language:
        note = Message(_NO_CHINESE, {"encoding": sys.stdout.encoding})
        print(f"fourtuple: {Translator(shown).text(note)}", file=sys.stderr)
    return Translator(shown)


def asked_language(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """The language of a command line that has not been parsed: for its help and its errors."""
    asked = ""
    for index, word in enumerate(arguments):
        if word == "--lang":
            asked = next(iter(arguments[index + 1 : index + 2]), "")
        elif word.startswith("--lang="):
            asked = word.partition("=")[2]
    return _showable(language_of(asked) or language_from(environ))


def _showable(language: str) -> str:
    """The language, or English where standard output cannot show it."""
    return language if language == "en" or _encodes(_CHINESE) else "en"


def terminal_for(width: str | None = None, no_color: bool = False) -> Terminal:
    """What standard output can show. `width` is the value of --width; UsageError if it is odd."""
    if width is None:
        columns = max(NARROWEST, min(_measured(), WIDEST))
    else:
        columns = number_between("--width", width, NARROWEST, WIDEST)
    unwanted = no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    colour = sys.stdout.isatty() and not unwanted
    glyphs = UNICODE if _encodes(UNICODE.right + UNICODE.held + UNICODE.begin) else ASCII
    return Terminal(columns, colour, glyphs)


def _measured() -> int:
    """What COLUMNS says, else how wide the terminal is: for a reader such as less, which standard
    output goes to, it is that of standard error or input."""
    asked = os.environ.get("COLUMNS", "")
    if re.fullmatch("[1-9][0-9]{0,5}", asked):
        return int(asked)
    for descriptor in (_STANDARD_OUTPUT, _STANDARD_ERROR, _STANDARD_INPUT):
        if columns := _columns_of(descriptor):
            return columns
    try:
        controlling = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return _WITHOUT_TERMINAL
    try:
        return _columns_of(controlling) or _WITHOUT_TERMINAL
    finally:
        os.close(controlling)


def _columns_of(descriptor: int) -> int:
    """0 where it is no terminal, or one that does not know."""
    try:
        return os.get_terminal_size(descriptor).columns
    except OSError:
        return 0


def _encodes(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def error_line(error: FourtupleError, translator: Translator) -> str:
    """The one clear message of an error; a remedy, where there is one, on a line of its own."""
    parts = [error.what, error.remedy] if isinstance(error, CapabilityMissing) else [error.message]
    texts = [translator.text(Message(part, error.params)) for part in parts if part]
    return "fourtuple: " + "\n".join(map(clean, texts))


def write(text: str | bytes) -> None:
    """Print text, or what is UTF-8 already, to standard output. A reader who has gone away
    (`| head`) is no error; a full disk is a FourtupleError."""
    try:
        if isinstance(text, bytes) and sys.stdout.encoding == "utf-8":
            sys.stdout.flush()
            sys.stdout.buffer.write(text)
        else:
            sys.stdout.write(_encodable(text.decode() if isinstance(text, bytes) else text))
        sys.stdout.flush()
    except OSError as error:
        # the interpreter flushes once more at its end: give it something that takes it
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise SystemExit(0) from None
        raise FourtupleError(_NOT_WRITTEN, {"reason": error.strerror}) from None


def _encodable(text: str) -> str:
    """What the encoding lacks becomes "?": a picture with a hole beats a traceback."""
    encoding = sys.stdout.encoding or "utf-8"
    return text if text.isascii() else text.encode(encoding, "replace").decode(encoding)
