"""A page, fetched: HTTP/1.1 by the sans-I/O core of h11."""

from typing import Any

import h11

from fourtuple import __version__
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.talk.codecs.base import Broken, Received
from fourtuple.talk.url import Url

__all__ = ["Http"]

NOT_HTTP = N_("What came is no answer of HTTP: {reason}.")
STATUS = N_("{status} {reason}")


class Http:
    """GET one page (RFC 9112), by h11. The messages are the page, in pieces."""

    joined = True
    closes_itself = True
    awaits_fin = False

    def __init__(self, url: Url) -> None:
        self._url = url
        self._machine = h11.Connection(h11.CLIENT)
        self.news: list[Message] = []
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.body_bytes = 0
        self.complete = False

    def open(self) -> bytes:
        headers = [
            ("Host", self._url.authority),
            ("User-Agent", f"fourtuple/{__version__}"),
            ("Accept", "*/*"),
            ("Connection", "close"),
        ]
        request = h11.Request(method="GET", target=self._url.path, headers=headers)
        first = self._machine.send(request) or b""
        return first + (self._machine.send(h11.EndOfMessage()) or b"")

    def receive(self, data: bytes) -> Received:
        found = Received()
        try:
            self._machine.receive_data(data)
            while not self.complete:
                event = self._machine.next_event()
                if event in (h11.NEED_DATA, h11.PAUSED):
                    break
                self._take(event, found)
        except h11.RemoteProtocolError as error:
            raise Broken(Message(NOT_HTTP, {"reason": str(error)})) from error
        found.ended = self.complete or not data
        return found

    def _take(self, event: Any, found: Received) -> None:
        if isinstance(event, h11.Response):
            self.status = event.status_code
            self.headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in event.headers]
            reason = event.reason.decode("latin-1")
            self.news.append(Message(STATUS, {"status": self.status, "reason": reason}))
        elif isinstance(event, h11.Data):
            found.messages.append(bytes(event.data))
            self.body_bytes += len(event.data)
        elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
            self.complete = True

    def send(self, message: bytes) -> bytes:
        return b""

    def finish(self) -> bytes:
        return b""
