"""The table of the kernel's words (docs/explanation/reset-truth.md): not stale, and never against
what was called certain."""

import os
import sys
from pathlib import Path

import pytest

from fourtuple.lab import catalogue
from fourtuple.lab.experiment import Experiment
from fourtuple.lab.needs import lacking
from fourtuple.system.capabilities import capabilities

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import reset_truth as written

from resets.kernel_words import WORDS, reasons_of_this_kernel
from resets.truth import contradicts

#: the experiments of the reasons; each names the one that it covers
COVERING = [
    one for one in written.chosen() if any(row.startswith("reason:") for row in one.covers)
] + [one for one in written.chosen() if one.name == "firewall-rejects"]


def heard() -> bool:
    answers = {one.key: one.answer for one in capabilities()}
    return os.geteuid() == 0 and answers["reset_reasons"] != "no"


def test_the_page_says_what_was_seen() -> None:
    assert written.PAGE.read_text(encoding="utf-8") == written.page(), "make resets"


def test_nothing_that_was_called_certain_contradicts_the_kernel() -> None:
    certain = [one for one in written.cases() if one.confidence == "certain"]
    assert len(certain) > 100
    assert [one for one in certain if contradicts(one.cause, one.reason)] == []


def test_each_reason_of_the_table_was_provoked_or_the_catalogue_says_why_not() -> None:
    provoked = {one.reason for one in written.cases()}
    for reason in written.kept()["reasons"]:  # type: ignore[attr-defined]
        assert (reason in provoked) != bool(catalogue.rows()[f"reason:{reason}"].why_not), reason


def test_what_contradicts_and_what_does_not() -> None:
    assert contradicts("unread-data", "TCP_STATE")
    assert not contradicts("unread-data", "TCP_ABORT_ON_CLOSE")
    assert contradicts("unread-data", None), "somebody else sent it"
    assert not contradicts("firewall", None)
    assert contradicts("firewall", "NO_SOCKET")
    assert not contradicts("undetermined", "NO_SOCKET")
    assert set(WORDS) >= {one.cause for one in written.cases()} - {"undetermined"}


@pytest.mark.kernel
@pytest.mark.root
def test_this_kernel_has_the_reasons_of_the_table() -> None:
    if not heard():
        pytest.skip("the kernel's reasons for a RST are for root to read, on Linux 6.12 or later")
    assert reasons_of_this_kernel() == written.kept()["reasons"]


@pytest.mark.kernel
@pytest.mark.root
@pytest.mark.parametrize("experiment", COVERING, ids=lambda one: one.name)
def test_the_kernel_says_again_what_the_table_has(experiment: Experiment) -> None:
    if not heard():
        pytest.skip("the kernel's reasons for a RST are for root to read, on Linux 6.12 or later")
    for missing in lacking(experiment):
        pytest.skip(str(missing))
    again = list(written.of_experiment(experiment, 4))
    wrong = [one for one in again if contradicts(one.cause, one.reason)]
    assert [one for one in wrong if one.confidence == "certain"] == []
    # a RST more may come of a probe that was under way; what is provoked always does
    provoked = {row.partition(":")[2] for row in experiment.covers if row.startswith("reason:")}
    wanted: set[str | None] = {*provoked} or {None}
    before = [one for one in written.cases() if (one.scene, one.family) == (experiment.name, 4)]
    assert wanted <= {one.reason for one in before}, "make resets"
    assert wanted <= {one.reason for one in again}
