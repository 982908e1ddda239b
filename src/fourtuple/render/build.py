"""Puts a View together: one connection of a timeline, told by its events and facts."""

from collections.abc import Iterator, Sequence

from fourtuple.analyze.model import Connection
from fourtuple.event.model import Call, Told
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Finding, Message
from fourtuple.explain.segments import headline, sentence
from fourtuple.explain.text import N_
from fourtuple.render.calls import OwnCalls, own_calls
from fourtuple.render.life import life_of
from fourtuple.render.notes import inline_notes
from fourtuple.render.rows import rows_of
from fourtuple.render.states import changes, kernel_source
from fourtuple.render.view import Explanation, Row, Text, View
from fourtuple.render.wires import crossings

__all__ = ["MOST_ROWS", "STATES", "build_view"]

#: a longer connection shows its beginning and its end
MOST_ROWS = 240

STATES = {
    "sock_diag": N_("states: the kernel's socket table (sock_diag)"),
    "trace": N_("states: the kernel's trace"),
    "inferred": N_("states: inferred from the frames"),
}
_CLIENT_IS = N_("client: {program} (process {pid}, descriptor {fd})")
_SERVER_IS = N_("server: {program} (process {pid}, descriptor {fd})")
_GUESSED = N_("which accept() took it: by the order of the queue")
_FRAMES_COMPLETE = N_("frames: {own} of the {total} that crossed the wire")
_FRAMES_CAPTURED = N_("frames: {own} of the {total} in the capture")


def build_view(
    timeline: Timeline,
    connections: Sequence[Connection],
    findings: Sequence[Finding],
    connection: int = 0,
    limit: int = MOST_ROWS,
) -> View:
    """The picture of the connection with that index. IndexError where there is none."""
    life = life_of(connections[connection], connections)
    chosen = life.connection
    own = own_calls(timeline, life)
    crossed = crossings(timeline, chosen)
    notes = inline_notes(timeline, life)
    zero_ns, rows = rows_of(own, changes(timeline, life), crossed, notes, limit)
    programs = bool(own.client or own.server)
    return View(
        title=_title(timeline),
        question=_question(timeline),
        protocol=chosen.protocol,
        four_tuple=(str(chosen.client), str(chosen.server)),
        client_known=chosen.client_known,
        headline=headline(chosen),
        evidence=tuple(
            _evidence(timeline, chosen, len(crossed), own, kernel_source(timeline, life))
        ),
        programs=programs,
        offset_ns=zero_ns - _first_ns(timeline),
        rows=rows,
        explanations=tuple(_explanations(timeline, chosen, rows)),
        findings=tuple(f for f in findings if f.connection == chosen.index),
    )


def _title(timeline: Timeline) -> str:
    return str(timeline.meta.get("experiment") or timeline.meta.get("file") or "")


def _question(timeline: Timeline) -> Text:
    question = timeline.meta.get("question")
    return Message(question) if isinstance(question, str) else ""


def _first_ns(timeline: Timeline) -> int:
    """When the first frame crossed or the first call was made."""
    begins = [call.t_ns for call in timeline.of(Call)[:1]]
    begins += [int(timeline.frames.t_ns.min())] if len(timeline.frames) else []
    return min(begins, default=timeline.start_ns)


def _evidence(
    timeline: Timeline, connection: Connection, own: int, calls: OwnCalls, states: str
) -> Iterator[Message]:
    """What each lane rests on."""
    programs = bool(calls.client or calls.server)
    if programs and timeline.meta.get("views", {}).get("calls") == "trace":
        yield Message("calls: the kernel's trace")
        yield from _owners(calls)
        if _guessed(timeline, connection):
            yield Message(_GUESSED)
    else:
        yield Message("calls: recorded in the programs" if programs else "calls: none recorded")
    if connection.protocol == "tcp":
        yield Message(STATES.get(states, states))
    text = _FRAMES_COMPLETE if timeline.complete else _FRAMES_CAPTURED
    frames = timeline.frames
    here = int((frames.vantage == frames.vantage[frames.row(connection.frames[0])]).sum())
    # a timeline may have chosen frames of a larger capture
    yield Message(text, {"own": own, "total": timeline.meta.get("frames", here)})


def _owners(calls: OwnCalls) -> Iterator[Message]:
    """Which processes had the two sockets, as their last calls tell."""
    sides = ((_CLIENT_IS, calls.client), (_SERVER_IS, calls.server))
    for text, own in sides:
        for call in [call for call in own if call.remote is not None][-1:]:
            fd = call.result if call.new_inode else call.fd
            yield Message(text, {"program": call.program, "pid": call.pid, "fd": fd})


def _guessed(timeline: Timeline, connection: Connection) -> bool:
    """Whether it is only likely that the server's program took this very connection."""
    ends = (connection.server, connection.client)
    told = timeline.of(Told)
    return any(one.what == "accept-inferred" and (one.local, one.remote) == ends for one in told)


def _explanations(
    timeline: Timeline, connection: Connection, rows: Sequence[Row]
) -> Iterator[Explanation]:
    """A sentence for each segment that is shown."""
    shown = {row.wire.frame for row in rows if row.wire is not None}
    for segment in connection.segments:
        if segment.frame in shown:
            yield Explanation(segment.frame, sentence(connection, segment, timeline))
