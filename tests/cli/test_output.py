"""The width and the language that the output gets."""

import fcntl
import os
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator

import pytest

from fourtuple.cli.output import terminal_for, translator_for
from fourtuple.errors import UsageError

COMMAND = [sys.executable, "-m", "fourtuple"]
COLUMNS = 63


@pytest.fixture
def tty() -> Iterator[int]:
    """A terminal of 63 columns."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    yield theirs
    os.close(ours)
    os.close(theirs)


def widest(done: "subprocess.CompletedProcess[bytes]") -> int:
    return max(map(len, done.stdout.decode().splitlines()))


def environment(**more: str) -> dict[str, str]:
    without = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LANG", "LC_ALL")}
    return without | {"LC_ALL": "C.UTF-8"} | more


@pytest.mark.parametrize("stream", ["stderr", "stdin"])
def test_a_pager_gets_the_width_of_the_terminal_that_it_draws_on(tty: int, stream: str) -> None:
    streams = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | {stream: tty}
    done = subprocess.run(
        [*COMMAND, "lab", "list"],
        stdout=subprocess.PIPE,
        env=environment(),
        check=True,
        start_new_session=True,
        **streams,  # type: ignore[call-overload]
    )
    assert 40 < widest(done) <= COLUMNS


def test_the_controlling_terminal_is_asked_last(tty: int) -> None:
    done = subprocess.run(
        [*COMMAND, "lab", "list"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
        check=True,
        start_new_session=True,
        pass_fds=[tty],
        preexec_fn=lambda: fcntl.ioctl(tty, termios.TIOCSCTTY, 0),
    )
    assert 40 < widest(done) <= COLUMNS


@pytest.mark.parametrize(("columns", "width"), [("50", 50), ("10", 40), ("9999", 400)])
def test_columns_goes_before_any_terminal(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert terminal_for().width == width


@pytest.mark.parametrize("columns", ["", "0", "-5", "wide", "9" * 5000])
def test_without_any_terminal_it_is_120(columns: str) -> None:
    code = "from fourtuple.cli.output import terminal_for; print(terminal_for().width)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(COLUMNS=columns),
        check=True,
        start_new_session=True,
    )
    assert done.stdout == b"120\n"


@pytest.mark.parametrize("width", ["39", "401", "0", "-3", "wide"])
@pytest.mark.parametrize("command", [["read", "x"], ["lab", "run", "close"], ["doctor"]])
def test_every_command_refuses_the_same_widths(
    command: list[str], width: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from fourtuple.cli.app import run

    assert run([*command, "--width", width]) == 2
    assert "--width takes a whole number from 40 to 400" in capsys.readouterr().err


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(UsageError, match="--lang takes en, zh"):
        translator_for("fr")


@pytest.mark.parametrize("language", [["--lang", "zh"], []])
def test_an_output_that_cannot_show_chinese_gets_english_and_one_note(language: list[str]) -> None:
    done = subprocess.run(
        [*COMMAND, "lab", "list", *language],
        capture_output=True,
        env=environment(LC_ALL="zh_CN.UTF-8", PYTHONIOENCODING="ascii"),
        check=True,
    )
    assert b"question" in done.stdout
    assert b"??" not in done.stdout
    assert done.stderr.count(b"\n") == 1
    assert b"cannot show Chinese" in done.stderr
