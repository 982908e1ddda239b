"""The words around the ladder: head, sentences, findings, claims, checks. Lines, no printing."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from fourtuple.explain.model import Finding, Message
from fourtuple.explain.phrases import frames_text
from fourtuple.explain.text import N_
from fourtuple.render.cells import Painter
from fourtuple.render.figures import figures
from fourtuple.render.numbers import duration
from fourtuple.render.text import width_of, wrap
from fourtuple.render.view import Check, Claim, Explanation, Measured, Text, View

__all__ = ["Blocks"]

_SEVERITY_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan", "chat": "dim"}
_SEVERITIES = {
    "error": N_("error"),
    "warning": N_("warning"),
    "note": N_("note"),
    "chat": N_("normal"),
}
_VERDICTS = {
    "confirmed": (N_("confirmed"), "green"),
    "differs": (N_("differs"), "yellow"),
    "depends": (N_("depends"), "yellow"),
}
_PARTS = (
    (N_("why"), "why"),
    (N_("do"), "remedy"),
    (N_("read"), "reference"),
)
#: lines of prose are no longer than this, however wide the terminal
_PROSE = 112


class Blocks(msgspec.Struct, frozen=True):
    """Writes blocks of text for a terminal in a language."""

    painter: Painter

    @property
    def width(self) -> int:
        return min(self.painter.terminal.width, _PROSE)

    def head(self, view: View) -> list[str]:
        """Title and question, the four-tuple, what the lanes rest on."""
        say = self.painter.words
        evidence = self.painter.glyphs.separator.join(map(say, view.evidence))
        rows: list[tuple[str, str]] = []
        if view.title:
            rows.append((say(view.title), say(view.question or view.headline or "")))
        rows.append((say(Message("four-tuple")), self._four_tuple(view)))
        rows.append((say(Message("evidence")), evidence))
        return self.labelled(rows, style="bold")

    def _four_tuple(self, view: View) -> str:
        client, server = map(self.painter.words, view.four_tuple)
        text = f"{view.protocol.upper()} {client} {self.painter.glyphs.to} {server}"
        if not view.client_known:
            text += " " + self.painter.words(Message("(which side is the client is a guess)"))
        if view.offset_ns > 0:
            later = Message(
                "(its 0.00 ms is {time} after the first event of the recording)",
                {"time": duration(view.offset_ns)},
            )
            text += " " + self.painter.words(later)
        return text

    def explanations(self, explanations: Sequence[Explanation]) -> list[str]:
        """A sentence for each frame."""
        rows = [(str(item.frame), self.painter.words(item.text)) for item in explanations]
        return self.labelled(rows, style="bold", right=True)

    def findings(self, findings: Sequence[Finding]) -> list[str]:
        """Each finding with its four parts: what, why, what to do, where to read on."""
        lines: list[str] = []
        for finding in findings:
            lines += self._finding(finding)
        return self._titled(N_("findings"), lines)

    def _finding(self, finding: Finding) -> Iterator[str]:
        say, rule = self.painter.words, finding.rule
        severity = say(Message(_SEVERITIES.get(rule.severity, rule.severity)))
        style = _SEVERITY_STYLES.get(rule.severity, "")
        title = Message(rule.title, finding.params)
        if finding.frames:
            title = Message(
                "{title} ({frames})", {"title": title, "frames": frames_text(finding.frames)}
            )
        first, *more = wrap(say(title), self.width - width_of(severity) - 2)
        yield self.painter.terminal.paint(style, severity) + "  " + first
        yield from (" " * (width_of(severity) + 2) + line for line in more)
        what = [("", say(Message(rule.what, finding.params)))]
        parts = [
            (say(Message(name)), say(Message(getattr(rule, part), finding.params)))
            for name, part in _PARTS
            if getattr(rule, part)
        ]
        yield from ("  " + line for line in self.labelled([*what, *parts], 2, style="dim"))

    def measured(self, several: Sequence[Measured]) -> list[str]:
        """Figures to compare, in tables."""
        lines = [line for each in several for line in figures(each, self.painter, self.width)]
        return self._titled(N_("measured"), lines)

    def claims(self, claims: Sequence[Claim], title: str = N_("claims")) -> list[str]:
        """Textbook sentence, verdict, reason."""
        return self._titled(title, [line for claim in claims for line in self._claim(claim)])

    def _claim(self, claim: Claim) -> Iterator[str]:
        say = self.painter.words
        word, style = _VERDICTS.get(claim.verdict, (claim.verdict, ""))
        verdict = say(Message(word))
        column = max(width_of(say(Message(known))) for known, _ in _VERDICTS.values()) + 2
        room = self.width - column - 2
        blank = " " * (column + 2)
        first, *more = wrap(say(claim.claim), room)
        yield "  " + self.painter.terminal.paint(style, self._pad(verdict, column)) + first
        yield from (blank + line for line in more)
        for text in (claim.depends_on, self._because(claim)):
            if text:
                yield from (
                    blank + self.painter.terminal.paint("dim", line)
                    for line in wrap(say(text), room)
                )

    def _because(self, claim: Claim) -> Text:
        if not claim.because or not claim.frames:
            return claim.because
        params = {"frames": frames_text(claim.frames), "because": claim.because}
        return Message("{frames}: {because}", params)

    def checks(self, checks: Sequence[Check]) -> list[str]:
        """How many hold; those that do not, with what was expected and found."""
        if not checks:
            return []
        held = sum(check.ok for check in checks)
        total = Message(
            "{held} of {count} check holds",
            {"held": held, "count": len(checks)},
            "{held} of {count} checks hold",
            len(checks),
        )
        style = "green" if held == len(checks) else "bold red"
        lines = [self.painter.terminal.paint(style, self.painter.words(total))]
        for check in checks:
            if not check.ok:
                lines += self.bullets([self._mismatch(check)])
        return lines

    def _mismatch(self, check: Check) -> Message:
        params = {"what": check.what, "expected": check.expected, "actual": check.actual}
        if not check.frames:
            return Message("{what}: expected {expected}, got {actual}", params)
        params |= {"frames": frames_text(check.frames)}
        return Message("{what}: expected {expected}, got {actual} ({frames})", params)

    def failures(self, name: str, messages: Sequence[Text]) -> list[str]:
        """That the run failed, and why; nothing where it did not."""
        if not messages:
            return []
        failed = self.painter.words(Message("{name}: the run failed", {"name": name}))
        lines = wrap(failed, self.width)
        head = [self.painter.terminal.paint("bold red", line) for line in lines]
        return [*head, *self.bullets(messages)]

    def listed(self, title: str, messages: Sequence[Text]) -> list[str]:
        """The messages under a title, which is a message id; nothing where there are none."""
        return self._titled(title, self.bullets(messages))

    def bullets(self, messages: Iterable[Text]) -> list[str]:
        """Each message as a paragraph, its first line set off."""
        lines = []
        for message in messages:
            first, *more = wrap(self.painter.words(message), self.width - 4)
            lines += [f"  - {first}", *(f"    {line}" for line in more)]
        return lines

    def labelled(
        self, rows: Sequence[tuple[str, str]], indent: int = 0, *, style: str, right: bool = False
    ) -> list[str]:
        """Paragraphs beside their labels, in two columns. A label that takes more than a third of
        the line is cut."""
        room = self.width - indent
        column = min(max((width_of(label) for label, _ in rows), default=0), room // 3)
        lines = []
        for label, text in rows:
            head = self.painter.terminal.pad(label, column, right=right)
            head = self.painter.terminal.paint(style, head)
            for line in wrap(text, room - column - 2):
                lines.append(f"{head}  {line}".rstrip())
                head = " " * column
        return lines

    def _titled(self, title: str, lines: list[str]) -> list[str]:
        if not lines:
            return []
        return [self.painter.terminal.paint("bold", self.painter.words(Message(title))), *lines]

    def _pad(self, text: str, width: int) -> str:
        return self.painter.terminal.pad(text, width)
