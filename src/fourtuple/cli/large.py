"""`fourtuple read` for people, of a capture that was surveyed: it is never all in memory."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fourtuple.errors import UsageError
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.reading.large import Large
from fourtuple.render.blocks import Blocks
from fourtuple.render.cells import Painter
from fourtuple.render.leftover import leftover
from fourtuple.render.overview import MOST_LISTED, Measures, summary
from fourtuple.render.sums import Sums
from fourtuple.render.terminal import Terminal

if TYPE_CHECKING:
    from fourtuple.cli.asked import Asked

__all__ = ["told"]

TOO_MANY = N_(
    "The capture has {count} frames, too many to list for reading: --connection N lists those of "
    "one connection, --frames --json all."
)
SHORTENED = N_(
    "Connection {index} has {count} frames: this tells of the first and the last of them, "
    "{shown} in all. Numbers and states in between are not followed."
)


def told(reading: Large, asked: "Asked", terminal: Terminal) -> str:
    """The summary, a table, or one connection or frame in full."""
    if asked.frame is not None:
        return _frame(reading, asked.frame, terminal)
    index = reading.only()
    if index is not None:
        return _connection(reading, index, asked, terminal)
    if asked.frames:
        raise UsageError(TOO_MANY, {"count": reading.frames})
    blocks = _many(reading, terminal)
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _many(reading: Large, terminal: Terminal) -> Iterator[list[str]]:
    overview, painter = reading.overview, Painter(terminal, reading.translator)
    measures = Measures(overview.names, overview.frames, len(overview))
    if reading.count() > MOST_LISTED:
        yield from summary(Sums.surveyed(overview), measures, painter)
    else:
        from fourtuple.render.summary import listing

        connections, findings = reading.listed()
        yield from listing(connections, findings, measures, painter, reading.tunnels())
    survey = overview.found.survey
    yield Blocks(painter).bullets(leftover(survey.unknown_links, survey.problems, overview.frames))


def _frame(reading: Large, frame: int, terminal: Terminal) -> str:
    from fourtuple.render.header import frame_report

    timeline, connections = reading.overview.around(frame)
    return frame_report(timeline, connections, frame, reading.translator, terminal)


def _connection(reading: Large, index: int, asked: "Asked", terminal: Terminal) -> str:
    from fourtuple.render.framelist import frame_list
    from fourtuple.render.summary import report

    translator = reading.translator
    timeline, found, complete = reading.detail(index)
    if asked.frames:
        times = timeline.frames.t_ns
        numbers = frozenset(
            number
            for number in found.frames
            if reading.choice.covers(int(times[timeline.frames.row(number)]))
        )
        text = frame_list(timeline, [found], translator, terminal, numbers=numbers, raw=asked.raw)
    else:
        text = report(
            timeline, translator, terminal, connections=[found], every=len(reading), raw=asked.raw
        )
    if complete:
        return text
    count = {"count": reading.overview.packets(index), "shown": len(found.frames)}
    return f"{text}\n{translator.text(Message(SHORTENED, {'index': index} | count))}\n"
