"""What --help prints, in the reader's language and in the width of the terminal.

The parser's own help is in English, knows nothing of wide characters and cuts summaries short.
The language is the `Translator` that the command line's context carries.
"""

import re
from collections.abc import Iterator
from typing import Any

from typer.core import TyperCommand, TyperGroup

from fourtuple.cli.output import terminal_for
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_, Translator
from fourtuple.render.text import pad, width_of, wrap

__all__ = ["HelpfulCommand", "HelpfulGroup", "name_of"]

_WIDEST = 100
_GAP = 2
#: what the parser itself says of its options
_OF_THE_PARSER = (
    N_("Install completion for the current shell."),
    N_("Show completion for the current shell, to copy it or customize the installation."),
    N_("Show this message and exit."),
)


class HelpfulCommand(TyperCommand):
    """A command whose help is ours."""

    def get_help(self, ctx: Any) -> str:
        return _help(self, ctx)


class HelpfulGroup(TyperGroup):
    """A group of commands whose help is ours."""

    def get_help(self, ctx: Any) -> str:
        return _help(self, ctx)


def name_of(parameter: Any) -> str:
    """An argument or option as one writes it: FILE, --width."""
    if parameter.param_type_name == "option":
        return str(max(parameter.opts, key=len))
    return str(parameter.metavar or parameter.name).upper()


def _help(command: Any, ctx: Any) -> str:
    translator = ctx.find_object(Translator) or Translator()
    width = min(terminal_for().width, _WIDEST)
    parameters = command.get_params(ctx)
    arguments = [one for one in parameters if one.param_type_name == "argument"]
    options = [one for one in parameters if one not in arguments and not one.hidden]
    commands = [one for one in getattr(command, "commands", {}).values() if not one.hidden]
    tables = (
        (N_("Arguments:"), [_argument(one, translator) for one in arguments]),
        (N_("Options:"), [_option(one, translator) for one in options]),
        (N_("Commands:"), [_summary(one, translator) for one in commands]),
    )
    blocks = [
        [_usage(ctx.command_path, arguments, commands, translator)],
        *_description(translator.text(command.help or ""), width),
        *(_table(translator.text(title), rows, width) for title, rows in tables),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _usage(path: str, arguments: list[Any], commands: list[Any], translator: Translator) -> str:
    words = map(_usage_of, arguments)
    rest = [*words, translator.text(N_("COMMAND"))] if commands else words
    parts = {"command": path, "rest": " ".join(rest)}
    return translator.text(Message("Usage: {command} [OPTIONS] {rest}", parts)).rstrip()


def _usage_of(argument: Any) -> str:
    """NAME, NAME... for several, [NAME] where it may be left out."""
    word = name_of(argument) + ("..." if argument.nargs == -1 else "")
    return word if argument.required else f"[{word}]"


def _description(text: str, width: int) -> Iterator[list[str]]:
    """Paragraphs to be filled; indented ones, which are examples, as they are."""
    for paragraph in text.split("\n\n"):
        if paragraph.startswith("    "):
            yield paragraph.splitlines()
        elif paragraph.strip():
            yield wrap(_joined(paragraph.strip()), width)


def _joined(paragraph: str) -> str:
    """The paragraph as one line: Chinese has no blanks where a line ended."""
    unbroken = re.sub(r"(?<=[^\x00-\x7f])\s*\n\s*(?=[^\x00-\x7f])", "", paragraph)
    return re.sub(r"\s*\n\s*", " ", unbroken)


Row = tuple[str, str]


def _argument(parameter: Any, translator: Translator) -> Row:
    return name_of(parameter), translator.text(parameter.help or "")


def _option(parameter: Any, translator: Translator) -> Row:
    names = ", ".join(sorted(parameter.opts, key=len))
    text = translator.text(parameter.help or "")
    default = parameter.default
    if isinstance(default, str) and default:
        shown = {"help": text, "value": default}
        text = translator.text(Message("{help} Default: {value}.", shown))
    return f"{names} {parameter.metavar or ''}".rstrip(), text


def _summary(command: Any, translator: Translator) -> Row:
    """A command's first paragraph. It is translated here: a part of a message is none."""
    return command.name, _joined(translator.text(command.help or "").partition("\n\n")[0])


def _table(title: str, rows: list[Row], width: int) -> list[str]:
    """The rows under their title: what is explained, and the explanation beside it."""
    if not rows:
        return []
    column = max(width_of(name) for name, _ in rows)
    lines = [title]
    for name, text in rows:
        head = " " * _GAP + pad(name, column) + " " * _GAP
        for line in wrap(text, width - width_of(head)):
            lines.append((head + line).rstrip())
            head = " " * width_of(head)
    return lines
