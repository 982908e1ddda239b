"""Messages become text here, in the reader's language. English is the source language.

`N_` marks a message id for extraction and returns it unchanged; tables and calls that hold user
text use it, or `Message`. A `Translator` looks a message up and fills in its fields. Rules: filling
in never fails and never evaluates anything, because message ids also come out of recordings, which
are files that anybody may have written; a field without a value stays as it is.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache

from fourtuple.errors import N_
from fourtuple.explain.message import Message

__all__ = ["LANGUAGES", "N_", "Translator", "language_from", "language_of"]

#: languages that messages exist in; the first is the language of the message ids
LANGUAGES = ("en", "zh_CN")

_FIELD = re.compile(r"\{(\w*)\}|\{\{|\}\}")

Key = tuple[str, str]


def language_of(name: str) -> str | None:
    """The catalog language for a locale's name ("zh", "zh-CN.UTF-8", "C"); None: unknown to us."""
    word = re.split(r"[_.@-]", name.strip().lower())[0]
    return {"zh": "zh_CN", "en": "en", "c": "en", "posix": "en"}.get(word)


def language_from(environ: Mapping[str, str]) -> str:
    """The language that the environment asks for, as gettext reads it; "en" without a wish."""
    locale = environ.get("LC_ALL") or environ.get("LC_MESSAGES") or environ.get("LANG") or ""
    wishes = [locale]
    if locale.partition(".")[0] not in ("", "C", "POSIX"):
        # gettext ignores LANGUAGE in the C locale
        wishes = [*environ.get("LANGUAGE", "").split(":"), locale]
    return next((language for wish in wishes if (language := language_of(wish))), "en")


class Translator:
    """Text in one language. `language` is any name that `language_of` knows."""

    def __init__(self, language: str = "en") -> None:
        known = language_of(language)
        if known is None:
            raise ValueError(f"no catalog for {language!r}: there are {', '.join(LANGUAGES)}")
        self.language = known
        self._strings, self._form = _catalog(known)

    def text(self, message: Message | str) -> str:
        """The message in this language, its fields filled in; a plain text is a message id."""
        if isinstance(message, str):
            return self._strings.get(("", message), (message,))[0]
        pattern = self._pattern(message)
        return _FIELD.sub(lambda match: self._field(match, message.params), pattern)

    def _pattern(self, message: Message) -> str:
        strings = self._strings.get((message.context, message.text))
        if strings is None:
            return message.plural if message.plural and message.count != 1 else message.text
        index = self._form(message.count) if message.plural else 0
        return strings[min(index, len(strings) - 1)]

    def _field(self, match: re.Match[str], params: Mapping[str, object]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        if match[1] not in params:
            return match[0]
        return self._value(params[match[1]])

    def _value(self, value: object) -> str:
        if isinstance(value, Message):
            return self.text(value)
        if isinstance(value, (tuple, list)):
            between = self.text(Message(", ", context="between the items of a list"))
            return between.join(self._value(item) for item in value)
        return str(value)


@cache
def _catalog(language: str) -> tuple[Mapping[Key, tuple[str, ...]], Callable[[int], int]]:
    """The translated messages of a language, and its choice of a plural form."""
    if language == LANGUAGES[0]:
        return {}, lambda count: int(count != 1)
    # all of it takes as long to load as a small table takes to print, and English needs none
    from gettext import c2py
    from importlib.resources import files

    from fourtuple.explain.po import header_fields, parse

    path = files("fourtuple.explain") / "locale" / language / "LC_MESSAGES" / "fourtuple.po"
    entries = parse(path.read_text(encoding="utf-8"))
    strings = {(e.context, e.id): e.strings for e in entries if e.id and e.translated}
    plural = header_fields(entries).get("Plural-Forms", "nplurals=1; plural=0;")
    return strings, c2py(plural.partition("plural=")[2].strip().rstrip(";"))
