"""`fourtuple serve`: a server for the simple services, and every model of serving many clients."""

import shlex
import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from fourtuple.cli.kept import keep, require_writable
from fourtuple.cli.options import Json, Lang, NoColor, Width
from fourtuple.cli.output import terminal_for, translator_for
from fourtuple.cli.values import number_between, seconds
from fourtuple.errors import UsageError
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.render.terminal import Terminal
from fourtuple.render.text import clean

if TYPE_CHECKING:
    from fourtuple.event.timeline import Timeline
    from fourtuple.talk.witness import Witness

__all__ = ["SERVE_HELP", "serve"]

SERVE_HELP = N_("""Serve: echo, chat, a web page, and more, over TCP, UDP, HTTP or WebSocket.

URL is scheme://host:port. Schemes: tcp, udp, raw (a protocol number in place of the port), http,
ws, unix; with TLS tls, https, wss. Several URLs share one application: a chat room for terminals
and browsers. Only loopback addresses are served unless you say --authorized. Ctrl-C ends it: new
clients are refused, what waits is sent.

Examples:

    fourtuple serve tcp://127.0.0.1:8888

    fourtuple serve tcp://localhost:8888 http://localhost:8080 --app chat

    fourtuple serve tcp://localhost:8888 --app upper --model one-at-a-time

    fourtuple serve http://localhost:8080 --app files --directory public""")

_MOST = 10**9

SERVING = N_("Serving {app} at {url}, model {model}. Ctrl-C ends it.")
SERVING_EACH = N_("Serving {app} at {url}, a process for each client. Ctrl-C ends it.")
ENDED = N_("The server has ended.")


def serve(
    urls: Annotated[
        list[str], typer.Argument(metavar="URL...", help=N_("Where to serve: scheme://host:port."))
    ],
    app: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=N_(
                "echo, upper, discard, time, chat; over http hello, files, chat. Default: hello for"
                " http, else echo."
            ),
        ),
    ] = "",
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=N_(
                "How many clients are served: one-at-a-time, threads, select, poll, epoll, asyncio."
            ),
        ),
    ] = "epoll",
    command: Annotated[
        str,
        typer.Option(
            "--exec",
            metavar="COMMAND",
            help=N_(
                "Start this program for each client, its standard streams being the connection."
            ),
        ),
    ] = "",
    directory: Annotated[
        Path, typer.Option(metavar="DIR", help=N_("What --app files serves."))
    ] = Path(),
    max_clients: Annotated[
        str, typer.Option(metavar="N", help=N_("Turn further clients away."))
    ] = "10000",
    max_message: Annotated[
        str, typer.Option(metavar="BYTES", help=N_("The longest line, message or request."))
    ] = "1048576",
    send_queue: Annotated[
        str,
        typer.Option(metavar="BYTES", help=N_("Drop a client that leaves more than this unread.")),
    ] = "4194304",
    idle: Annotated[
        str, typer.Option(metavar="SECONDS", help=N_("Drop a client that is silent for so long."))
    ] = "",
    no_compress: Annotated[
        bool, typer.Option("--no-compress", help=N_("WebSocket without compression."))
    ] = False,
    authorized: Annotated[
        bool,
        typer.Option("--authorized", help=N_("Serve at addresses that other machines can reach.")),
    ] = False,
    ladder: Annotated[
        bool, typer.Option("--ladder", help=N_("Show at the end calls, states and segments."))
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help=N_("Keep calls, states and frames: a .pcapng.")),
    ] = None,
    json: Json = False,
    lang: Lang = "",
    width: Width = None,
    no_color: NoColor = False,
) -> None:
    """Serve until interrupted."""
    from fourtuple.talk.hall import Limits
    from fourtuple.talk.server import Server, Service
    from fourtuple.talk.url import parse_url

    translator, terminal = translator_for(lang), terminal_for(width, no_color)
    limits = Limits(
        clients=number_between("--max-clients", max_clients, 1, _MOST),
        message_bytes=number_between("--max-message", max_message, 1, _MOST),
        send_queue_bytes=number_between("--send-queue", send_queue, 1, _MOST),
        idle_s=seconds("--idle", idle) if idle else 0.0,
    )
    service = Service(
        urls=tuple(parse_url(text) for text in urls),
        app=app,
        model=model,
        limits=limits,
        authorized=authorized,
        compress=not no_compress,
        directory=directory,
        command=_command(command),
    )
    reporter = _Reporter(translator, json)
    if save is not None:
        require_writable(save)
    with (
        _witness(ladder or save is not None) as witness,
        Server(service, reporter.tell, translator, witness) as server,
    ):
        for url in server.addresses:
            about = {"app": command or server.name, "url": str(url), "model": model}
            reporter.tell(Message(SERVING_EACH if command else SERVING, about))
        server.run()
        reporter.tell(Message(ENDED))
        if witness is not None:  # still inside: a signal that is sent twice ends nothing half-way
            name = " ".join(map(str, server.addresses))
            timeline = witness.timeline(name, server.unseen())
            if save is not None:
                keep(save, timeline)
            if ladder:
                reporter.ladder(timeline, terminal)


def _witness(wanted: bool) -> "AbstractContextManager[Witness | None]":
    if not wanted:
        return nullcontext()
    from fourtuple.talk.witness import Witness

    return Witness()


def _command(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(
            N_("--exec {command}: {reason}."), {"command": repr(text), "reason": str(error)}
        ) from error


class _Reporter:
    """Prints a line for each thing that happens: to people, or as JSON Lines."""

    def __init__(self, translator: Translator, json: bool) -> None:
        self._translator = translator
        self._json = json
        self._lock = threading.Lock()

    def ladder(self, timeline: "Timeline", terminal: Terminal) -> None:
        """The picture, as `read` draws it: to people."""
        from fourtuple.render.summary import report

        where = sys.stderr if self._json else sys.stdout
        print(report(timeline, self._translator, terminal), end="", file=where)

    def tell(self, message: Message) -> None:
        text = self._translator.text(message)
        line = clean(text)
        if self._json:
            line = msgspec.json.encode({"kind": "news", **_plain(message), "text": text}).decode()
        with self._lock:
            print(line, flush=True)


def _plain(message: Message) -> dict[str, object]:
    return {name: value for name, value in message.params.items() if isinstance(value, int | str)}
