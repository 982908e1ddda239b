"""Shortcuts from a timeline to what is drawn of it."""

from fourtuple.analyze import connections
from fourtuple.event.timeline import Timeline
from fourtuple.explain.text import Translator
from fourtuple.render.build import build_view
from fourtuple.render.cells import Painter
from fourtuple.render.ladder import ladder
from fourtuple.render.terminal import UNICODE, Glyphs, Terminal
from fourtuple.render.view import Row, RowKind, View

__all__ = ["calls_shown", "drawn", "moments", "painter", "viewed"]


def viewed(timeline: Timeline, index: int = 0, **how: int) -> View:
    """The view of one connection, without findings."""
    return build_view(timeline, connections(timeline), (), index, **how)


def moments(view: View) -> list[Row]:
    """The rows in which something happens."""
    return [row for row in view.rows if row.kind == RowKind.MOMENT]


def calls_shown(view: View, of_client: bool = True) -> list[list[str]]:
    """For each moment, the bars of one program lane as "begin connect()"."""
    cells = [row.client_program if of_client else row.server_program for row in moments(view)]
    return [[f"{bar.phase} {bar.brief}" for bar in cell.bars] for cell in cells]


def painter(
    width: int = 120, language: str = "en", glyphs: Glyphs = UNICODE, colour: bool = False
) -> Painter:
    return Painter(Terminal(width, colour, glyphs), Translator(language))


def drawn(
    timeline: Timeline,
    width: int = 120,
    language: str = "en",
    glyphs: Glyphs = UNICODE,
    *,
    raw: bool = False,
) -> str:
    """The ladder of the first connection, as text."""
    terminal = Terminal(width, glyphs=glyphs)
    lines = ladder(viewed(timeline), terminal, Translator(language), raw=raw)
    return "".join(line + "\n" for line in lines)
