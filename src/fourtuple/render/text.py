"""Text as a terminal measures it: cells, not characters. A Chinese character fills two.

`clean` must be applied to everything that came from a capture, a program or a catalog before it is
measured: what is left has no control characters, so nobody's packet can drive a terminal.
"""

from collections.abc import Iterable, Iterator

from rich.cells import get_character_cell_size

__all__ = ["clean", "clip", "pad", "width_of", "wrap"]

#: punctuation that must not begin a line, and brackets that must not end one
_NEVER_FIRST = frozenset(",.;:!?)]}%，。；：！？、）】》」』”’…")
_NEVER_LAST = frozenset("([{（【《「『“‘")


def width_of(text: str) -> int:
    """How many cells the text fills: character by character, so that the widths of parts add up.
    (Where a terminal joins characters into one, a line is narrower than is said here.)"""
    return len(text) if text.isascii() else sum(map(get_character_cell_size, text))


def clean(text: str) -> str:
    """The text on one line, with whatever a terminal would act on written as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    if character in "\n\t":
        return " "
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def clip(text: str, width: int, ellipsis: str = "…") -> str:
    """The text, cut to `width` cells; the cut is marked where there is room for the mark."""
    if width_of(text) <= width:
        return text
    mark = ellipsis if width > len(ellipsis) else ""
    return _head(text, width - len(mark)) + mark


def _head(text: str, width: int) -> str:
    used = 0
    for index, character in enumerate(text):
        used += get_character_cell_size(character)
        if used > width:
            return text[:index]
    return text


def pad(text: str, width: int, ellipsis: str = "…", *, right: bool = False) -> str:
    """The text in exactly `width` cells: cut or filled with blanks (on the left for `right`)."""
    text = clip(text, width, ellipsis)
    blanks = " " * (width - width_of(text))
    return blanks + text if right else text + blanks


def wrap(text: str, width: int) -> list[str]:
    """The text as lines of at most `width` cells, broken at blanks and between wide characters."""
    width = max(width, 2)
    lines: list[str] = []
    line, used = "", 0
    for piece in _pieces(text, width):
        if line and used + width_of(piece.rstrip(" ")) > width:
            lines.append(line.rstrip(" "))
            line, used = "", 0
        line += piece
        used += width_of(piece)
    return [*lines, line.rstrip(" ")]


def _pieces(text: str, width: int) -> Iterator[str]:
    """What no line break divides: words with the blank after them, single wide characters."""
    return _fitting(_unbroken(text), width)


def _unbroken(text: str) -> Iterator[str]:
    begin = 0
    for index in range(1, len(text)):
        if _may_break(text[index - 1], text[index]):
            yield text[begin:index]
            begin = index
    yield text[begin:]


def _may_break(before: str, after: str) -> bool:
    if after == " " or before in _NEVER_LAST or after in _NEVER_FIRST:
        return False
    if before == " ":
        return True
    return get_character_cell_size(before) == 2 or get_character_cell_size(after) == 2


def _fitting(pieces: Iterable[str], width: int) -> Iterator[str]:
    """The pieces, those wider than a line divided anywhere."""
    for piece in pieces:
        if width_of(piece.rstrip(" ")) <= width:
            yield piece
        else:
            yield from _divided(piece, width)


def _divided(piece: str, width: int) -> Iterator[str]:
    """Parts of `width` cells; the blanks at the end stay with the last one."""
    begin, used, end = 0, 0, len(piece.rstrip(" "))
    for index in range(end):
        size = get_character_cell_size(piece[index])
        if used + size > width and index > begin:
            yield piece[begin:index]
            begin, used = index, 0
        used += size
    yield piece[begin:]
