"""A conversation from the first look-up to the last close, each step with its time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from fourtuple.errors import FourtupleError
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.talk.codecs.base import Broken
from fourtuple.talk.dial.connecting import Connecting, Step, Wish
from fourtuple.talk.dial.link import IcmpError, Link, address_text
from fourtuple.talk.dial.pump import Habits, Pump
from fourtuple.talk.dial.source import Source
from fourtuple.talk.dial.trouble import Trouble, of_datagram, of_talk
from fourtuple.talk.journal import Journal

if TYPE_CHECKING:
    from fourtuple.talk.dial.http import Http
    from fourtuple.talk.dial.tls import Tls

__all__ = ["Conversation"]

AGREED = N_("{version}, certificate {fingerprint}")
CUT_SHORT = N_("The connection ended before the whole page had come.")
NO_WEBSOCKET = N_("The connection ended before the server had agreed to speak WebSocket.")


@dataclass(slots=True)
class Conversation:
    """`tell` is given what there is to know, `hear` what the other side said. After `run`, `link`
    has the counts, `connecting` the steps and every trouble."""

    wish: Wish
    tell: Callable[[Message], None]
    hear: Callable[[bytes], None]
    watch: bool = False
    link: Link | None = None
    ended_by: str = ""
    _first_ns: int = 0
    journal: Journal = field(init=False)
    connecting: Connecting = field(init=False)

    def __post_init__(self) -> None:
        self.journal = Journal(self.watch)
        self.connecting = Connecting(self.wish, self.journal, self.tell)

    @property
    def steps(self) -> list[Step]:
        return self.connecting.steps

    @property
    def troubles(self) -> list[Trouble]:
        return self.connecting.troubles

    def connect(self) -> Link:
        self.link = self.connecting.connect()
        return self.link

    def run(self, source: Source, habits: Habits) -> None:
        """Talk until it is over. FourtupleError says how it failed."""
        link = self.link or self.connect()
        begin_ns = time.monotonic_ns()
        pump = Pump(
            link,
            source,
            habits,
            self.hear,
            self._refused,
            lambda: self._after(begin_ns),
            handshake_s=self.wish.timeout_s,
        )
        try:
            pump.run()
        except OSError as error:
            raise self._failed(of_talk(error)) from error
        except Broken as error:
            raise self._failed(Trouble(error.message)) from error
        finally:
            self._after(begin_ns)
            self.ended_by = pump.ended_by
            self._close(link, begin_ns)
        self._judge(link)

    def _judge(self, link: Link) -> None:
        """What came to its end too early."""
        page = self._page(link)
        if page is not None:
            if not page.complete:
                raise self._failed(Trouble(Message(CUT_SHORT)))
        elif not link.codec.joined:
            raise self._failed(Trouble(Message(NO_WEBSOCKET)))
        elif self.troubles and not link.is_stream and not link.receives:
            raise self.troubles[-1].error()

    def _failed(self, trouble: Trouble) -> FourtupleError:
        self.troubles.append(trouble)
        return trouble.error()

    def _refused(self, refusal: IcmpError) -> None:
        assert self.link is not None
        trouble = of_datagram(refusal, self.wish.url, str(self.link.address[0]))
        self.troubles.append(trouble)
        self.tell(trouble.what)

    def _after(self, begin_ns: int) -> None:
        """What a turn of the pump has brought to light."""
        link = self.link
        assert link is not None
        news = link.codec.news
        while news:
            self.tell(news.pop(0))
        tls, page, now_ns = self._tls(link), self._page(link), time.monotonic_ns()
        if tls and tls.agreed and all(step.name != "tls" for step in self.steps):
            about = {"version": tls.version, "fingerprint": tls.fingerprint}
            self.steps.append(Step("tls", begin_ns, now_ns, Message(AGREED, about)))
        if page and page.status:
            self._first_ns = self._first_ns or now_ns

    def _tls(self, link: Link) -> "Tls | None":
        return cast("Tls", link.codec) if self.wish.url.kind.tls else None

    def _page(self, link: Link) -> "Http | None":
        if self.wish.url.kind.over != "http":
            return None
        tls = self._tls(link)
        return cast("Http", tls.inner if tls else link.codec)

    def _close(self, link: Link, begin_ns: int) -> None:
        page = self._page(link)
        if page is not None:
            self._page_steps(page, begin_ns)
        close_ns = time.monotonic_ns()
        link.close()
        self.steps.append(Step("close", close_ns, time.monotonic_ns()))
        self.journal.settle()

    def _page_steps(self, page: "Http", begin_ns: int) -> None:
        """The page's own steps; the request goes out as soon as the connection can carry it."""
        asked_ns = max([begin_ns, *(step.end_ns for step in self.steps if step.name == "tls")])
        if page.status:
            first_ns = self._first_ns
            self.steps.append(Step("first-byte", asked_ns, first_ns))
            body = f"{page.body_bytes}"
            self.steps.append(Step("body", first_ns, time.monotonic_ns(), body))

    @property
    def peer(self) -> str:
        """The address that is talked to."""
        return address_text(self.link.address) if self.link else ""
