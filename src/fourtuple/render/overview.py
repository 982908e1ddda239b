"""The summary of a capture with many connections: what one can read in ten seconds.

Counts come from the columns of the survey; no segment is looked at.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from fourtuple.analyze.table import CLOSES, HANDSHAKES, ConnectionTable
from fourtuple.event.model import Endpoint
from fourtuple.explain.catalog import RULES
from fourtuple.explain.columns import spotted, undecided
from fourtuple.explain.model import Message
from fourtuple.explain.overview import Overview
from fourtuple.explain.text import N_, Translator
from fourtuple.render.blocks import Blocks
from fourtuple.render.cells import Painter
from fourtuple.render.numbers import duration
from fourtuple.render.table import CLOSE_WORDS, HANDSHAKE_WORDS
from fourtuple.render.terminal import Terminal

__all__ = ["survey_report"]

_RESET = 32
_SERVERS = 8
_WEIGHT: Mapping[str, int] = {"error": 0, "warning": 1, "note": 2, "chat": 3}
_LOOK = N_("--connection N tells one of them in full; --json lists them all")
_CLOSER = N_(
    "{count} connection needs a closer look (resets, rare openings): --json has its findings.",
)
_CLOSERS = N_(
    "{count} connections need a closer look (resets, rare openings): --json has their findings.",
)


@dataclass(slots=True)
class _Sums:
    """What the tables add up to."""

    handshakes: Counter[str] = field(default_factory=Counter)
    closes: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    servers: Counter[Endpoint] = field(default_factory=Counter)
    resets: Counter[Endpoint] = field(default_factory=Counter)
    udp: int = 0
    closer: int = 0
    start_ns: int = 1 << 62
    end_ns: int = -(1 << 62)

    def add(self, table: ConnectionTable, overview: Overview) -> None:
        tcp = table["protocol"] == 6
        self.udp += int((~tcp).sum())
        for words, column, sums in (
            (HANDSHAKES, "handshake", self.handshakes),
            (CLOSES, "close", self.closes),
        ):
            for code, count in enumerate(np.bincount(table[column][tcp]).tolist()):
                sums[words[code]] += count
        for one in spotted(table, overview.found.evidence, overview.found.quoted):
            self.rules[one.rule.code] += len(one.rows)
        self.closer += int(undecided(table, overview.found.quoted).sum())
        self.servers.update(table.servers)
        self.resets.update(table.only(table["completeness"] & _RESET > 0).servers)
        self.start_ns = min(self.start_ns, int(table["start_ns"].min()))
        self.end_ns = max(self.end_ns, int(table["end_ns"].max()))


def survey_report(overview: Overview, translator: Translator, terminal: Terminal) -> str:
    """The summary, lines ended by newlines."""
    sums = _Sums()
    for table in overview.tables():
        if len(table):
            sums.add(table, overview)
    painter = Painter(terminal, translator)
    blocks = _Writer(overview, sums, painter).blocks()
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


@dataclass(frozen=True, slots=True)
class _Writer:
    overview: Overview
    sums: _Sums
    painter: Painter

    def blocks(self) -> Iterator[list[str]]:
        text, say = Blocks(self.painter), self.painter.words
        yield text.labelled([(", ".join(self.overview.names), say(self._size()))], style="bold")
        yield text.labelled(list(self._opened_and_closed()), style="bold")
        yield text.labelled(list(self._findings()), style="bold")
        yield text.labelled(list(self._servers()), style="bold")
        notes = [Message(_LOOK)]
        if self.sums.closer:
            count = self.sums.closer
            notes.append(Message(_CLOSER, {"count": count}, _CLOSERS, count))
        yield text.bullets(notes)

    def _size(self) -> Message:
        count, total = len(self.overview), self.overview.frames
        lasted = duration(max(0, self.sums.end_ns - self.sums.start_ns))
        return Message(
            "{count} connection in {total} frames, {time}",
            {"count": count, "total": total, "time": lasted},
            "{count} connections in {total} frames, {time}",
            count,
        )

    def _opened_and_closed(self) -> Iterator[tuple[str, str]]:
        say = self.painter.words
        for title, words, sums in (
            (N_("handshake"), HANDSHAKE_WORDS, self.sums.handshakes),
            (N_("close"), CLOSE_WORDS, self.sums.closes),
        ):
            parts = [f"{say(Message(words[word]))} {n}" for word, n in sums.most_common() if n]
            if parts:
                yield say(Message(title)), self.painter.glyphs.separator.join(parts)
        if self.sums.udp:
            yield "UDP", str(self.sums.udp)

    def _findings(self) -> Iterator[tuple[str, str]]:
        """Rules that are met by how bad they are, then by how many connections meet them."""
        met = [(RULES[code], count) for code, count in self.sums.rules.items() if count]
        met = [(rule, count) for rule, count in met if rule.severity != "chat"]
        met.sort(key=lambda pair: (_WEIGHT.get(pair[0].severity, 4), -pair[1]))
        for rule, count in met:
            yield str(count), f"{self.painter.words(Message(rule.title))} ({rule.code})"

    def _servers(self) -> Iterator[tuple[str, str]]:
        """The servers with most connections."""
        for server, count in self.sums.servers.most_common(_SERVERS):
            reset = self.sums.resets[server]
            words = {"count": count, "reset": reset}
            text = Message(
                "{count} connection, {reset} with RST",
                words,
                "{count} connections, {reset} with RST",
                count,
            )
            yield str(server), self.painter.words(text)
