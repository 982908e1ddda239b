"""The arrow of a frame on the wire: its way, how far it got, and a word on it.

Left is the client, right the server. Knows nothing of lanes, languages or colours.
"""

from collections.abc import Sequence

from fourtuple.render.terminal import Glyphs
from fourtuple.render.text import width_of
from fourtuple.render.view import WireCell

__all__ = ["SHORTEST_ARROW", "arrow"]

#: an arrow shorter than this says no direction at a glance
SHORTEST_ARROW = 5

#: verdicts whose shaft is drawn with another glyph
_SHAFTS = {
    "dropped": "gap",
    "duplicated": "double",
    "delayed": "dotted",
    "rewritten": "rewritten",
    "corrupted": "rewritten",
}


def arrow(cell: WireCell, labels: Sequence[str], glyphs: Glyphs, width: int) -> str:
    """The way of a frame in exactly `width` cells, with the first of the labels that fits."""
    drawn = _rightward(cell, labels, glyphs, width)
    if cell.from_client:
        return drawn
    mirrored = drawn[::-1].replace(glyphs.right, glyphs.left)
    label = next((label for label in labels if label in drawn), "")
    return mirrored.replace(label[::-1], label) if label else mirrored


def _rightward(cell: WireCell, labels: Sequence[str], glyphs: Glyphs, width: int) -> str:
    begin, end, reach = _tips(cell, labels, glyphs, width)
    length = max(reach - width_of(begin) - width_of(end), 0)
    pattern = str(getattr(glyphs, _SHAFTS.get(cell.verdict, "shaft")))
    drawn = begin + _labelled(pattern * (length // len(pattern)), labels) + end
    return drawn + " " * (width - width_of(drawn))


def _tips(
    cell: WireCell, labels: Sequence[str], glyphs: Glyphs, width: int
) -> tuple[str, str, int]:
    """(how it begins, how it ends, how far it gets)."""
    begin = glyphs.injected if cell.verdict == "injected" else ""
    needs = max((width_of(label) for label in labels[-1:]), default=0) + 6
    part = min(max(width * 2 // 3, SHORTEST_ARROW, needs), max(width - 2, SHORTEST_ARROW))
    if cell.verdict == "dropped":
        return begin, glyphs.dropped, part
    if cell.verdict == "held" or cell.phase == "leaves":
        return begin, glyphs.held, part
    if cell.verdict == "corrupted":
        return begin, glyphs.dropped, width
    return (glyphs.held if cell.phase == "arrives" else begin), glyphs.right, width


def _labelled(shaft: str, labels: Sequence[str]) -> str:
    """The first label that leaves enough of the shaft to see, in its middle."""
    for label in labels:
        room = len(shaft) - width_of(label)
        if room >= 4:
            before = room // 2
            return shaft[:before] + label + shaft[len(shaft) - (room - before) :]
    return shaft
