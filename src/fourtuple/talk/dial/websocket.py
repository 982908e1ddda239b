"""WebSocket, the client's side (RFC 6455, RFC 7692), by the sans-I/O core of websockets."""

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.extensions.permessage_deflate import enable_client_permessage_deflate
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.talk.codecs.base import Broken, Received
from fourtuple.talk.url import Url

__all__ = ["WebSocket"]

NOT_WEBSOCKET = N_("The server does not speak WebSocket: {reason}.")
NO_UPGRADE = N_("The server answered {status} instead of 101: no WebSocket at {path}.")
FRAME_OUT = N_("sent: {kind} frame, {count} bytes, {wire} on the wire")
FRAME_IN = N_("received: {kind} frame, {count} bytes")
UPGRADED = N_("The server agreed to speak WebSocket: 101 Switching Protocols{extensions}.")
WITH_EXTENSIONS = N_(" ({names})")
_MOST_MESSAGE = 64 << 20


class WebSocket:
    """WebSocket (RFC 6455, RFC 7692) by the sans-I/O core of the websockets library. Messages are
    whole, and each frame is news. Text goes out as text, what is no UTF-8 as bytes."""

    closes_itself = True
    awaits_fin = True  # RFC 6455, section 7.1.1

    def __init__(self, url: Url, *, compress: bool = True) -> None:
        extensions = enable_client_permessage_deflate(None) if compress else None
        uri = parse_uri(f"{url.scheme}://{url.authority}{url.path}")
        self._protocol = ClientProtocol(uri, extensions=extensions, max_size=_MOST_MESSAGE)
        self._path = url.path
        self._before: list[bytes] = []
        self._parts: list[bytes] = []
        self.news: list[Message] = []
        self.joined = False
        #: the other side's status of the end, once it has said it
        self.close_code = 0

    def open(self) -> bytes:
        self._protocol.send_request(self._protocol.connect())
        return b"".join(self._protocol.data_to_send())

    def receive(self, data: bytes) -> Received:
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        messages = self._messages()
        wrong = self._protocol.handshake_exc or self._protocol.parser_exc
        answer = b"".join(self._protocol.data_to_send())
        if wrong is not None and not (self.joined and isinstance(wrong, EOFError)):
            raise Broken(self._what_is_wrong(wrong), answer)
        if self.joined and self._before:
            waiting, self._before = self._before, []
            answer += b"".join(map(self.send, waiting))
        return Received(messages, answer, ended=not data or bool(self.close_code))

    def _what_is_wrong(self, wrong: Exception) -> Message:
        if isinstance(wrong, InvalidStatus):
            about = {"status": wrong.response.status_code, "path": self._path}
            return Message(NO_UPGRADE, about)
        return Message(NOT_WEBSOCKET, {"reason": str(wrong)})

    def _messages(self) -> list[bytes]:
        found: list[bytes] = []
        for event in self._protocol.events_received():
            if isinstance(event, Response) and self._protocol.state is State.OPEN:
                self.joined = True
                self._tell_upgrade(event)
            elif isinstance(event, Frame):
                self._tell(FRAME_IN, event)
                found += self._take(event)
        return found

    def _tell_upgrade(self, response: Response) -> None:
        names = response.headers.get("Sec-WebSocket-Extensions", "")
        with_them: Message | str = Message(WITH_EXTENSIONS, {"names": names}) if names else ""
        self.news.append(Message(UPGRADED, {"extensions": with_them}))

    def _tell(self, text: str, frame: Frame, wire_bytes: int = 0) -> None:
        kind = frame.opcode.name.lower()
        about = {"kind": kind, "count": len(frame.data), "wire": wire_bytes}
        self.news.append(Message(text, about))

    def _take(self, frame: Frame) -> list[bytes]:
        if frame.opcode is Opcode.CLOSE:
            self.close_code = int(self._protocol.close_code or CloseCode.NO_STATUS_RCVD)
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return []
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return []
        message, self._parts = b"".join(self._parts), []
        return [message]

    def send(self, message: bytes) -> bytes:
        if not self.joined:
            self._before.append(message)
            return b""
        if self._protocol.state is not State.OPEN:
            return b""
        is_text = _is_text(message)
        if is_text:
            self._protocol.send_text(message)
        else:
            self._protocol.send_binary(message)
        data = b"".join(self._protocol.data_to_send())
        opcode = Opcode.TEXT if is_text else Opcode.BINARY
        self._tell(FRAME_OUT, Frame(opcode, message), len(data))
        return data

    def finish(self) -> bytes:
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
            data = b"".join(self._protocol.data_to_send())
            self._tell(FRAME_OUT, Frame(Opcode.CLOSE, b"\x03\xe8"), len(data))
            return data
        return b"".join(self._protocol.data_to_send())


def _is_text(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True
