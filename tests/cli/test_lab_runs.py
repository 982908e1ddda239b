"""`fourtuple lab`: many runs, own files, mutations, rows, tags, claims."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fourtuple.lab.catalogue import CLAIMS
from fourtuple.lab.experiment import all_experiments

pytestmark = pytest.mark.kernel

FAILING = """
from fourtuple.lab.experiment import experiment

@experiment(question="Is one two?")
def one_is_two(lab):
    lab.expect(1, 2, "one")

@experiment(question="Is one one?")
def one_is_one(lab):
    lab.expect(1, 1, "one")
"""


def fourtuple(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fourtuple", *map(str, arguments)]
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **environ}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(FAILING)
    return file


def test_a_failed_run_names_the_line_is_kept_and_is_read_again(
    failing: Path, tmp_path: Path
) -> None:
    done = fourtuple("lab", "run", failing, "--jobs", "2", XDG_STATE_HOME=str(tmp_path))
    assert done.returncode == 1
    assert "This does not hold: one (mine.py, line 6)" in done.stdout
    assert "1 passed, 1 failed, 0 skipped" in done.stdout
    kept = tmp_path / "fourtuple" / "failed" / "one-is-two.pcapng"
    assert f"recording kept in {kept}" in done.stderr
    assert "one: expected 2, got 1" in fourtuple("read", kept).stdout


def test_reports_come_in_the_order_asked_for_whoever_is_ready_first() -> None:
    names = ["keepalive", "handshake", "close"]
    told = fourtuple("lab", "run", *names, "--jobs", "3").stdout
    places = [told.index(f"{name} ") for name in names]
    assert places == sorted(places)
    assert told.rstrip().endswith("3 passed, 0 failed, 0 skipped for lack of something.")


def test_those_of_a_tag_are_told_briefly_and_slow_ones_are_named() -> None:
    done = fourtuple("lab", "run", "--tag", "close")
    assert done.returncode == 0, done.stdout
    chosen = [one for one in all_experiments().values() if "close" in one.tags]
    fast, slow = ([one.name for one in chosen if one.slow == wanted] for wanted in (False, True))
    lines = done.stdout.splitlines()
    assert sorted(line.split()[1] for line in lines if line.startswith("passed")) == sorted(fast)
    assert f"{len(fast)} passed, 0 failed" in done.stdout
    assert all(name in lines[-1] for name in slow)


def test_a_row_runs_all_that_cover_it() -> None:
    found = objects(fourtuple("lab", "run", "A7", "--json").stdout)
    covering = {one.name for one in all_experiments().values() if "A7" in one.covers}
    assert {item["experiment"] for item in found} == covering
    assert {item["verdict"] for item in found} == {"pass"}


def test_what_is_lacking_is_named_and_counted_apart(tmp_path: Path) -> None:
    file = tmp_path / "needing.py"
    file.write_text(FAILING.replace('question="Is one two?"', "question='?', needs='no-such-tool'"))
    done = fourtuple("lab", "run", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 passed, 0 failed, 1 skipped for lack of something." in done.stdout
    assert "The program no-such-tool is not installed." in done.stdout
    told = {o["experiment"]: o for o in objects(fourtuple("lab", "run", file, "--json").stdout)}
    assert told["one-is-two"]["verdict"] == "skip"
    assert told["one-is-two"]["missing"] == "The program no-such-tool is not installed."


def test_where_nothing_can_be_run_the_remedy_is_told(tmp_path: Path) -> None:
    file = tmp_path / "needing.py"
    head, _, _ = FAILING.partition('@experiment(question="Is one one?")')
    file.write_text(head.replace("question=", "needs='no-such-tool', question="))
    done = fourtuple("lab", "run", file)
    assert done.returncode == 3
    assert "sudo apt install no-such-tool" in done.stderr


def test_a_packet_filter_that_is_not_there_is_a_lack_and_no_failure(tmp_path: Path) -> None:
    file = tmp_path / "filtering.py"
    file.write_text(
        "from fourtuple.lab.experiment import experiment\n"
        "import fourtuple.lab.needs as needs\n"
        "needs._SYSTEM_PATH = ''\n"
        "@experiment(question='?')\n"
        "def filters(lab):\n"
        "    import os\n"
        "    os.environ['PATH'] = '/nowhere'\n"
        "    lab.pair()[0].nft('table inet x {}')\n"
    )
    done = fourtuple("lab", "run", file)
    assert done.returncode == 3
    assert "The program nft is not installed." in done.stderr
    assert "sudo apt install nftables" in done.stderr


def test_a_new_file_runs_as_it_stands_and_fails_under_its_mutation(tmp_path: Path) -> None:
    written = fourtuple("lab", "new", tmp_path / "lost-one")
    assert written.returncode == 0
    file = tmp_path / "lost_one.py"
    assert str(file) in written.stdout
    passing = fourtuple("lab", "run", file)
    assert passing.returncode == 0
    assert "3 of 3 checks hold" in passing.stdout
    mutated = fourtuple("lab", "run", file, "--mutate", XDG_STATE_HOME=str(tmp_path))
    assert mutated.returncode == 1
    assert "This run is under the experiment's mutation: the first one is lost." in mutated.stdout
    assert not (tmp_path / "fourtuple").exists(), "it was to fail: there is nothing to look into"


@pytest.mark.parametrize("name", ["1st", "no/such/folder/x", "class", "a b", ""])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fourtuple", "lab", "new", name],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_not_written_over(failing: Path) -> None:
    done = fourtuple("lab", "new", failing.with_name("mine"))
    assert done.returncode == 2
    assert failing.read_text() == FAILING


def test_an_experiment_of_the_other_family_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "old.py"
    file.write_text(FAILING.replace("question=", "families='4', question="))
    done = fourtuple("lab", "run", file, "--ipv6")
    assert done.returncode == 2
    assert "one-is-two, one-is-one cannot be run over IPv6" in done.stderr


def test_claims_are_read_from_recordings(tmp_path: Path) -> None:
    file = tmp_path / "close.pcapng"
    fourtuple("lab", "run", "close", "--save", file)
    told = fourtuple("lab", "claims", file)
    assert told.returncode == 0, told.stderr
    assert "close takes four segments" in told.stdout
    assert "(document A; fourtuple lab run close)" in " ".join(told.stdout.split())
    found = objects(fourtuple("lab", "claims", file, "--json").stdout)
    assert {item["kind"] for item in found} == {"claim"}
    assert {"claim", "source", "verdict", "depends_on", "because", "evidence"} <= set(found[0])
    of_documents = [item["claim"] in CLAIMS for item in found]
    assert of_documents == sorted(of_documents, reverse=True)


def test_the_list_can_be_narrowed_and_turned_round() -> None:
    narrowed = objects(fourtuple("lab", "list", "A7", "--json").stdout)
    assert all("A7" in item["covers"] for item in narrowed)
    tagged = objects(fourtuple("lab", "list", "opening", "--json").stdout)
    assert tagged
    assert all("opening" in item["tags"] for item in tagged)
    rows = fourtuple("lab", "list", "--rows").stdout
    assert "cause:linger-zero" in rows
    assert "The three-way handshake: " in rows


def test_show_tells_rows_mutation_and_what_to_try_next() -> None:
    told = fourtuple("lab", "show", "handshake", "--width", "200").stdout
    one = all_experiments()["handshake"]
    assert "A5: The three-way handshake" in told
    assert one.mutation is not None
    assert one.mutation.what in told
    assert one.try_next[0] in told
