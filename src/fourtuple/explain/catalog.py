"""All rules, and the findings that a timeline's connections meet.

A family of rules is one file in `rules/`: a table of `Rule`s and a pure function from a connection
to its findings. A new family is one more entry here.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from fourtuple.analyze.model import Connection
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Finding, Rule
from fourtuple.explain.rules import (
    close,
    ends,
    handshake,
    loss,
    numbers,
    pace,
    paths,
    process,
    resets,
)

__all__ = ["RULES", "findings"]

Family = Callable[[Connection, Timeline], list[Finding]]

_FAMILIES: tuple[tuple[tuple[Rule, ...], Family], ...] = (
    (handshake.RULES, handshake.findings),
    (process.RULES, process.findings),
    (numbers.RULES, numbers.findings),
    (loss.RULES, loss.findings),
    (pace.RULES, pace.findings),
    (paths.RULES, paths.findings),
    (close.RULES, close.findings),
    (resets.RULES, resets.findings),
    (ends.RULES, ends.findings),
)

#: every rule by its code, in the order of the catalog
RULES: Mapping[str, Rule] = MappingProxyType(
    {rule.code: rule for table, _ in _FAMILIES for rule in table}
)


def findings(timeline: Timeline, connections: Iterable[Connection]) -> tuple[Finding, ...]:
    """What can be said about these connections: connection by connection, then by first frame."""
    found: list[Finding] = []
    for connection in connections:
        of_one = [finding for _, family in _FAMILIES for finding in family(connection, timeline)]
        found += sorted(of_one, key=lambda finding: finding.frames[:1])
    return tuple(found)
