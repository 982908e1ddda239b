"""`fourtuple sockets`: every socket of this machine, who holds it, and what it waits for."""

from typing import Annotated

import typer

from fourtuple.cli.options import Json, Lang, NoColor, Width
from fourtuple.cli.socket_listing import show_sockets
from fourtuple.explain.text import N_

__all__ = ["SOCKETS_HELP", "sockets"]

SOCKETS_HELP = N_("""List sockets: state, queues, timers, and the processes that hold them.

TCP in every state, UDP, RAW, and UNIX sockets that listen; addresses and ports are numbers. An
ordinary user sees all of them, but only the owners of the user's own.

Examples:

    fourtuple sockets --listening                who listens, and how full are the queues

    fourtuple sockets --port 443 --state established,time-wait

    fourtuple sockets --process nginx --watch    what opens, closes and moves

    fourtuple sockets --who 8080                 who holds this port, and the way out

    fourtuple sockets --options 1234/5           every option of that descriptor, and tcp_info""")


def sockets(
    tcp: Annotated[bool, typer.Option("--tcp", "-t", help=N_("TCP sockets."))] = False,
    udp: Annotated[bool, typer.Option("--udp", "-u", help=N_("UDP sockets."))] = False,
    raw: Annotated[bool, typer.Option("--raw", "-w", help=N_("RAW sockets."))] = False,
    unix: Annotated[
        bool, typer.Option("--unix", "-x", help=N_("UNIX sockets that listen."))
    ] = False,
    ipv4: Annotated[bool, typer.Option("--ipv4", "-4", help=N_("IPv4 sockets only."))] = False,
    ipv6: Annotated[bool, typer.Option("--ipv6", "-6", help=N_("IPv6 sockets only."))] = False,
    listening: Annotated[
        bool,
        typer.Option("--listening", "-l", help=N_("Those that wait to be spoken to.")),
    ] = False,
    state: Annotated[
        str | None,
        typer.Option(metavar="STATES", help=N_("listen, established, time-wait ...; with commas.")),
    ] = None,
    port: Annotated[
        str | None,
        typer.Option(metavar="PORTS", help=N_("At either end: 443, 8000-8100, with commas.")),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(metavar="ADDRESSES", help=N_("At either end: 10.0.0.1, 10.0.0.0/8, ::1.")),
    ] = None,
    pid: Annotated[str | None, typer.Option(metavar="N", help=N_("Held by this process."))] = None,
    process: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=N_("Held by processes of this name; * stands for any.")),
    ] = None,
    netns: Annotated[
        str | None,
        typer.Option(
            metavar="WHICH",
            help=N_("Of another network namespace: its file, a process in it, all."),
        ),
    ] = None,
    no_owners: Annotated[
        bool, typer.Option("--no-owners", help=N_("Do not look for owners: faster."))
    ] = False,
    details: Annotated[
        bool,
        typer.Option("-o", "--details", help=N_("Options and tcp_info of each socket listed.")),
    ] = False,
    options: Annotated[
        str | None,
        typer.Option(metavar="PID/FD", help=N_("Options and tcp_info of one descriptor.")),
    ] = None,
    who: Annotated[
        str | None, typer.Option(metavar="PORT", help=N_("Who holds this port, and the way out."))
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help=N_("Go on, and show what changes."))
    ] = False,
    every: Annotated[
        str, typer.Option(metavar="SECONDS", help=N_("How often --watch looks."))
    ] = "1",
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help=N_("Print a table as CSV."))] = False,
    parquet: Annotated[
        str | None, typer.Option(metavar="DIR", help=N_("Write sockets.parquet there."))
    ] = None,
    width: Width = None,
    lang: Lang = "",
    no_color: NoColor = False,
) -> None:
    """List sockets."""
    show_sockets(
        tcp=tcp, udp=udp, raw=raw, unix=unix, ipv4=ipv4, ipv6=ipv6, listening=listening,
        state=state, port=port, host=host, pid=pid, process=process, netns=netns,
        no_owners=no_owners, details=details, options=options, who=who, watch=watch, every=every,
        json=json, csv=csv, parquet=parquet, width=width, lang=lang, no_color=no_color,
    )  # fmt: skip
