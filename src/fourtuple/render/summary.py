"""What `read` and `lab run` print for people: both through `report`, so that a run and its
recording read the same, byte for byte.

One connection is told in full. A run of the lab, and what `serve` and `talk` saw, are told
connection by connection; a capture of several is a table, and `--connection N` tells one; one of
many is summed up.
"""

from collections.abc import Iterator, Mapping, Sequence

from fourtuple.analyze import connections as connections_of
from fourtuple.analyze.model import Connection
from fourtuple.event.model import Call
from fourtuple.event.timeline import Timeline
from fourtuple.explain.catalog import findings as findings_of
from fourtuple.explain.model import Finding, Message
from fourtuple.explain.text import N_, Translator
from fourtuple.explain.tunnels import tunnels_of
from fourtuple.render.blocks import Blocks
from fourtuple.render.build import build_view
from fourtuple.render.cells import Painter
from fourtuple.render.frameless import calls_view, frameless_connections, frameless_view
from fourtuple.render.ladder import ladder
from fourtuple.render.leftover import leftover_of
from fourtuple.render.overview import MOST_LISTED, Measures, summary
from fourtuple.render.sums import Sums
from fourtuple.render.table import connection_table
from fourtuple.render.terminal import Terminal
from fourtuple.render.verdicts import (
    checks_of,
    claims_of,
    degraded_of,
    failures_of,
    measured_in,
    try_next_of,
)

__all__ = ["listing", "report"]

#: a run with more connections than this shows the others in a table
_LADDERS = 4

_NO_FRAMES = N_(
    "The capture is empty: not one frame is in it. Check the filter and the interface that it was "
    "made with."
)
_MUTATED = N_("This run is under the experiment's mutation: {what}. Its expectations are to fail.")
_NOT_ONE = N_("None of the {count} connections of the capture is one that was asked for.")
_NO_CONNECTION = N_("No connection came about.")
_MORE = N_("{count} further connections are not drawn")
_NO_TALK = N_("None of the frames is TCP or UDP: --frames lists them.")


def report(
    timeline: Timeline,
    translator: Translator,
    terminal: Terminal,
    *,
    connections: Sequence[Connection] | None = None,
    every: int | None = None,
    raw: bool = False,
) -> str:
    """The whole report, lines ended by newlines. `connections` are those of the timeline that are
    asked for, where not all are, and `every` is how many there are."""
    found = connections_of(timeline) if connections is None else connections
    reporter = _Reporter(timeline, found, Painter(terminal, translator), raw, every)
    blocks = reporter.blocks()
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def listing(
    connections: Sequence[Connection],
    findings: Sequence[Finding],
    measures: Measures,
    painter: Painter,
    tunnels: Mapping[int, str],
) -> Iterator[list[str]]:
    """Several connections: a table, or what they add up to where they are many; as paragraphs."""
    if len(connections) > MOST_LISTED:
        yield from summary(Sums.of(connections, findings), measures, painter)
        return
    text, count = Blocks(painter), len(connections)
    head = measures.title, painter.words(_counted(count, measures))
    yield text.labelled([head], style="bold")
    if not connections:
        total = measures.frames
        missing = _NOT_ONE if measures.connections else _NO_TALK if total else _NO_FRAMES
        yield text.bullets([Message(missing, {"count": measures.connections})])
        return
    yield connection_table(connections, findings, painter, tunnels)
    yield text.bullets([Message("--connection N tells one of them in full")])


def _counted(count: int, measures: Measures) -> Message:
    values = {"count": count, "every": measures.connections, "total": measures.frames}
    if count != measures.connections:
        return Message("{count} of {every} connections; the capture has {total} frames", values)
    return Message(
        "{count} connection in {total} frames",
        values,
        "{count} connections in {total} frames",
        count,
    )


class _Reporter:
    def __init__(
        self,
        timeline: Timeline,
        connections: Sequence[Connection],
        painter: Painter,
        raw: bool,
        every: int | None,
    ) -> None:
        self.timeline = timeline
        self.connections = connections
        self.painter = painter
        self.raw = raw
        self.every = every
        self.text = Blocks(painter)
        self.findings = findings_of(timeline, connections)

    def blocks(self) -> Iterator[list[str]]:
        """The report's paragraphs, in order."""
        if "experiment" in self.timeline.meta and self.every is None:
            yield from self._run()
        elif len(self.connections) == 1:
            yield from self._one(0)
        elif "talk" in self.timeline.meta and self.every is None:
            yield from self._talk()
        else:
            yield from self._many(self.connections)
        yield self.text.bullets([*leftover_of(self.timeline), *degraded_of(self.timeline)])

    def _run(self) -> Iterator[list[str]]:
        yield self._mutation()
        yield from self._first_ones()
        yield self.text.measured(measured_in(self.timeline))
        yield self.text.claims(claims_of(self.timeline))
        yield self.text.checks(checks_of(self.timeline))
        failures = failures_of(self.timeline, self.connections)
        yield self.text.failures(self._name(), failures)
        yield self.text.listed(N_("try next"), () if failures else try_next_of(self.timeline))

    def _talk(self) -> Iterator[list[str]]:
        """What one side of its conversations saw, with frames or without."""
        found = [] if self.connections else frameless_connections(self.timeline)
        views = [
            frameless_view(self.timeline, found, index)
            for index in range(min(len(found), _LADDERS))
        ]
        if not (found or self.connections) and self.timeline.of(Call):
            views.append(calls_view(self.timeline))
        for view in views:
            yield self.text.head(view)
            yield ladder(view, self.painter.terminal, self.painter.translator, raw=self.raw)
        if len(found) > _LADDERS:
            yield self.text.bullets([Message(_MORE, {"count": len(found) - _LADDERS})])
        if not (views or self.connections):
            yield self.text.bullets([Message(_NO_CONNECTION)])
        yield from self._first_ones()

    def _first_ones(self) -> Iterator[list[str]]:
        """Connections one by one, and a table where they are many."""
        for index in range(min(len(self.connections), _LADDERS)):
            yield from self._one(index)
        if len(self.connections) > _LADDERS:
            yield from self._many(self.connections)

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
        count = len(connections) if self.every is None else self.every
        measures = Measures([self._name()], len(self.timeline.frames), count)
        yield from listing(
            connections,
            self.findings,
            measures,
            self.painter,
            tunnels_of(self.timeline, connections),
        )

    def _name(self) -> str:
        return str(self.timeline.meta.get("experiment") or self.timeline.meta.get("file") or "")
