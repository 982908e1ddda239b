"""Codecs for what has no protocol of its own: bytes as they come, lines, datagrams."""

from collections.abc import Callable

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.talk.codecs.base import Broken, Direct, Received

__all__ = ["LINE_TOO_LONG", "Lines", "Plain", "Whole"]

LINE_TOO_LONG = N_("a line was longer than {limit} bytes (--max-message)")


class Plain:
    """Bytes as they come: one send() of the peer may be several messages, or half of one."""

    joined = True
    has_more = False

    def receive(self, data: bytes) -> Received:
        return Received([data]) if data else Received(ended=True)

    def send(self, message: bytes) -> bytes:
        return message

    def more(self) -> bytes:
        return b""

    def direct(self, answer: Callable[[bytes], bytes]) -> Direct | None:
        return answer

    def finish(self) -> bytes:
        return b""


class Whole(Plain):
    """Datagrams: each a message, though it have no bytes, and no end."""

    def receive(self, data: bytes) -> Received:
        return Received([data])


class Lines:
    """Lines, ended by LF or CR LF, which are taken off. What stands after the last end of line when
    the stream ends counts as a line. `limit` is how many bytes one may have."""

    joined = True
    has_more = False

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = bytearray()

    def receive(self, data: bytes) -> Received:
        if not data:
            last, self._rest = bytes(self._rest), bytearray()
            return Received([last] if last else [], ended=True)
        self._rest += data
        *lines, rest = self._rest.split(b"\n")
        if max(map(len, (*lines, rest))) > self._limit:
            raise Broken(Message(LINE_TOO_LONG, {"limit": self._limit}))
        self._rest = rest
        return Received([bytes(line.removesuffix(b"\r")) for line in lines])

    def send(self, message: bytes) -> bytes:
        return message

    def more(self) -> bytes:
        return b""

    def direct(self, answer: Callable[[bytes], bytes]) -> Direct | None:
        return None

    def finish(self) -> bytes:
        return b""
