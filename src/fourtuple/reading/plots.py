"""One connection over time, drawn: what was sent, what was on its way, how long it took.

Three panels on one clock: sequence numbers (each segment as a stroke, what came again in another
colour, and what the peer had acknowledged), bytes in flight below the window that the peer had
offered, and the round trip of each segment that was sent once. The end that sent more is the one
whose data are followed. matplotlib draws, without a display; it is imported here when asked for.
"""

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fourtuple.analyze.choice import Choice
from fourtuple.analyze.model import SegmentFact
from fourtuple.analyze.survey.seen import FrameColumns, notes_of
from fourtuple.errors import FourtupleError, UsageError
from fourtuple.event.model import Endpoint
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.reading.extras import extra
from fourtuple.reading.large import Large
from fourtuple.reading.parquet import NOT_WRITTEN
from fourtuple.reading.whole import Whole

__all__ = ["Course", "Step", "course_of", "steps_of", "write_plot"]

_FORMATS = (".png", ".svg", ".pdf")
_INCHES = (11, 9)
_DOTS = 120
#: fonts with Chinese characters, of the usual systems
_CHINESE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "PingFang SC",
    "Microsoft YaHei",
    "SimHei",
)
_AGAIN = ("retransmission", "fast_retransmission", "spurious_retransmission", "resent")

NO_FORMAT = N_("--plot writes .png, .svg and .pdf; {path} ends in none of them.")
NO_SEGMENTS = N_("Connection {index} has no TCP segments: there is nothing to draw.")

Int64s = npt.NDArray[np.int64]
Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Course:
    """What is drawn of the data of one end; times are seconds after the first segment.

    sent, again    (time, first byte, byte after the last) of each data segment; of those that
                   came again
    acked          (time, byte) the peer's acknowledgments
    flight, window (time, bytes) not acknowledged yet; most that the peer would take
    trips          (time, seconds) from a segment to what acknowledged it
    """

    from_client: bool
    sent: list[tuple[float, int, int]]
    again: list[tuple[float, int, int]]
    acked: Points
    flight: Points
    window: Points
    trips: Points


@dataclass(frozen=True, slots=True)
class Step:
    """What a segment does to the course. `end` is the number after it, `ack` -1 for none."""

    t_ns: int
    from_client: bool
    seq: int
    end: int
    length: int
    ack: int
    window: int
    again: bool


def steps_of(reading: Whole | Large, index: int) -> list[Step]:
    """A connection's segments; empty for UDP. Of a surveyed capture these are all of them too."""
    if isinstance(reading, Whole):
        return [_step(segment) for segment in reading.every[index].segments]
    found: list[Step] = []
    for block, told, kept in reading.choosing(Choice(indices=(index,))).packets():
        found += _steps(block.t_ns, told, np.flatnonzero(kept & told.tcp))
    return found


def _step(segment: SegmentFact) -> Step:
    return Step(
        segment.t_ns,
        segment.from_client,
        segment.seq,
        segment.next_seq,
        segment.length,
        -1 if segment.ack is None else segment.ack,
        segment.window,
        any(note in _AGAIN for note in segment.notes),
    )


def _steps(t_ns: Int64s, told: FrameColumns, rows: Int64s) -> Iterator[Step]:
    ends = told.seq + told.length + (told.flags >> 1 & 1) + (told.flags & 1)
    acks = np.where(told.has_ack, told.ack, -1)
    columns = (t_ns, told.from_client, told.seq, ends, told.length, acks, told.window, told.words)
    listed = [column[rows].tolist() for column in columns]
    for at_ns, ours, seq, end, length, ack, window, words in zip(*listed, strict=True):
        again = any(note in _AGAIN for note in notes_of(words))
        yield Step(at_ns, ours, seq, end, length, ack, window, again)


def course_of(steps: Sequence[Step]) -> Course:
    """The course of the end that sent more data."""
    sent = [sum(one.length for one in steps if one.from_client is whose) for whose in (True, False)]
    course = Course(sent[0] >= sent[1], [], [], [], [], [], [])
    highest, acked = 0, 0
    waiting: deque[tuple[int, int]] = deque()
    for step in steps:
        at = (step.t_ns - steps[0].t_ns) / 1e9
        if step.from_client is course.from_client:
            if step.length:
                (course.again if step.again else course.sent).append((at, step.seq, step.end))
                _wait(waiting, step)
            highest = max(highest, step.end)
        elif step.ack >= 0:
            acked = max(acked, step.ack)
            course.acked.append((at, acked))
            course.window.append((at, step.window))
            sent_ns = _answered(waiting, acked)
            if sent_ns is not None:
                course.trips.append((at, (step.t_ns - sent_ns) / 1e9))
        course.flight.append((at, max(0, highest - acked)))
    return course


def _wait(waiting: deque[tuple[int, int]], step: Step) -> None:
    """Note a segment whose acknowledgment will tell of a round trip. One that came twice tells of
    none (RFC 6298, section 3), nor do those behind it: they are acknowledged when it is."""
    if not step.again:
        waiting.append((step.end, step.t_ns))
        return
    while waiting and waiting[-1][0] > step.seq:
        waiting.pop()


def _answered(waiting: deque[tuple[int, int]], acked: int) -> int | None:
    """When the last segment was sent that is acknowledged now."""
    sent_ns = None
    while waiting and waiting[0][0] <= acked:
        sent_ns = waiting.popleft()[1]
    return sent_ns


def write_plot(reading: Whole | Large, index: int, path: str) -> None:
    """Draw connection `index` into a file, whose name's ending tells the format.

    CapabilityMissing without matplotlib, UsageError where there is nothing to draw or the ending is
    another, FourtupleError where the file cannot be written.
    """
    if os.path.splitext(path)[1].lower() not in _FORMATS:
        raise UsageError(NO_FORMAT, {"path": repr(path)})
    figures = extra("matplotlib.figure", "plots", "--plot")
    extra("matplotlib.backends.backend_agg", "plots", "--plot")
    steps = steps_of(reading, index)
    if not steps:
        raise UsageError(NO_SEGMENTS, {"index": index})
    translator, fonts = _language(reading.translator)
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "fourtuple", **fonts}):
        figure = figures.Figure(figsize=_INCHES, layout="constrained")
        _Drawing(figure, translator).draw(course_of(steps), reading.ends(index))
        try:
            figure.savefig(path, dpi=_DOTS)
        except OSError as error:
            reason = error.strerror or str(error)
            raise FourtupleError(NOT_WRITTEN, {"path": path, "reason": reason}) from None


def _language(translator: Translator) -> tuple[Translator, Mapping[str, Sequence[str]]]:
    """The translator, and a font that can write its language; English where there is none."""
    if translator.language == "en":
        return translator, {}
    manager = extra("matplotlib.font_manager", "plots", "--plot").fontManager
    known = {font.name for font in manager.ttflist}
    font = next((name for name in _CHINESE_FONTS if name in known), None)
    if font is None:
        return Translator("en"), {}
    return translator, {"font.family": [font, "sans-serif"]}


class _Drawing:
    def __init__(self, figure: Any, translator: Translator) -> None:
        self.figure, self.translator = figure, translator

    def say(self, text: str) -> str:
        return self.translator.text(Message(text))

    def draw(self, course: Course, ends: tuple[Endpoint, Endpoint]) -> None:
        above, middle, below = self.figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 2))
        source, target = ends if course.from_client else ends[::-1]
        self.figure.suptitle(f"{source} \u2192 {target}")
        self._sequence(above, course)
        self._flight(middle, course)
        self._trips(below, course)
        below.set_xlabel(self.say(N_("seconds after the first segment")))
        for axes in (above, middle, below):
            axes.grid(alpha=0.3)
            axes.margins(x=0.02)
            if axes.get_legend_handles_labels()[0]:
                axes.legend(loc="best", fontsize="small")

    def _sequence(self, axes: Any, course: Course) -> None:
        self._line(axes, course.acked, N_("acknowledged"), "tab:green")
        for name, strokes, colour in (
            (N_("data"), course.sent, "tab:blue"),
            (N_("sent again"), course.again, "tab:red"),
        ):
            if strokes:
                times, begins, ends = zip(*strokes, strict=True)
                axes.vlines(times, begins, ends, color=colour, label=self.say(name), linewidth=2)
        axes.set_ylabel(self.say(N_("relative sequence number")))

    def _flight(self, axes: Any, course: Course) -> None:
        self._line(axes, course.flight, N_("bytes in flight"), "tab:blue")
        self._line(axes, course.window, N_("window of the receiver"), "tab:orange")
        axes.set_ylabel(self.say(N_("number of bytes")))
        axes.set_ylim(bottom=0)

    def _line(self, axes: Any, points: Points, name: str, colour: str) -> None:
        if points:
            axes.step(*zip(*points, strict=True), where="post", color=colour, label=self.say(name))

    def _trips(self, axes: Any, course: Course) -> None:
        if course.trips:
            times, trips = zip(*course.trips, strict=True)
            axes.plot(times, [trip * 1000 for trip in trips], ".", color="tab:purple")
        axes.set_ylabel(self.say(N_("round trip, ms")))
        axes.set_ylim(bottom=0)
