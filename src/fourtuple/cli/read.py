"""`fourtuple read`: a capture or a recording, explained."""

from typing import Annotated

import typer

from fourtuple.cli.options import Json, Lang, NoColor, Raw, Width
from fourtuple.cli.reading import read_captures
from fourtuple.explain.text import N_

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
    read_captures(files, connection, frame, frames, json, raw, width, lang, no_color)
