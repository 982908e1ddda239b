"""A server put together: its addresses, its application, its model, and how it ends."""

import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from fourtuple.errors import UsageError
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.talk.app import App
from fourtuple.talk.apps import STREAM_APPS
from fourtuple.talk.apps.chat import Chat
from fourtuple.talk.apps.pages import ChatPage, Files, Hello, Site
from fourtuple.talk.codecs.base import Codec
from fourtuple.talk.codecs.stream import Lines, Plain
from fourtuple.talk.hall import Hall, Limits
from fourtuple.talk.models import MODELS, Listener, Model, Stop
from fourtuple.talk.models.command import serve_command
from fourtuple.talk.models.datagrams import DatagramService
from fourtuple.talk.opening import listening_sockets
from fourtuple.talk.url import Url

if TYPE_CHECKING:  # numpy comes with it, which a server that is not recorded has no use for
    from fourtuple.talk.witness import Witness

__all__ = ["APPS", "NO_UVLOOP", "Server", "Service"]

#: what --app takes; `hello` and `files` are pages, and need http
APPS = (*STREAM_APPS, "hello", "files")
_ROOMS = ("/chat",)
_SAME_WISH_S = 0.5

NOT_BY_HTTP = N_("{app} is not served over {scheme}://, which has {known}.")
ONLY_BY_HTTP = N_("{app} is served over http:// and https:// only, not over {scheme}://.")
NO_APP = N_("There is no application {app}. There are {known}.")
EXEC_NEEDS_STREAM = N_("--exec serves tcp:// and unix:// only, not {scheme}://.")
NO_DIRECTORY = N_("{path} is no directory (--directory).")
NO_MODEL = N_("There is no model {model}. There are {known}.")
CERTIFICATE = N_(
    "The certificate of {url} was made just now, and nobody vouches for it. Its SHA-256"
    " fingerprint: {fingerprint}"
)

NO_UVLOOP = N_(
    "asyncio runs on Python's own event loop while calls are recorded: those that uvloop makes"
    " cannot be noted"
)
OWN_PROGRAM = N_("each client's program has the socket itself (--exec): its calls are not noted")


@dataclass(frozen=True, slots=True)
class Service:
    """What to serve and how. `app` "" is the schemes' usual one; `directory` is for files; with a
    `command`, that program serves each client instead of an application."""

    urls: tuple[Url, ...]
    app: str = ""
    model: str = "epoll"
    limits: Limits = field(default_factory=Limits)
    authorized: bool = False
    compress: bool = True
    directory: Path = Path()
    command: tuple[str, ...] = ()


class Server:
    """`with Server(service, tell) as server:` opens every address, or raises before anyone can
    connect; `run()` serves until SIGINT, SIGTERM or `stop()`. A `witness` sees what it does."""

    def __init__(
        self,
        service: Service,
        tell: Callable[[Message], None],
        translator: Translator | None = None,
        witness: "Witness | None" = None,
    ) -> None:
        self._service = service
        self._witness = witness
        self._translator = translator or Translator()
        self.name = _app_name(service)
        self.hall = Hall(self._app(), service.limits, tell)
        self._stop = Stop()
        self._stack = ExitStack()
        self._listeners: list[Listener] = []
        self._datagrams: list[DatagramService] = []
        self._opened: list[tuple[Url, list[socket.socket]]] = []

    def __enter__(self) -> "Server":
        try:
            # before anyone can know that it serves: a signal from then on ends it in order
            self._stack.enter_context(_signals(self._stop))
            self.addresses = [self._open(url) for url in self._service.urls]
            if self._witness is not None:
                self._witness.watch(self._opened)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._stop.close()

    def run(self) -> None:
        """Serve."""
        model = self._model()
        _allow_descriptors()
        for service in self._datagrams:
            service.start()
        try:
            model(self._listeners, self.hall, self._stop)
        finally:
            for service in self._datagrams:
                service.stop()

    def stop(self) -> None:
        """End `run()`: refuse new clients, send what waits, close."""
        self._stop.set()

    def unseen(self) -> list[Message]:
        """What a witness cannot see of this service, or only in another way than it would run."""
        if self._service.command:
            return [Message(OWN_PROGRAM)]
        looped = self._service.model == "asyncio" and self._listeners
        return [Message(NO_UVLOOP)] if looped else []

    def _model(self) -> Model:
        if self._service.command:
            return partial(serve_command, self._service.command)
        return MODELS[self._service.model]

    def _app(self) -> App:
        if self.name == "chat":
            return Chat(self._translator)
        return STREAM_APPS[self.name]() if self.name in STREAM_APPS else App()

    def _open(self, url: Url) -> Url:
        """The URL with the port that the kernel gave, where 0 was asked for."""
        make = self._witness.make if self._witness else socket.socket
        sockets = listening_sockets(url, self._service.authorized, make)
        self._opened.append((url, sockets))
        for sock in sockets:
            self._stack.callback(sock.close)
        if url.kind.transport == "unix":
            self._stack.callback(_remove, url.path)
        elif url.kind.transport != "raw":
            url = replace(url, port=sockets[0].getsockname()[1])
        if url.kind.transport in ("udp", "raw"):
            self._datagrams += [DatagramService(sock, url.scheme, self.hall) for sock in sockets]
        else:
            codec = self._codec_for(url)
            self._listeners += [Listener(sock, url.scheme, codec) for sock in sockets]
        return url

    def _codec_for(self, url: Url) -> Callable[[], Codec]:
        plain = self._plain_codec(url)
        if not url.kind.tls:
            return plain
        from fourtuple.talk.certificate import server_context
        from fourtuple.talk.codecs.tls import Tls

        context, fingerprint = server_context(url.host)
        self.hall.tell(Message(CERTIFICATE, {"url": str(url), "fingerprint": fingerprint}))
        return lambda: Tls(context, plain())

    def _plain_codec(self, url: Url) -> Callable[[], Codec]:
        limit, app, compress = (
            self._service.limits.message_bytes,
            self.hall.app,
            self._service.compress,
        )
        if url.kind.over == "ws":
            from fourtuple.talk.codecs.websocket import WebSocket

            return lambda: WebSocket(limit, compress=compress, text=app.text)
        if url.kind.over == "http":
            from fourtuple.talk.codecs.http import Http

            site, rooms = self._site(), _ROOMS if self.name == "chat" else ()
            return lambda: Http(site, limit, rooms, self._translator)
        return (lambda: Lines(limit)) if app.by_lines else Plain

    def _site(self) -> Site:
        if self.name == "files":
            return Files(self._service.directory, self._translator)
        return (ChatPage if self.name == "chat" else Hello)(self._translator)


def _app_name(service: Service) -> str:
    """The application meant; UsageError where a scheme does not go with it."""
    if service.model not in MODELS:
        raise UsageError(NO_MODEL, {"model": service.model, "known": ", ".join(MODELS)})
    if service.command:
        return _with_command(service)
    over = {url.kind.over for url in service.urls}
    name = service.app or ("hello" if over == {"http"} else "chat" if "http" in over else "echo")
    if name not in APPS:
        raise UsageError(NO_APP, {"app": name, "known": ", ".join(APPS)})
    if name == "files" and not service.directory.is_dir():
        raise UsageError(NO_DIRECTORY, {"path": str(service.directory)})
    for url in service.urls:
        pages = ("hello", "files")
        if url.kind.over == "http" and name not in (*pages, "chat"):
            known = ", ".join((*pages, "chat"))
            raise UsageError(NOT_BY_HTTP, {"app": name, "scheme": url.scheme, "known": known})
        if url.kind.over != "http" and name in pages:
            raise UsageError(ONLY_BY_HTTP, {"app": name, "scheme": url.scheme})
    return name


def _with_command(service: Service) -> str:
    """A program is given the socket: so nothing may stand between."""
    for url in service.urls:
        if url.scheme not in ("tcp", "unix"):
            raise UsageError(EXEC_NEEDS_STREAM, {"scheme": url.scheme})
    return "discard"


def _allow_descriptors() -> None:
    """As many descriptors as this process may have: one for each client."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


@contextmanager
def _signals(stop: Stop) -> Iterator[None]:
    """SIGINT and SIGTERM end the service in order; another one, later, ends the process as it
    would. One that follows at once is the same wish: timeout(1) sends to the process and its
    group."""
    numbers: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM)
    first_s: list[float] = []

    def asked(number: int, _: FrameType | None) -> None:
        stop.set()
        first_s.append(time.monotonic())
        if first_s[-1] - first_s[0] > _SAME_WISH_S:
            signal.signal(number, before[signal.Signals(number)])
            signal.raise_signal(number)

    before = {number: signal.getsignal(number) for number in numbers}
    # asked() runs once the main thread is back from the kernel: a signal that another thread got,
    # or that came just before a wait without end, has to end that wait by itself
    woken_by = signal.set_wakeup_fd(stop.wake_fd, warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, asked)
    try:
        yield
    finally:
        signal.set_wakeup_fd(woken_by)
        for number in numbers:
            signal.signal(number, before[number])
