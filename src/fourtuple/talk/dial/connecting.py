"""From a URL to a connection: the name looked up, each of its addresses tried, again if asked to.

Each step is kept with its time, so that the whole can be shown on one line (row B4).
"""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fourtuple.errors import CapabilityMissing, FourtupleError
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.talk.dial.codecs import Bytes, ClientCodec, Whole
from fourtuple.talk.dial.link import Link
from fourtuple.talk.dial.trouble import Trouble, not_found, of_connect
from fourtuple.talk.journal import Journal
from fourtuple.talk.url import Url

__all__ = ["Connecting", "Step", "Wish"]

RAW_FORBIDDEN = N_("A raw socket needs CAP_NET_RAW.")
RAW_REMEDY = N_("Run as root, or in the lab, whose programs have it.")
AGAIN = N_("{what} Trying again in {seconds} s ({number} of {count}).")
#: between one round of attempts and the next
_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Wish:
    """Whom to talk to, and how hard to try. `trust` is a certificate's fingerprint."""

    url: Url
    timeout_s: float = 10.0
    retries: int = 0
    trust: str = ""
    insecure: bool = False
    compress: bool = True


@dataclass(frozen=True, slots=True)
class Step:
    """Something that took from `begin_ns` to `end_ns` (monotonic): "look-up", "connect", "tls",
    "request", "first-byte", "body", "close"."""

    name: str
    begin_ns: int
    end_ns: int
    detail: Message | str = ""


@dataclass(slots=True)
class Connecting:
    """`connect` gives a Link, or raises FourtupleError; `troubles` are the attempts that failed,
    `steps` what took how long."""

    wish: Wish
    journal: Journal
    tell: Callable[[Message], None]
    steps: list[Step] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    #: when each attempt was begun, and at which address
    tried: list[tuple[int, Any]] = field(default_factory=list)

    def connect(self) -> Link:
        places = self._places()
        for number in range(self.wish.retries + 1):
            for family, address in places:
                if (link := self._try(family, address)) is not None:
                    return link
            if number < self.wish.retries:
                self._pause(number + 1)
        raise self.troubles[-1].error()

    def _pause(self, number: int) -> None:
        about = {"seconds": f"{_PAUSE_S:g}", "number": number, "count": self.wish.retries}
        self.tell(Message(AGAIN, {"what": self.troubles[-1].what, **about}))
        time.sleep(_PAUSE_S)

    def _places(self) -> list[tuple[int, Any]]:
        """Every address to try, best first, as connect() wants it."""
        url = self.wish.url
        if url.kind.transport == "unix":
            return [(socket.AF_UNIX, url.path)]
        begin_ns = time.monotonic_ns()
        port = 0 if url.kind.transport == "raw" else url.port
        try:
            found = socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            trouble = not_found(url, error)
            self.troubles.append(trouble)
            raise trouble.error() from error
        places: list[tuple[int, Any]] = [(family, address) for family, _, _, _, address in found]
        shown = ", ".join(str(address[0]) for _, address in places)
        self.steps.append(Step("look-up", begin_ns, time.monotonic_ns(), shown))
        return places

    def _try(self, family: int, address: Any) -> Link | None:
        link = Link(self._socket(family), address, self._codec(), self.journal)
        begin_ns = time.monotonic_ns()
        self.tried.append((begin_ns, address))
        try:
            link.connect(self.wish.timeout_s)
        except OSError as error:
            link.close()
            shown = address if isinstance(address, str) else str(address[0])
            trouble = of_connect(error, self.wish.url, shown, self.wish.timeout_s)
            self.troubles.append(trouble)
            return None
        except BaseException:
            link.close()
            raise
        shown = address if isinstance(address, str) else str(address[0])
        call = self.journal.calls[-1]
        self.steps.append(Step("connect", call.t_ns, call.end_ns or call.t_ns, shown))
        return link

    def _socket(self, family: int) -> socket.socket:
        transport = self.wish.url.kind.transport
        kind = {"udp": socket.SOCK_DGRAM, "raw": socket.SOCK_RAW}.get(transport, socket.SOCK_STREAM)
        protocol = self.wish.url.port if transport == "raw" else 0
        names = (socket.AddressFamily(family).name, kind.name)
        try:
            return self.journal.call(
                None, "socket", names, lambda: socket.socket(family, kind, protocol)
            )
        except PermissionError:
            raise CapabilityMissing(RAW_FORBIDDEN, RAW_REMEDY) from None
        except OSError as error:
            raise FourtupleError("{reason}", {"reason": error.strerror}) from error

    def _codec(self) -> ClientCodec:
        """Libraries are imported where they are needed: bare bytes need none."""
        wish, url = self.wish, self.wish.url
        inner = self._plain_codec()
        if not url.kind.tls:
            return inner
        from fourtuple.talk.dial.tls import Tls

        return Tls(url.host, inner, trust=wish.trust, insecure=wish.insecure)

    def _plain_codec(self) -> ClientCodec:
        url = self.wish.url
        if url.kind.transport in ("udp", "raw"):
            return Whole()
        if url.kind.over == "http":
            from fourtuple.talk.dial.http import Http

            return Http(url)
        if url.kind.over == "ws":
            from fourtuple.talk.dial.websocket import WebSocket

            return WebSocket(url, compress=self.wish.compress)
        return Bytes()
