"""The file to go on from: says all that is known, is whole at any moment, and is not trusted."""

import json
from pathlib import Path

import pytest

from fourtuple.errors import InputError
from fourtuple.scan.model import ScanOptions, verdict_code
from fourtuple.scan.results import Results
from fourtuple.scan.resume import ResumeFile, load
from fourtuple.scan.targets import Target

OPTIONS = ScanOptions("", None, 0.7, 2, 100.0, 5, (1, 3))


def known() -> Results:
    results = Results(
        [Target("10.0.0.1", "db"), Target("fd00::1")], {"connect": [22, 80, 81], "udp": [53]}
    )
    results.tables["connect"].know("10.0.0.1", [22, 81], verdict_code("open", "syn-ack"))
    results.tables["connect"].know("fd00::1", [80], verdict_code("closed", "conn-refused"))
    results.tables["udp"].know("fd00::1", [53], verdict_code("open|filtered", "no-response"))
    return results


def test_what_was_known_is_known_again(tmp_path: Path) -> None:
    file = ResumeFile(tmp_path, OPTIONS)
    file.keep(known())
    saved = load(file.path)
    assert saved.scan_options() == OPTIONS
    again = saved.results_so_far()
    assert again.targets == known().targets
    assert again.ports == known().ports
    assert list(again.all()) == list(known().all())


def test_it_is_written_now_and_then_and_gone_when_nobody_needs_it(tmp_path: Path) -> None:
    file = ResumeFile(tmp_path, OPTIONS)
    file.keep_now_and_then(known())
    first = file.path.stat().st_mtime_ns
    for _ in range(10):
        file.keep_now_and_then(known())
    assert file.path.stat().st_mtime_ns == first
    assert list(tmp_path.iterdir()) == [file.path]
    file.discard()
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_now_and_then_is_said_when_it_is_needed(tmp_path: Path) -> None:
    file = ResumeFile(tmp_path / "gone", OPTIONS)
    file.keep_now_and_then(known())
    with pytest.raises(OSError):
        file.keep(known())
    file.discard()


@pytest.mark.parametrize(
    ("place", "nonsense"),
    [
        (["verdicts", "connect", "10.0.0.1"], {"open": "22"}),
        (["verdicts", "connect", "10.0.0.1"], {"open because": "22"}),
        (["verdicts", "connect", "10.0.0.1"], {"open syn-ack": "23"}),
        (["verdicts", "connect"], {"10.9.9.9": {"open syn-ack": "22"}}),
        (["verdicts"], {"syn": {"10.0.0.1": {"open syn-ack": "22"}}}),
        (["ports"], {"connect": "none"}),
        (["options"], {"shard": "no"}),
    ],
)
def test_a_file_that_somebody_changed_is_refused(
    place: list[str], nonsense: object, tmp_path: Path
) -> None:
    file = ResumeFile(tmp_path, OPTIONS)
    file.keep(known())
    whole = json.loads(file.path.read_text())
    inner = whole
    for word in place[:-1]:
        inner = inner[word]
    inner[place[-1]] = nonsense
    file.path.write_text(json.dumps(whole))
    with pytest.raises(InputError):
        saved = load(file.path)
        saved.scan_options()
        saved.results_so_far()
