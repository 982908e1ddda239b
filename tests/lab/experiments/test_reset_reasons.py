"""The kernel's own word for each RST: the experiments that cover a reason bring it about.

Only root can hear it: the event tcp_send_reset of the kernel's trace, in an instance of our own.
"""

import ctypes
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from fourtuple.analyze import connections
from fourtuple.event.timeline import Timeline
from fourtuple.lab.experiment import all_experiments
from fourtuple.lab.needs import lacking
from fourtuple.lab.runner import Options, run
from fourtuple.system.capabilities import capabilities
from fourtuple.wire import RST

pytestmark = [pytest.mark.kernel, pytest.mark.root]

#: a RST is named before it is sent, and stamped when it leaves the host
_BEFORE_NS, _AFTER_NS = 50_000_000, 1_000_000
_LINE = re.compile(r" (\d+)\.(\d{6}): tcp_send_reset: .*src=(\S+) dest=.*reason=(\w+)")
_PLACE = "/sys/kernel/tracing"

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


@contextmanager
def mounted(place: Path) -> Iterator[Path]:
    """Where tracefs is mounted: where it has been, else at `place` for the while."""
    if Path(_PLACE, "events").exists():
        yield Path(_PLACE)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tracefs", bytes(place), b"tracefs", 0, None) != 0:
        pytest.skip(f"tracefs cannot be mounted: {os.strerror(ctypes.get_errno())}")
    try:
        yield place
    finally:
        libc.umount2(bytes(place), 2)  # MNT_DETACH


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The trace of a tracing instance that hears of every RST of this machine, and its reason."""
    answers = {one.key: one.answer for one in capabilities()}
    if os.geteuid() != 0 or answers["reset_reasons"] == "no":
        pytest.skip("the kernel's reasons for a RST are for root to read, on Linux 6.12 or later")
    with mounted(tmp_path_factory.mktemp("tracefs")) as root:
        instance = root / "instances" / f"fourtuple-{os.getpid()}"
        instance.mkdir()
        try:
            (instance / "trace_clock").write_text("mono")
            (instance / "buffer_size_kb").write_text("8192")  # this machine may be scanning, too
            (instance / "events/tcp/tcp_send_reset/enable").write_text("1")
            yield instance / "trace"
        finally:
            instance.rmdir()


def named(trace: Path) -> list[Named]:
    """The reasons that the trace holds."""
    found = _LINE.finditer(trace.read_text())
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
    reason: str, name: str, family: int, trace: Path
) -> None:
    experiment = all_experiments()[name]
    for missing in lacking(experiment):
        pytest.skip(str(missing))
    trace.write_text("")
    timeline = run(experiment, Options(family=family))
    assert reason in reasons_of(timeline, named(trace))


def test_a_firewall_s_rst_has_no_reason(trace: Path) -> None:
    """The RST for the guarded port is the packet filter's; that of the closed port is TCP's."""
    experiment = all_experiments()["firewall-rejects"]
    for missing in lacking(experiment):
        pytest.skip(str(missing))
    trace.write_text("")
    timeline = run(experiment)
    told = named(trace)
    guarded, closed = connections(timeline)
    assert (guarded.server.port, closed.server.port) == (8888, 8889)
    begin_ns, end_ns = guarded.start_ns - _BEFORE_NS, closed.end_ns + _AFTER_NS
    mine = [one for one in told if begin_ns <= one.t_ns <= end_ns]
    assert "10.77.0.2:8889" in {one.source for one in mine}
    assert "10.77.0.2:8888" not in {one.source for one in mine}
