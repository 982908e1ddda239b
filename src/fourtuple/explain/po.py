"""Message catalogs: the text form of gettext, parsed and written.

A catalog is read from its .po file at run time, so a clone and an installed wheel speak the same
languages with no compile step. Rules: `parse` accepts what gettext's tools write; `format_entry`
writes it so that they accept it. Knows nothing of files, languages or messages' meaning.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["Entry", "format_catalog", "header_fields", "parse"]

_UNESCAPED = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
_ESCAPED = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_WIDTH = 96


@dataclass(frozen=True, slots=True)
class Entry:
    """A message: its id (English), plural form and context, and the translations.

    `strings` has one text a plural form of the language; the entry whose id is "" is the header.
    """

    id: str
    plural: str = ""
    context: str = ""
    strings: tuple[str, ...] = ()
    fuzzy: bool = False
    references: tuple[str, ...] = ()

    @property
    def translated(self) -> bool:
        return bool(self.strings) and all(self.strings) and not self.fuzzy


def parse(text: str) -> list[Entry]:
    """The entries of a .po file, in order, obsolete ones (#~) left out. ValueError names a line."""
    return [_entry(block) for block in _blocks(text)]


def _blocks(text: str) -> Iterator[list[tuple[int, str]]]:
    block: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line.startswith("#~"):
            continue
        starts_anew = line.startswith(("#", "msgctxt", "msgid ")) and _has_strings(block)
        if (not line or starts_anew) and block:
            yield from [block] if _has_strings(block) else []
            block = []
        if line:
            block.append((number, line))
    if _has_strings(block):
        yield block


def _has_strings(block: list[tuple[int, str]]) -> bool:
    return any(line.startswith("msgstr") for _, line in block)


def _entry(block: list[tuple[int, str]]) -> Entry:
    parts: dict[str, list[str]] = {}
    current, fuzzy = "", False
    references: tuple[str, ...] = ()
    for number, line in block:
        if line.startswith("#"):
            fuzzy = fuzzy or (line.startswith("#,") and "fuzzy" in line)
            references += tuple(line[2:].split()) if line.startswith("#:") else ()
            continue
        if not line.startswith('"'):
            current, _, line = line.partition(" ")
        parts.setdefault(current, []).append(_unquote(line.strip(), number))
    whole = {name: "".join(pieces) for name, pieces in parts.items()}
    strings = tuple(whole[name] for name in sorted(whole) if name.startswith("msgstr"))
    return Entry(
        whole.get("msgid", ""),
        whole.get("msgid_plural", ""),
        whole.get("msgctxt", ""),
        strings,
        fuzzy,
        references,
    )


def _unquote(quoted: str, number: int) -> str:
    if len(quoted) < 2 or quoted[0] != '"' or quoted[-1] != '"':
        raise ValueError(f"line {number} of the catalog is no quoted text: {quoted}")
    return re.sub(r"\\(.)", lambda m: _UNESCAPED.get(m[1], m[1]), quoted[1:-1])


def header_fields(entries: Iterable[Entry]) -> dict[str, str]:
    """The fields of the header entry ("Plural-Forms", "Language" ...)."""
    for entry in entries:
        if not entry.id:
            lines = "".join(entry.strings).splitlines()
            pairs = (line.partition(":") for line in lines)
            return {name.strip(): value.strip() for name, _, value in pairs}
    return {}


def format_catalog(entries: Iterable[Entry]) -> str:
    """The text of a .po file with these entries."""
    return "\n".join(_format_entry(entry) for entry in entries)


def _format_entry(entry: Entry) -> str:
    lines = [f"#: {reference}" for reference in entry.references]
    lines += ["#, fuzzy"] if entry.fuzzy else []
    lines += _quoted("msgctxt", entry.context) if entry.context else []
    lines += _quoted("msgid", entry.id)
    if entry.plural:
        lines += _quoted("msgid_plural", entry.plural)
        for index, string in enumerate(entry.strings or ("",)):
            lines += _quoted(f"msgstr[{index}]", string)
    else:
        lines += _quoted("msgstr", entry.strings[0] if entry.strings else "")
    return "\n".join(lines) + "\n"


def _quoted(keyword: str, text: str) -> list[str]:
    escaped = re.sub(r'[\n\t\r"\\]', lambda m: _ESCAPED[m[0]], text)
    pieces = list(_pieces(escaped))
    if len(pieces) == 1 and len(keyword) + len(pieces[0]) + 3 <= _WIDTH + 4:
        return [f'{keyword} "{pieces[0]}"']
    return [f'{keyword} ""', *(f'"{piece}"' for piece in pieces)]


def _pieces(escaped: str) -> Iterator[str]:
    """Cut after a newline, and after a space where a line grows too long; never in an escape."""
    piece = ""
    for word in re.findall(r"(?:\\[^n]|[^ \\])*(?:\\n| +|$)", escaped):
        if piece and len(piece) + len(word) > _WIDTH:
            yield piece
            piece = ""
        piece += word
        if piece.endswith("\\n"):
            yield piece
            piece = ""
    if piece or not escaped:
        yield piece
