"""Rows in columns: each as wide as it needs to be, the last one filled."""

from collections.abc import Sequence

from fourtuple.render.text import pad, width_of, wrap

__all__ = ["columns"]

_GAP = 2
#: the last column is no narrower than this, whatever the others need
_LEAST = 24


def columns(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """The rows as lines of at most `width` cells. Where the columns before the last leave it too
    little room, each row is a line of them and a paragraph of it."""
    count = max(map(len, rows), default=1) - 1
    widths = [max(width_of(row[index]) for row in rows) for index in range(count)]
    taken = sum(widths) + _GAP * count
    if taken + _LEAST > width:
        return [line for row in rows for line in _paragraph(row, width)]
    lines = []
    for row in rows:
        head = "".join(
            pad(cell, size) + " " * _GAP for cell, size in zip(row, widths, strict=False)
        )
        for line in wrap(row[count], width - taken):
            lines.append((head + line).rstrip())
            head = " " * taken
    return lines


def _paragraph(row: Sequence[str], width: int) -> list[str]:
    head = wrap((" " * _GAP).join(cell for cell in row[:-1] if cell), width)
    return [*head, *(" " * _GAP + line for line in wrap(row[-1], width - _GAP))]
