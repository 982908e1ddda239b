"""`fourtuple read`: a capture or a recording, explained."""

from typing import Annotated

import typer

from fourtuple.cli.options import Json, Lang, NoColor, Raw, Width
from fourtuple.cli.reading import read_captures
from fourtuple.explain.text import N_

__all__ = ["READ_HELP", "read"]

READ_HELP = N_("""Explain a capture: the connections in it, each segment, and what went wrong.

One connection is told in full, several are listed, many are summed up. --connection, --host,
--port, --since, --until and --findings choose connections, whatever is then shown of them; several
values of one option are parted by commas. A file that is damaged is explained as far as it can be
read; the exit status is then 2.

Examples:

    fourtuple read capture.pcapng --connection 3

    fourtuple read capture.pcapng --frame 12

    fourtuple read capture.pcapng --host 10.0.0.0/8 --port 443 --since 90s --until 2m

    fourtuple read capture.pcapng --findings forged-reset,half-open --csv

    fourtuple read capture.pcapng --connection 3 --plot transfer.svg

    fourtuple read monday.pcap.gz tuesday.pcap.zst --parquet tables

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
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help=N_("Connections with an end at this address or in this network."),
        ),
    ] = None,
    port: Annotated[
        str | None, typer.Option(metavar="PORT", help=N_("Connections with this port at an end."))
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help=N_(
                "What had not ended by then: seconds after the first frame (also 250ms, 5m, 1h), a "
                "date and time, or @ and seconds since 1970."
            ),
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help=N_("What had begun by then."))
    ] = None,
    findings: Annotated[
        str | None,
        typer.Option(
            metavar="CODE", help=N_("Connections with this finding, such as syn-repeated.")
        ),
    ] = None,
    json: Json = False,
    csv: Annotated[
        bool, typer.Option("--csv", help=N_("Print a table, parted by commas."))
    ] = False,
    parquet: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help=N_("Write tables for databases: connections, resets, findings, packets."),
        ),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help=N_("Draw one connection over time, as .png, .svg or .pdf."),
        ),
    ] = None,
    raw: Raw = False,
    width: Width = None,
    lang: Lang = "",
    no_color: NoColor = False,
) -> None:
    """Explain a capture or a recording."""
    read_captures(
        files,
        connection,
        frame,
        frames,
        host,
        port,
        since,
        until,
        findings,
        json,
        csv,
        parquet,
        plot,
        raw,
        width,
        lang,
        no_color,
    )
