"""A lab run's checks and claims, out of the notes that its script left in the timeline."""

from collections.abc import Mapping
from typing import Any

from fourtuple.event.model import Note
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Message
from fourtuple.render.view import Check, Claim, Text

__all__ = ["checks_of", "claims_of", "degraded_of", "failures_of", "passed"]


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
    return tuple(
        Claim(
            claim=_message(note.params, "claim"),
            source=str(note.params.get("source", "")),
            verdict=str(note.params.get("verdict", "")),
            because=_message(note.params, "because"),
            depends_on=_message(note.params, "depends_on"),
            frames=note.frames,
        )
        for note in timeline.of(Note)
        if note.kind == "claim"
    )


def failures_of(timeline: Timeline) -> tuple[Message, ...]:
    """Why the run did not do what its script says; none for one that did."""
    return tuple(
        Message(note.message, note.params) for note in timeline.of(Note) if note.kind == "failure"
    )


def degraded_of(timeline: Timeline) -> tuple[Message, ...]:
    """What was chosen by default and is not there on this machine, each with its remedy."""
    return tuple(
        Message(
            "not available here: {what} {remedy}",
            {key: _message(note.params, key) for key in ("what", "remedy")},
        )
        for note in timeline.of(Note)
        if note.kind == "degraded"
    )


def passed(timeline: Timeline) -> bool:
    """Whether the run came to its end and every expectation held."""
    return not failures_of(timeline) and all(check.ok for check in checks_of(timeline))


def _message(params: Mapping[str, Any], key: str) -> Text:
    text = params.get(key)
    if not isinstance(text, str) or not text:
        return ""
    values = params.get("values")
    return Message(text, values if isinstance(values, Mapping) else {})
