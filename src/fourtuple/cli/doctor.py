"""`fourtuple doctor`: what this machine allows, and what to do about what it does not."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import typer

from fourtuple.cli.options import Json, Lang, NoColor, Width
from fourtuple.cli.output import terminal_for, translator_for, write
from fourtuple.errors import CapabilityMissing
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.render.terminal import Terminal
from fourtuple.render.text import width_of, wrap
from fourtuple.system.capabilities import Capability, capabilities, works

__all__ = ["DOCTOR_HELP", "as_json_lines", "as_report", "doctor"]

DOCTOR_HELP = N_("""Say what works on this machine, what does not, and the remedy.

Each line was tried a moment ago. The exit status is 0 where the lab works, else 3.""")

_FEATURES = ("lab", "read", "trace", "live", "scan")
_ANSWERS = {"yes": N_("yes"), "partly": N_("partly"), "no": N_("no")}
_STYLES = {"yes": "green", "partly": "yellow", "no": "bold red"}
_GAP = 2


def doctor(
    json: Json = False, width: Width = None, lang: Lang = "", no_color: NoColor = False
) -> None:
    """Print what `DOCTOR_HELP` says."""
    terminal, translator = terminal_for(width, no_color), translator_for(lang)
    found = capabilities()
    lines = as_json_lines(found) if json else as_report(found, translator, terminal)
    write("".join(f"{line}\n" for line in lines))
    if not works("lab", found):
        raise typer.Exit(CapabilityMissing.exit_status)


def as_json_lines(found: Sequence[Capability]) -> Iterator[str]:
    """One object a capability, in English, then a summary of what works."""
    english = Translator("en")
    objects = [_as_object(one, english) for one in found]
    summary = {"kind": "summary"} | {name: works(name, found) for name in _FEATURES}
    for item in (*objects, summary):
        yield msgspec.json.encode(item).decode()


def _as_object(one: Capability, english: Translator) -> Mapping[str, object]:
    return {
        "kind": "capability",
        "capability": one.key,
        "ok": one.ok,
        "answer": one.answer,
        "needed_for": one.needed_for,
        "detail": english.text(Message(one.detail, one.params)),
        "remedy": english.text(Message(one.remedy, one.params)),
    }


def as_report(
    found: Sequence[Capability], translator: Translator, terminal: Terminal
) -> Iterator[str]:
    """The lines for people: what the lab needs, then the rest, then what follows."""
    widths = (
        max(width_of(translator.text(word)) for word in _ANSWERS.values()),
        max(width_of(translator.text(one.name)) for one in found),
    )
    for title, group in _groups(found):
        for line in wrap(translator.text(title), terminal.width):
            yield terminal.paint("bold", line)
        for one in group:
            yield from _rows(one, widths, translator, terminal)
        yield ""
    yield from wrap(translator.text(_verdict(found)), terminal.width)


def _groups(found: Sequence[Capability]) -> Iterator[tuple[str, Sequence[Capability]]]:
    lab = [one for one in found if "lab" in one.needed_for or not one.needed_for]
    yield N_("For the lab and for pictures"), lab
    yield (
        N_("For scans of one's own segments; for later versions: kernel trace, live capture"),
        [one for one in found if one not in lab],
    )


def _rows(
    one: Capability, widths: tuple[int, int], translator: Translator, terminal: Terminal
) -> Iterator[str]:
    """Answer and name; beside them what was measured; a cause and its remedy below."""
    answer = terminal.pad(translator.text(_ANSWERS[one.answer]), widths[0] + _GAP)
    name = terminal.pad(translator.text(one.name), widths[1] + _GAP)
    start = " " * _GAP + terminal.paint(_STYLES[one.answer], answer) + name
    detail = translator.text(Message(one.detail, one.params))
    remedy = translator.text(Message(one.remedy, one.params))
    if not one.remedy and 3 * _GAP + sum(widths) + width_of(detail) <= terminal.width:
        yield start + detail
        return
    yield start.rstrip()
    below = " " * (2 * _GAP + widths[0])
    yield from (below + line for line in wrap(detail, terminal.width - len(below)))
    for line in wrap(remedy, terminal.width - len(below)) if remedy else ():
        yield below + terminal.paint("bold", line)


def _verdict(found: Sequence[Capability]) -> str:
    if works("lab", found):
        return N_("The lab works here.")
    return N_("The lab does not work here: mend the first no.")
