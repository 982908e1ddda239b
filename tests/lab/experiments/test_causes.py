"""What the analysis says of an experiment's RSTs is what its script did.

The lab knows calls, socket tables and its own wire, so a cause is certain but where said.
"""

import pytest

from fourtuple.analyze import connections
from fourtuple.analyze.model import Reset
from fourtuple.lab.catalogue import ROWS
from fourtuple.lab.experiment import Experiment, all_experiments
from fourtuple.lab.needs import lacking
from lab.running import ran

CAUSE = "cause:"
COVERING = sorted(
    (one.name, family, row.removeprefix(CAUSE))
    for one in all_experiments().values()
    for row in one.covers
    if row.startswith(CAUSE)
    for family in one.families
)
#: a firewall could say the same in the name of a socket that lives, and no call or table tells
LIKELY = {("wrong-ack-in-syn-recv", "invalid-ack")}
#: RSTs beside those that the experiment is about, or of one that covers no cause: who, and what
OTHERS = {
    "client-killed": {("client", "unread-data", "likely")},  # what ends a process is no call
    "half-open-keepalive": {("server", "no-such-connection", "certain")},
    "keepalive-dead-peer": {("client", "keepalive-timeout", "certain")},
    "spinning-server": {("server", "listener-closed", "certain")},
    "stale-syn-server-waits": {("client", "time-wait", "certain")},
    # a negative TCP_LINGER2, and a Multipath TCP token that nobody has: no cause of the contract
    "no-fin-wait2": {("client", "undetermined", "undetermined")},
    "unknown-token": {("server", "undetermined", "undetermined")},
}


def resets(name: str, family: int) -> list[Reset]:
    experiment: Experiment = all_experiments()[name]
    for capability in lacking(experiment):
        pytest.skip(str(capability))
    timeline = ran(experiment, family)
    return [reset for one in connections(timeline) for reset in one.resets]


def test_every_cause_of_the_contract_has_an_experiment() -> None:
    rows = {row.key.removeprefix(CAUSE) for row in ROWS if row.key.startswith(CAUSE)}
    assert {cause for _, _, cause in COVERING} == rows


@pytest.mark.kernel
@pytest.mark.parametrize(("name", "family", "cause"), COVERING)
def test_what_an_experiment_provokes_is_named(name: str, family: int, cause: str) -> None:
    found = {(reset.cause, reset.confidence) for reset in resets(name, family)}
    confidence = "likely" if (name, cause) in LIKELY else "certain"
    assert {one for one in found if one[0] == cause} == {(cause, confidence)}, found


@pytest.mark.kernel
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("name", sorted(OTHERS))
def test_what_is_reset_by_the_way_is_named_too(name: str, family: int) -> None:
    found = {(reset.sender, reset.cause, reset.confidence) for reset in resets(name, family)}
    assert found == OTHERS[name]
