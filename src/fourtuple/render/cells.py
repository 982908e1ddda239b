"""One lane of one row, as lines of styled pieces: what the ladder's forms are composed of.

A cell is a list of lines, a line a list of (style, text) pieces. Lanes are narrow, so a cell tries
the long wording first, then a shorter one, then a second line; only the last resort cuts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fourtuple.explain.model import Message
from fourtuple.explain.text import Translator
from fourtuple.render.terminal import Glyphs, Terminal
from fourtuple.render.text import clean, pad, width_of
from fourtuple.render.view import BarPhase, CallBar, KernelCell, ProgramCell, Text, WireCell

__all__ = ["Cell", "Line", "Painter", "WireColumns"]

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
#: verdicts whose shaft is drawn with another glyph
_SHAFTS = {
    "dropped": "gap",
    "duplicated": "double",
    "delayed": "dotted",
    "rewritten": "rewritten",
}
#: an arrow shorter than this says no direction at a glance
_SHORTEST_ARROW = 5


@dataclass(frozen=True, slots=True)
class WireColumns:
    """How wide the parts of the wire lane are: number, flags, first number, the other numbers."""

    number: int
    flags: int
    first: int
    rest: int

    @property
    def total(self) -> int:
        """With the shortest arrow, and a blank after each part that is there."""
        parts = (self.number, self.flags, self.first, self.rest)
        return sum(part + 1 for part in parts if part) + _SHORTEST_ARROW


@dataclass(frozen=True, slots=True)
class Painter:
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

    def lay(self, line: Line, width: int) -> str:
        """The line in exactly `width` cells, painted."""
        painted, left = "", width
        for style, text in line:
            piece = self.terminal.clip(text, left)
            painted += self.terminal.paint(style, piece)
            left -= width_of(piece)
        return painted + " " * left

    # --- programs

    def program(self, cell: ProgramCell, width: int) -> Cell:
        """The calls of a program lane: a bar for each in progress, words for what happens."""
        event = next((bar for bar in cell.bars if bar.phase != BarPhase.GOING), None)
        bars = self._bars(cell)
        if event is None:
            return [[("cyan", bars.rstrip())]] if cell.bars else []
        style = "red" if event.failed else ""
        if event.phase != BarPhase.WHOLE:
            wordings = self._wordings(event)
            return [[("cyan", bars), (style, _fitting(wordings, width - width_of(bars)))]]
        return self._whole(event, bars, style, width)

    def event(self, cell: ProgramCell, width: int) -> Line:
        """What happens in a program lane without the calls in progress: for a list."""
        event = next(bar for bar in cell.bars if bar.phase != BarPhase.GOING)
        mark = {BarPhase.BEGIN: self.glyphs.begin + " ", BarPhase.END: self.glyphs.end + " "}
        start = mark.get(event.phase, "")
        wordings = self._wordings(event)
        if event.phase == BarPhase.END:
            wordings = [f"{self.words(event.brief)} {wordings[0]}", *wordings]
        style = "red" if event.failed else ""
        return [("cyan", start), (style, _fitting(wordings, width - width_of(start)))]

    def program_width(self, cell: ProgramCell, full: bool) -> int:
        """What `program` needs for one line, with the call's arguments or in brief."""
        event = next(bar for bar in cell.bars if bar.phase != BarPhase.GOING)
        wordings = self._wordings(event)
        return width_of(self._bars(cell)) + width_of(wordings[0] if full else wordings[-1])

    def still_going(self, cell: ProgramCell) -> Line:
        """The bars of the calls that go on below this row."""
        going = [
            replace(bar, phase=BarPhase.GOING)
            for bar in cell.bars
            if bar.phase in (BarPhase.BEGIN, BarPhase.GOING)
        ]
        return [("cyan", self._bars(ProgramCell(tuple(going))))]

    def _whole(self, event: CallBar, bars: str, style: str, width: int) -> Cell:
        """A call on one line, or begun and ended on two where the lane is too narrow."""
        room = width - width_of(bars)
        wordings = self._wordings(event)
        if min(map(width_of, wordings)) <= room:
            return [[("cyan", bars), (style, _fitting(wordings, room))]]
        begin, end = self.glyphs.begin + " ", self.glyphs.end + " "
        calls = [self.words(event.full), self.words(event.brief)]
        outcome = f"{self.glyphs.to} {self.words(event.outcome)}"
        return [
            [("cyan", bars + begin), ("", _fitting(calls, room - 2))],
            [("cyan", bars + end), (style, outcome)],
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

    def _wordings(self, bar: CallBar) -> list[str]:
        """Ways to write the call, the longest first."""
        full, brief = self.words(bar.full), self.words(bar.brief)
        outcome = self.words(bar.outcome)
        if bar.phase == BarPhase.BEGIN:
            waits = [f"{full} {self.glyphs.ellipsis} {outcome}"] if outcome else []
            return [*waits, full, brief]
        answer = f"{self.glyphs.to} {outcome}"
        if bar.phase == BarPhase.END:
            return [answer]
        return [f"{full} {answer}", f"{brief} {answer}"]

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

    def wire(self, cell: WireCell, columns: WireColumns, width: int, raw: bool) -> Cell:
        """Number, flags, numbers, arrow; below it the header's own numbers where asked for."""
        shown = _numbers(cell)
        parts = [
            ("bold", str(cell.frame).rjust(columns.number)),
            ("bold", cell.flags.ljust(columns.flags)),
            ("", (shown[0] if shown else "").ljust(columns.first)),
            ("", " ".join(shown[1:]).ljust(columns.rest)),
        ]
        line = [(style, f"{text} ") for style, text in parts if text]
        room = width - sum(width_of(text) for _, text in line)
        if room < _SHORTEST_ARROW:
            line = self._squeezed(cell, columns, width - _SHORTEST_ARROW)
            room = _SHORTEST_ARROW
        cells: Cell = [[*line, (_arrow_style(cell), self.arrow(cell, room))]]
        if raw and cell.raw_seq is not None:
            cells.append([("dim", " " * (columns.number + 1) + _raw_numbers(cell))])
        return cells

    def _squeezed(self, cell: WireCell, columns: WireColumns, width: int) -> Line:
        """The same without aligned columns, cut where even that is too long."""
        parts = [str(cell.frame).rjust(columns.number), cell.flags, *_numbers(cell)]
        return [("", pad(" ".join(part for part in parts if part), width - 1, "~") + " ")]

    def arrow(self, cell: WireCell, width: int) -> str:
        """The way of a frame from left (client) to right, in exactly `width` cells."""
        drawn = self._rightward(cell, width)
        if cell.from_client:
            return drawn
        mirrored = drawn[::-1].replace(self.glyphs.right, self.glyphs.left)
        label = next((label for label in self._labels(cell) if label in drawn), "")
        return mirrored.replace(label[::-1], label) if label else mirrored

    def _rightward(self, cell: WireCell, width: int) -> str:
        begin, end, reach = self._tips(cell, width)
        length = max(reach - width_of(begin) - width_of(end), 0)
        pattern = str(getattr(self.glyphs, _SHAFTS.get(cell.verdict, "shaft")))
        shaft = pattern * (length // len(pattern))
        drawn = begin + _labelled(shaft, self._labels(cell)) + end
        return drawn + " " * (width - width_of(drawn))

    def _tips(self, cell: WireCell, width: int) -> tuple[str, str, int]:
        """(how it begins, how it ends, how far it gets)."""
        begin = self.glyphs.injected if cell.verdict == "injected" else ""
        needs = max((width_of(label) for label in self._labels(cell)[-1:]), default=0) + 6
        part = min(max(width * 2 // 3, _SHORTEST_ARROW, needs), max(width - 2, _SHORTEST_ARROW))
        if cell.verdict == "dropped":
            return begin, self.glyphs.dropped, part
        if cell.verdict == "held" or cell.phase == "leaves":
            return begin, self.glyphs.held, part
        return (self.glyphs.held if cell.phase == "arrives" else begin), self.glyphs.right, width

    def label_width(self, cells: Sequence[WireCell]) -> int:
        """The longest first label of an arrow."""
        labels = (self._labels(cell)[-1:] for cell in cells)
        return max((width_of(label) for found in labels for label in found), default=0)

    def _labels(self, cell: WireCell) -> list[str]:
        """What may be written on the arrow: everything, or only the first thing."""
        words = [self.words(label) for label in cell.labels if cell.phase != "leaves"]
        return [f" {', '.join(words)} ", f" {words[0]} "] if words else []


def _labelled(shaft: str, labels: Sequence[str]) -> str:
    """The first label that leaves enough of the shaft to see, in its middle."""
    for label in labels:
        room = len(shaft) - width_of(label)
        if room >= 4:
            before = room // 2
            return shaft[:before] + label + shaft[len(shaft) - (room - before) :]
    return shaft


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


def _fitting(wordings: Sequence[str], width: int) -> str:
    """The first that fits, else the shortest."""
    return next((w for w in wordings if width_of(w) <= width), min(wordings, key=width_of))
