"""Everything that is to be covered is covered; every sentence that is to be judged is judged."""

import re
from pathlib import Path

import pytest

from fourtuple.event.model import Call
from fourtuple.lab.catalogue import CLAIMS, ROWS, Row, rows
from fourtuple.lab.claims import judged_by, judges_of
from fourtuple.lab.experiment import Experiment, all_experiments, find_experiment
from fourtuple.lab.script import Lab
from fourtuple.render.verdicts import checks_of
from lab.running import ran

EXPERIMENTS = tuple(all_experiments().values())
OUTPUT = Path(__file__).parents[2] / "docs" / "reference" / "output.md"
#: how many rows each table of the teaching documents has
TABLES = {"A": 18, "B": 4, "C": 9, "D": 10, "E": 12}


def covering(row: Row) -> list[Experiment]:
    return [one for one in EXPERIMENTS if row.key in one.covers]


def test_the_rows_of_the_documents_are_all_there() -> None:
    wanted = [f"{table}{n}" for table, count in TABLES.items() for n in range(1, count + 1)]
    assert [row.key for row in ROWS][: len(wanted)] == wanted
    assert len(rows()) == len(ROWS)


def test_the_causes_are_those_of_the_output_contract() -> None:
    text = " ".join(OUTPUT.read_text(encoding="utf-8").split())
    (listed,) = re.findall(r"`cause` of a reset: (.*?), undetermined", text)
    causes = listed.split(", ")
    assert [row.key for row in ROWS if row.key.startswith("cause:")] == [
        f"cause:{cause}" for cause in causes
    ]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_a_row_is_covered_or_says_why_it_cannot_be(row: Row) -> None:
    found = covering(row)
    assert bool(found) != bool(row.why_not)
    assert row.why_not or any(not one.slow for one in found), "only slow experiments cover it"


@pytest.mark.parametrize("row", [row for row in ROWS if not row.why_not], ids=lambda row: row.key)
def test_a_row_is_covered_over_both_families(row: Row) -> None:
    families = {family for one in covering(row) for family in one.families}
    assert families == {4, 6}


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda one: one.name)
def test_an_experiment_covers_rows_that_there_are(experiment: Experiment) -> None:
    assert set(experiment.covers) <= set(rows())


@pytest.mark.parametrize("sentence", CLAIMS)
def test_a_sentence_of_the_documents_is_judged(sentence: str) -> None:
    judges = judges_of(EXPERIMENTS, sentence)
    assert [one for one in judges if not one.slow]


def judging(lab: Lab) -> None:
    lab.claim("of the script", True, "why", source="A")
    _helper(lab)


def _helper(lab: Lab) -> None:
    lab.claim("of a function that it calls", True, "why", source="A")
    _helper(lab)


def not_called(lab: Lab) -> None:
    lab.claim("of a function that nobody calls", True, "why", source="A")


def test_what_is_judged_is_read_from_a_script_and_the_functions_that_it_calls() -> None:
    one = Experiment(name="judging", question="?", script=judging)
    assert judged_by(one) == ("of the script", "of a function that it calls")


@pytest.mark.kernel
def test_each_call_of_the_documents_table_is_made_in_an_experiment() -> None:
    """Row E11; what each returns, and what follows, is what these experiments assert."""
    names = ("calls-of-names", "calls-of-data", "calls-that-wait")
    runs = [ran(find_experiment(name)) for name in names]
    made = {call.name for timeline in runs for call in timeline.of(Call)}
    asked_of_the_kernel = (
        "bind listen accept connect connect_ex recv send sendall recvfrom sendto getpeername"
        " getsockname getsockopt setsockopt close setblocking settimeout"
    )
    assert made >= set(asked_of_the_kernel.split())
    # Python answers these by itself, or by the calls above
    said = " ".join(check.what.text for timeline in runs for check in checks_of(timeline))
    assert all(f"{name}()" in said for name in ("gettimeout", "fileno", "makefile"))
