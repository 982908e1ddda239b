"""One lane of one row, as lines of styled pieces: what the ladder's forms are composed of.

A cell is a list of lines, a line a list of (style, text) pieces. Lanes are narrow: calls have three
forms, of which a lane uses one, and what does not fit on a line goes on below. Whoever makes a lane
narrower than `program_least` or `wire_least` cuts.
"""

from collections.abc import Sequence
from enum import IntEnum

import msgspec
from msgspec.structs import replace

from fourtuple.explain.model import Message
from fourtuple.explain.phrases import listed
from fourtuple.explain.text import Translator
from fourtuple.render.arrow import SHORTEST_ARROW, arrow
from fourtuple.render.terminal import Glyphs, Terminal
from fourtuple.render.text import clean, pad, width_of, wrap
from fourtuple.render.view import BarPhase, CallBar, KernelCell, ProgramCell, Text, WireCell

__all__ = ["CallForm", "Cell", "Line", "Painter", "WireColumns"]

Piece = tuple[str, str]
Line = list[Piece]
Cell = list[Line]

_STATE_STYLES = {
    "LISTEN": "cyan",
    "SYN_SENT": "yellow",
    "SYN_RECV": "yellow",
    "ESTABLISHED": "green",
    "CLOSED": "dim",
}


class CallForm(IntEnum):
    """How much is said of a call: all arguments, the telling ones, those without the port."""

    FULL, BRIEF, BARE = range(3)


class WireColumns(msgspec.Struct, frozen=True):
    """How wide the parts of the wire lane are: number, flags, first number, the other numbers."""

    number: int
    flags: int
    first: int
    rest: int

    @property
    def total(self) -> int:
        """With the shortest arrow, and a blank after each part that is there."""
        parts = (self.number, self.flags, self.first, self.rest)
        return sum(part + 1 for part in parts if part) + SHORTEST_ARROW


class Painter(msgspec.Struct, frozen=True):
    """Writes cells for a terminal in a language."""

    terminal: Terminal
    translator: Translator

    @property
    def glyphs(self) -> Glyphs:
        return self.terminal.glyphs

    def words(self, text: Text) -> str:
        """A message translated, data as it is; either made harmless and drawable."""
        plain = clean(self.translator.text(text) if isinstance(text, Message) else text)
        return self.terminal.drawable(plain)

    def legend(self) -> str:
        """Which arrowhead is whose, where no lanes show it."""
        heads = {"right": self.glyphs.right, "left": self.glyphs.left}
        return self.words(Message("{right} client to server, {left} server to client", heads))

    def lay(self, line: Line, width: int) -> str:
        """The line in exactly `width` cells, painted."""
        painted, left = "", width
        for style, text in line:
            piece = self.terminal.clip(text, left)
            painted += self.terminal.paint(style, piece)
            left -= width_of(piece)
        return painted + " " * left

    # --- programs

    def program(self, cell: ProgramCell, width: int, form: CallForm = CallForm.FULL) -> Cell:
        """The calls of a program lane: a bar for each in progress, words for what happens."""
        bars = self._bars(cell)
        event = _event(cell)
        if event is None:
            return [[("cyan", bars.rstrip())]] if cell.bars else []
        style = "red" if event.failed else ""
        line = self._one_line(event, form)
        if width_of(bars + line) <= width:
            return [[("cyan", bars), (style, line)]]
        if event.phase == BarPhase.WHOLE:
            return self._begun_and_ended(event, bars, style, form)
        if event.phase == BarPhase.BEGIN and event.outcome:
            going = self.still_going(cell)
            rest = wrap(self._unanswered(event), width - width_of(bars))
            return [
                [("cyan", bars), (style, self._call(event, form))],
                *([*going, (style, words)] for words in rest),
            ]
        return [[("cyan", bars), (style, line)]]

    def event(self, cell: ProgramCell, width: int) -> Cell:
        """What happens in a program lane without the calls in progress: for a list."""
        event = _event(cell)
        if event is None:
            return []
        mark = {BarPhase.BEGIN: self.glyphs.begin + " ", BarPhase.END: self.glyphs.end + " "}
        start = mark.get(event.phase, "")
        line = self._one_line(event, CallForm.FULL)
        if event.phase == BarPhase.END:
            line = f"{self._call(event, CallForm.BRIEF)} {line}"
        style = "red" if event.failed else ""
        first, *more = wrap(line, width - width_of(start))
        blank = " " * width_of(start)
        return [[("cyan", start), (style, first)], *([("", blank), (style, m)] for m in more)]

    def program_asks(self, cell: ProgramCell, form: CallForm) -> int:
        """The width in which `program` writes this on one line."""
        event = _event(cell)
        return width_of(self._bars(cell) + self._one_line(event, form)) if event else 0

    def program_least(self, cell: ProgramCell, form: CallForm) -> int:
        """The width in which `program` cuts nothing."""
        event = _event(cell)
        if event is None:
            return width_of(self._bars(cell).rstrip())
        call = self._call(event, form)
        if event.phase == BarPhase.WHOLE:
            return width_of(self._bars(cell)) + 2 + max(map(width_of, (call, self._answer(event))))
        line = call if event.phase == BarPhase.BEGIN else self._answer(event)
        return width_of(self._bars(cell) + line)

    def still_going(self, cell: ProgramCell) -> Line:
        """The bars of the calls that go on below this row."""
        going = [
            replace(bar, phase=BarPhase.GOING)
            for bar in cell.bars
            if bar.phase in (BarPhase.BEGIN, BarPhase.GOING)
        ]
        return [("cyan", self._bars(ProgramCell(tuple(going))))]

    def _begun_and_ended(self, event: CallBar, bars: str, style: str, form: CallForm) -> Cell:
        """A call on two lines: for a lane that is too narrow for one."""
        begin, end = self.glyphs.begin + " ", self.glyphs.end + " "
        return [
            [("cyan", bars + begin), ("", self._call(event, form))],
            [("cyan", bars + end), (style, self._answer(event))],
        ]

    def _bars(self, cell: ProgramCell) -> str:
        """``"│ ┌ "``: the bars by slot, and room for a whole call after those in progress."""
        marks = {
            BarPhase.BEGIN: self.glyphs.begin,
            BarPhase.GOING: self.glyphs.going,
            BarPhase.END: self.glyphs.end,
        }
        drawn = [bar for bar in cell.bars if bar.phase != BarPhase.WHOLE]
        slots = 1 + max((bar.slot for bar in drawn), default=-1)
        line = [" "] * slots
        for bar in drawn:
            line[bar.slot] = marks[bar.phase]
        return "".join(mark + " " for mark in line)

    def _one_line(self, bar: CallBar, form: CallForm) -> str:
        call = self._call(bar, form)
        if bar.phase == BarPhase.BEGIN:
            return f"{call} {self._unanswered(bar)}" if bar.outcome else call
        return self._answer(bar) if bar.phase == BarPhase.END else f"{call} {self._answer(bar)}"

    def _call(self, bar: CallBar, form: CallForm) -> str:
        if form == CallForm.FULL:
            return self.words(bar.full)
        brief = self.words(bar.brief)
        name, of_port, _ = brief.partition("(:")
        return f"{name}()" if form == CallForm.BARE and of_port else brief

    def _answer(self, bar: CallBar) -> str:
        return f"{self.glyphs.to} {self.words(bar.outcome)}"

    def _unanswered(self, bar: CallBar) -> str:
        """What a call that never returns has instead of an answer."""
        return f"{self.glyphs.ellipsis} {self.words(bar.outcome)}"

    # --- kernels

    def kernel(self, cell: KernelCell) -> Cell:
        """The state where it begins, a dot where it continues."""
        style = _STATE_STYLES.get(cell.state, "blue")
        if cell.changed:
            return [[(style, self.words(cell.state))]]
        if cell.state in ("", "CLOSED"):
            return []
        return [[(style, self.glyphs.same)]]

    # --- the wire

    def wire_columns(self, cells: Sequence[WireCell]) -> WireColumns:
        """What all the cells need to stand one below the other."""
        numbers = [_numbers(cell) for cell in cells]
        return WireColumns(
            number=max((len(str(cell.frame)) for cell in cells), default=1),
            flags=max((len(cell.flags) for cell in cells), default=0),
            first=max((len(shown[0]) for shown in numbers if shown), default=0),
            rest=max((len(" ".join(shown[1:])) for shown in numbers), default=0),
        )

    def wire_least(self, cells: Sequence[WireCell], columns: WireColumns) -> int:
        """The width in which `wire` cuts nothing."""
        unaligned = (width_of(_unaligned(cell, columns)) for cell in cells)
        return max(unaligned, default=0) + 1 + SHORTEST_ARROW

    def wire(self, cell: WireCell, columns: WireColumns, width: int, raw: bool) -> Cell:
        """Number, flags, numbers, arrow; below it the words that have no room on the arrow, and
        the header's own numbers where asked for."""
        shown = _numbers(cell)
        parts = [
            ("bold", str(cell.frame).rjust(columns.number)),
            ("bold", cell.flags.ljust(columns.flags)),
            ("", (shown[0] if shown else "").ljust(columns.first)),
            ("", " ".join(shown[1:]).ljust(columns.rest)),
        ]
        line = [(style, f"{text} ") for style, text in parts if text]
        room = width - sum(width_of(text) for _, text in line)
        if room < SHORTEST_ARROW:
            unaligned = _unaligned(cell, columns)
            room = max(SHORTEST_ARROW, width - width_of(unaligned) - 1)
            line = [("", pad(unaligned, width - room - 1, "~") + " ")]
        drawn = self.arrow(cell, room)
        cells: Cell = [[*line, (_arrow_style(cell), drawn)]]
        indent = " " * (columns.number + 1)
        if below := self._not_on(drawn, cell):
            lines = wrap(below, width - width_of(indent))
            cells += [[("", indent), (_arrow_style(cell), words)] for words in lines]
        if raw and cell.raw_seq is not None:
            cells.append([("dim", indent + _raw_numbers(cell))])
        return cells

    def arrow(self, cell: WireCell, width: int) -> str:
        """The way of a frame from left (client) to right, in exactly `width` cells."""
        return arrow(cell, self._labels(cell), self.glyphs, width)

    def label_width(self, cells: Sequence[WireCell]) -> int:
        """The longest first label of an arrow."""
        labels = (self._labels(cell)[-1:] for cell in cells)
        return max((width_of(label) for found in labels for label in found), default=0)

    def _labels(self, cell: WireCell) -> list[str]:
        """What may be written on the arrow: everything, or only the first thing."""
        words = self._arrow_words(cell)
        return [f" {self.words(listed(words))} ", f" {words[0]} "] if words else []

    def _not_on(self, drawn: str, cell: WireCell) -> str:
        """Those of the words that had no room on the arrow."""
        words, (every, first) = self._arrow_words(cell), self._labels(cell) or ("", "")
        left = words[1:] if first in drawn else words
        return "" if every in drawn else self.words(listed(left))

    def _arrow_words(self, cell: WireCell) -> list[str]:
        return [self.words(label) for label in cell.labels if cell.phase != "leaves"]


def _arrow_style(cell: WireCell) -> str:
    if "RST" in cell.flags.split() or cell.verdict in ("dropped", "held"):
        return "red"
    return "cyan" if cell.from_client else "magenta"


def _numbers(cell: WireCell) -> list[str]:
    values = {"seq": cell.seq, "ack": cell.ack, "len": cell.length}
    return [f"{name} {values[name]}" for name in cell.shows]


def _raw_numbers(cell: WireCell) -> str:
    ack = "" if cell.raw_ack is None else f" ack {cell.raw_ack}"
    return f"raw seq {cell.raw_seq}{ack}"


def _unaligned(cell: WireCell, columns: WireColumns) -> str:
    """What is said of the frame, for a lane with no room for columns."""
    parts = [str(cell.frame).rjust(columns.number), cell.flags, *_numbers(cell)]
    return " ".join(part for part in parts if part)


def _event(cell: ProgramCell) -> CallBar | None:
    """The call that begins, ends or both in this row."""
    return next((bar for bar in cell.bars if bar.phase != BarPhase.GOING), None)
