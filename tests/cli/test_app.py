"""What happens to a command line that is wrong, interrupted, or read by somebody who leaves."""

import subprocess
import sys
from typing import Any

import pytest

from fourtuple.cli import app
from fourtuple.cli import doctor as module
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

        monkeypatch.setattr(module, "doctor", doctor)

    return fail


@pytest.mark.parametrize(
    ("arguments", "complaint", "where"),
    [
        (["nonsense"], "There is no command nonsense.", "fourtuple --help"),
        (["red"], "There is no command red. Did you mean read?", "fourtuple --help"),
        (["lab", "ron"], "There is no command ron. Did you mean run?", "fourtuple lab --help"),
        (["read"], "FILE is missing.", "fourtuple read --help"),
        (["lab", "show"], "NAME is missing.", "fourtuple lab show --help"),
        (
            ["lab", "show", "x", "y"],
            "There are too many arguments: y.",
            "fourtuple lab show --help",
        ),
        (["read", "x", "--xyz"], "There is no option --xyz.", "fourtuple read --help"),
        (
            ["read", "x", "--frmae", "1"],
            "There is no option --frmae. Did you mean --frame?",
            "fourtuple read --help",
        ),
    ],
)
def test_a_wrong_command_line_gets_one_message_and_the_way_to_the_help(
    arguments: list[str], complaint: str, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"fourtuple: {complaint}\nHow it is used: {where}\n"


def test_an_option_without_its_value_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("read", "x", "--frame") == 2
    assert capsys.readouterr().err.startswith("fourtuple: The value of --frame is missing.\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["read"],
        ["read", "x", "y"],
        ["read", "x", "--frmae"],
        ["read", "x", "--frame", "one"],
        ["read", "x", "--width", "5"],
        ["read", ""],
        ["read", "/nowhere/x"],
        ["lab", "run", "handshak"],
        ["lab", "run", "close", "--limit", "0"],
        ["lab", "run", "close", "--save", "-"],
        ["lab", "run", "close", "handshake", "--save", "/nowhere/x"],
        ["lab", "show", "nosuch"],
    ],
)
def test_every_complaint_is_in_the_readers_language(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--lang", "zh", *arguments) == 2
    for line in capsys.readouterr().err.splitlines():
        assert any("\u4e00" <= character <= "\u9fff" for character in line), line


def test_an_unknown_language_lists_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["read", "x", "--lang", "tlh"], ["--lang", "tlh", "read", "x"]):
        assert run(*arguments) == 2
        complaint = "fourtuple: There are no texts in 'tlh': --lang takes en, zh.\n"
        assert capsys.readouterr().err == complaint


def test_the_language_may_stand_before_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["lab", "list"], ["lab", "show", "close"], ["--help"], ["read", "--help"]):
        assert run("--lang", "zh", *arguments) == 0
        before = capsys.readouterr().out
        assert run(*arguments, "--lang", "zh") == 0
        assert before == capsys.readouterr().out
        assert run(*arguments) == 0
        assert before != capsys.readouterr().out


def test_the_language_of_the_command_goes_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--lang", "zh", "lab", "list", "--lang", "en") == 0
    assert "question" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["lab"]])
def test_a_group_without_a_command_shows_its_help(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 0
    told = capsys.readouterr()
    assert told.out.startswith("Usage: fourtuple")
    assert told.err == ""


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


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("fourtuple lab run hands", ["handshake"]),
        ("fourtuple lab show segm", ["segments", "segments-timestamps"]),
        ("fourtuple lab run handshake close-w", ["close-with-data"]),
        ("fourtuple read x --lang ", ["en", "zh"]),
    ],
)
def test_names_and_languages_are_completed(line: str, found: list[str]) -> None:
    words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        COMMAND,
        capture_output=True,
        text=True,
        check=False,
        env=words | {"_FOURTUPLE_COMPLETE": "complete_bash"},
    )
    assert done.stdout.split() == found, done.stderr


@pytest.mark.parametrize(
    ("closing", "status", "message"),
    [
        ("<&-", 2, "fourtuple: stdin cannot be read: Bad file descriptor."),
        (">&-", 1, "fourtuple: Standard output cannot be written: Bad file descriptor."),
        (">/dev/full", 1, "fourtuple: Standard output cannot be written: No space left on device."),
        ("<&- 2>&-", 2, ""),
        ("<&- >&- 2>&-", 2, ""),
    ],
)
def test_a_closed_or_full_stream_is_told_of(closing: str, status: int, message: str) -> None:
    command = "lab list" if ">&-" in closing[:3] or "full" in closing else "read -"
    line = f'"$0" -c "$1" {command} {closing}'
    done = subprocess.run(
        ["sh", "-c", line, sys.executable, COMMAND[-1]], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.strip()) == (status, message)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "fourtuple: There is not enough memory for this.\n"),
        (OSError(24, "Too many open files"),
         "fourtuple: The operating system refused something: Too many open files.\n"),
    ],
)  # fmt: skip
def test_a_machine_that_has_no_more_is_no_traceback(
    error: BaseException, message: str, failing: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(error)
    assert run("doctor") == 1
    assert capsys.readouterr().err == message


def test_a_command_is_loaded_alone():
    script = """
import sys
from fourtuple.cli import app
assert app.run(["doctor", "--help"]) == 0
print({"fourtuple.cli.read", "numpy"} & set(sys.modules))
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.stdout.endswith("set()\n"), result
