"""The form of a codec: a socket's bytes in, messages out; messages in, bytes for the socket out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from fourtuple.explain.model import Message

__all__ = ["Broken", "Codec", "Direct", "Received"]

#: what some bytes from a client are answered with; None: that is not as simple
Direct = Callable[[bytes], bytes | None]


class Broken(Exception):
    """What came cannot be understood, or is more than is allowed; the connection cannot go on.

    `message` says why, for the person who runs the server; `last_words` is what the peer's protocol
    wants to be sent before the end.
    """

    def __init__(self, message: Message, last_words: bytes = b"") -> None:
        super().__init__(message.text)
        self.message = message
        self.last_words = last_words


@dataclass(slots=True)
class Received:
    """What some bytes amounted to: whole messages, what the protocol itself answers at once,
    whether it has come to its end, and what was wrong with the bytes after the messages."""

    messages: list[bytes] = field(default_factory=list)
    answer: bytes = b""
    ended: bool = False
    broken: Broken | None = None


class Codec(Protocol):
    """One a connection. `joined` tells whether the client can hear the application already: with
    WebSocket that takes a handshake, and a client that only fetches a page never does. `has_more`
    tells whether `more()` is ever anything."""

    has_more: bool

    @property
    def joined(self) -> bool: ...

    def receive(self, data: bytes) -> Received:
        """Bytes from the socket; b"" is the end of them. Broken where they make no sense."""
        ...

    def send(self, message: bytes) -> bytes:
        """The bytes that carry a message."""
        ...

    def more(self) -> bytes:
        """What is to be sent next, now that all before it has been; b"" where there is none."""
        ...

    def direct(self, answer: Callable[[bytes], bytes]) -> Direct | None:
        """A short way for an application that is all in `answer`; None where there is none."""
        ...

    def finish(self) -> bytes:
        """The bytes that say that no more will come, if the protocol has a way to say it."""
        ...
