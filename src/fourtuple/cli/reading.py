"""What `fourtuple read` does, once its command line is understood.

A capture of few frames, and every recording, is read whole; a larger one is surveyed
(reading.opened). What is asked of it and what is printed is the same.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from fourtuple.cli.asked import Asked
from fourtuple.cli.output import terminal_for, translator_for, write
from fourtuple.cli.progress import ProgressLine
from fourtuple.errors import UsageError
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.render.terminal import Terminal

if TYPE_CHECKING:
    from fourtuple.reading import Large, Whole

__all__ = ["read_captures"]

NOT_DRAWN = N_("--plot draws one connection, and {count} are asked for: --connection N chooses it.")


def read_captures(
    files: list[str],
    connection: str | None = None,
    frame: str | None = None,
    frames: bool = False,
    host: str | None = None,
    port: str | None = None,
    since: str | None = None,
    until: str | None = None,
    findings: str | None = None,
    json: bool = False,
    csv: bool = False,
    parquet: str | None = None,
    plot: str | None = None,
    raw: bool = False,
    width: str | None = None,
    lang: str = "",
    no_color: bool = False,
) -> None:
    """Explain captures or a recording; the parameters are the command's, as they were written."""
    terminal, translator = terminal_for(width, no_color), translator_for(lang)
    asked = Asked.of(
        files,
        connection=connection,
        frame=frame,
        frames=frames,
        host=host,
        port=port,
        since=since,
        until=until,
        findings=findings,
        json=json,
        csv=csv,
        parquet=parquet,
        plot=plot,
        raw=raw,
    )
    from fourtuple.reading.opening import opened
    from fourtuple.source.blocks import Capture

    progress = ProgressLine(translator)
    with Capture.of([*files], progress) as capture:
        try:
            reading = opened(capture, translator, files, _announcer(translator))
            _require(asked.connection, asked.frame, reading)
            reading = _chosen(reading, asked)
            _tell(reading, asked, terminal, progress)
        finally:
            progress.clear()
    if reading.damage is not None:
        raise reading.damage


def _announcer(translator: Translator) -> Callable[[str, Mapping[str, object]], None]:
    def announce(text: str, params: Mapping[str, object]) -> None:
        print(f"fourtuple: {translator.text(Message(text, params))}", file=sys.stderr)

    return announce


def _chosen(reading: "Whole | Large", asked: Asked) -> "Whole | Large":
    if not asked.chooses:
        return reading
    relative = any(moment and moment.after_first for moment in (asked.since, asked.until))
    choice = asked.choice(reading.begin_ns if relative else None)
    chosen = reading.choosing(choice)
    if not asked.codes:
        return chosen
    return reading.choosing(replace(choice, indices=chosen.with_findings(asked.codes)))


def _tell(
    reading: "Whole | Large", asked: Asked, terminal: Terminal, progress: ProgressLine
) -> None:
    texts: Iterator[str] | Iterator[bytes]
    if reading.surveyed:
        from fourtuple.cli.memory import keep_memory

        keep_memory()
    if asked.parquet is not None:
        texts = _parquet(reading, asked.parquet)
    elif asked.plot is not None:
        texts = _plot(reading, asked.plot)
    elif asked.json or asked.csv:
        texts = _for_machines(reading, asked)
    else:
        texts = _for_people(reading, asked, terminal)
    for text in texts:
        progress.clear()
        write(text)


def _for_machines(reading: "Whole | Large", asked: Asked) -> Iterator[str] | Iterator[bytes]:
    """JSON Lines, or the same as CSV."""
    frames = asked.frames or asked.frame is not None
    lines = reading.frame_lines(asked.frame) if frames else reading.lines()
    if asked.json:
        return lines
    from fourtuple.render.csvout import connections_csv, frames_csv

    return (frames_csv if frames else connections_csv)(_records(lines))


def _records(lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    return (msgspec.json.decode(line) for text in lines for line in text.splitlines())


def _for_people(reading: "Whole | Large", asked: Asked, terminal: Terminal) -> Iterator[str]:
    if reading.surveyed:
        from fourtuple.cli import large

        yield large.told(reading, asked, terminal)
    else:
        from fourtuple.cli import small

        yield small.told(reading, asked, terminal)


def _parquet(reading: "Whole | Large", directory: str) -> Iterator[str]:
    from fourtuple.reading.parquet import write_parquet

    for name, count in write_parquet(reading, directory).items():
        values = {"name": name, "count": count}
        row = Message("{name}: {count} row", values, "{name}: {count} rows", count)
        yield reading.translator.text(row) + "\n"


def _plot(reading: "Whole | Large", path: str) -> Iterator[str]:
    from fourtuple.reading.plots import write_plot

    chosen = [one["connection"] for one in _records(reading.lines())]
    if len(chosen) != 1:
        raise UsageError(NOT_DRAWN, {"count": len(chosen)})
    write_plot(reading, chosen[0], path)
    yield from ()


def _require(connection: int | None, frame: int | None, reading: "Whole | Large") -> None:
    if connection is not None and not 0 <= connection < len(reading):
        text = N_("There is no connection {number}: the capture has {count}, counted from 0.")
        raise UsageError(text, {"number": connection, "count": len(reading)})
    if frame is not None and not 1 <= frame <= reading.frames:
        text = N_("There is no frame {number}: the capture has {count}, counted from 1.")
        raise UsageError(text, {"number": frame, "count": reading.frames})
