#!/usr/bin/env python3
"""Collect the messages of fourtuple, and keep the catalogs in step with them.

    python scripts/update_catalog.py            collect, write the .pot, merge into every .po
    python scripts/update_catalog.py FILE...    the same, taking translations from these .po files
    python scripts/update_catalog.py --check    write nothing; exit status 1 if anything is amiss

A translation is lost only when its message is gone. Messages are string literals in the calls that
MARKERS lists, and the labels of the header views. Fields ({name}) must be the same everywhere.
"""

import argparse
import ast
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from fourtuple import wire
from fourtuple.explain.po import Entry, format_catalog, parse
from fourtuple.wire import tlv

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "fourtuple"
LOCALE = PACKAGE / "explain" / "locale"
TEMPLATE = LOCALE / "fourtuple.pot"

#: function (or method) -> which of its arguments are message ids: positions and keywords
MARKERS: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
    "N_": ((0,), ()),
    "Message": ((0,), ("text",)),
    "says": ((0,), ()),
    "experiment": ((), ("question", "background")),
    "Mutation": ((0,), ("what",)),
    "expect": ((2,), ("what",)),
    "expect_error": ((2,), ("what",)),
    "claim": ((0, 1, 2), ("sentence", "because")),
    "until": ((1,), ("what",)),
    "Note": ((), ("message",)),
}

HEADER = Entry(
    "",
    strings=(
        (
            "Project-Id-Version: fourtuple\n"
            "MIME-Version: 1.0\n"
            "Content-Type: text/plain; charset=UTF-8\n"
            "Content-Transfer-Encoding: 8bit\n"
        ),
    ),
)

Key = tuple[str, str]


@dataclass(frozen=True)
class NotLiteral(Exception):
    """A message id is put together at run time, so that no catalog can hold it."""

    place: str

    def __str__(self) -> str:
        return f"{self.place}: a message id must be a plain string, fields in {{braces}}"


def collect(package: Path = PACKAGE) -> list[Entry]:
    """Every message of the package, without translations, in order of the files they are in."""
    found: dict[Key, Entry] = {}
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        place = path.relative_to(package.parent).as_posix()
        for entry in _marked(tree, place):
            _add(found, entry)
    if package == PACKAGE:
        for label in _labels():
            _add(found, Entry(label, references=("fourtuple/wire",)))
    return list(found.values())


def _add(found: dict[Key, Entry], entry: Entry) -> None:
    known = found.setdefault((entry.context, entry.id), entry)
    references = tuple(dict.fromkeys((*known.references, *entry.references)))
    found[entry.context, entry.id] = replace(
        known, plural=known.plural or entry.plural, references=references
    )


def _marked(tree: ast.AST, place: str) -> Iterator[Entry]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name not in MARKERS:
            continue
        positions, keywords = MARKERS[name]
        wanted = [node.args[p] for p in positions if p < len(node.args)]
        wanted += [k.value for k in node.keywords if k.arg in keywords]
        texts = [text for value in wanted for text in _literals(value, place)]
        plural, context = _extras(node, place) if name == "Message" else ("", "")
        for text in texts:
            if text:
                yield Entry(text, plural, context, references=(place,))


def _literals(value: ast.expr, place: str) -> Iterator[str]:
    """The literal texts that an argument may be; what is computed elsewhere is marked there."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from _literals(value.body, place)
        yield from _literals(value.orelse, place)
    elif isinstance(value, (ast.JoinedStr, ast.BinOp)):
        raise NotLiteral(f"{place}:{value.lineno}")


def _extras(node: ast.Call, place: str) -> tuple[str, str]:
    """The plural and the context of a Message."""
    named = {k.arg: k.value for k in node.keywords}
    plural = named.get("plural", node.args[2] if len(node.args) > 2 else ast.Constant(""))
    context = named.get("context", ast.Constant(""))
    both = ["".join(_literals(value, place)) for value in (plural, context)]
    return both[0], both[1]


def _labels() -> list[str]:
    """What the header views call their fields."""
    named = (getattr(wire, name) for name in wire.__all__)
    views = [view for view in named if inspect.isclass(view)]
    labels = [*tlv.LABELS]
    for view in views:
        labels += getattr(view, "LABELS", ())
        labels += [getattr(field, "label", "") for field in vars(view).values()]
    return sorted({label for label in labels if isinstance(label, str) and label})


def merge(old: Iterable[Entry], messages: Iterable[Entry]) -> list[Entry]:
    """The messages with the translations that the old catalog has for them."""
    known = {(e.context, e.id): e for e in old}
    merged = [known[k] for k in [("", "")] if k in known]
    for message in messages:
        before = known.get((message.context, message.id))
        strings = before.strings if before else ()
        fuzzy = bool(before and before.fuzzy)
        merged.append(replace(message, strings=strings, fuzzy=fuzzy))
    return merged


def amiss(catalog: Iterable[Entry], messages: Iterable[Entry]) -> Iterator[str]:
    """What is wrong with a catalog, one line each."""
    entries = {(e.context, e.id): e for e in catalog if e.id}
    wanted = {(m.context, m.id): m for m in messages}
    for key, message in wanted.items():
        entry = entries.get(key)
        if entry is None or not any(entry.strings):
            yield f"not translated: {message.id!r} ({', '.join(message.references)})"
        elif entry.fuzzy:
            yield f"fuzzy: {message.id!r}"
        else:
            yield from _differing(entry)
    yield from (f"no such message any more: {key[1]!r}" for key in entries if key not in wanted)


def _differing(entry: Entry) -> Iterator[str]:
    ours = fields(entry.id) | (fields(entry.plural) if entry.plural else set())
    for string in entry.strings:
        if not string:
            yield f"a plural form is not translated: {entry.id!r}"
        elif fields(string) != ours:
            theirs = sorted(fields(string))
            yield f"fields differ: {entry.id!r} has {sorted(ours)}, {string!r} {theirs}"


def fields(text: str) -> set[str]:
    """The names of the {fields} in a message."""
    return set(re.findall(r"\{(\w*)\}", text.replace("{{", "").replace("}}", "")))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Keep the message catalogs in step.")
    parser.add_argument("--check", action="store_true", help="write nothing, only judge")
    parser.add_argument("translations", nargs="*", type=Path, help=".po files with translations")
    chosen = parser.parse_args(arguments)
    messages = collect()
    given = [e for path in chosen.translations for e in parse(path.read_text("utf-8")) if e.strings]
    problems = []
    for path in sorted(LOCALE.glob("*/LC_MESSAGES/fourtuple.po")):
        old = parse(path.read_text(encoding="utf-8"))
        if not chosen.check:
            old = merge([*old, *given], messages)
            path.write_text(format_catalog(old), encoding="utf-8")
        problems += [f"{path.parts[-3]}: {problem}" for problem in amiss(old, messages)]
    if not chosen.check:
        TEMPLATE.write_text(format_catalog([HEADER, *messages]), encoding="utf-8")
    print("\n".join(problems) or f"{len(messages)} messages, all translated")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
