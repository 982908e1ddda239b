"""`fourtuple read`: a capture or a recording, explained."""

from typing import TYPE_CHECKING, Annotated

import typer

from fourtuple.cli.options import Json, Lang, NoColor, Raw, Width, number
from fourtuple.cli.output import terminal_for, translator_for, write
from fourtuple.errors import CaptureDamaged, UsageError
from fourtuple.explain.text import N_, Translator
from fourtuple.render.terminal import Terminal

if TYPE_CHECKING:
    from fourtuple.event.timeline import Timeline

__all__ = ["READ_HELP", "read"]

READ_HELP = N_("""Explain a capture: the connections in it, each segment, and what went wrong.

One connection is told in full; several are listed, and --connection N tells one. A file that is
damaged is explained as far as it can be read; the exit status is then 2.

Examples:

    fourtuple read capture.pcapng --connection 3

    fourtuple read capture.pcapng --frame 12

    fourtuple read client.pcap.gz server.pcap.gz

    tcpdump -i eth0 -w - port 80 | fourtuple read - --json""")


def read(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help=N_(
                "Captures (pcap, pcapng, also as .gz or .zst) or a recording; - is standard input. "
                "Several are one capture, in order of time."
            ),
        ),
    ],
    connection: Annotated[
        str | None, typer.Option(metavar="N", help=N_("Tell connection N in full (from 0)."))
    ] = None,
    frame: Annotated[
        str | None,
        typer.Option(metavar="N", help=N_("Show every field and bit of frame N (from 1).")),
    ] = None,
    frames: Annotated[bool, typer.Option("--frames", help=N_("List every frame."))] = False,
    json: Json = False,
    raw: Raw = False,
    width: Width = None,
    lang: Lang = "",
    no_color: NoColor = False,
) -> None:
    """Explain a capture or a recording."""
    terminal, translator = terminal_for(width, no_color), translator_for(lang)
    chosen = None if connection is None else number("--connection", connection)
    shown = None if frame is None else number("--frame", frame)
    if "" in files:
        raise UsageError(N_("The name of the file is empty; - is standard input."))
    timeline, damage = _load(files)
    if json:
        write(_machine_text(timeline, translator, files, chosen, shown, frames))
    else:
        write(_human_text(timeline, translator, terminal, chosen, shown, frames, raw))
    if damage is not None:
        raise damage


def _load(files: list[str]) -> "tuple[Timeline, CaptureDamaged | None]":
    """What could be read, and what is wrong with the rest."""
    from fourtuple.source import read as read_capture

    try:
        return read_capture([*files]), None
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
