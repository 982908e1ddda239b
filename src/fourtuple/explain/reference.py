"""The catalog of findings as a page: docs/reference/findings.md is generated from it."""

from collections.abc import Iterator

from fourtuple.explain.catalog import RULES
from fourtuple.explain.model import Rule

__all__ = ["findings_markdown"]

_HEAD = """\
# Findings

What `fourtuple` may say of a connection, by its code. Codes are stable; scripts may depend on them.
Words in braces are filled in from the evidence. A finding of severity *chat* tells of the usual, a
*note* of something worth knowing; a *warning* or an *error* is worth acting upon.
"""


def findings_markdown() -> str:
    """Every rule of the catalog, in English, as Markdown."""
    table = ["| code | severity | title |", "|---|---|---|"]
    table += [f"| [{r.code}](#{r.code}) | {r.severity} | {r.title} |" for r in RULES.values()]
    sections = [line for rule in RULES.values() for line in _section(rule)]
    return "\n".join([_HEAD, *table, *sections]) + "\n"


def _section(rule: Rule) -> Iterator[str]:
    yield from ("", f"## {rule.code}", "", f"**{rule.title}** ({rule.severity})", "")
    parts = (
        ("What", rule.what),
        ("Or, if likely", rule.likely),
        ("Why", rule.why),
        ("Do", rule.remedy),
        ("Read", rule.reference),
    )
    yield from (f"- *{name}:* {text}" for name, text in parts if text)
