"""The kernel's own word for each RST: the experiments that cover a reason bring it about.

Only root can hear it: the event tcp_send_reset of the kernel's trace, in an instance of our own.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from fourtuple.analyze import connections
from fourtuple.errors import CapabilityMissing
from fourtuple.event.timeline import Timeline
from fourtuple.lab.experiment import all_experiments
from fourtuple.lab.needs import lacking
from fourtuple.lab.runner import Options, run
from fourtuple.system.tracefs import Instance
from fourtuple.wire import RST

pytestmark = [pytest.mark.kernel, pytest.mark.root]

#: a RST is named before it is sent, and stamped when it leaves the host
_BEFORE_NS, _AFTER_NS = 50_000_000, 1_000_000
_LINE = re.compile(r" (\d+)\.(\d{6}): tcp_send_reset: .*src=(\S+) dest=.*reason=(\w+)")

REASONS = sorted(
    (reason.partition(":")[2], one.name)
    for one in all_experiments().values()
    for reason in one.covers
    if reason.startswith("reason:")
)


class Named(NamedTuple):
    """A reason, given at a moment for a RST from that endpoint ("10.77.0.2:8888")."""

    t_ns: int
    source: str
    reason: str


@pytest.fixture(scope="module")
def trace() -> Iterator[Instance]:
    """A tracing instance that hears of every RST of this machine, and its reason."""
    try:
        # this machine may be scanning, too
        with Instance("reasons", buffer_kb=8192) as instance:
            heard = instance.enable("tcp/tcp_send_reset")
            if not heard or "reason;" not in instance.read("events/tcp/tcp_send_reset/format"):
                pytest.skip("this kernel does not say why it sends a RST: Linux 6.10 does")
            instance.start()
            yield instance
    except CapabilityMissing as missing:
        pytest.skip(str(missing))


def forget(trace: Instance) -> None:
    """What was heard so far is of other runs."""
    trace.write("trace", "")


def named(trace: Instance) -> list[Named]:
    """The reasons that the trace holds."""
    found = _LINE.finditer(trace.read("trace"))
    return [Named(int(s) * 10**9 + int(us) * 1000, src, why) for s, us, src, why in
            (match.groups() for match in found)]  # fmt: skip


def reasons_of(timeline: Timeline, told: list[Named]) -> set[str]:
    """The reasons given for the RSTs that the hosts of a run sent."""
    reasons: set[str] = set()
    for connection in connections(timeline):
        for segment in connection.segments:
            if segment.flags & RST and segment.verdict != "injected":
                sender = connection.client if segment.from_client else connection.server
                begin_ns, end_ns = segment.t_ns - _BEFORE_NS, segment.t_ns + _AFTER_NS
                reasons.update(
                    one.reason
                    for one in told
                    if one.source == str(sender) and begin_ns <= one.t_ns <= end_ns
                )
    return reasons


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(("reason", "name"), REASONS)
def test_the_kernel_names_the_reason_that_the_experiment_covers(
    reason: str, name: str, family: int, trace: Instance
) -> None:
    experiment = all_experiments()[name]
    for missing in lacking(experiment):
        pytest.skip(str(missing))
    forget(trace)
    timeline = run(experiment, Options(family=family))
    assert reason in reasons_of(timeline, named(trace))


def test_a_firewall_s_rst_has_no_reason(trace: Instance) -> None:
    """The RST for the guarded port is the packet filter's; that of the closed port is TCP's."""
    experiment = all_experiments()["firewall-rejects"]
    for missing in lacking(experiment):
        pytest.skip(str(missing))
    forget(trace)
    timeline = run(experiment)
    told = named(trace)
    guarded, closed = connections(timeline)
    assert (guarded.server.port, closed.server.port) == (8888, 8889)
    begin_ns, end_ns = guarded.start_ns - _BEFORE_NS, closed.end_ns + _AFTER_NS
    mine = [one for one in told if begin_ns <= one.t_ns <= end_ns]
    assert "10.77.0.2:8889" in {one.source for one in mine}
    assert "10.77.0.2:8888" not in {one.source for one in mine}
