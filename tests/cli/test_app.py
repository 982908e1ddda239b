"""What happens to a command line that is wrong, interrupted, or read by somebody who leaves."""

import subprocess
import sys
from typing import Any

import pytest

from fourtuple.cli import app
from fourtuple.errors import CapabilityMissing, ExpectationFailed, InputError

COMMAND = [sys.executable, "-c", "import sys; from fourtuple.cli import main; sys.exit(main())"]


def run(*arguments: str) -> int:
    return app.run(arguments)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has `fourtuple doctor` raise an error of one's choice."""

    def fail(error: BaseException) -> None:
        def doctor() -> None:
            raise error

        for command in app.app.registered_commands:
            if getattr(command.callback, "__name__", "") == "doctor":
                monkeypatch.setattr(command, "callback", doctor)

    return fail


@pytest.mark.parametrize(
    ("arguments", "complaint", "where"),
    [
        (["nonsense"], "No such command 'nonsense'", "fourtuple --help"),
        (["read"], "Missing argument", "fourtuple read --help"),
        (["read", "x", "--frmae", "1"], "No such option: --frmae", "fourtuple read --help"),
        (["read", "x", "--frame", "one"], "Invalid value for '--frame'", "fourtuple read --help"),
        (["read", "x", "--width", "3"], "Invalid value for '--width'", "fourtuple read --help"),
    ],
)
def test_a_wrong_command_line_gets_one_message_and_the_way_to_the_help(
    arguments: list[str], complaint: str, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"fourtuple: {complaint}")
    assert printed.err.splitlines()[-1].endswith(where)


def test_an_unknown_language_lists_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("read", "x", "--lang", "tlh") == 2
    assert capsys.readouterr().err == "fourtuple: no texts in 'tlh': there are en, zh_CN\n"


@pytest.mark.parametrize("arguments", [[], ["lab"]])
def test_a_group_without_a_command_shows_its_help(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    assert capsys.readouterr().err.startswith("Usage: fourtuple")


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_shows_examples(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("read", option) == 0
    assert "fourtuple read capture.pcapng --frame 12" in capsys.readouterr().out


def test_help_is_in_the_language_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("read", "--help", "--lang", "zh") == 0
    assert "抓包文件" in capsys.readouterr().out
    assert run("--help") == 0
    assert "See what a socket really does" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (InputError("{file} is odd.", {"file": "x"}), 2, "fourtuple: x is odd.\n"),
        (CapabilityMissing("No lab.", "Allow it."), 3, "fourtuple: No lab.\nAllow it.\n"),
        (CapabilityMissing("No lab.", ""), 3, "fourtuple: No lab.\n"),
        (ExpectationFailed("expected 1"), 1, "fourtuple: expected 1\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_is_one_message_and_its_exit_status(
    error: BaseException,
    status: int,
    message: str,
    failing: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    failing(error)
    assert run("doctor") == status
    assert capsys.readouterr().err == message


def test_a_mistake_of_ours_is_not_hidden(failing: Any) -> None:
    failing(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        run("doctor")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_had_for_each_shell(shell: str) -> None:
    done = subprocess.run(
        COMMAND,
        capture_output=True,
        text=True,
        check=False,
        env={"_FOURTUPLE_COMPLETE": f"source_{shell}", "PATH": "/usr/bin:/bin"},
    )
    assert "_FOURTUPLE_COMPLETE" in done.stdout, done.stderr
