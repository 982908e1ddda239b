"""A header as the RFCs draw it: rows of 32 bits, every field in its place, one-bit fields on end.

Two characters a bit. Where a label is too long for its box, the RFC's abbreviation stands there.
Options and anything that does not fill its rows are one line below the fixed part.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from fourtuple.explain.model import Message
from fourtuple.render.cells import Painter
from fourtuple.render.text import pad, width_of, wrap
from fourtuple.wire import FieldValue, View

__all__ = ["BOXED", "BOX_WIDTH", "box"]

BOX_WIDTH = 65
#: the layers whose headers have rows of 32 bits
BOXED = frozenset(("IPv4", "IPv6", "TCP", "UDP"))

_ROW = 32
_SHORT = {
    "data_offset": "Offset",
    "reserved": "Rsvd",
    "ihl": "IHL",
    "dscp": "DSCP",
    "ecn": "ECN",
    "fragment_offset": "Fragment offset",
}
#: flags whose name is not their abbreviation
_FLAGS = {"reserved": "R", "dont_fragment": "DF", "more_fragments": "MF"}


@dataclass(frozen=True, slots=True)
class _Place:
    """A field in a row: its bits there, its label, its value; `flag` is a name written downward."""

    bits: int
    label: str = ""
    value: str = ""
    flag: str = ""

    @property
    def width(self) -> int:
        return 2 * self.bits - 1


def box(view: View, painter: Painter) -> list[str]:
    """The drawing of the header's fixed part, 65 cells wide; a last row names the options."""
    fields = view.fields()
    fixed = [field for field in fields if field.bit_offset < view.MINIMUM * 8]
    rows = list(_rows([place for field in fixed for place in _places(field, painter)]))
    if any(sum(place.bits for place in row) != _ROW for row in rows):
        return []
    options = [field for field in fields if field.bit_offset >= view.MINIMUM * 8]
    if options:
        rows.append([_options(options, painter)])
    return [*_ruler(), *_drawn(rows, painter)]


def _places(field: FieldValue, painter: Painter) -> Iterator[_Place]:
    """The field's places: one for each of its flags, one for each row that it crosses."""
    if any(child.bits == 1 for child in field.children):
        for child in field.children:
            yield _Place(1, value=child.text, flag=_FLAGS.get(child.name, child.name.upper()))
        return
    place = _Place(min(field.bits, _ROW))
    label, value = painter.words(Message(field.label)), painter.words(field.text)
    if width_of(label) > place.width:
        label = _SHORT.get(field.name, label)
    if width_of(value) > place.width:
        value = value.partition(" ")[0]
    yield replace(place, label=label, value=value)
    for _ in range(field.bits // _ROW - 1):
        yield _Place(_ROW)


def _rows(places: Sequence[_Place]) -> Iterator[list[_Place]]:
    row: list[_Place] = []
    for place in places:
        row.append(place)
        if sum(p.bits for p in row) >= _ROW:
            yield row
            row = []
    if row:
        yield row


def _options(options: Sequence[FieldValue], painter: Painter) -> _Place:
    total = sum(field.bits for field in options) // 8
    named = (
        f"{painter.words(Message(field.label))} {painter.words(field.text)}".strip()
        for field in options
    )
    label = Message("Options: {count} byte", {"count": total}, "Options: {count} bytes", total)
    return _Place(_ROW, painter.words(label), ", ".join(named))


def _ruler() -> list[str]:
    tens = "".join(str(bit // 10) if bit % 10 == 0 else " " for bit in range(_ROW))
    ones = "".join(str(bit % 10) for bit in range(_ROW))
    return [" " + " ".join(digits).rstrip() for digits in (tens, ones)]


def _drawn(rows: Sequence[Sequence[_Place]], painter: Painter) -> Iterator[str]:
    above: frozenset[int] = frozenset()
    for index, row in enumerate(rows):
        below = _edges(row)
        yield _border(above, below, painter, first=index == 0)
        above = below
        yield from _lines(row, painter)
    yield _border(above, frozenset(), painter, last=True)


def _edges(row: Sequence[_Place]) -> frozenset[int]:
    """Where the bars between the row's fields stand, counted in cells from the left bar."""
    at, found = 0, set()
    for place in row[:-1]:
        at += place.width + 1
        found.add(at)
    return frozenset(found)


def _border(
    above: frozenset[int],
    below: frozenset[int],
    painter: Painter,
    *,
    first: bool = False,
    last: bool = False,
) -> str:
    glyphs = painter.glyphs
    joints = {(True, True): glyphs.cross, (True, False): glyphs.foot, (False, True): glyphs.tee}
    middle = "".join(
        joints.get((at in above, at in below), glyphs.rule) for at in range(1, BOX_WIDTH - 1)
    )
    left, right = (0, 1) if first else (2, 3) if last else (4, 5)
    line = glyphs.corners[left] + middle + glyphs.corners[right]
    return painter.terminal.paint("dim", line)


def _lines(row: Sequence[_Place], painter: Painter) -> Iterator[str]:
    """Labels above values; flags take as many lines as their names have letters."""
    height = max(1, *(len(place.flag) for place in row))
    middle = (height - 1) // 2
    for line in range(height):
        yield _line([_letter(place, line, middle) for place in row], row, painter, "")
    for values in _stacked(row):
        yield _line(values, row, painter, "bold")


def _stacked(row: Sequence[_Place]) -> list[list[str]]:
    """The values, those of a row that is all one field on as many lines as they need."""
    if len(row) > 1:
        return [[place.value for place in row]]
    return [[line] for line in wrap(row[0].value, row[0].width)]


def _letter(place: _Place, line: int, middle: int) -> str:
    if place.flag:
        return place.flag[line : line + 1]
    return place.label if line == middle else ""


def _line(texts: Sequence[str], row: Sequence[_Place], painter: Painter, style: str) -> str:
    bar = painter.terminal.paint("dim", painter.glyphs.bar)
    cells = [
        painter.terminal.paint(style, _centred(text, place.width, painter))
        for text, place in zip(texts, row, strict=True)
    ]
    return bar + bar.join(cells) + bar


def _centred(text: str, width: int, painter: Painter) -> str:
    text = painter.terminal.clip(text, width)
    return pad(" " * ((width - width_of(text)) // 2) + text, width)
