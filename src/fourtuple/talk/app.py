"""What a server does with its clients, without any I/O: an application is told what happened and
answers with what is to be done.

Rules: an application never waits, reads no clock and opens nothing; it is called by one thread at a
time. Drivers (`talk.models`) carry answers out; codecs (`talk.codecs`) turn a socket's bytes into
messages and back, so that the same application serves TCP, UDP and WebSocket.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fourtuple.explain.model import Message

__all__ = ["Action", "Answer", "App", "Client", "Finish", "Send", "Tell"]


@dataclass(slots=True, eq=False)
class Client:
    """Someone who is served: numbered from 1 in order of arrival, with the address it came from and
    the scheme it came by. `name` is what it says it is called, "" until then."""

    number: int
    peer: str
    scheme: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    """A message for a client, who need not be the one that spoke."""

    client: Client
    data: bytes


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing more will be said to a client: its connection ends once all has been sent."""

    client: Client


@dataclass(frozen=True, slots=True)
class Tell:
    """Something for the person who runs the server."""

    message: Message


Action = Send | Finish | Tell
#: bytes, though they be none, go to the client who spoke; None is no answer
Answer = bytes | Sequence[Action] | None


class App:
    """An application that only listens. Subclasses answer.

    `by_lines` asks for whole lines where the transport is a stream; `text` for text messages where
    the transport tells text from bytes. `answer`, where an application has one, is all that it does
    with a message: the same as `received`, for every client alike, so that bytes of a stream need
    not wait their turn.
    """

    by_lines = False
    text = False
    answer: Callable[[bytes], bytes] | None = None

    def opened(self, client: Client) -> Answer:
        """A client has come."""
        return None

    def received(self, client: Client, data: bytes) -> Answer:
        """A client said something: a line (without its end), a datagram, a message, or some bytes
        of a stream."""
        return None

    def ended(self, client: Client) -> Answer:
        """A client will say nothing more, but can still be spoken to (its FIN has come)."""
        return [Finish(client)]

    def closed(self, client: Client) -> Answer:
        """A client is gone: nothing can be sent to it any more. Bytes are for nobody."""
        return None
