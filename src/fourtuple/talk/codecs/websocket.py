"""WebSocket (RFC 6455, RFC 7692) by the sans-I/O core of the websockets library.

It does the opening handshake itself, from the first byte of the request on. Messages are whole:
fragments are put together here, pings answered, the closing handshake finished. A message of text
is answered with text, one of bytes with bytes.

Rules: the short whole message, by far the most common one, is read and written here, because the
library takes ten times as long for it; every other frame goes through the library, which is never
given less or more than it at once, and so always knows where it is. A message too short for a long
frame is not compressed: it would hardly become smaller, and RFC 7692 (section 6) leaves the choice
to the sender.
"""

import codecs
from collections.abc import Callable

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.talk.codecs.base import Broken, Direct, Received

try:
    from websockets.speedups import apply_mask
except ImportError:  # built without a C compiler
    from websockets.utils import apply_mask

__all__ = ["WebSocket"]

NOT_WEBSOCKET = N_("it does not speak WebSocket: {reason}")
#: small windows and little memory where it is ours to choose (RFC 7692, section 7.1.2.1), as many
#: clients may be here; theirs is left to clients, some of which cannot choose
_DEFLATE = ServerPerMessageDeflateFactory(
    server_max_window_bits=12, compress_settings={"memLevel": 5}
)
_UTF8 = codecs.getincrementaldecoder("utf-8")
_TEXT, _BINARY = 0x81, 0x82  # FIN and opcode (RFC 6455, section 5.2)
_OPCODE = 0x0F
_MASKED = 0x80
#: a final continuation of nothing, masked
_LAST_PART = bytes((0x80, _MASKED, 0, 0, 0, 0))
_LENGTH = 0x7F
#: payloads from here on have a longer header: 16 bits of length, or with _LENGTH 64
_LONG = 126
_MASK_BYTES = 4
#: of a client's short frame
_SHORT_HEADER = 2 + _MASK_BYTES


#: by the first two bytes of a client's whole, short message: how long it is, how much of that is
#: payload, whether it is text, and the head of an answer of the same kind and length. Plain tuples:
#: the interpreter has a faster way with them than with named ones
_SHORT_FRAMES = {
    bytes((first, _MASKED | length)): (
        _SHORT_HEADER + length,
        length,
        first == _TEXT,
        bytes((first, length)),
    )
    for first in (_TEXT, _BINARY)
    for length in range(_LONG)
}
_SHORT_HEADS = {
    text: [bytes((_TEXT if text else _BINARY, length)) for length in range(_LONG)]
    for text in (True, False)
}


class WebSocket:
    """One connection of a server. `limit` is how many bytes a message may have; `text`: messages
    go out as text though none has come in."""

    has_more = False

    def __init__(self, limit: int, *, compress: bool = True, text: bool = False) -> None:
        extensions = [_DEFLATE] if compress else None
        self._protocol = ServerProtocol(extensions=extensions, max_size=limit)
        self._limit = limit
        self._text = text
        #: what has come of a header that is not complete
        self._begun = b""
        #: how many bytes of the frame that the library is reading are still to come
        self._owed = 0
        self._parts: list[bytes] = []
        self._decoder = _UTF8()
        self._wrong: UnicodeDecodeError | None = None
        self.joined = False
        self._open = False
        #: whether the next byte begins a message
        self._between = False

    def receive(self, data: bytes) -> Received:
        found = self._understood(data)
        self._between = self._open and not (self._begun or self._owed or self._parts)
        return found

    def _understood(self, data: bytes) -> Received:
        if not data or not self._open:
            return self._by_library(data)
        if self._begun:
            data, self._begun = self._begun + data, b""
        found = Received()
        at, size = 0, len(data)
        while at < size and not found.ended:
            if short := self._short_frame(data, at, size):
                at, message = short
                found.messages.append(message)
            else:
                at = self._long_frame(data, at, found)
        return found

    def _short_frame(self, data: bytes, at: int, size: int) -> tuple[int, bytes] | None:
        """The frame at `at`, if it is whole, masked as a client's must be, a message by itself and
        has the shortest header: where the next one starts, and the message."""
        frame = _SHORT_FRAMES.get(data[at : at + 2])
        if frame is None or self._owed or self._parts:
            return None
        frame_bytes, length, text, _ = frame
        end = at + frame_bytes
        if end > size or length > self._limit:
            return None
        start = at + _SHORT_HEADER
        message = apply_mask(data[start:end], data[at + 2 : start])
        if text and not message.isascii() and not _is_text(message):
            return None
        self._text = text
        return end, message

    def _long_frame(self, data: bytes, at: int, found: Received) -> int:
        """Give the library the frame that starts at `at`, or goes on there; where the next starts.
        Its header has to be complete, to tell how long it is."""
        if not self._owed:
            self._owed = _frame_bytes(data, at)
            if not self._owed:
                self._begun = data[at:]
                return len(data)
            if self._parts and data[at] & _OPCODE == Opcode.CLOSE:
                self._abandon_message()
        here = min(self._owed, len(data) - at)
        self._owed -= here
        try:
            by_library = self._by_library(data[at : at + here])
        except Broken as error:
            found.broken, found.ended = error, True
            return len(data)
        found.messages += by_library.messages
        found.answer += by_library.answer
        found.ended = by_library.ended
        return at + here

    def _abandon_message(self) -> None:
        """A close may come between the parts of a message (RFC 6455, section 5.4), which then stays
        without its end. The library would call that an error: so it is given an end."""
        self._protocol.receive_data(_LAST_PART)
        self._protocol.events_received()
        self._parts.clear()

    def _by_library(self, data: bytes) -> Received:
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
            # what was said before can still be answered: `answer` goes out after that
            raise Broken(Message(NOT_WEBSOCKET, {"reason": str(error)}), answer)
        self._open = self._protocol.state is State.OPEN
        ended = not data or self._protocol.close_expected()
        return Received(messages, answer, ended)

    def send(self, message: bytes) -> bytes:
        if not self._open:
            return b""
        if len(message) < _LONG:
            return _SHORT_HEADS[self._text][len(message)] + message
        if self._protocol.state is not State.OPEN:
            return b""
        if self._text:
            self._protocol.send_text(message)
        else:
            self._protocol.send_binary(message)
        return b"".join(self._protocol.data_to_send())

    def more(self) -> bytes:
        return b""

    def direct(self, answer: Callable[[bytes], bytes]) -> Direct | None:
        find, unmask, limit = _SHORT_FRAMES.get, apply_mask, self._limit

        def answered(data: bytes) -> bytes | None:
            frame = find(data[:2])
            if frame is None or not self._between:
                return None
            size, length, text, head = frame
            if len(data) != size or length > limit:
                return None
            message = unmask(data[_SHORT_HEADER:], data[2:_SHORT_HEADER])
            if text and not message.isascii() and not _is_text(message):
                return None
            self._text = text
            said = answer(message)
            return head + said if len(said) == length else self.send(said)

        return answered

    def finish(self) -> bytes:
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
            self._open = False
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


def _frame_bytes(data: bytes, at: int) -> int:
    """How long the frame at `at` is, header and all; 0 where its header is not complete."""
    if len(data) < at + 2:
        return 0
    length, extra = data[at + 1] & _LENGTH, 0
    if length >= _LONG:
        extra = 2 if length == _LONG else 8
        if len(data) < at + 2 + extra:
            return 0
        length = int.from_bytes(data[at + 2 : at + 2 + extra], "big")
    mask = _MASK_BYTES if data[at + 1] & _MASKED else 0
    return 2 + extra + mask + length


def _is_text(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True
