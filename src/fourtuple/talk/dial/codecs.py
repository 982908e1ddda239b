"""What a client speaks on its socket: the form of it, and the plainest two, bytes and datagrams.

No I/O: bytes in, messages out, as the codecs of the servers. `open` is what a client says first.
"""

from typing import Protocol

from fourtuple.explain.model import Message
from fourtuple.talk.codecs.base import Received

__all__ = ["Bytes", "ClientCodec", "Whole"]


class ClientCodec(Protocol):
    """One a connection. `joined`: the handshakes are over. `news`: what there is to tell, for who
    takes it out. `closes_itself`: the protocol has an end of its own, for both sides at once;
    `awaits_fin`: after that, the connection is the other side's to close."""

    news: list[Message]

    @property
    def joined(self) -> bool: ...

    @property
    def closes_itself(self) -> bool: ...

    @property
    def awaits_fin(self) -> bool: ...

    def open(self) -> bytes:
        """What is to be said first."""
        ...

    def receive(self, data: bytes) -> Received:
        """Bytes from the socket; b"" is the end of them. Broken where they make no sense."""
        ...

    def send(self, message: bytes) -> bytes:
        """The bytes that carry a message."""
        ...

    def finish(self) -> bytes:
        """The bytes that say that no more will come."""
        ...


class Bytes:
    """A stream as it is."""

    joined = True
    closes_itself = False
    awaits_fin = False

    def __init__(self) -> None:
        self.news: list[Message] = []

    def open(self) -> bytes:
        return b""

    def receive(self, data: bytes) -> Received:
        return Received([data]) if data else Received(ended=True)

    def send(self, message: bytes) -> bytes:
        return message

    def finish(self) -> bytes:
        return b""


class Whole(Bytes):
    """Datagrams: each a message, an empty one too, and no end."""

    def receive(self, data: bytes) -> Received:
        return Received([data])
