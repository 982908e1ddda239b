"""WebSocket (RFC 6455, RFC 7692) by the sans-I/O core of the websockets library.

It does the opening handshake itself, from the first byte of the request on. Messages are whole:
fragments are put together here, pings answered, the closing handshake finished. A message of text
is answered with text, one of bytes with bytes.
"""

import codecs

from websockets.extensions.permessage_deflate import enable_server_permessage_deflate
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.talk.codecs.base import Broken, Received

__all__ = ["WebSocket"]

NOT_WEBSOCKET = N_("it does not speak WebSocket: {reason}")
_UTF8 = codecs.getincrementaldecoder("utf-8")


class WebSocket:
    """One connection of a server. `limit` is how many bytes a message may have; `text`: messages
    go out as text though none has come in."""

    def __init__(self, limit: int, *, compress: bool = True, text: bool = False) -> None:
        extensions = enable_server_permessage_deflate(None) if compress else None
        self._protocol = ServerProtocol(extensions=extensions, max_size=limit)
        self._text = text
        self._parts: list[bytes] = []
        self._decoder = _UTF8()
        self._wrong: UnicodeDecodeError | None = None
        self.joined = False

    def receive(self, data: bytes) -> Received:
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        messages = self._messages()
        answer = b"".join(self._protocol.data_to_send())
        if self._failed and not data:
            return Received(messages, answer, ended=True)
        error = self._wrong or self._protocol.handshake_exc or self._protocol.parser_exc
        if error is not None and not isinstance(error, EOFError):
            raise Broken(Message(NOT_WEBSOCKET, {"reason": str(error)}), answer)
        ended = not data or self._protocol.close_expected()
        return Received(messages, answer, ended)

    def send(self, message: bytes) -> bytes:
        if self._protocol.state is not State.OPEN:
            return b""
        if self._text:
            self._protocol.send_text(message)
        else:
            self._protocol.send_binary(message)
        return b"".join(self._protocol.data_to_send())

    def more(self) -> bytes:
        return b""

    def finish(self) -> bytes:
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
        return b"".join(self._protocol.data_to_send())

    @property
    def _failed(self) -> bool:
        return self._protocol.state is State.CLOSED

    def _messages(self) -> list[bytes]:
        found = []
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._protocol.send_response(self._protocol.accept(event))
                self.joined = self._protocol.state is State.OPEN
            elif isinstance(event, Frame) and self._wrong is None:
                found += self._take(event)
        return found

    def _is_utf8(self, frame: Frame) -> bool:
        """Whether text is what it says, as far as it has come; fails the connection where not."""
        try:
            self._decoder.decode(frame.data, frame.fin)
        except UnicodeDecodeError as error:
            self._wrong = error
            self._protocol.fail(CloseCode.INVALID_DATA)
            return False
        return True

    def _take(self, frame: Frame) -> list[bytes]:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return []
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
        if self._text and not self._is_utf8(frame):
            return []
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return []
        message, self._parts = b"".join(self._parts), []
        return [message]
