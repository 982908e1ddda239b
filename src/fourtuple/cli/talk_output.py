"""What `fourtuple talk` prints: the other side's bytes as they are, and words about them.

At a terminal both share the screen; in a pipe standard output has the bytes and nothing else, and
words go to standard error. With --json everything is JSON Lines on standard output.
"""

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.render.terminal import Terminal
from fourtuple.render.text import clean, pad, width_of, wrap

if TYPE_CHECKING:
    from fourtuple.event.timeline import Timeline
    from fourtuple.talk.dial.conversation import Conversation

__all__ = ["Reporter"]

CONNECTED = N_("Connected to {url}. Each line is sent; q ends it.")
CONNECTED_DATAGRAMS = N_(
    "Ready for {url}. Nothing is connected: each line is a datagram; whether one arrives, only an"
    " answer tells. q ends it."
)
ENDED_THERE = N_("The other side has ended it.")
ENDED_HERE = N_("Ended.")
WHAT_HAPPENED = N_("what happened")
UNDECODED = N_("{count} bytes that are no text: {bytes}")
#: so many bytes that are no text are shown
_SHOWN_BYTES = 64


class Reporter:
    """`loud`: words are wanted; `by_lines`: messages are set apart by line ends."""

    def __init__(
        self,
        translator: Translator,
        terminal: Terminal,
        *,
        json: bool,
        loud: bool,
        by_lines: bool,
    ) -> None:
        self._translator = translator
        self._terminal = terminal
        self._json = json
        self._loud = loud
        self._by_lines = by_lines
        self._typed = False

    def hear(self, data: bytes) -> None:
        """What the other side said."""
        if self._json:
            text = data.decode("utf-8", "replace")
            self._object({"kind": "received", "bytes": len(data), "text": text})
        elif self._typed:
            self._show(data)
        else:
            end = b"\n" if self._by_lines and not data.endswith(b"\n") else b""
            _write_bytes(data + end)

    def _show(self, data: bytes) -> None:
        """To a person: control characters of the other side do nothing to the terminal."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            about = {"count": len(data), "bytes": data[:_SHOWN_BYTES].hex(" ")}
            return self._print(self._translator.text(Message(UNDECODED, about)))
        for line in text.removesuffix("\n").split("\n"):
            self._print(clean(line.removesuffix("\r").replace("\t", "    ")))
        return None

    def _print(self, line: str) -> None:
        with suppress(BrokenPipeError):
            print(line, flush=True)

    def tell(self, message: Message) -> None:
        """News, to people who want it."""
        if not self._loud and not self._json:
            return
        text = clean(self._translator.text(message))
        if self._json:
            self._object({"kind": "news", "text": text})
        elif self._typed:
            # at a terminal the line being written is kept below, whichever stream it goes to
            self._print(self._terminal.paint("dim", text))
        else:
            print(text, file=sys.stderr)

    def _object(self, fields: dict[str, object]) -> None:
        _write_bytes(msgspec.json.encode(fields) + b"\n")

    def connected(self, conversation: "Conversation", *, typed: bool) -> None:
        self._typed = typed
        if typed:
            url = conversation.wish.url
            stream = url.kind.transport in ("tcp", "unix")
            words = CONNECTED if stream else CONNECTED_DATAGRAMS
            self.tell(Message(words, {"url": str(url)}))

    def ended(self, conversation: "Conversation") -> None:
        """How it ended; for a page, what took how long."""
        if self._json:
            self._object(_summary(conversation))
        elif conversation.wish.url.kind.over == "http":
            self._steps(conversation)
        elif self._typed:
            self.tell(Message(ENDED_THERE if conversation.ended_by == "server" else ENDED_HERE))
        self._typed = False

    def _steps(self, conversation: "Conversation") -> None:
        from fourtuple.talk.dial.explain import step_lines

        say = self._translator.text
        rows = [tuple(map(say, row)) for row in step_lines(conversation)]
        column = [max(width_of(row[at]) for row in rows) for at in range(3)]
        for name, begin, took, detail in rows:
            line = f"{pad(name, column[0])}  {begin:>{column[1]}}  {took:>{column[2]}}  {detail}"
            print(clean(line).rstrip(), file=sys.stderr)

    def ladder(self, timeline: "Timeline") -> None:
        """The picture, as `read` draws it: beside the other side's bytes, so on standard error."""
        from fourtuple.render.summary import report

        print(report(timeline, self._translator, self._terminal), end="", file=sys.stderr)

    def explain(self, conversation: "Conversation", timeline: "Timeline") -> None:
        from fourtuple.talk.dial.explain import explanation

        sentences = [self._translator.text(one) for one in explanation(conversation, timeline)]
        if self._json:
            return self._object({"kind": "explanation", "sentences": sentences})
        print(self._translator.text(WHAT_HAPPENED), file=sys.stderr)
        for sentence in sentences:
            for line in wrap(clean(sentence), min(self._terminal.width, 100) - 2):
                print(f"  {line}", file=sys.stderr)
        return None


def _summary(conversation: "Conversation") -> dict[str, object]:
    link = conversation.link
    assert link is not None
    start_ns = conversation.steps[0].begin_ns
    return {
        "kind": "talk",
        "url": str(conversation.wish.url),
        "sent": {"bytes": link.sent_bytes, "calls": link.sends},
        "received": {"bytes": link.received_bytes, "calls": link.receives},
        "ended_by": conversation.ended_by or "client",
        "steps": [
            {
                "step": step.name,
                "start_s": (step.begin_ns - start_ns) / 1e9,
                "duration_s": (step.end_ns - step.begin_ns) / 1e9,
            }
            for step in conversation.steps
        ],
    }


def _write_bytes(data: bytes) -> None:
    """All of it to standard output; a reader who has gone away (`| head`) ends us quietly."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
