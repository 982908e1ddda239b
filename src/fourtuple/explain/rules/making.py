"""What the families share: a finding of a rule, and ends named in its texts."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from fourtuple.analyze.model import Connection, SegmentFact
from fourtuple.analyze.survey._layout import EVIDENCE
from fourtuple.explain.model import Finding, Rule
from fourtuple.explain.phrases import a_side, frames_text, side

__all__ = ["EVIDENCE", "as_likely", "finding", "of_side"]


def finding(
    rule: Rule, connection: Connection, evidence: Iterable[SegmentFact | int], **params: Any
) -> Finding:
    """A finding; `evidence` are the segments or frame numbers that it rests on: the first sixteen.

    Every text may use {client}, {server} (endpoints), {frames} and what is given in `params`.
    """
    found = sorted({e if isinstance(e, int) else e.frame for e in evidence})
    frames = tuple(found[:EVIDENCE])
    common = {
        "client": str(connection.client),
        "server": str(connection.server),
        "frames": frames_text(frames, len(found) - len(frames)),
    }
    return Finding(rule, connection.index, frames, common | params)


def as_likely(rule: Rule) -> Rule:
    """The rule as it is told where nothing proves it; the same where that makes no difference."""
    if not rule.likely:
        return rule
    return replace(rule, what=rule.likely, title=rule.likely_title)


def of_side(client: bool) -> dict[str, Any]:
    """{Side}, {side} and {Other}, {other} for texts about one end."""
    return {
        "Side": a_side(client),
        "side": side(client),
        "Other": a_side(not client),
        "other": side(not client),
    }
