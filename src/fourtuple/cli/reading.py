"""What `fourtuple read` does, once its command line is understood: `Asked` says what for.

A capture of few frames, and every recording, is read whole; a larger one is surveyed (cli.large).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fourtuple.cli.output import terminal_for, translator_for, write
from fourtuple.cli.values import number
from fourtuple.errors import CaptureDamaged, UsageError
from fourtuple.explain.text import N_, Translator
from fourtuple.render.terminal import Terminal

if TYPE_CHECKING:
    from fourtuple.event.timeline import Timeline
    from fourtuple.source.blocks import Capture

__all__ = ["Asked", "read_captures"]

#: up to so many frames are read whole: loading what is compiled would take longer
_FEW_FRAMES = 20_000
#: a file with more bytes than this is not counted first
_SURELY_LARGE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for."""

    files: list[str]
    json: bool = False
    connection: int | None = None
    frame: int | None = None
    frames: bool = False
    raw: bool = False


def read_captures(
    files: list[str],
    connection: str | None = None,
    frame: str | None = None,
    frames: bool = False,
    json: bool = False,
    raw: bool = False,
    width: str | None = None,
    lang: str = "",
    no_color: bool = False,
) -> None:
    """Explain captures or a recording; the parameters are the command's, as they were written."""
    terminal, translator = terminal_for(width, no_color), translator_for(lang)
    chosen = None if connection is None else number("--connection", connection)
    shown = None if frame is None else number("--frame", frame)
    if "" in files:
        raise UsageError(N_("The name of the file is empty; - is standard input."))
    from fourtuple.source.blocks import Capture

    asked = Asked(files, json, chosen, shown, frames, raw)
    with Capture.of([*files]) as capture:
        tell = _tell_large if _is_large(capture) else _tell_whole
        damage = tell(capture, asked, translator, terminal)
    if damage is not None:
        raise damage


def _is_large(capture: "Capture") -> bool:
    """Whether the capture has more than a few frames; no recording has too many."""
    if capture.is_recording():
        return False
    return capture.exceeds(_FEW_FRAMES, _SURELY_LARGE)


def _tell_large(
    capture: "Capture", asked: Asked, translator: Translator, terminal: Terminal
) -> "CaptureDamaged | None":
    """A capture that is surveyed, never all in memory."""
    from fourtuple.cli import large

    overview = large.surveyed(capture, translator)
    _require_connection(asked.connection, len(overview))
    _require_frame(asked.frame, overview.frames)
    if asked.json:
        large.tell_machine(overview, asked, translator)
    else:
        large.tell_people(overview, asked, translator, terminal)
    return overview.damage


def _tell_whole(
    capture: "Capture", asked: Asked, translator: Translator, terminal: Terminal
) -> "CaptureDamaged | None":
    """A capture that is read whole."""
    timeline, damage = _load(capture)
    ways = (asked.connection, asked.frame, asked.frames)
    if asked.json:
        write(_machine_text(timeline, translator, asked.files, *ways))
    else:
        write(_human_text(timeline, translator, terminal, *ways, asked.raw))
    return damage


def _load(capture: "Capture") -> "tuple[Timeline, CaptureDamaged | None]":
    """What could be read, and what is wrong with the rest."""
    from fourtuple.source.capture import whole

    try:
        return whole(capture), None
    except CaptureDamaged as error:
        if error.timeline is None:
            raise
        return error.timeline, error


def _machine_text(
    timeline: "Timeline",
    translator: Translator,
    files: list[str],
    connection: int | None,
    frame: int | None,
    frames: bool,
) -> str:
    from fourtuple.analyze import connections
    from fourtuple.explain.catalog import findings
    from fourtuple.render.jsonout import connection_objects, frame_objects, json_lines

    found = connections(timeline)
    _require_connection(connection, len(found))
    if frames or frame is not None:
        _require_frame(frame, len(timeline.frames))
        chosen = (
            item
            for item in frame_objects(timeline, found)
            if frame in (None, item["frame"]) and connection in (None, item["connection"])
        )
        return json_lines(chosen)
    told = [item for item in found if connection in (None, item.index)]
    return json_lines(
        connection_objects(timeline, told, findings(timeline, told), translator, files)
    )


def _human_text(
    timeline: "Timeline",
    translator: Translator,
    terminal: Terminal,
    connection: int | None,
    frame: int | None,
    frames: bool,
    raw: bool,
) -> str:
    from fourtuple.analyze import connections
    from fourtuple.render.framelist import frame_list
    from fourtuple.render.header import frame_report
    from fourtuple.render.summary import report

    found = connections(timeline)
    _require_connection(connection, len(found))
    if frame is not None:
        _require_frame(frame, len(timeline.frames))
        return frame_report(timeline, found, frame, translator, terminal)
    if frames:
        return frame_list(timeline, found, translator, terminal, connection=connection, raw=raw)
    return report(timeline, translator, terminal, connections=found, connection=connection, raw=raw)


def _require_connection(index: int | None, count: int) -> None:
    if index is not None and not 0 <= index < count:
        text = N_("There is no connection {number}: the capture has {count}, counted from 0.")
        raise UsageError(text, {"number": index, "count": count})


def _require_frame(frame: int | None, count: int) -> None:
    if frame is not None and not 1 <= frame <= count:
        text = N_("There is no frame {number}: the capture has {count}, counted from 1.")
        raise UsageError(text, {"number": frame, "count": count})
