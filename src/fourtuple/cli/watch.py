"""`fourtuple watch`: programs that are not ours, while they run."""

import os
from typing import Annotated

import typer

from fourtuple.cli.options import Json, Lang, NoColor, Width
from fourtuple.cli.output import terminal_for, translator_for
from fourtuple.cli.recordings import recording_paths
from fourtuple.cli.values import number_between, seconds
from fourtuple.cli.watch_output import Reporter
from fourtuple.errors import UsageError
from fourtuple.explain.text import N_

__all__ = ["WATCH_HELP", "watch"]

WATCH_HELP = N_("""Watch the connections of a program while it runs.

Each connection is told of as it opens, is accepted and ends: with the process that owns it, its
state, and what ended it. COMMAND waits at its start until everything is ready, so that even one
that lives some milliseconds is seen whole. What it prints stays on standard output; what fourtuple
says then goes to standard error. Ctrl-C ends the watching.

As root the kernel itself is the witness: calls, states and the reasons of resets from its trace,
frames from all interfaces. Others see their own processes in the socket table, which is looked at
many times a second.

Examples:

    fourtuple watch --ladder -- curl http://127.0.0.1:8000/

    fourtuple watch --pid 4711 --seconds 10

    fourtuple watch --port 5432 --save postgres.pcapng

    fourtuple watch --all --json""")

_MOST = 10**9
ONE_OF = N_("Say what to watch: a COMMAND after --, or one of --pid, --port and --all.")


def watch(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help=N_("The program to run and watch, and its words.")),
    ] = None,
    pid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PID", help=N_("Watch this process and its children. May be given again.")
        ),
    ] = None,
    port: Annotated[
        str, typer.Option(metavar="PORT", help=N_("Watch all connections with this port."))
    ] = "",
    everything: Annotated[
        bool, typer.Option("--all", help=N_("Watch all connections of this machine."))
    ] = False,
    ladder: Annotated[
        bool,
        typer.Option(
            "--ladder", help=N_("Draw each connection when it ends: calls, states and segments.")
        ),
    ] = False,
    save: Annotated[
        str | None,
        typer.Option(metavar="FILE", help=N_("Keep what was seen; fourtuple read explains it.")),
    ] = None,
    limit: Annotated[
        str, typer.Option("--seconds", metavar="SECONDS", help=N_("End after so long."))
    ] = "",
    count: Annotated[
        str, typer.Option(metavar="N", help=N_("End after so many connections have ended."))
    ] = "",
    json: Json = False,
    width: Width = None,
    lang: Lang = "",
    no_color: NoColor = False,
) -> None:
    """Carry out what `WATCH_HELP` says."""
    from fourtuple.watch.wish import Wish

    command, pid = command or [], pid or []
    if sum(map(bool, (command, pid, port, everything))) != 1:
        raise UsageError(ONE_OF)
    (path,) = recording_paths(save, [_name(command)])
    wish = Wish(
        command=command,
        pids=[number_between("--pid", one, 1, 2**22) for one in pid],
        port=number_between("--port", port, 1, 65535) if port else None,
        everything=everything,
        seconds=seconds("--seconds", limit) if limit else None,
        count=number_between("--count", count, 1, _MOST) if count else None,
        frames=ladder or path is not None,
        keep="" if path is None else str(path.parent),
        draw=ladder,
        output=2 if json and command else None,
    )
    terminal, translator = terminal_for(width, no_color), translator_for(lang)
    reporter = Reporter(translator, terminal, json=json, ladder=ladder, aside=bool(command))
    reporter.watch(wish, path)


def _name(command: list[str]) -> str:
    """What a recording is called where --save names a directory."""
    return f"watch-{os.path.basename(command[0])}" if command else "watch"
