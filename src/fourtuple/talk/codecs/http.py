"""HTTP/1.1 by h11: requests of a site in, responses out; a request for WebSocket hands over to it.

Requests of one connection are answered in order, one at a time (RFC 9112, section 9.3.2). A
response whose file turns out shorter than promised ends the connection, which is how HTTP says so.
"""

from collections.abc import Callable, Iterator
from http import HTTPStatus

import h11

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.talk.apps.pages import Request, Response, Site, plain
from fourtuple.talk.codecs.base import Broken, Direct, Received
from fourtuple.talk.codecs.websocket import WebSocket

__all__ = ["Http"]

NOT_HTTP = N_("it does not speak HTTP: {reason}")
BAD_REQUEST = N_("This is not HTTP.")
TOO_MUCH = N_("That is too much.")
TOO_LARGE = N_("a request was larger than {limit} bytes (--max-message)")


class Http:
    """One connection of a server. `limit` is how many bytes a request's body may have; `rooms` are
    the paths at which WebSocket is spoken; `translator` is for what is said of errors."""

    has_more = True

    def __init__(
        self,
        site: Site,
        limit: int,
        rooms: tuple[str, ...] = (),
        translator: Translator | None = None,
    ) -> None:
        self._site = site
        self._translator = translator or Translator()
        self._limit = limit
        self._rooms = rooms
        self._connection = h11.Connection(h11.SERVER)
        self._body: Iterator[bytes] = iter(())
        self._request: h11.Request | None = None
        self._content = bytearray()
        self._room: WebSocket | None = None
        self._messages: list[bytes] = []
        self._over = False

    @property
    def joined(self) -> bool:
        return self._room is not None and self._room.joined

    def receive(self, data: bytes) -> Received:
        if self._room is not None:
            found = self._room.receive(data)
            found.messages[:0] = self._early()
            return found
        try:
            self._connection.receive_data(data)
            answer = b"" if self._sending else self._progress()
        except h11.RemoteProtocolError as error:
            raise Broken(Message(NOT_HTTP, {"reason": str(error)}), self._bad_request()) from error
        return Received(self._early(), answer, ended=not data or self._over)

    def more(self) -> bytes:
        if self._room is not None or not self._sending:
            return b""
        for piece in self._body:
            if piece:
                return self._connection.send(h11.Data(data=piece)) or b""
        try:
            end = self._connection.send(h11.EndOfMessage()) or b""
            return end + self._next_request()
        except (h11.LocalProtocolError, h11.RemoteProtocolError):
            self._over = True  # the file is shorter than promised: only the end can say it
            return b""

    def send(self, message: bytes) -> bytes:
        return self._room.send(message) if self._room is not None else b""

    def direct(self, answer: Callable[[bytes], bytes]) -> Direct | None:
        return None

    def finish(self) -> bytes:
        return self._room.finish() if self._room is not None else b""

    @property
    def _sending(self) -> bool:
        return self._connection.our_state is h11.SEND_BODY

    def _next_request(self) -> bytes:
        if self._connection.our_state is h11.MUST_CLOSE or self._connection.our_state is h11.CLOSED:
            self._over = True
            return b""
        self._connection.start_next_cycle()
        return self._progress()

    def _progress(self) -> bytes:
        """Take in what has come until a response is under way, or more must come."""
        while True:
            event = self._connection.next_event()
            if isinstance(event, h11.Request):
                self._request, self._content = event, bytearray()
                if self._wants_room(event):
                    return self._enter(event)
            elif isinstance(event, h11.Data):
                self._content += event.data
                if len(self._content) > self._limit:
                    raise Broken(Message(TOO_LARGE, {"limit": self._limit}), self._too_large())
            elif isinstance(event, h11.EndOfMessage):
                return self._respond()
            else:  # NEED_DATA, PAUSED, ConnectionClosed
                return b""

    def _wants_room(self, request: h11.Request) -> bool:
        path = request.target.split(b"?")[0].decode("latin-1")
        upgrade = dict(request.headers).get(b"upgrade", b"").lower()
        return path in self._rooms and upgrade == b"websocket" and _is_from_here(request)

    def _enter(self, request: h11.Request) -> bytes:
        """From here on it is WebSocket, which wants to see the request itself."""
        self._room = WebSocket(self._limit, text=True)
        lines = [b"%b %b HTTP/1.1" % (request.method, request.target)]
        lines += [b"%b: %b" % header for header in request.headers]
        rest = self._connection.trailing_data[0]
        found = self._room.receive(b"\r\n".join((*lines, b"", rest)))
        self._messages = found.messages
        return found.answer

    def _early(self) -> list[bytes]:
        """What a client said before the handshake was through: RFC 6455, 4.1 forbids it."""
        found, self._messages = self._messages, []
        return found

    def _respond(self) -> bytes:
        assert self._request is not None
        headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in self._request.headers}
        method, target = self._request.method.decode(), self._request.target.decode("latin-1")
        response = self._site.respond(Request(method, target, headers, bytes(self._content)))
        self._body = iter(() if method == "HEAD" else response.body)
        return self._head(response) + self.more()

    def _head(self, response: Response) -> bytes:
        headers = [*response.headers]
        if response.length is not None:
            headers.append(("Content-Length", str(response.length)))
        head = h11.Response(
            status_code=response.status.value,
            reason=response.status.phrase.encode(),
            headers=[
                (name.encode(), value.encode("latin-1", "replace")) for name, value in headers
            ],
        )
        return self._connection.send(head) or b""

    def _bad_request(self) -> bytes:
        return self._refusal(plain(HTTPStatus.BAD_REQUEST, self._translator.text(BAD_REQUEST)))

    def _too_large(self) -> bytes:
        words = self._translator.text(TOO_MUCH)
        return self._refusal(plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words))

    def _refusal(self, response: Response) -> bytes:
        if self._connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return b""
        closing = (*response.headers, ("Connection", "close"))
        head = self._head(Response(response.status, closing, (), response.length))
        body = b"".join(response.body)
        return head + (self._connection.send(h11.Data(data=body)) or b"")


def _is_from_here(request: h11.Request) -> bool:
    """Whether a browser says that a page of this server asks (RFC 6455, section 10.2): any other
    page that somebody reads could join the room in that reader's name."""
    headers = dict(request.headers)
    origin = headers.get(b"origin")
    return origin is None or origin.partition(b"://")[2] == headers.get(b"host")
