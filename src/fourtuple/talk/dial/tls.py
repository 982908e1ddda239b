"""TLS round another codec, by the standard library's ssl without sockets."""

import hashlib
import ssl
from contextlib import suppress

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.talk.codecs.base import Broken, Received
from fourtuple.talk.dial.codecs import ClientCodec

__all__ = ["Tls"]

NO_TLS = N_("The TLS handshake failed: {reason}.")
NOT_TLS = N_(
    "The TLS handshake failed: {reason}. That is what a server looks like that speaks no TLS."
)
NOT_TRUSTED = N_(
    "The certificate is not to be trusted: {reason}. If the server is yours, say --trust and the"
    " fingerprint that it printed, or --insecure."
)
OTHER_CERTIFICATE = N_("The certificate is another than --trust says: its fingerprint is {found}")
_MOST_BYTES = 64 * 1024


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
        if inner.closes_itself:  # HTTP, WebSocket
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
    def awaits_fin(self) -> bool:
        return self.inner.awaits_fin

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
