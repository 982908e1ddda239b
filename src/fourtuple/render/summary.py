"""What `read` and `lab run` print for people: both through `report`, so that a run and its
recording read the same, byte for byte.

One connection is told in full. A run of the lab is told connection by connection; a capture of
several is a table, and `--connection N` tells one.
"""

from collections.abc import Iterator, Sequence

from fourtuple.analyze import connections as connections_of
from fourtuple.analyze.model import Connection
from fourtuple.event.timeline import Timeline
from fourtuple.explain.catalog import findings as findings_of
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.render.blocks import Blocks
from fourtuple.render.build import build_view
from fourtuple.render.cells import Painter
from fourtuple.render.ladder import ladder
from fourtuple.render.table import connection_table
from fourtuple.render.terminal import Terminal
from fourtuple.render.verdicts import (
    checks_of,
    claims_of,
    degraded_of,
    failures_of,
    try_next_of,
)

__all__ = ["report"]

#: a run with more connections than this shows the others in a table
_LADDERS = 4

_NO_FRAMES = N_(
    "The capture is empty: not one frame is in it. Check the filter and the interface that it was "
    "made with."
)
_MUTATED = N_("This run is under the experiment's mutation: {what}. Its expectations are to fail.")
_NO_TALK = N_("None of the frames is TCP or UDP: --frames lists them.")


def report(
    timeline: Timeline,
    translator: Translator,
    terminal: Terminal,
    *,
    connections: Sequence[Connection] | None = None,
    connection: int | None = None,
    raw: bool = False,
) -> str:
    """The whole report, lines ended by newlines. `connections` are the timeline's, where they are
    known already; `connection` asks for one of them by index, IndexError where there is none."""
    found = connections_of(timeline) if connections is None else connections
    reporter = _Reporter(timeline, found, Painter(terminal, translator), raw)
    blocks = reporter.blocks(connection)
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


class _Reporter:
    def __init__(
        self, timeline: Timeline, connections: Sequence[Connection], painter: Painter, raw: bool
    ) -> None:
        self.timeline = timeline
        self.connections = connections
        self.painter = painter
        self.raw = raw
        self.text = Blocks(painter)
        self.findings = findings_of(timeline, connections)

    def blocks(self, connection: int | None) -> Iterator[list[str]]:
        """The report's paragraphs, in order."""
        if connection is not None:
            yield from self._one(connection)
        elif "experiment" in self.timeline.meta:
            yield from self._run()
        elif len(self.connections) == 1:
            yield from self._one(0)
        else:
            yield from self._many(self.connections)
        yield self.text.bullets(degraded_of(self.timeline))

    def _run(self) -> Iterator[list[str]]:
        yield self._mutation()
        for index in range(min(len(self.connections), _LADDERS)):
            yield from self._one(index)
        if len(self.connections) > _LADDERS:
            yield from self._many(self.connections)
        yield self.text.claims(claims_of(self.timeline))
        yield self.text.checks(checks_of(self.timeline))
        failures = failures_of(self.timeline, self.connections)
        yield self.text.failures(self._name(), failures)
        yield self.text.listed(N_("try next"), () if failures else try_next_of(self.timeline))

    def _mutation(self) -> list[str]:
        """That the run was one under the experiment's mutation."""
        what = self.timeline.meta.get("mutation")
        if not isinstance(what, str):
            return []
        params = {"what": Message(what)}
        return self.text.bullets([Message(_MUTATED, params)])

    def _one(self, index: int) -> Iterator[list[str]]:
        view = build_view(self.timeline, self.connections, self.findings, index)
        yield self.text.head(view)
        yield ladder(view, self.painter.terminal, self.painter.translator, raw=self.raw)
        yield self.text.explanations(view.explanations)
        yield self.text.findings(view.findings)

    def _many(self, connections: Sequence[Connection]) -> Iterator[list[str]]:
        total = len(self.timeline.frames)
        count = Message(
            "{count} connection in {total} frames",
            {"count": len(connections), "total": total},
            "{count} connections in {total} frames",
            len(connections),
        )
        yield self.text.labelled([(self._name(), self.painter.words(count))], style="bold")
        if not connections:
            yield self.text.bullets([Message(_NO_TALK if total else _NO_FRAMES)])
            return
        yield connection_table(connections, self.findings, self.painter)
        yield self.text.bullets([Message("--connection N tells one of them in full")])

    def _name(self) -> str:
        return str(self.timeline.meta.get("experiment") or self.timeline.meta.get("file") or "")
