"""--help, in both languages and at any width."""

import pytest

from fourtuple.cli.app import run
from fourtuple.render.text import width_of

COMMANDS = (
    [],
    ["read"],
    ["sockets"],
    ["doctor"],
    ["lab"],
    ["lab", "list"],
    ["lab", "show"],
    ["lab", "run"],
)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run([*arguments, "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("columns", [50, 80, 120])
def test_help_fits_and_cuts_nothing(
    command: list[str],
    language: str,
    columns: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = told(capsys, "--lang", language, *command)
    prose = [line for line in text.splitlines() if not line.startswith("    ")]
    assert max(map(width_of, prose)) <= columns
    assert "...\n" not in text.replace("NAME...\n", "").replace("FILE...\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_in_chinese_has_no_english_headings(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = told(capsys, "--lang", "zh", *command)
    for word in ("Usage", "Arguments", "Options", "OPTIONS", "Commands", "Default", "Show this"):
        assert word not in text


def test_summaries_of_commands_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(told(capsys).split())
    assert "Explain a capture: the connections in it, each segment, and what went wrong." in text


def test_defaults_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    text = " ".join(told(capsys, "lab", "run").split())
    assert "Seeds payloads and every random choice. Default: 0." in text
    assert "--width N Columns to draw in, 40 to 400." in text
