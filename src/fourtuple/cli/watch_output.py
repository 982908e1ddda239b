"""What `fourtuple watch` prints: a line for each thing that is new of a connection.

With --json one object each on standard output. Else words: beside a command's own output on
standard error, and where there is no command on standard output.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fourtuple.cli.output import write
from fourtuple.cli.recordings import NOT_KEPT, save_recording
from fourtuple.errors import CapabilityMissing, FourtupleError
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.render.numbers import byte_count, duration
from fourtuple.render.terminal import Terminal
from fourtuple.render.text import clean, wrap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fourtuple.event.model import Endpoint, Note
    from fourtuple.event.timeline import Timeline
    from fourtuple.source.trace.sockets import Sock
    from fourtuple.watch.pairs import Cause, News, Pair
    from fourtuple.watch.wish import Wish

__all__ = ["Reporter", "Watcher"]

_WORDS = {
    "listening": N_("listening"),
    "opened": N_("opened"),
    "accepted": N_("accepted"),
    "ended": N_("ended"),
    "present": N_("open already"),
    "open": N_("still open"),
}
_STYLES = {"opened": "green", "ended": "bold", "accepted": "cyan"}
_OWNER = N_("{command} (process {pid}, descriptor {fd})")
_OWNER_LIKELY = N_("{command} (process {pid}, descriptor {fd}; by the queue's order)")
_NOT_ACCEPTED = N_("not accepted yet")
_NOT_HERE = N_("not seen here")
_BETWEEN = N_("client {client}, server {server}")
_BY_SERVER = N_("by {server}")
_QUEUES = N_("{state}, {unread} unread, {unsent} not acknowledged")
_ACCEPT_QUEUE = N_("accept queue {length} of {limit}")
_LASTED = N_("after {time}")
_AFTER = N_("after {time}, {up} there, {down} back")
_CAUSES = {
    "refused": N_("refused: an RST answered the SYN"),
    "unanswered": N_("given up: nothing answered the SYN"),
    "reset": N_("{by} sent an RST"),
    "timed-out": N_("timed out: what was sent found no answer"),
    "error": N_("error {detail}"),
    "given-up": N_("given up before it was established"),
    "closed": N_("{by} closed first"),
    "silent": N_("silent for a minute"),
}
_ENDED = N_("closed")
_REASON = N_("{cause} (the kernel's reason: {detail})")
_SIDES = {"client": N_("the client"), "server": N_("the server")}
_STATUS = N_("{command} ended with exit status {status}.")
_KEPT = N_("recording kept in {file}")
#: of more frames and events than these, no sentence is written beside each frame: that takes all
#: of them in memory at once
_MOST_EXPLAINED = 200_000
_BY_TRACE = N_(
    "Watching by the kernel's trace: {events} events and {frames} frames; besides, {lost} events "
    "and {frames_lost} frames were lost."
)
_POLLING = N_(
    "Without root this is seen in the socket table alone, looked at {times} times a second: a "
    "connection that lives shorter may be missed, and there are no calls, no segments, and no "
    "reasons of resets. As root, for example with sudo, all of them are there."
)


class Watcher(Protocol):
    """What both ways of watching have."""

    connections: int
    status: int | None

    def run(self) -> None: ...

    def notes(self) -> "list[Note]": ...

    def timeline(self, pair: "Pair") -> "Timeline": ...

    def recording(self) -> "Timeline": ...

    def figures(self) -> dict[str, int]: ...

    def queues(self, sock: "Sock") -> "tuple[str, int, int] | None": ...


class Reporter:
    """`aside`: standard output is a command's own."""

    def __init__(
        self, translator: Translator, terminal: Terminal, *, json: bool, ladder: bool, aside: bool
    ) -> None:
        self._translator, self._say = translator, translator.text
        self._terminal = terminal
        self._json, self._ladder, self._aside = json, ladder, aside
        self._began_ns = 0
        self._watcher: Watcher | None = None

    def watch(self, wish: "Wish", path: Path | None) -> None:
        """Watch, and tell of it until the end. FourtupleError where the recording cannot be
        kept."""
        watcher = self._watcher = self._way(wish)
        if self._ladder:
            from fourtuple.render import summary  # noqa: F401 - not while a connection waits
        watcher.run()
        self._end(wish, watcher)
        if path is not None:
            timeline = watcher.recording()
            small = len(timeline.frames) + len(timeline.events) <= _MOST_EXPLAINED
            reason = save_recording(timeline, path, self._translator, explained=small)
            if reason:
                raise FourtupleError(NOT_KEPT, {"file": str(path), "reason": reason})
            print(clean(self._say(Message(_KEPT, {"file": str(path)}))), file=sys.stderr)

    def _way(self, wish: "Wish") -> Watcher:
        """By the trace; without the right to it, by the socket table where that will do."""
        from fourtuple.system.tracefs import place
        from fourtuple.watch.polling import Poller
        from fourtuple.watch.session import Session

        try:
            place()
        except CapabilityMissing:
            if wish.frames or wish.everything:
                raise
            poller = Poller(wish, self.tell)
            self._remark(Message(_POLLING, {"times": poller.TIMES_A_SECOND}))
            return poller
        return Session(wish, self.tell, self._late)

    def tell(self, news: "News") -> None:
        """Something is new."""
        self._began_ns = self._began_ns or news.t_ns
        if self._json:
            return self._object(self._news_object(news))
        t_s = max(0, news.t_ns - self._began_ns) / 1e9
        word = self._terminal.paint(_STYLES.get(news.what, ""), self._say(_WORDS[news.what]))
        parts = [f"{t_s:9.3f} s", word, *map(self._say, self._details(news))]
        self._print("  ".join(parts))
        if self._ladder and news.what == "ended" and news.pair is not None:
            self._draw(news.pair)
        return None

    def _details(self, news: "News") -> "list[Message | str]":
        if news.listener is not None:
            return [str(news.listener.local), self._owner(news.listener), *self._queue(news)]
        pair = news.pair
        assert pair is not None
        protocol = "" if pair.protocol == "tcp" else f"{pair.protocol} "
        where = f"{protocol}{pair.ends[0]} → {pair.ends[1]}"
        if news.what == "accepted":
            return [where, Message(_BY_SERVER, {"server": self._owner(pair.server)})]
        between = {"client": self._owner(pair.client), "server": self._owner(pair.server)}
        if news.what in ("opened", "present"):
            return [where, Message(_BETWEEN, between)]
        if news.what == "open":
            return [where, Message(_BETWEEN, between), *self._state(pair)]
        return [where, self._lived(pair), self._cause(pair.cause())]

    def _owner(self, sock: "Sock | None") -> Message:
        owner = sock.owner if sock else None
        if sock is None or owner is None:
            return Message(_NOT_ACCEPTED if sock and sock.role == "server" else _NOT_HERE)
        about = {"command": owner.command, "pid": owner.pid, "fd": owner.fd}
        return Message(_OWNER_LIKELY if sock.guessed else _OWNER, about)

    def _queue(self, news: "News") -> list[Message]:
        assert news.listener is not None and self._watcher
        found = self._watcher.queues(news.listener)
        return [Message(_ACCEPT_QUEUE, {"length": found[1], "limit": found[2]})] if found else []

    def _state(self, pair: "Pair") -> list[Message]:
        assert self._watcher
        found = self._watcher.queues(pair.socks[0])
        if found is None:
            return []
        state, unread, unsent = found
        about = {"state": state, "unread": byte_count(unread), "unsent": byte_count(unsent)}
        return [Message(_QUEUES, about)]

    def _lived(self, pair: "Pair") -> Message | str:
        if not pair.begun_ns:
            return ""
        took, sent = duration(pair.ended_ns - pair.begun_ns), pair.sent()
        if sent is None:
            return Message(_LASTED, {"time": took})
        up, down = map(byte_count, sent)
        return Message(_AFTER, {"time": took, "up": up, "down": down})

    def _cause(self, cause: "Cause") -> Message:
        if cause.code == "closed" and not cause.by:
            return Message(_ENDED)
        by = Message(_SIDES[cause.by]) if cause.by else ""
        told = Message(_CAUSES[cause.code], {"by": by, "detail": cause.detail})
        if cause.code in ("reset", "refused") and cause.detail:
            return Message(_REASON, {"cause": told, "detail": cause.detail})
        return told

    def _draw(self, pair: "Pair") -> None:
        from fourtuple.render.summary import report

        assert self._watcher
        timeline = self._watcher.timeline(pair)
        if len(timeline.frames):
            self._print(report(timeline, self._translator, self._terminal).rstrip("\n"))

    def _end(self, wish: "Wish", watcher: Watcher) -> None:
        notes = [Message(note.message, note.params) for note in watcher.notes()]
        if self._json:
            said = [self._say(note) for note in notes]
            found = {"kind": "summary", "status": watcher.status, "notes": said}
            return self._object(found | {"connections": watcher.connections} | watcher.figures())
        for note in notes:
            self._remark(note)
        if figures := watcher.figures():
            self._remark(Message(_BY_TRACE, dict(figures)))
        about: dict[str, object] = {"count": (count := watcher.connections)}
        self._remark(
            Message("{count} connection ended.", about, "{count} connections ended.", count)
        )
        if watcher.status:
            self._remark(Message(_STATUS, {"command": wish.command[0], "status": watcher.status}))
        return None

    def _remark(self, message: Message) -> None:
        """Something about the watching itself: never on standard output."""
        for line in wrap(clean(self._say(message)), min(self._terminal.width, 100)):
            print(line, file=sys.stderr)

    def _late(self, message: str, params: "Mapping[str, object]") -> None:
        """Words for who looks on."""
        if sys.stderr.isatty():
            self._remark(Message(message, params))

    def _print(self, text: str) -> None:
        if self._aside:
            print(text, file=sys.stderr, flush=True)
        else:
            write(text + "\n")

    def _object(self, fields: dict[str, Any]) -> None:
        import msgspec

        write(msgspec.json.encode(fields).decode() + "\n")

    def _news_object(self, news: "News") -> dict[str, Any]:
        found: dict[str, Any] = {"kind": news.what, "t_ns": news.t_ns}
        if news.listener is not None:
            return found | {"server": _end_object(news.listener.local, news.listener)}
        pair = news.pair
        assert pair is not None
        found["protocol"] = pair.protocol
        found["client"] = _end_object(pair.ends[0], pair.client)
        found["server"] = _end_object(pair.ends[1], pair.server)
        if news.what == "ended":
            cause, sent = pair.cause(), pair.sent()
            found["duration_s"] = (pair.ended_ns - pair.begun_ns) / 1e9 if pair.begun_ns else None
            found["payload_bytes"] = dict(
                zip(("client", "server"), sent or (None, None), strict=True)
            )
            found["cause"] = cause.code
            found["by"] = cause.by or None
            found["kernel_reason"] = cause.detail or None
        return found


def _end_object(end: "Endpoint | None", sock: "Sock | None") -> dict[str, Any]:
    found: dict[str, Any] = {"address": end.address, "port": end.port} if end else {}
    if sock is not None:
        found["state"] = sock.state
        found["inferred"] = sock.guessed
        found["owners"] = [
            {"pid": one.pid, "fd": one.fd, "command": one.command} for one in sock.holders
        ]
    return found
