"""The summary of a capture with many connections: what one can read in ten seconds."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from fourtuple.explain.catalog import RULES
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.render.blocks import Blocks
from fourtuple.render.cells import Painter
from fourtuple.render.numbers import byte_count, duration
from fourtuple.render.sums import Sums
from fourtuple.render.table import CLOSE_WORDS, HANDSHAKE_WORDS
from fourtuple.render.text import clean

__all__ = ["MOST_LISTED", "Measures", "summary"]

#: more connections than this are summed up, not listed
MOST_LISTED = 60

_SERVERS = 8
_WEIGHT: Mapping[str, int] = {"error": 0, "warning": 1, "note": 2, "chat": 3}
_ONE = N_("--connection N tells one of them in full; --json and --csv list them all")
_LIST = N_("--findings CODE lists the connections of a finding, as in --findings {code}")
_CLOSER = N_(
    "{count} connection needs a closer look (resets, rare openings), and its findings are not"
    " counted here: --json has them, --findings finds them.",
)
_CLOSERS = N_(
    "{count} connections need a closer look (resets, rare openings), and their findings are not"
    " counted here: --json has them, --findings finds them.",
)


class Measures(msgspec.Struct, frozen=True):
    """The capture as a whole: its names, how many frames it has and how many connections there are,
    asked for or not."""

    names: Sequence[str]
    frames: int
    connections: int

    @property
    def title(self) -> str:
        return clean(", ".join(self.names))


def summary(sums: Sums, measures: Measures, painter: Painter) -> Iterator[list[str]]:
    """Its paragraphs, as lines."""
    writer = _Writer(sums, measures, painter)
    text = Blocks(painter)
    head = measures.title, painter.words(writer.size())
    yield text.labelled([head], style="bold")
    for rows in (writer.openings(), writer.findings(), writer.servers(), writer.talkers()):
        yield text.labelled(list(rows), style="bold")
    yield text.bullets(writer.notes())


class _Writer(msgspec.Struct, frozen=True):
    sums: Sums
    measures: Measures
    painter: Painter

    def size(self) -> Message:
        count, every = self.sums.count, self.measures.connections
        values = {
            "count": count,
            "every": every,
            "total": self.measures.frames,
            "time": duration(self.sums.lasted_ns),
        }
        if count != every:
            return Message(
                "{count} of {every} connections, {time}; the capture has {total} frames", values
            )
        return Message(
            "{count} connection in {total} frames, {time}",
            values,
            "{count} connections in {total} frames, {time}",
            count,
        )

    def openings(self) -> Iterator[tuple[str, str]]:
        """How the connections began and how they ended."""
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

    def findings(self) -> Iterator[tuple[str, str]]:
        """Rules that are met by how bad they are, then by how many connections meet them."""
        for code, count in self._met():
            yield str(count), f"{self.painter.words(Message(RULES[code].title))} ({code})"

    def _met(self) -> list[tuple[str, int]]:
        met = [(code, count) for code, count in self.sums.rules.items() if count]
        met = [(code, count) for code, count in met if RULES[code].severity != "chat"]
        return sorted(met, key=lambda one: (_WEIGHT.get(RULES[one[0]].severity, 4), -one[1]))

    def servers(self) -> Iterator[tuple[str, str]]:
        """The servers with most connections."""
        for server, count in self.sums.servers.most_common(_SERVERS):
            words = {
                "count": count,
                "reset": self.sums.resets[server],
                "bytes": byte_count(self.sums.octets[server]),
            }
            text = Message(
                "{count} connection, {reset} with RST, {bytes}",
                words,
                "{count} connections, {reset} with RST, {bytes}",
                count,
            )
            yield str(server), self.painter.words(text)

    def talkers(self) -> Iterator[tuple[str, str]]:
        """The connections that moved most."""
        for one in self.sums.talkers if self.sums.count > 1 else ():
            if one.octets:
                ends = f"{one.client} {self.painter.glyphs.to} {one.server}"
                yield byte_count(one.octets), f"{ends} (--connection {one.index})"

    def notes(self) -> Iterator[Message]:
        """What to ask next."""
        yield Message(_ONE)
        if met := self._met():
            yield Message(_LIST, {"code": met[0][0]})
        if count := self.sums.closer:
            yield Message(_CLOSER, {"count": count}, _CLOSERS, count)
