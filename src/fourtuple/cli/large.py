"""`fourtuple read` for captures of more than some ten thousand frames: surveyed, never all in
memory (explain.overview)."""

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from fourtuple.cli.output import write
from fourtuple.cli.progress import ProgressLine
from fourtuple.errors import UsageError
from fourtuple.explain.model import Message
from fourtuple.explain.overview import Overview
from fourtuple.explain.text import N_, Translator
from fourtuple.render.terminal import Terminal
from fourtuple.source.blocks import Capture

if TYPE_CHECKING:
    from fourtuple.cli.reading import Asked

__all__ = ["surveyed", "tell_machine", "tell_people"]

TOO_MANY = N_(
    "The capture has {count} frames, too many to list for reading: --connection N lists those of "
    "one connection, --frames --json all."
)
SHORTENED = N_(
    "Connection {index} has {count} frames: this tells of the first and the last of them, "
    "{shown} in all. Numbers and states in between are not followed."
)


def surveyed(capture: Capture, translator: Translator) -> Overview:
    """The first pass, with a word on standard error where it takes its time."""
    progress = ProgressLine(translator)
    capture.progress = progress
    try:
        return Overview.of(capture, _announcer(translator))
    finally:
        progress.clear()
        capture.progress = None


def _announcer(translator: Translator) -> Callable[[str, Mapping[str, object]], None]:
    def announce(text: str, params: Mapping[str, object]) -> None:
        print(f"fourtuple: {translator.text(Message(text, params))}", file=sys.stderr)

    return announce


def tell_machine(overview: Overview, asked: "Asked", translator: Translator) -> None:
    """Print JSON Lines, some thousand at a time."""
    from fourtuple.render.lines import connection_line, connection_lines, frame_lines

    if asked.frames or asked.frame is not None:
        for text in frame_lines(overview, asked.connection, asked.frame):
            write(text)
    elif asked.connection is not None:
        write(connection_line(overview, asked.connection, translator, asked.files))
    else:
        for text in connection_lines(overview, translator, asked.files):
            write(text)


def tell_people(
    overview: Overview, asked: "Asked", translator: Translator, terminal: Terminal
) -> None:
    """Print the summary, or one connection or frame in full."""
    if asked.frame is not None:
        write(_frame(overview, asked.frame, translator, terminal))
    elif asked.connection is not None:
        write(_connection(overview, asked, translator, terminal))
    elif asked.frames:
        raise UsageError(TOO_MANY, {"count": overview.frames})
    else:
        from fourtuple.render.overview import survey_report

        write(survey_report(overview, translator, terminal))


def _frame(overview: Overview, frame: int, translator: Translator, terminal: Terminal) -> str:
    from fourtuple.render.header import frame_report

    timeline, told = overview.around(frame)
    return frame_report(timeline, told, frame, translator, terminal)


def _connection(
    overview: Overview, asked: "Asked", translator: Translator, terminal: Terminal
) -> str:
    from fourtuple.render.framelist import frame_list
    from fourtuple.render.summary import report

    index = asked.connection or 0
    detail = overview.detail(index)
    timeline, found = detail.timeline, detail.connections[index]
    if asked.frames:
        text = frame_list(timeline, [found], translator, terminal, connection=index, raw=asked.raw)
    else:
        text = report(
            timeline, translator, terminal, connections=[found], connection=0, raw=asked.raw
        )
    if index not in detail.shortened:
        return text
    note = {"index": index, "count": overview.packets(index), "shown": len(found.frames)}
    return f"{text}\n{translator.text(Message(SHORTENED, note))}\n"
