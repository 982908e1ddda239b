"""What is served over HTTP: a greeting, the files of a directory, the chat's page. No sockets.

A site answers a request with a response; it never sees a connection. The body of a response is
pieces, taken one at a time as they can be sent, so a large file is never in memory whole.
"""

import html
import mimetypes
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from string import Template
from typing import BinaryIO, Protocol
from urllib.parse import quote, unquote

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator

__all__ = ["ChatPage", "Files", "Hello", "Request", "Response", "Site", "plain"]

_ORIGIN = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/]*")
_PIECE_BYTES = 256 * 1024
_HTML = "text/html; charset=utf-8"

NOT_ALLOWED = N_("{method} is not allowed here.")
NOT_FOUND = N_("404: nothing is at {path}")
DIRECTORY = N_("It is a directory: {path}")

#: what stands in chat.html for $name
PAGE_WORDS = {
    "title": N_("Chat"),
    "connecting": N_("Connecting …"),
    "connected": N_("Connected to {host}"),
    "ended": N_("The connection has ended. Reload the page to come back."),
    "label": N_("Identity and name, then what you want to say"),
    "send": N_("Send"),
}


@dataclass(frozen=True, slots=True)
class Request:
    """`target` is as it was sent: a path, and a query after "?"."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path in plain letters: without query, escapes undone."""
        return unquote(self.quoted_path)

    @property
    def quoted_path(self) -> str:
        """The path as it was sent. Clients of a proxy send a whole address (RFC 9112, 3.2.2)."""
        return _ORIGIN.sub("", self.target.partition("?")[0])


@dataclass(frozen=True, slots=True)
class Response:
    """`length` is the body's, in bytes; None where it is not known beforehand."""

    status: HTTPStatus
    headers: tuple[tuple[str, str], ...] = ()
    body: Iterable[bytes] = ()
    length: int | None = None


class Site(Protocol):
    """Answers requests, each by itself."""

    def respond(self, request: Request) -> Response: ...


def plain(status: HTTPStatus, text: str, *headers: tuple[str, str]) -> Response:
    """A response of one line of text."""
    return _whole(status, f"{text}\n".encode(), "text/plain; charset=utf-8", *headers)


def _whole(status: HTTPStatus, body: bytes, kind: str, *headers: tuple[str, str]) -> Response:
    return Response(status, (("Content-Type", kind), *headers), (body,), len(body))


class _Pages:
    """What all sites answer alike, in the language of whoever runs the server."""

    def __init__(self, translator: Translator | None = None) -> None:
        self._translator = translator or Translator()

    def _refused(self, request: Request) -> Response | None:
        """What answers a method that a page does not have."""
        if request.method in ("GET", "HEAD"):
            return None
        words = self._translator.text(Message(NOT_ALLOWED, {"method": request.method}))
        return plain(HTTPStatus.METHOD_NOT_ALLOWED, words, ("Allow", "GET, HEAD"))

    def _not_found(self, request: Request) -> Response:
        words = self._translator.text(Message(NOT_FOUND, {"path": request.path}))
        return plain(HTTPStatus.NOT_FOUND, words)


class Hello(_Pages):
    """The documents' page: "Hello, world!" at /, 404 elsewhere (row A14)."""

    def respond(self, request: Request) -> Response:
        refusal = self._refused(request)
        if refusal is not None:
            return refusal
        if request.path not in ("/", "/index.html"):
            return self._not_found(request)
        page = "<!doctype html><title>Hello</title><h1>Hello, world!</h1>\n"
        return _whole(HTTPStatus.OK, page.encode(), _HTML)


class ChatPage(_Pages):
    """The page with which a browser joins the room; its script speaks WebSocket with this server.

    It loads nothing from elsewhere, and says so to the browser.
    """

    _POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'"
    _FILES = ("chat.html", "chat.css", "chat.js")

    def __init__(self, translator: Translator | None = None) -> None:
        super().__init__(translator)
        say = self._translator.text
        self._words = {name: html.escape(say(text)) for name, text in PAGE_WORDS.items()}
        self._words["lang"] = self._translator.language.replace("_", "-")

    def respond(self, request: Request) -> Response:
        refusal = self._refused(request)
        if refusal is not None:
            return refusal
        name = request.path.lstrip("/") or "chat.html"
        if name not in self._FILES:
            return self._not_found(request)
        body = resources.files("fourtuple.talk").joinpath("page", name).read_text("utf-8")
        if name == "chat.html":
            body = Template(body).substitute(self._words)
        kind = {"html": _HTML, "css": "text/css", "js": "text/javascript; charset=utf-8"}
        policy = (("Content-Security-Policy", self._POLICY), ("X-Content-Type-Options", "nosniff"))
        return _whole(HTTPStatus.OK, body.encode(), kind[name.rpartition(".")[2]], *policy)


class Files(_Pages):
    """The files under a directory, and lists of its directories. Nothing outside of it, whatever
    the path says, and no link that leads out of it."""

    def __init__(self, root: Path, translator: Translator | None = None) -> None:
        super().__init__(translator)
        self._root = root.resolve()

    def respond(self, request: Request) -> Response:
        refusal = self._refused(request)
        if refusal is not None:
            return refusal
        try:
            found = (self._root / request.path.lstrip("/")).resolve()
            if not found.is_relative_to(self._root):
                return self._not_found(request)
            if found.is_dir():
                return self._listing(request, found)
            size = found.stat().st_size
            opened = found.open("rb")
        except (OSError, ValueError):  # ValueError: a null byte in the path
            return self._not_found(request)
        kind = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
        return Response(HTTPStatus.OK, (("Content-Type", kind),), _pieces(opened, size), size)

    def _listing(self, request: Request, directory: Path) -> Response:
        if not request.quoted_path.endswith("/"):
            there = f"/{quote(request.path.strip('/'))}/"
            words = self._translator.text(Message(DIRECTORY, {"path": request.path}))
            return plain(HTTPStatus.MOVED_PERMANENTLY, words, ("Location", there))
        with os.scandir(directory) as found:
            names = sorted(each.name + "/" * each.is_dir() for each in found)
        rows = (f'<li><a href="./{quote(name)}">{html.escape(name)}</a>' for name in names)
        title = html.escape(request.path)
        page = f"<!doctype html><title>{title}</title><h1>{title}</h1><ul>{''.join(rows)}</ul>\n"
        return _whole(HTTPStatus.OK, page.encode("utf-8", "replace"), _HTML)


def _pieces(opened: BinaryIO, size: int) -> Iterator[bytes]:
    """The first `size` bytes of a file, in pieces: what was promised, though it may grow."""
    with opened as file:
        while size and (piece := file.read(min(size, _PIECE_BYTES))):
            size -= len(piece)
            yield piece
