"""Write the generated pages of docs; --check only says which of them are stale."""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from fourtuple.cli.app import app_of
from fourtuple.cli.lab import ROWS
from fourtuple.explain.reference import findings_markdown
from fourtuple.explain.text import Translator
from fourtuple.lab import catalogue
from fourtuple.lab.experiment import all_experiments

DOCS = Path(__file__).resolve().parent.parent / "docs"


def cli_markdown() -> str:
    """Every command with its arguments and options, as --help has them."""
    root = typer.main.get_command(app_of())
    return "# The command line\n\n" + "\n".join(_command(root, "fourtuple"))


def _command(command: Any, path: str) -> Iterator[str]:
    yield f"## `{path}`\n"
    yield f"{_plain(command.help)}\n"
    rows = [_parameter(one) for one in command.params if not getattr(one, "hidden", False)]
    if rows:
        yield "| argument or option | meaning |\n|---|---|"
        yield "\n".join(rows) + "\n"
    for name, inner in getattr(command, "commands", {}).items():
        yield from _command(inner, f"{path} {name}")


def _parameter(parameter: Any) -> str:
    value = parameter.metavar or ""
    if parameter.param_type_name == "option":
        name = f"{', '.join(parameter.opts)} {value}".strip()
    else:
        name = value or parameter.name.upper()
    return f"| `{name}` | {_plain(parameter.help)} |"


def _plain(text: str | None) -> str:
    """Help text without the form feed and back-space marks that steer its layout."""
    return (text or "").partition("\f")[0].replace("\b", "").strip()


def experiments_markdown() -> str:
    """Every experiment: its name, the question that it answers, and what one should know first."""
    english = Translator("en")
    lines = ["# Experiments\n", "Run one with `fourtuple lab run NAME`.\n"]
    for name, one in all_experiments().items():
        lines.append(f"## `{name}`\n\n{english.text(one.question)}\n")
        tags = ", ".join([*one.tags, *(["slow"] if one.slow else [])])
        lines.append(f"Rows: {', '.join(one.covers)}. Tags: {tags}.\n")
        if one.background:
            lines.append(f"{english.text(one.background)}\n")
        if one.mutation:
            lines.append(f"It must fail when {english.text(one.mutation.what)}.\n")
        lines.append("\n".join(f"- Try next: {english.text(text)}" for text in one.try_next) + "\n")
    lines.append(f"## Rows\n\n{english.text(ROWS)}\n")
    lines += _rows_table(english)
    return "\n".join(lines)


def _rows_table(english: Translator) -> Iterator[str]:
    """Each row of the catalogue, and the experiments that cover it, or why none can."""
    yield "| row | what it is | experiments |\n|---|---|---|"
    for row in catalogue.ROWS:
        names = [f"`{one.name}`" for one in all_experiments().values() if row.key in one.covers]
        covered = ", ".join(names) or english.text(row.why_not)
        yield f"| {row.key} | {english.text(row.title)} | {covered} |"
    yield ""


def design_markdown() -> str:
    """A list of the design pages by their titles."""
    lines = [
        "# Design decisions\n",
        "What was chosen, what else there was, and what it rests on.\n",
    ]
    for path in sorted((DOCS / "design").glob("*.md")):
        if path.name != "index.md":
            title = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
            lines.append(f"- [{title}]({path.name})")
    return "\n".join(lines) + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "design/index.md": design_markdown,
    "reference/cli.md": cli_markdown,
    "reference/experiments.md": experiments_markdown,
    "reference/findings.md": findings_markdown,
}


def stale_pages() -> list[str]:
    """Names of the pages that differ from what the code says."""
    return [name for name, page in PAGES.items() if _read(name) != page()]


def _read(name: str) -> str:
    path = DOCS / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


def main(arguments: list[str]) -> int:
    stale = stale_pages()
    if "--check" in arguments:
        if stale:
            print(f"stale: {', '.join(stale)}; write them anew with: make docs", file=sys.stderr)
        return int(bool(stale))
    for name in stale:
        (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
        print(f"wrote docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
