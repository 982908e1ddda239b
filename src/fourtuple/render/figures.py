"""Figures side by side: a table in which each has a bar, as long as it is large in its column."""

from fourtuple.render.cells import Painter
from fourtuple.render.text import width_of, wrap
from fourtuple.render.view import Measured

__all__ = ["figures"]

#: a bar that is longer tells no more
_LONGEST, _SHORTEST = 30, 4


def figures(measured: Measured, painter: Painter, width: int) -> list[str]:
    """What was measured, the names of the columns, and a line for each row, in `width` cells."""
    names = [painter.words(name) for name, _ in measured.rows]
    heads = [painter.words(column) for column in measured.columns]
    told = [[f"{round(n, 1):g}" for n in numbers] for _, numbers in measured.rows]
    sizes = [max(map(len, column)) for column in zip(*told, strict=True)]
    label = min(max(map(width_of, names)), width // 3)
    room = max(1, (width - 4 - label) // len(heads) - 2)
    length = max(_SHORTEST, min(_LONGEST, room - 1 - max(sizes)))
    cells = [
        min(room, max(width_of(head), size + 1 + length))
        for head, size in zip(heads, sizes, strict=True)
    ]
    pad = painter.terminal.pad
    lines = ["  ".join(["", pad("", label), *map(pad, heads, cells)])]
    for name, texts, bars in zip(names, told, _bars(measured, length), strict=True):
        drawn = [
            pad(f"{text:>{size}} {painter.glyphs.double * bar}", cell)
            for text, size, bar, cell in zip(texts, sizes, bars, cells, strict=True)
        ]
        lines.append("  ".join(["", pad(name, label), *drawn]))
    title = wrap(painter.words(measured.what), width - 2)
    return [f"  {line}".rstrip() for line in (*title, *lines)]


def _bars(measured: Measured, length: int) -> list[list[int]]:
    """How long each bar is: the largest of a column has the whole length."""
    most = [max(column) or 1 for column in zip(*(row for _, row in measured.rows), strict=True)]
    return [
        [round(n / largest * length) for n, largest in zip(numbers, most, strict=True)]
        for _, numbers in measured.rows
    ]
