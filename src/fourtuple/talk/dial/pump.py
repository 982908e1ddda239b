"""Moves bytes both ways until the conversation is over. One thread, poll(), nothing waits for
anything else: an end of one direction leaves the other open (half-close, as ncat).

Rules: no input is read while something waits to be sent, so memory stays bounded; what has come is
handed on before an error is raised; an error of sending ends sending only, because what the other
side said before may still be there to read.
"""

import math
import select
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.talk.codecs.base import Broken, Received
from fourtuple.talk.dial.link import IcmpError, Link
from fourtuple.talk.dial.source import Source

__all__ = ["Habits", "Pump"]

NO_HANDSHAKE = N_("Connected, but the other side did not finish the handshake in time (--timeout).")

NO_ANSWER = N_("The other side has said nothing for {seconds} s; its answer is not whole (--wait).")

#: how long the other side may take to end too, once someone has said `q`
_GOODBYE_S = 1.0
#: how long a protocol's own good-bye may go unanswered
_CLOSING_S = 10.0
#: poll() takes no longer time-out than this needs to be
_LONGEST_S = 3600.0
_GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


@dataclass(frozen=True, slots=True)
class Habits:
    """`half_close`: the other side's end is not ours. `shutdown`: the end of input is told to it.
    `wait_s`: how long to listen to silence after the last was said; None: until it ends.
    `answer_s`: how long a silence is borne where an answer has to come."""

    half_close: bool = True
    shutdown: bool = True
    wait_s: float | None = None
    answer_s: float = math.inf


class Pump:
    """`hear` is given what comes; `refused` what became of datagrams. `run` raises OSError or
    Broken if that is how it ended."""

    def __init__(
        self,
        link: Link,
        source: Source,
        habits: Habits,
        hear: Callable[[bytes], None],
        refused: Callable[[IcmpError], None],
        after: Callable[[], None] = lambda: None,
        *,
        handshake_s: float = math.inf,
    ) -> None:
        self._joined_by_s = time.monotonic() + handshake_s
        self._link = link
        self._source = source
        self._habits = habits
        self._hear = hear
        self._refused = refused
        self._after = after
        self._input_over = False
        self._told_end = False
        self._sending_over = False
        self._receiving_over = False
        self._over = False
        self._last_s = time.monotonic()
        self._failed: Exception | None = None
        #: who said first that it would say no more: "server", "client", "" nobody
        self.ended_by = ""

    def run(self) -> None:
        self._link.open()
        while not self._is_over():
            self._turn()
            self._after()
            self._require_in_time()
        self._last_words()
        self._await_fin()
        if self._failed is not None:
            raise self._failed

    def _is_over(self) -> bool:
        if self._over or (self._receiving_over and (self._sending_over or self._ends_too)):
            return True
        return self._sending_over and not self._link.waiting and self._silent()

    @property
    def _ends_too(self) -> bool:
        """Whether the other side's end is ours: what it asks of us is sent before."""
        wanted = not self._habits.half_close or self._link.codec.closes_itself
        return wanted and not self._link.waiting

    def _silent(self) -> bool:
        wait_s = self._patience()
        return wait_s is not None and time.monotonic() - self._last_s >= wait_s

    def _patience(self) -> float | None:
        if self._told_end and self._link.codec.closes_itself and not self._source.quits:
            return _CLOSING_S
        if self._source.quits and self._input_over:
            return _GOODBYE_S if self._link.is_stream else 0.0
        return self._habits.wait_s

    def _turn(self) -> None:
        link_fd, source_fd = self._link.sock.fileno(), self._source.fileno()
        events = 0 if self._receiving_over else select.POLLIN
        events |= select.POLLOUT if self._link.waiting and not self._sending_over else 0
        wanted = {link_fd: events}
        takes = not self._input_over and not self._link.waiting
        if takes and source_fd is not None:
            wanted[source_fd] = select.POLLIN
        ready = self._wait(wanted, self._timeout_ms(takes))
        happened = ready.get(link_fd, 0)
        if happened & select.POLLOUT and not self._failed:
            self._send()
        if happened & (select.POLLIN | _GONE):
            self._receive(happened)
        if takes and not self._over:
            self._take(bool(source_fd is not None and source_fd in ready))
        if self._input_over and not self._link.waiting and self._may_end():
            self._tell_end()

    def _wait(self, wanted: Mapping[int, int], timeout_ms: int | None) -> dict[int, int]:
        """poll() for what is wanted of each descriptor: what is ready."""
        poll = select.poll()
        for descriptor, events in wanted.items():
            poll.register(descriptor, events)
        found = self._link.journal.wait(
            "poll", (len(wanted),), lambda: poll.poll(timeout_ms), lambda ready: ready[0]
        )
        return dict(found)

    def _may_end(self) -> bool:
        """An end that is one for both sides at once waits until the answers have come."""
        waits = self._link.codec.closes_itself and self._habits.wait_s is not None
        return self._link.codec.joined and (not waits or self._told_end or self._silent())

    def _require_in_time(self) -> None:
        """Broken where a handshake or an answer takes longer than is borne."""
        now_s = time.monotonic()
        if not self._link.codec.joined and now_s >= self._joined_by_s:
            raise Broken(Message(NO_HANDSHAKE))
        if not self._receiving_over and now_s >= self._last_s + self._habits.answer_s:
            about = {"seconds": f"{self._habits.answer_s:g}"}
            raise Broken(Message(NO_ANSWER, about))

    def _timeout_ms(self, takes: bool) -> int | None:
        now_s, waits = time.monotonic(), []
        if takes and (due_s := self._source.due_s(now_s)) is not None:
            waits.append(due_s)
        if not self._link.codec.joined:
            waits.append(max(0.0, min(self._joined_by_s - now_s, _LONGEST_S)))
        if self._habits.answer_s < _LONGEST_S:
            waits.append(max(0.0, self._last_s + self._habits.answer_s - now_s))
        if self._input_over and (patience_s := self._patience()) is not None:
            waits.append(max(0.0, self._last_s + patience_s - now_s))
        return int(min(waits) * 1000) + 1 if waits and min(waits) > 0 else 0 if waits else None

    def _take(self, readable: bool) -> None:
        now_s = time.monotonic()
        due_s = self._source.due_s(now_s)
        if not readable and (due_s is None or due_s > 0):
            return
        messages = self._source.take(now_s)
        self._last_s = now_s
        if messages is None:
            self._input_over = True
            return
        if self._sending_over:
            return
        for message in messages:
            self._link.put(message)

    def _tell_end(self) -> None:
        """Once all has been said: the codec's last words, then FIN."""
        if self._sending_over:
            return
        wanted = self._habits.shutdown or self._source.quits
        if wanted and not self._told_end and self._link.is_stream:
            self._told_end = True
            self.ended_by = self.ended_by or "client"
            self._last_s = time.monotonic()
            self._link.end()
            if self._link.waiting:
                return
        self._sending_over = True
        if wanted and self._link.is_stream and self._shuts():
            with suppress(OSError):  # the other side was faster
                self._link.shut()

    def _shuts(self) -> bool:
        """Whether FIN is this side's to send first: WebSocket leaves that to the server
        (RFC 6455, section 7.1.1)."""
        return not self._link.codec.closes_itself

    def _send(self) -> None:
        try:
            self._link.flush()
            self._last_s = time.monotonic()
        except OSError as error:
            self._datagram_failed(error) if not self._link.is_stream else self._sending_failed(
                error
            )

    def _sending_failed(self, error: OSError) -> None:
        self._failed = error
        self._sending_over = self._input_over = True
        self._link.pending.clear()
        if self._receiving_over:
            self._over = True

    def _datagram_failed(self, error: OSError) -> None:
        known = self._link.refusals() or [IcmpError(error.errno or 0)]
        if any(refusal.offender for refusal in known):
            self._link.again()
        for refusal in known:
            self._refused(refusal)

    def _receive(self, happened: int) -> None:
        if not self._link.is_stream:
            return self._receive_datagram()
        if self._receiving_over:
            self._failed = self._link.error() or self._failed
            self._over = True
            return None
        try:
            self._heard(self._link.receive())
        except (OSError, Broken) as error:
            self._failed = error
            self._over = True
            if isinstance(error, Broken):
                self._link.pending += error.last_words
        return None

    def _receive_datagram(self) -> None:
        for refusal in self._link.refusals():
            self._refused(refusal)
        try:
            self._heard(self._link.receive())
        except OSError as error:
            self._datagram_failed(error)

    def _heard(self, found: Received) -> None:
        self._last_s = time.monotonic()
        for message in found.messages:
            self._hear(message)
        if found.ended:
            self._receiving_over = True
            self.ended_by = self.ended_by or "server"

    def _last_words(self) -> None:
        """What a protocol has to say at its end, if there is room at once."""
        if self._link.pending and self._link.is_stream:
            with suppress(OSError):
                self._link.flush()

    def _await_fin(self) -> None:
        """Where the connection is the other side's to close, it has a moment to do so: whoever
        closes first waits in TIME_WAIT."""
        link, until_s = self._link, time.monotonic() + _GOODBYE_S
        if not (link.codec.awaits_fin and self._receiving_over) or self._failed:
            return
        with suppress(OSError, Broken):
            while not link.heard_fin and (left_s := until_s - time.monotonic()) > 0:
                if self._wait({link.sock.fileno(): select.POLLIN}, int(left_s * 1000) + 1):
                    link.receive()
