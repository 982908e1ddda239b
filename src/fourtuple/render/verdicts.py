"""A lab run's checks, claims and figures, out of the notes that its script left in the timeline."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fourtuple.analyze import connections as connections_of
from fourtuple.analyze.check import disagreements
from fourtuple.analyze.model import Connection, Disagreement
from fourtuple.event.model import Note
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.render.view import Check, Claim, Measured, Text

__all__ = [
    "checks_of",
    "claims_in",
    "claims_of",
    "degraded_of",
    "failures_of",
    "lacked_by",
    "measured_in",
    "passed",
    "try_next_of",
]

#: no figure of a run is as large
_TOO_MUCH = 1e15


def checks_of(timeline: Timeline) -> tuple[Check, ...]:
    """The expectations, in the order in which they were checked."""
    return tuple(
        Check(
            what=_message(note.params, "what"),
            expected=str(note.params.get("expected", "")),
            actual=str(note.params.get("actual", "")),
            ok=note.params.get("ok") is True,
            frames=note.frames,
        )
        for note in timeline.of(Note)
        if note.kind == "check"
    )


def claims_of(timeline: Timeline) -> tuple[Claim, ...]:
    """The textbook sentences that were judged."""
    return claims_in(timeline.of(Note))


def claims_in(notes: Iterable[Note]) -> tuple[Claim, ...]:
    """The same out of some notes."""
    return tuple(
        Claim(
            claim=_message(note.params, "claim"),
            source=str(note.params.get("source", "")),
            verdict=str(note.params.get("verdict", "")),
            because=_message(note.params, "because"),
            depends_on=_message(note.params, "depends_on"),
            frames=note.frames,
        )
        for note in notes
        if note.kind == "claim"
    )


def measured_in(timeline: Timeline) -> tuple[Measured, ...]:
    """The figures that are to be compared; what a damaged recording has in their place is none."""
    notes = (note for note in timeline.of(Note) if note.kind == "measured")
    return tuple(found for note in notes if (found := _measured(note)) is not None)


def _measured(note: Note) -> Measured | None:
    match note.params:
        case {"columns": [str(), *_] as columns, "rows": [_, *_] as rows}:
            whole = all(isinstance(column, str) for column in columns)
            if whole and all(_is_row(row, len(columns)) for row in rows):
                return Measured(
                    what=_message(note.params, "what"),
                    columns=tuple(map(Message, columns)),
                    rows=tuple((Message(name), tuple(numbers)) for name, numbers in rows),
                    frames=note.frames,
                )
    return None


def _is_row(row: Any, count: int) -> bool:
    """A name, and as many numbers as there are columns."""
    match row:
        case [str(), [*numbers]] if len(numbers) == count:
            return all(isinstance(n, int | float) and 0 <= n < _TOO_MUCH for n in numbers)
    return False


def failures_of(timeline: Timeline, connections: Sequence[Connection]) -> tuple[Message, ...]:
    """Why the run failed; none for one that did not.

    It did not do what its script says, or a state that we infer from the frames is not the
    kernel's: then one of the two views is wrong, and nothing that was said can be relied on.
    """
    notes = [note for note in timeline.of(Note) if note.kind == "failure"]
    told = [_failure(note, checks_of(timeline)) for note in notes]
    if any(note.params.get("error") == "OutOfTime" for note in notes):
        told.append(Message("A larger limit gives the run more time: --limit SECONDS"))
    for note in notes:
        if isinstance(remedy := note.params.get("remedy"), str):
            told.append(Message(remedy, note.params))
    found = disagreements(timeline, connections)
    return (*told, *(_disagreed(timeline, one) for one in found))


def _failure(note: Note, checks: Sequence[Check]) -> Message:
    """What ended the script. An expectation is named in the reader's language: its values stand
    with the checks."""
    broken = [check.what for check in checks if not check.ok]
    what = Message(note.message, note.params)
    if note.params.get("error") == "ExpectationFailed" and broken:
        what = Message("This does not hold: {what}", {"what": broken[-1]})
    if "file" not in note.params or "line" not in note.params:
        return what
    place = {key: note.params[key] for key in ("file", "line")}
    return Message("{what} ({file}, line {line})", {"what": what, **place})


def _disagreed(timeline: Timeline, one: Disagreement) -> Message:
    after = (one.t_ns - timeline.start_ns) / 1e6
    text = N_(
        "{ms} ms, {host}: the frames say {inferred}, the kernel's socket table says {kernel} "
        "(connection {connection}, frame {frame})"
    )
    return Message(
        text,
        {
            "ms": f"{after:.2f}",
            "host": one.host,
            "inferred": " / ".join(one.inferred),
            "kernel": one.kernel,
            "connection": one.connection,
            "frame": one.frame,
        },
    )


def lacked_by(timeline: Timeline) -> Message | None:
    """What the machine lacks, where the script ended for want of it."""
    for note in timeline.of(Note):
        if note.kind == "failure" and note.params.get("error") == "CapabilityMissing":
            return Message(note.message, note.params)
    return None


def try_next_of(timeline: Timeline) -> tuple[Message, ...]:
    """What the experiment says one should try next."""
    told = timeline.meta.get("try_next")
    return (
        tuple(Message(text) for text in told if text and isinstance(text, str))
        if isinstance(told, (list, tuple))
        else ()
    )


def degraded_of(timeline: Timeline) -> tuple[Message, ...]:
    """What could not be had, or was lost: by the lab that made it, or from the recording."""
    return tuple(Message(n.message, n.params) for n in timeline.of(Note) if n.kind == "degraded")


def passed(timeline: Timeline, connections: Sequence[Connection] | None = None) -> bool:
    """Whether the run came to its end, every expectation held, and the views agree.

    `connections` are the timeline's, where they are known already.
    """
    found = connections_of(timeline) if connections is None else connections
    return not failures_of(timeline, found) and all(check.ok for check in checks_of(timeline))


def _message(params: Mapping[str, Any], key: str) -> Text:
    text = params.get(key)
    if not isinstance(text, str) or not text:
        return ""
    values = params.get("values")
    return Message(text, values if isinstance(values, Mapping) else {})
