"""`fourtuple doctor`: a table for people, JSON Lines for scripts, and the exit status."""

import errno
import json
from dataclasses import replace

import pytest
import typer
from typer.testing import CliRunner

from fourtuple.cli import doctor as module
from fourtuple.cli.doctor import as_report, doctor
from fourtuple.explain.text import Translator
from fourtuple.render.terminal import Terminal
from fourtuple.render.text import width_of
from fourtuple.system.capabilities import Capability, judge
from fourtuple.system.machine import Machine

STEPS = ("user", "pid", "net", "veth", "packet", "offloads", "sysctl", "sock_diag", "ehash")

#: an ordinary user's machine: no privileges, tracefs out of reach
ORDINARY = Machine(
    system="Linux",
    release="6.18.0",
    python="3.11.7",
    encoding="utf-8",
    trial=dict.fromkeys(STEPS, 0),
    reset_format=errno.EPERM,
)
SWITCHED_OFF = replace(
    ORDINARY, trial={"user": errno.ENOSPC}, settings={"user/max_user_namespaces": 0}
)


def run_on(machine: Machine, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """Exit status and output of `fourtuple doctor` on that machine."""
    monkeypatch.setattr(module, "capabilities", lambda: judge(machine))
    app = typer.Typer()
    app.command()(doctor)
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout


def test_where_the_lab_works_the_status_is_0(monkeypatch: pytest.MonkeyPatch) -> None:
    status, output = run_on(ORDINARY, "--lang", "en", monkeypatch=monkeypatch)
    assert status == 0
    assert "The lab works here." in output
    assert "this process may not mount it" in output


def test_where_it_does_not_the_remedy_is_told_and_the_status_is_3(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    status, output = run_on(SWITCHED_OFF, "--lang", "en", monkeypatch=monkeypatch)
    assert status == 3
    assert "sudo sysctl -w user.max_user_namespaces=10000" in output
    assert "The lab does not work here" in output


def test_json_has_an_object_a_capability_and_a_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    status, output = run_on(SWITCHED_OFF, "--json", "--lang", "zh", monkeypatch=monkeypatch)
    *found, summary = map(json.loads, output.splitlines())
    assert status == 3
    assert summary == {
        "kind": "summary",
        "lab": False,
        "read": True,
        "trace": False,
        "live": False,
        "scan": False,
    }
    assert {one["kind"] for one in found} == {"capability"}
    (user,) = (one for one in found if one["capability"] == "user")
    assert user["ok"] is False
    assert user["needed_for"] == ["lab"]
    assert user["detail"] == "Namespaces are switched off: user.max_user_namespaces is 0."
    assert user["remedy"] == "sudo sysctl -w user.max_user_namespaces=10000"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int, language: str) -> None:
    lines = list(as_report(judge(SWITCHED_OFF), Translator(language), Terminal(width=width)))
    assert max(map(width_of, lines)) <= width


def test_every_answer_is_there_in_every_width() -> None:
    found = judge(SWITCHED_OFF)
    narrow, wide = (
        " ".join(" ".join(as_report(found, Translator("en"), Terminal(width=width))).split())
        for width in (40, 160)
    )
    assert sorted(narrow.split()) == sorted(wide.split())


def test_without_colour_there_is_no_escape_and_with_it_the_words_stay() -> None:
    plain, coloured = (
        "\n".join(as_report(judge(ORDINARY), Translator("en"), Terminal(colour=colour)))
        for colour in (False, True)
    )
    assert "\x1b" not in plain
    assert "\x1b[32myes" in coloured


def test_a_chinese_reader_reads_chinese() -> None:
    def texts(one: Capability) -> tuple[str, str, str]:
        return one.name, one.detail, one.remedy

    chinese = Translator("zh")
    for one in (*judge(SWITCHED_OFF), *judge(ORDINARY)):
        for text in texts(one):
            if " " in text and text != one.remedy:
                assert chinese.text(text) != text
