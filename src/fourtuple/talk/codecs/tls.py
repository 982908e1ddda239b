"""TLS between a socket and another codec, by the standard library's ssl without sockets.

Handshake and records are worked out in memory, so that every model of a server can have TLS without
knowing of it.
"""

import ssl
from collections.abc import Callable
from contextlib import suppress

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.talk.codecs.base import Broken, Codec, Direct, Received

__all__ = ["Tls"]

NO_TLS = N_("the TLS handshake failed: {reason}")
_MOST_BYTES = 64 * 1024


class Tls:
    """`inner` speaks inside of it."""

    has_more = True

    def __init__(self, context: ssl.SSLContext, inner: Codec) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._inner = inner
        self._agreed = False

    @property
    def joined(self) -> bool:
        return self._agreed and self._inner.joined

    def receive(self, data: bytes) -> Received:
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()
        try:
            return self._read(ended=not data)
        except ssl.SSLError as error:
            reason = error.reason or str(error)
            raise Broken(Message(NO_TLS, {"reason": reason}), self._out.read()) from error

    def send(self, message: bytes) -> bytes:
        return self._sealed(self._inner.send(message))

    def more(self) -> bytes:
        return self._sealed(self._inner.more()) if self._agreed else b""

    def direct(self, answer: Callable[[bytes], bytes]) -> Direct | None:
        return None

    def finish(self) -> bytes:
        last = self._sealed(self._inner.finish())
        if self._agreed:
            with suppress(ssl.SSLError):  # it sends close_notify, and would wait for the peer's
                self._tls.unwrap()
        return last + self._out.read()

    def _read(self, ended: bool) -> Received:
        found = Received(ended=ended)
        if not self._agreed:
            try:
                self._tls.do_handshake()
                self._agreed = True
            except ssl.SSLWantReadError:
                found.answer = self._out.read()
                return found
        answer = self._out.read()
        for plain in self._opened():
            try:
                inner = self._inner.receive(plain)
            except Broken as error:
                inner = Received(broken=error)
            answer += self._sealed(inner.answer)
            found.messages += inner.messages
            found.ended = found.ended or inner.ended
            if inner.broken is not None:
                last_words = self._sealed(inner.broken.last_words)
                found.broken = Broken(inner.broken.message, last_words)
                break
        found.answer = answer + self._out.read()
        return found

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

    def _sealed(self, data: bytes) -> bytes:
        if data:
            self._tls.write(data)
        return self._out.read()
