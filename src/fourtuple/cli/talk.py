"""`fourtuple talk`: the client's side of a conversation, with the four views of it."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fourtuple.cli.kept import keep, require_writable
from fourtuple.cli.options import Json, Lang, NoColor, Width
from fourtuple.cli.output import terminal_for, translator_for
from fourtuple.cli.talk_output import Reporter
from fourtuple.cli.values import number_between, seconds
from fourtuple.errors import FourtupleError, InputError, UsageError
from fourtuple.explain.text import N_

if TYPE_CHECKING:
    from fourtuple.system.sniffer import Sniffer
    from fourtuple.talk.dial.conversation import Conversation
    from fourtuple.talk.dial.pump import Habits
    from fourtuple.talk.dial.source import Source
    from fourtuple.talk.url import Url

__all__ = ["TALK_HELP", "talk"]

TALK_HELP = N_("""Talk to a server, over TCP, UDP, HTTP, WebSocket, TLS or raw IP.

URL is scheme://host:port, as serve takes it; unix:///path too. At a terminal you type lines: q ends
it, the arrow keys bring earlier lines back. In a pipe every byte goes out and comes back as it is;
the end of input is told to the other side, whose answer is still waited for. http:// and https://
fetch a page and show what took how long.

Examples:

    fourtuple talk tcp://127.0.0.1:8888

    fourtuple talk tcp://127.0.0.1:8888 --size 2950 --ladder

    fourtuple talk udp://127.0.0.1:8888 --send hello --count 3 --interval 0.5

    fourtuple talk http://127.0.0.1:8080/ > page.html

    fourtuple talk tcp://127.0.0.1:8889 --explain""")

_MOST = 10**9
_EOLS = {"lf": b"\n", "crlf": b"\r\n", "none": b""}
#: what --size sends, over and over: easily counted
_PATTERN = b"0123456789"
#: how long UDP and raw IP are listened to after the last datagram
_DATAGRAM_WAIT_S = 2.0
_WEBSOCKET_WAIT_S = 1.0
#: how long a silence of a server that owes a page is borne
_PAGE_WAIT_S = 60.0
#: input of a pipe becomes datagrams of at most this, as with ncat
_DATAGRAM_BYTES = 8192

NO_EOL = N_("--eol takes {known}; {value} is none of them.")
SEND_OR_SIZE = N_("--send and --size exclude each other: each says what is sent.")
NOT_FOR_PAGES = N_("{option} is not for {scheme}://, which fetches one page.")
NO_FILE = N_("{path} cannot be read: {reason}.")
NO_TRUST = N_("--trust is a SHA-256 fingerprint, 64 hexadecimal digits; {value} is none.")


def talk(
    url: Annotated[str, typer.Argument(metavar="URL", help=N_("Whom to talk to."))],
    send: Annotated[
        str,
        typer.Option(
            metavar="TEXT|@FILE",
            help=N_("Send this line and nothing else; @FILE: the bytes of a file."),
        ),
    ] = "",
    size: Annotated[
        str, typer.Option(metavar="BYTES", help=N_("Send so many bytes (digits) and nothing else."))
    ] = "",
    count: Annotated[
        str, typer.Option(metavar="N", help=N_("Send it so often (--send, --size)."))
    ] = "1",
    interval: Annotated[
        str, typer.Option(metavar="SECONDS", help=N_("Wait so long between one and the next."))
    ] = "",
    eol: Annotated[
        str,
        typer.Option(
            metavar="END",
            help=N_(
                "What ends a line: lf, crlf, none. Default: lf on a stream, none in a message."
            ),
        ),
    ] = "",
    wait: Annotated[
        str,
        typer.Option(
            metavar="SECONDS",
            help=N_(
                "End after so much silence once all is sent; give a page up. Default: 2 for udp and"
                " raw, 1 for WebSocket, 60 for a page; else wait for the other side's end."
            ),
        ),
    ] = "",
    half_close: Annotated[
        bool,
        typer.Option(
            "--half-close",
            help=N_(
                "At a terminal too, an end of one direction leaves the other open, as in a pipe."
            ),
        ),
    ] = False,
    no_shutdown: Annotated[
        bool,
        typer.Option("--no-shutdown", help=N_("Do not tell the other side that input has ended.")),
    ] = False,
    timeout: Annotated[
        str, typer.Option(metavar="SECONDS", help=N_("How long to wait for a connection."))
    ] = "10",
    retries: Annotated[
        str, typer.Option(metavar="N", help=N_("Try again so often, a second later each time."))
    ] = "0",
    trust: Annotated[
        str,
        typer.Option(
            metavar="SHA256",
            help=N_("TLS: accept the certificate with this fingerprint, and no other."),
        ),
    ] = "",
    insecure: Annotated[
        bool, typer.Option("--insecure", help=N_("TLS: accept any certificate."))
    ] = False,
    no_compress: Annotated[
        bool, typer.Option("--no-compress", help=N_("WebSocket without compression."))
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help=N_("Say at the end what happened, and how one knows."))
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
    """Talk until it is over."""
    from fourtuple.talk.dial.connecting import Wish
    from fourtuple.talk.dial.conversation import Conversation
    from fourtuple.talk.url import parse_url

    translator, terminal = translator_for(lang), terminal_for(width, no_color)
    where = parse_url(url)
    messages = _messages(where, send, size, eol)
    times = number_between("--count", count, 1, _MOST), _optional_seconds("--interval", interval)
    typed = messages is None and where.kind.over != "http" and _at_terminal() and not json
    wait_s = seconds("--wait", wait) if wait else _usual_wait_s(where)
    wish = Wish(
        url=where,
        timeout_s=seconds("--timeout", timeout),
        retries=number_between("--retries", retries, 0, _MOST),
        trust=_fingerprint(trust),
        insecure=insecure,
        compress=not no_compress,
    )
    viewed = explain or ladder or save is not None
    loud = typed or explain or where.kind.over == "http"
    reporter = Reporter(
        translator, terminal, json=json, loud=loud, by_lines=where.kind.over == "ws"
    )
    conversation = Conversation(wish, reporter.tell, reporter.hear, watch=viewed)
    habits = _habits(where, typed, half_close, no_shutdown, wait_s)
    job = _Job(conversation, reporter, typed, habits)
    with _Views(conversation, reporter, explain=explain, ladder=ladder, save=save) as views:
        views.watch()
        if typed:
            job.at_terminal(_EOLS[_eol(where, eol)])
        else:
            job.in_pipe(_source(where, messages, times))


class _Job:
    """Carries the conversation out, at a terminal or in a pipe."""

    def __init__(
        self, conversation: "Conversation", reporter: Reporter, typed: bool, habits: "Habits"
    ) -> None:
        self._conversation = conversation
        self._reporter = reporter
        self._habits = habits
        self._typed = typed

    def at_terminal(self, end: bytes) -> None:
        from fourtuple.talk.dial.terminal import Terminal

        link = self._conversation.connect()
        self._reporter.connected(self._conversation, typed=True)
        terminal = Terminal(
            self._reporter.tell,
            end=end,
            stream=_is_bytes(self._conversation.wish.url),
            half_close=self._habits.half_close,
        )
        try:
            terminal.run(lambda source: self._conversation.run(source, self._habits))
        finally:
            link.close()
        self._reporter.ended(self._conversation)

    def in_pipe(self, source: "Source") -> None:
        self._conversation.connect()
        self._reporter.connected(self._conversation, typed=False)
        self._conversation.run(source, self._habits)
        self._reporter.ended(self._conversation)


class _Views:
    """What is shown and kept when all is over, however it ended."""

    def __init__(
        self,
        conversation: "Conversation",
        reporter: Reporter,
        *,
        explain: bool,
        ladder: bool,
        save: Path | None,
    ) -> None:
        self._conversation = conversation
        self._reporter = reporter
        self._explain, self._ladder, self._save = explain, ladder, save
        self._stack = ExitStack()
        self._seen: Sniffer | None = None

    def watch(self) -> None:
        """Begin to record frames, where somebody wants them and this machine allows it."""
        from fourtuple.system.sniffer import Sniffer, may_sniff
        from fourtuple.talk.filter import frame_filter
        from fourtuple.talk.views import MOST_FRAME_BYTES

        if self._save is not None:
            require_writable(self._save)
        wanted = self._explain or self._ladder or self._save is not None
        url = self._conversation.wish.url
        if wanted and url.kind.transport != "unix" and may_sniff():
            raw = url.kind.transport == "raw"  # its number is a protocol, and it has no port
            program = frame_filter([], [url.port]) if raw else frame_filter([url.port])
            self._seen = self._stack.enter_context(Sniffer(program, MOST_FRAME_BYTES))

    def __enter__(self) -> "_Views":
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        self._stack.close()
        if not (self._explain or self._ladder or self._save is not None):
            return
        if error is not None and not isinstance(error, (FourtupleError, KeyboardInterrupt)):
            return
        from fourtuple.talk.dial.views import conversation_timeline

        timeline = conversation_timeline(self._conversation, self._seen)
        if self._save is not None:
            keep(self._save, timeline)
        if self._ladder:
            self._reporter.ladder(timeline)
        if self._explain:
            self._reporter.explain(self._conversation, timeline)


def _at_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _is_stream(url: "Url") -> bool:
    return url.kind.transport in ("tcp", "unix")


def _usual_wait_s(url: "Url") -> float | None:
    """A WebSocket's end is one for both sides at once: a server that has not answered by then may
    not answer any more."""
    if url.kind.over:
        return _WEBSOCKET_WAIT_S if url.kind.over == "ws" else _PAGE_WAIT_S
    return None if _is_stream(url) else _DATAGRAM_WAIT_S


def _is_bytes(url: "Url") -> bool:
    """Whether what is said has no beginning and no end of its own."""
    return _is_stream(url) and not url.kind.over


def _habits(
    url: "Url", typed: bool, half_close: bool, no_shutdown: bool, wait_s: float | None
) -> "Habits":
    from fourtuple.talk.dial.pump import Habits

    if url.kind.over == "http":
        return Habits(answer_s=wait_s or _PAGE_WAIT_S)
    return Habits(
        half_close=half_close or not typed,
        shutdown=not no_shutdown,
        wait_s=wait_s if not typed else None,
    )


def _optional_seconds(option: str, text: str) -> float:
    return seconds(option, text) if text else 0.0


def _eol(url: "Url", eol: str) -> str:
    if eol and eol not in _EOLS:
        raise UsageError(NO_EOL, {"known": ", ".join(_EOLS), "value": repr(eol)})
    return eol or ("lf" if _is_bytes(url) else "none")


def _messages(url: "Url", send: str, size: str, eol: str) -> list[bytes] | None:
    """What --send or --size say; None: what comes from the terminal or the pipe."""
    end = _EOLS[_eol(url, eol)]
    if send and size:
        raise UsageError(SEND_OR_SIZE)
    if not (send or size):
        return None
    if url.kind.over == "http":
        option = "--send" if send else "--size"
        raise UsageError(NOT_FOR_PAGES, {"option": option, "scheme": url.scheme})
    if size:
        length = number_between("--size", size, 1, _MOST)
        return [(_PATTERN * (length // len(_PATTERN) + 1))[:length]]
    if send.startswith("@"):
        return [_content(send[1:])]
    return [send.encode(errors="surrogateescape") + end]


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(NO_FILE, {"path": path, "reason": error.strerror}) from error


def _source(url: "Url", messages: list[bytes] | None, times: tuple[int, float]) -> "Source":
    from fourtuple.talk.dial.source import Nothing, Prepared, Reader

    if url.kind.over == "http":
        return Nothing()
    if messages is not None:
        return Prepared(messages, *times)
    if url.kind.transport in ("udp", "raw"):
        return Reader(sys.stdin.fileno(), most=_DATAGRAM_BYTES)
    return Reader(sys.stdin.fileno(), by_lines=url.kind.over == "ws")


def _fingerprint(text: str) -> str:
    plain = text.replace(":", "").lower()
    if plain and (len(plain) != 64 or set(plain) - set("0123456789abcdef")):
        raise UsageError(NO_TRUST, {"value": repr(text)})
    return plain
