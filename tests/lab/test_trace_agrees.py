"""The kernel's trace and its socket table tell the same states of the lab's sockets, but for what
docs/design/watch.md names: request sockets and TIME_WAIT are in the table alone."""

import os
import select

import pytest

from fourtuple.analyze import connections
from fourtuple.errors import CapabilityMissing
from fourtuple.event.model import State
from fourtuple.lab.experiment import all_experiments
from fourtuple.lab.needs import lacking
from fourtuple.source.trace.feed import Feed
from fourtuple.source.trace.join import Joiner
from fourtuple.source.trace.sockets import Sock
from fourtuple.system.tracefs import place
from lab.running import ran

pytestmark = [pytest.mark.kernel, pytest.mark.root]

#: from these a small socket in TIME_WAIT takes over, and to the trace the full one is closed
_LAST = ("FIN_WAIT1", "FIN_WAIT2", "CLOSING")


@pytest.mark.parametrize("name", ["handshake", "close", "close-three", "close-simultaneous"])
def test_every_state_of_the_table_is_in_the_trace_in_the_same_order(name: str) -> None:
    try:
        place()
    except CapabilityMissing as missing:
        pytest.skip(str(missing))
    experiment = all_experiments()[name]
    for lacked in lacking(experiment):
        pytest.skip(str(lacked))
    with Feed([os.getpid()]) as feed:
        feed.start()
        timeline = ran(experiment)
        socks = told(feed)
    (connection,) = connections(timeline)
    for ends in (
        (connection.client, connection.server),
        (connection.server, connection.client),
    ):
        table = [state.new for state in timeline.of(State) if (state.local, state.remote) == ends]
        traces = [traced(sock) for sock in socks if (sock.local, sock.remote) == ends]
        assert any(agree(as_traced(table), trace) for trace in traces), (ends, table, traces)


def told(feed: Feed) -> set[Sock]:
    """All sockets that the trace tells of."""
    joiner = Joiner(lambda thread: None)
    found: set[Sock] = set()
    feed.stop()
    while not feed.over:
        select.select([feed], [], [])
        while batch := feed.drain():
            joiner.take(feed.records(batch))
            found |= joiner.fresh()
    assert feed.lost() == 0
    return found


def traced(sock: Sock) -> list[str]:
    states = [change.new for change in sock.changes if change.new != "SYN_RECV"]
    if len(states) > 1 and states[-1] == "CLOSED" and states[-2] in _LAST:
        states[-1] = "TIME_WAIT"
    return states


def as_traced(table: list[str]) -> list[str]:
    states = [state for state in table if state != "SYN_RECV"]
    return states[:-1] if states[-2:] == ["TIME_WAIT", "CLOSED"] else states


def agree(table: list[str], trace: list[str]) -> bool:
    """Looks come after frames and calls, and the trace has what came and went between two."""
    rest = iter(trace)
    return bool(table) and all(state in rest for state in table)


def test_what_agrees() -> None:
    assert agree(["ESTABLISHED", "CLOSED"], ["ESTABLISHED", "CLOSE_WAIT", "CLOSED"])
    assert not agree(["CLOSE_WAIT", "ESTABLISHED"], ["ESTABLISHED", "CLOSE_WAIT"])
    assert not agree([], ["ESTABLISHED"])
