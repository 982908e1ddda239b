"""Findings and messages: facts put into words, in any language of the catalog."""

from collections.abc import Mapping
from typing import Any

import msgspec

from fourtuple.explain.message import Message

__all__ = ["Finding", "Message", "Rule"]


class Rule(msgspec.Struct, frozen=True):
    """An entry of the catalog: a stable code, how bad it is, and the four parts of a finding.

    `severity` is one of chat, note, warning, error. `what` says what happened, `why` how the
    evidence shows it, `remedy` what to do, `reference` where to read on (RFC section, kernel
    file, lab experiment). All but `code`, `severity`, `reference` are message ids. `likely`
    and `likely_title` take the places of `what` and `title` where the evidence shows no more.
    """

    code: str
    severity: str
    title: str
    what: str
    why: str
    remedy: str
    reference: str
    likely: str = ""
    likely_title: str = ""


class Finding(msgspec.Struct, frozen=True):
    """A rule that a connection's facts meet: `params` fill its texts, `frames` is the evidence."""

    rule: Rule
    connection: int
    frames: tuple[int, ...]
    params: Mapping[str, Any] = msgspec.field(default_factory=dict)

    @property
    def code(self) -> str:
        return self.rule.code

    @property
    def severity(self) -> str:
        return self.rule.severity
