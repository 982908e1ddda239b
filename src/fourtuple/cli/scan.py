"""`fourtuple scan`: which ports of a host are open, closed or filtered, and the evidence."""

from typing import Annotated

import typer

from fourtuple.cli.options import Json, Lang, NoColor, Width
from fourtuple.cli.scanning import scan_ports
from fourtuple.explain.text import N_

__all__ = ["SCAN_HELP", "scan"]

SCAN_HELP = N_("""Scan ports: say of each whether it is open, closed or filtered, and how one knows.

States and reasons are nmap's words. connect needs no privilege; the other methods send segments
of their own: they need CAP_NET_RAW (root), which everybody has inside the lab. Ctrl-C prints what
is known and writes a file to go on from.

Examples:

    fourtuple scan 127.0.0.1

    fourtuple scan 127.0.0.1 -p 1-1024 --workers 8 --timeout 0.5

    fourtuple scan 10.0.0.0/28 -p ssh,http,8000-8100 --json

    fourtuple scan 127.0.0.1 -p- --method connect,syn,fin --verify""")


def scan(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET...",
            help=N_("Names, addresses, networks (10.0.0.0/28), ranges (10.0.0.1-9), @FILE."),
        ),
    ] = None,
    ports: Annotated[
        str,
        typer.Option(
            "--ports", "-p", metavar="PORTS", help=N_("As nmap: 22,80,1000-2000,http; - is all.")
        ),
    ] = "1-1024",
    method: Annotated[
        str,
        typer.Option(
            metavar="METHODS",
            help=N_("connect, syn, fin, null, xmas, ack, window, udp; several with commas."),
            show_default="connect",
        ),
    ] = "",
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="TARGET", help=N_("Leave these out; written as targets are.")),
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option(metavar="N", help=N_("Connections under way at once; else chosen.")),
    ] = None,
    timeout: Annotated[
        str, typer.Option(metavar="SECONDS", help=N_("How long to wait for an answer."))
    ] = "0.5",
    retries: Annotated[
        str,
        typer.Option(metavar="N", help=N_("Ask silent ports again, this often at least.")),
    ] = "1",
    rate: Annotated[
        str | None,
        typer.Option(metavar="N", help=N_("Probes a second at most; else it adapts to loss.")),
    ] = None,
    seed: Annotated[
        str, typer.Option(metavar="N", help=N_("Seeds the order of the probes."))
    ] = "0",
    shard: Annotated[
        str,
        typer.Option(metavar="K/N", help=N_("Do the K-th of N equal parts, as 2/8.")),
    ] = "1/1",
    resume: Annotated[
        str | None,
        typer.Option(metavar="FILE", help=N_("Go on with a scan that was interrupted.")),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help=N_("Compare with the socket table: this machine's, or the lab host's."),
        ),
    ] = False,
    netns: Annotated[
        str,
        typer.Option(
            metavar="FILE", help=N_("Compare with that of a network namespace: /proc/PID/ns/net.")
        ),
    ] = "",
    banner: Annotated[
        bool, typer.Option("--banner", help=N_("Show the first line that open ports send."))
    ] = False,
    explain: Annotated[
        str | None,
        typer.Option(
            metavar="PORT",
            help=N_("Probe this port by itself at the end: its frames, and why it is as it is."),
        ),
    ] = None,
    save: Annotated[
        str | None,
        typer.Option(metavar="FILE", help=N_("Keep probes, answers, verdicts: a .pcapng.")),
    ] = None,
    xml: Annotated[
        str | None, typer.Option(metavar="FILE", help=N_("Write nmap's XML too; - prints it."))
    ] = None,
    ipv6: Annotated[
        bool, typer.Option("--ipv6", "-6", help=N_("Look names up as IPv6 addresses."))
    ] = False,
    authorized: Annotated[
        bool,
        typer.Option("--authorized", help=N_("The owner of a public address agreed to the scan.")),
    ] = False,
    json: Json = False,
    width: Width = None,
    lang: Lang = "",
    no_color: NoColor = False,
) -> None:
    """Scan ports."""
    status = scan_ports(
        targets or (),
        ports=ports, method=method, exclude=exclude or (), workers=workers, timeout=timeout,
        retries=retries, rate=rate, seed=seed, shard=shard, resume=resume, verify=verify,
        netns=netns, banner=banner, explain=explain, save=save, xml=xml, ipv6=ipv6,
        authorized=authorized, json=json, width=width, lang=lang, no_color=no_color,
    )  # fmt: skip
    raise typer.Exit(status)
