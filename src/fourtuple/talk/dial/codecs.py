"""What a client speaks on its socket: bare bytes, whole datagrams, HTTP, WebSocket; TLS round them.

No I/O: bytes in, messages out, as the codecs of the servers. `open` is what a client says first.
"""

import hashlib
import ssl
from contextlib import suppress
from typing import Any, Protocol

import h11
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.extensions.permessage_deflate import enable_client_permessage_deflate
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import parse_uri

from fourtuple import __version__
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.talk.codecs.base import Broken, Received
from fourtuple.talk.url import Url

__all__ = ["Bytes", "ClientCodec", "Http", "Tls", "WebSocket", "Whole"]

NOT_HTTP = N_("What came is no answer of HTTP: {reason}.")
NOT_WEBSOCKET = N_("The server does not speak WebSocket: {reason}.")
NO_UPGRADE = N_("The server answered {status} instead of 101: no WebSocket at {path}.")
NO_TLS = N_("The TLS handshake failed: {reason}.")
NOT_TLS = N_(
    "The TLS handshake failed: {reason}. That is what a server looks like that speaks no TLS."
)
NOT_TRUSTED = N_(
    "The certificate is not to be trusted: {reason}. If the server is yours, say --trust and the"
    " fingerprint that it printed, or --insecure."
)
OTHER_CERTIFICATE = N_("The certificate is another than --trust says: its fingerprint is {found}")
FRAME_OUT = N_("sent: {kind} frame, {count} bytes, {wire} on the wire")
FRAME_IN = N_("received: {kind} frame, {count} bytes")
UPGRADED = N_("The server agreed to speak WebSocket: 101 Switching Protocols{extensions}.")
WITH_EXTENSIONS = N_(" ({names})")
STATUS = N_("{status} {reason}")
_MOST_BYTES = 64 * 1024
_MOST_MESSAGE = 64 << 20


class ClientCodec(Protocol):
    """One a connection. `joined`: the handshakes are over. `news`: what there is to tell, for who
    takes it out. `closes_itself`: the protocol has an end of its own, for both sides at once."""

    news: list[Message]

    @property
    def joined(self) -> bool: ...

    @property
    def closes_itself(self) -> bool: ...

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


class Http:
    """GET one page (RFC 9112), by h11. The messages are the page, in pieces."""

    joined = True
    closes_itself = True

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


class WebSocket:
    """WebSocket (RFC 6455, RFC 7692) by the sans-I/O core of the websockets library. Messages are
    whole, and each frame is news. Text goes out as text, what is no UTF-8 as bytes."""

    closes_itself = True

    def __init__(self, url: Url, *, compress: bool = True) -> None:
        extensions = enable_client_permessage_deflate(None) if compress else None
        uri = parse_uri(f"{url.scheme}://{url.authority}{url.path}")
        self._protocol = ClientProtocol(uri, extensions=extensions, max_size=_MOST_MESSAGE)
        self._path = url.path
        self._before: list[bytes] = []
        self._parts: list[bytes] = []
        self.news: list[Message] = []
        self.joined = False
        #: the other side's status of the end and its reason, once it has said them
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
        return Received(messages, answer, ended=not data or self._protocol.close_expected())

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
            self.close_code = int(self._protocol.close_code or 0)
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


class Tls:
    """`inner` speaks inside of it. `trust` is a fingerprint that the certificate must have; then
    nothing else about it counts."""

    def __init__(
        self, host: str, inner: ClientCodec, *, trust: str = "", insecure: bool = False
    ) -> None:
        context = ssl.create_default_context()
        if trust or insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if isinstance(inner, (Http, WebSocket)):
            context.set_alpn_protocols(["http/1.1"])
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host)
        self._trust = _plain(trust)
        self._before: list[bytes] = []
        self._agreed = False
        self.inner = inner
        self.news = inner.news
        self.version = ""
        self.fingerprint = ""

    @property
    def joined(self) -> bool:
        return self._agreed and self.inner.joined

    @property
    def closes_itself(self) -> bool:
        return self.inner.closes_itself

    @property
    def agreed(self) -> bool:
        """Whether the TLS handshake is over."""
        return self._agreed

    def open(self) -> bytes:
        with suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        return self._out.read()

    def receive(self, data: bytes) -> Received:
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()
        try:
            return self._read(ended=not data)
        except ssl.SSLError as error:
            raise Broken(_what_is_wrong(error), self._out.read()) from error

    def _read(self, ended: bool) -> Received:
        found = Received(ended=ended)
        if not self._agreed:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                found.answer = self._out.read()
                return found
            self._greet()
        for plain in self._opened():
            try:
                inner = self.inner.receive(plain)
            except Broken as error:
                self._seal(error.last_words)
                raise Broken(error.message, self._out.read()) from error
            self._seal(inner.answer)
            found.messages += inner.messages
            found.ended = found.ended or inner.ended
        found.answer = self._out.read()
        return found

    def _greet(self) -> None:
        self._agreed = True
        self.version = str(self._tls.version())
        certificate = self._tls.getpeercert(binary_form=True) or b""
        self.fingerprint = hashlib.sha256(certificate).digest().hex(":").upper()
        if self._trust and _plain(self.fingerprint) != self._trust:
            raise Broken(Message(OTHER_CERTIFICATE, {"found": self.fingerprint}))
        self._seal(self.inner.open())
        for message in self._before:
            self._seal(self.inner.send(message))

    def _opened(self) -> list[bytes]:
        """What has come, in plain; b"" at the end for the peer's close_notify."""
        pieces: list[bytes] = []
        while True:
            try:
                pieces.append(self._tls.read(_MOST_BYTES))
            except ssl.SSLWantReadError:
                return pieces
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return [*pieces, b""]
            if not pieces[-1]:
                return pieces

    def _seal(self, data: bytes) -> None:
        if data:
            self._tls.write(data)

    def send(self, message: bytes) -> bytes:
        if not self._agreed:
            self._before.append(message)
            return b""
        self._seal(self.inner.send(message))
        return self._out.read()

    def finish(self) -> bytes:
        if not self._agreed:
            return b""
        self._seal(self.inner.finish())
        with suppress(ssl.SSLError):  # it sends close_notify, and would wait for the peer's
            self._tls.unwrap()
        return self._out.read()


def _what_is_wrong(error: ssl.SSLError) -> Message:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Message(NOT_TRUSTED, {"reason": error.verify_message})
    reason = error.reason or str(error)
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_EOF_WHILE_READING"):
        return Message(NOT_TLS, {"reason": reason})
    return Message(NO_TLS, {"reason": reason})


def _plain(fingerprint: str) -> str:
    return fingerprint.replace(":", "").lower()
