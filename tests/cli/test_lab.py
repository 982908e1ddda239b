"""`fourtuple lab`: list, show, run."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fourtuple.explain.text import Translator
from fourtuple.lab.experiment import all_experiments
from fourtuple.lab.template import experiment_file

FIRST_LIGHT = {"handshake", "exchange", "close", "segments", "unread-data", "before-accept"}


def fourtuple(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fourtuple", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def printed(*arguments: str | Path) -> str:
    done = fourtuple(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_list_names_every_experiment_and_its_question() -> None:
    told = printed("lab", "list", "--lang", "en")
    for one in all_experiments().values():
        assert one.name in told
    assert set(all_experiments()) >= FIRST_LIGHT


def test_list_for_machines_has_the_fields_of_the_contract() -> None:
    found = {item["name"]: item for item in objects(printed("lab", "list", "--json"))}
    assert set(found) == set(all_experiments())
    assert found["segments"]["covers"] == ["A7"]
    assert found["segments"]["question"].endswith("?")
    assert {"name", "question", "covers", "needs", "slow"} <= set(found["close"])


def test_show_tells_the_question_the_background_and_the_script() -> None:
    told = printed("lab", "show", "segments", "--lang", "en")
    assert "How does one send of 2950 bytes cross the wire" in told
    assert "A segment carries at most MSS bytes" in told
    assert "lab.pair(timestamps=False)" in told


def test_show_takes_a_row_and_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(experiment_file("mine", str(file), Translator("en").text))
    assert "def mine(lab)" in printed("lab", "show", str(file), "--lang", "en")
    of_row = printed("lab", "show", "A17", "--lang", "en")
    for one in all_experiments().values():
        assert (f"def {one.script.__name__}(" in of_row) == ("A17" in one.covers)


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one() -> None:
    told = fourtuple("lab", "show", "handshak", "--lang", "en").stderr
    assert "Did you mean handshake? See: fourtuple lab list" in told


@pytest.mark.parametrize("command", ["show", "run"])
def test_an_unknown_name_is_an_error_of_the_command_line(command: str) -> None:
    done = fourtuple("lab", command, "no-such-experiment", "--lang", "en")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no-such-experiment" in done.stderr


@pytest.mark.kernel
@pytest.mark.parametrize(("option", "full"), [((), 1460), (("--ipv6",), 1440)])
def test_run_for_machines_has_the_fields_of_the_contract(option: tuple[str], full: int) -> None:
    (found,) = objects(printed("lab", "run", "segments", "--json", *option))
    assert found["kind"] == "experiment"
    assert found["experiment"] == "segments"
    assert found["verdict"] == "pass"
    assert found["covers"] == ["A7"]
    assert found["seconds"] > 0
    assert found["views"] == {"calls": "wrapped", "states": "sock_diag", "frames": "wire"}
    assert all(check["ok"] for check in found["checks"])
    lengths = [check for check in found["checks"] if str(full) in str(check["actual"])]
    assert lengths, "the payloads on the wire are among the checks"
    assert all(check["evidence"] for check in lengths)
    (claim,) = found["claims"]
    assert {"claim", "source", "verdict", "because", "evidence"} <= set(claim)
    assert claim["verdict"] == "confirmed"


@pytest.mark.kernel
def test_several_runs_are_kept_in_a_directory_and_read_as_they_ran(tmp_path: Path) -> None:
    told = printed("lab", "run", "handshake", "segments", "--save", tmp_path, "--width", "110")
    files = [tmp_path / "handshake.pcapng", tmp_path / "segments.pcapng"]
    assert sorted(tmp_path.iterdir()) == files
    again = "".join(printed("read", file, "--width", "110") for file in files)
    reports, _, counted = told.rstrip().rpartition("\n")
    assert again.split() == reports.split()
    assert counted == "2 passed, 0 failed, 0 skipped for lack of something."


@pytest.mark.kernel
def test_a_recording_kept_in_one_language_is_read_in_another(tmp_path: Path) -> None:
    file = tmp_path / "close.pcapng"
    printed("lab", "run", "close", "--save", file, "--lang", "en")
    told = printed("read", file, "--lang", "zh")
    assert "四元组" in told
    assert "Why does closing take" not in told


@pytest.mark.kernel
def test_two_runs_with_one_seed_send_the_same_bytes(tmp_path: Path) -> None:
    payloads = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        file = tmp_path / f"{name}.pcapng"
        printed("lab", "run", "segments", "--seed", str(seed), "--save", file)
        sent = [f for f in objects(printed("read", file, "--frames", "--json")) if f["len"]]
        payloads.append(payload_of(file, sent[0]["frame"]))
    assert payloads[0] == payloads[1] != payloads[2]


def payload_of(file: Path, frame: int) -> bytes:
    from fourtuple.source import read

    tcp = read(file).packet(frame).tcp
    assert tcp is not None
    return tcp.payload


@pytest.mark.kernel
def test_a_recording_that_cannot_be_kept_is_told_of_and_the_report_is_not_lost() -> None:
    done = fourtuple("lab", "run", "close", "--save", "/dev/full", "--lang", "en")
    assert done.returncode == 1
    assert "checks hold" in done.stdout
    reason = "The recording cannot be kept in /dev/full: No space left on device."
    assert done.stderr == f"fourtuple: {reason}\n"
