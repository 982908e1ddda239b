"""What the analysis is to say of an experiment's RSTs: what its script did.

The lab knows calls, socket tables and its own wire, so a cause is certain but where said.
"""

from collections.abc import Sequence

from fourtuple.analyze.model import Connection
from fourtuple.lab.experiment import Experiment

__all__ = ["resets_are_what_the_script_did"]

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


def resets_are_what_the_script_did(experiment: Experiment, found: Sequence[Connection]) -> None:
    """Each cause that the experiment covers is named, and those by the way are, too."""
    named = {(reset.sender, reset.cause, reset.confidence) for one in found for reset in one.resets}
    assert named == OTHERS.get(experiment.name, named), named
    for cause in (row[len("cause:") :] for row in experiment.covers if row.startswith("cause:")):
        confidence = "likely" if (experiment.name, cause) in LIKELY else "certain"
        assert {how for _, what, how in named if what == cause} == {confidence}, (cause, named)
