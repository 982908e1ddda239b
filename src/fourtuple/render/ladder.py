"""The ladder: a View drawn for a terminal. Time runs down, the client stands left.

Five lanes (program and kernel of each end, the wire between) from 100 columns; three (client, wire,
server: the state under the call) from 70; below that a list. Where something would be cut in the
lanes that there are, there are fewer. Lanes are as wide as their contents ask for, the wire gets
what is left. No line is wider than the terminal.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

import msgspec

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.render.cells import CallForm, Cell, Line, Painter, WireColumns
from fourtuple.render.numbers import duration, milliseconds
from fourtuple.render.terminal import Terminal
from fourtuple.render.text import width_of, wrap
from fourtuple.render.view import BarPhase, KernelCell, ProgramCell, Row, RowKind, View

__all__ = ["FIVE_LANES", "THREE_LANES", "ladder"]

#: columns from which there are five lanes, and three
FIVE_LANES, THREE_LANES = 100, 70
#: the longest state's name, and the same beside the bar of a call in progress
_STATE_WIDTH, _BARRED_STATE_WIDTH = 11, 13
#: an end is no wider than the first before the wire has a good arrow, and never than the second
_BRIEF_END, _MOST_END = 20, 40
#: what is added to an arrow before calls get room for their arguments: with five lanes, with three
_GOOD_ARROW, _FAIR_ARROW = 14, 6

_CLIENT, _SERVER = N_("client"), N_("server")
_PROGRAM, _KERNEL, _WIRE = N_("program"), N_("kernel"), N_("wire")


class _Lane(msgspec.Struct, frozen=True):
    """A lane's place: its head (two lines), its cells' width without the blanks around them."""

    head: tuple[str, str]
    width: int


def ladder(
    view: View, terminal: Terminal, translator: Translator, *, raw: bool = False
) -> list[str]:
    """The picture's lines. `raw` adds the numbers as they are in the headers."""
    drawer = _Drawer(view, Painter(terminal, translator), raw)
    if view.programs and terminal.width >= FIVE_LANES and drawer.fits(five=True):
        return drawer.lanes(five=True)
    if terminal.width >= THREE_LANES and drawer.fits(five=False):
        return drawer.lanes(five=False)
    return drawer.listing()


class _Drawer:
    def __init__(self, view: View, painter: Painter, raw: bool) -> None:
        self.view = view
        self.painter = painter
        self.raw = raw
        self.width = painter.terminal.width
        self.ends = [[row.client_program for row in view.rows],
                     [row.server_program for row in view.rows]]  # fmt: skip
        self.wires = [row.wire for row in view.rows if row.wire is not None]
        #: how much is said of the calls of each end: known once the lanes have their widths
        self.forms = [CallForm.FULL, CallForm.FULL]
        self.columns: WireColumns = painter.wire_columns(self.wires)
        self.time_width = max(
            [2, *(len(milliseconds(row.t_ns)) for row in view.rows if row.kind == RowKind.MOMENT)]
        )

    def fits(self, five: bool) -> bool:
        """Whether there is a way to cut nothing."""
        wire = self.columns.total if five else self.painter.wire_least(self.wires, self.columns)
        return sum(self._narrowest(five)) + wire <= self._room(five)

    def lanes(self, five: bool) -> list[str]:
        lanes = self._five() if five else self._three()
        ends = (lanes[0].width, lanes[-1].width)
        self.forms = [self._form(c, width) for c, width in zip(self.ends, ends, strict=True)]
        body = [line for row in self.view.rows for line in self._row(row, lanes, five)]
        return [*self._heads(lanes), self._rule(lanes, top=True), *body, self._rule(lanes)]

    # --- where the lanes stand

    def _five(self) -> list[_Lane]:
        words = self.painter.words
        client, server, wire = self._shares(five=True)
        kernel = self._kernel_width()
        head = {name: words(Message(name)) for name in (_CLIENT, _SERVER, _PROGRAM, _KERNEL)}
        return [
            _Lane((head[_CLIENT], head[_PROGRAM]), client),
            _Lane((head[_CLIENT], head[_KERNEL]), kernel),
            _Lane(("", words(Message(_WIRE))), wire),
            _Lane((head[_SERVER], head[_KERNEL]), kernel),
            _Lane((head[_SERVER], head[_PROGRAM]), server),
        ]

    def _three(self) -> list[_Lane]:
        words = self.painter.words
        client, server, wire = self._shares(five=False)
        return [
            _Lane((words(Message(_CLIENT)), ""), client),
            _Lane((words(Message(_WIRE)), ""), wire),
            _Lane((words(Message(_SERVER)), ""), server),
        ]

    def _kernel_width(self) -> int:
        return max(_STATE_WIDTH, width_of(self.painter.words(Message(_KERNEL))))

    def _room(self, five: bool) -> int:
        """What the ends and the wire share: all but time, bars, blanks and the kernels' lanes."""
        lanes = 5 if five else 3
        return self.width - self.time_width - lanes * 3 - five * 2 * self._kernel_width()

    def _narrowest(self, five: bool) -> list[int]:
        """How wide the two ends must be lest their calls are cut."""
        least = _STATE_WIDTH if five else _BARRED_STATE_WIDTH
        return [max(least, self._least(cells, CallForm.BARE)) for cells in self.ends]

    def _shares(self, five: bool) -> tuple[int, int, int]:
        """(client, server, wire). In this order of need: ends that cut nothing, a wire that shows
        its numbers, calls in brief, a good arrow, calls with their arguments."""
        room, ends = self._room(five), self._narrowest(five)
        arrow = max(_GOOD_ARROW if five else _FAIR_ARROW, self.painter.label_width(self.wires))
        wire = max(room - 2 * _MOST_END, min(self.columns.total, room - sum(ends)))

        def spare() -> int:
            return room - wire - sum(ends)

        def widen(wishes: Sequence[int], most: int) -> None:
            for index, asked in enumerate(wishes):
                ends[index] += max(0, min(min(asked, most) - ends[index], spare()))

        def widen_wholly(wishes: Sequence[int], most: int) -> None:
            for index, asked in enumerate(wishes):
                if ends[index] < asked <= min(most, ends[index] + spare()):
                    ends[index] = asked

        # a lane writes all its calls in one form: nearly enough room for the longer is of no use
        widen_wholly([self._least(cells, CallForm.BRIEF) for cells in self.ends], _MOST_END)
        widen([self._asks(cells, CallForm.BRIEF) for cells in self.ends], _BRIEF_END)
        wire += min(arrow, spare())
        widen_wholly([self._asks(cells, CallForm.FULL) for cells in self.ends], _MOST_END)
        return ends[0], ends[1], wire + min(arrow, spare())

    def _asks(self, cells: Iterable[ProgramCell], form: CallForm) -> int:
        """The width in which every call of a lane fits on a line."""
        return max((self.painter.program_asks(cell, form) for cell in cells), default=0)

    def _least(self, cells: Iterable[ProgramCell], form: CallForm) -> int:
        """The width in which no call of a lane is cut."""
        return max((self.painter.program_least(cell, form) for cell in cells), default=0)

    def _form(self, cells: Sequence[ProgramCell], width: int) -> CallForm:
        """The longest form in which all calls of a lane of this width can be written."""
        if self._asks(cells, CallForm.FULL) <= width:
            return CallForm.FULL
        brief = self._least(cells, CallForm.BRIEF) <= width
        return CallForm.BRIEF if brief else CallForm.BARE

    # --- lines

    def _heads(self, lanes: Sequence[_Lane]) -> Iterator[str]:
        unit = "ms".rjust(self.time_width)
        for level in (0, 1):
            heads = [lane.head[level] for lane in lanes]
            if not any(heads):
                continue
            last = level == 1 or not any(lane.head[1] for lane in lanes)
            time = unit if last else " " * self.time_width
            cells = [
                self.painter.lay([("bold", head)], lane.width)
                for head, lane in zip(heads, lanes, strict=True)
            ]
            yield (self.painter.terminal.paint("dim", time) + "   " + "   ".join(cells)).rstrip()

    def _rule(self, lanes: Sequence[_Lane], *, top: bool = False) -> str:
        glyphs = self.painter.glyphs
        joint = glyphs.tee if top else glyphs.foot
        spans = [self.time_width + 1, *(lane.width + 2 for lane in lanes)]
        spans[-1] -= 1
        line = joint.join(glyphs.rule * span for span in spans)
        return self.painter.terminal.paint("dim", line)

    def _row(self, row: Row, lanes: Sequence[_Lane], five: bool) -> Iterator[str]:
        """The row's lines: as many as its fullest lane needs."""
        widths = [lane.width for lane in lanes]
        if not five:
            cells = self._three_cells(row, widths)
        elif row.kind == RowKind.NOTE:
            # a sentence runs on over the server's kernel lane, in which nothing happens then
            widths[2:4] = [widths[2] + 3 + widths[3]]
            cells = self._five_cells(row, widths)
            del cells[3]
        else:
            cells = self._five_cells(row, widths)
        time = self._time(row).rjust(self.time_width)
        for line in zip_longest(*cells, fillvalue=[]):
            yield self._join(time, line, widths)
            time = " " * self.time_width

    def _join(self, time: str, line: Sequence[Line], widths: Sequence[int]) -> str:
        paint, bar = self.painter.terminal.paint, self.painter.glyphs.bar
        laid = [self.painter.lay(cell, width) for cell, width in zip(line, widths, strict=True)]
        joint = f" {paint('dim', bar)} "
        return (paint("dim", time) + joint + joint.join(laid)).rstrip()

    def _five_cells(self, row: Row, widths: Sequence[int]) -> list[Cell]:
        painter = self.painter
        return [
            painter.program(row.client_program, widths[0], self.forms[0]),
            painter.kernel(row.client_kernel),
            self._middle(row, widths[2]),
            painter.kernel(row.server_kernel),
            painter.program(row.server_program, widths[-1], self.forms[1]),
        ]

    def _three_cells(self, row: Row, widths: Sequence[int]) -> list[Cell]:
        return [
            self._end(row.client_program, row.client_kernel, widths[0], self.forms[0]),
            self._middle(row, widths[1]),
            self._end(row.server_program, row.server_kernel, widths[2], self.forms[1]),
        ]

    def _end(self, program: ProgramCell, kernel: KernelCell, width: int, form: CallForm) -> Cell:
        """Call and state of one end in one lane: the state under the call."""
        calls, states = self.painter.program(program, width, form), self.painter.kernel(kernel)
        happens = any(bar.phase != BarPhase.GOING for bar in program.bars)
        if not calls:
            return states
        if not kernel.changed:
            return calls
        bars = self.painter.still_going(program)
        state: Line = [*bars, *states[0]]
        return [*calls, state] if happens else [state]

    def _middle(self, row: Row, width: int) -> Cell:
        """The wire's lane: a frame, or the words that stand between two."""
        if row.wire is not None:
            return self.painter.wire(row.wire, self.columns, width, self.raw)
        text = self._between(row)
        return [[("dim", line)] for line in wrap(text, width)] if text else []

    def _between(self, row: Row) -> str:
        dots = self.painter.glyphs.ellipsis
        if row.kind == RowKind.SILENCE:
            return f"{dots} {duration(row.t_ns)} {dots}"
        if row.kind == RowKind.ELIDED:
            left_out = Message(
                "{count} row left out", {"count": row.count}, "{count} rows left out",
                row.count,
            )  # fmt: skip
            return f"{dots} {self.painter.words(left_out)} {dots}"
        return self.painter.words(row.note) if row.note is not None else ""

    def _time(self, row: Row) -> str:
        if row.kind == RowKind.MOMENT:
            return milliseconds(row.t_ns)
        return "" if row.kind == RowKind.NOTE else self.painter.glyphs.ellipsis[: self.time_width]

    # --- the list

    def listing(self) -> list[str]:
        """One thing a line: for terminals too narrow for lanes."""
        found = [*wrap(self.painter.legend(), self.width), ""] if self.wires else []
        for row in self.view.rows:
            time = self._time(row) if row.kind == RowKind.MOMENT else ""
            time = time.rjust(self.time_width)
            for line in self._things(row, self.width - self.time_width - 2):
                head = self.painter.terminal.paint("dim", time)
                body = self.painter.lay(line, self.width - self.time_width - 2)
                found.append(f"{head}  {body}".rstrip())
                time = " " * self.time_width
        return found

    def _things(self, row: Row, width: int) -> Iterator[Line]:
        ends = (
            (_CLIENT, row.client_program, row.client_kernel),
            (_SERVER, row.server_program, row.server_kernel),
        )
        for name, program, _ in ends:
            if any(bar.phase != BarPhase.GOING for bar in program.bars):
                yield from self._named(name, self.painter.event(program, width - 9))
        yield from self._middle(row, width)
        for name, _, kernel in ends:
            if kernel.changed:
                yield from self._named(name, self.painter.kernel(kernel))

    def _named(self, name: str, cell: Cell) -> Iterator[Line]:
        who = self.painter.words(Message(name))
        for line in cell:
            yield [("bold", self.painter.terminal.pad(who, 8) + " "), *line]
            who = ""
