"""The same script with the same seed has the same trace, on the real kernel."""

import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fourtuple.analyze import connections
from fourtuple.analyze.trace import Trace, trace
from fourtuple.lab.experiment import find_experiment
from fourtuple.lab.script import Lab
from fourtuple.lab.stillness import Stillness
from fourtuple.lab.wire.select import segment
from lab.running import held, ran, run_script, talk

pytestmark = pytest.mark.kernel

#: each kind of thing that could differ: order of frames, loss and repair, a full window, both ends
#: at once, many connections, other programs, datagrams, what network cards do
NAMES = (
    *("exchange", "close", "close-simultaneous", "lost-segment", "two-losses", "reordering"),
    *("half-close", "simultaneous-open", "stale-syn", "ports-run-out", "window-scaling"),
    *("scan-connect", "udp-loss", "offload", "receive-offload"),
)


def traced(name: str, family: int) -> Trace:
    timeline = ran(find_experiment(name), family, seed=5)
    return trace(timeline, connections(timeline))


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_run_twice_has_one_trace(name: str, family: int) -> None:
    first, second = traced(name, family), traced(name, family)
    if first != second:  # some timer of a kernel fired, because a program got no processor
        third = traced(name, family)
        first, second = (first, third) if third != second else (second, third)
    assert str(first).splitlines() == str(second).splitlines()
    assert first.digest == second.digest


def test_chance_belongs_to_the_seed_and_to_nothing_else() -> None:
    def lossy(seed: int) -> Trace:
        def script(lab: Lab) -> None:
            client, server = lab.pair(sysctls={"net.ipv4.tcp_timestamps": 0})
            lab.wire.drop(segment.after(segment.nth(3)).chance(0.1), optional=True)
            lab.wire.reorder(segment.after(segment.nth(3)).chance(0.1), optional=True)
            sock, peer = lab.connected(client, server)
            for _ in range(3):
                message = lab.bytes(5000)
                sock.send(message)
                lab.expect(peer.recv_exactly(5000), message, "what the server reads")
                lab.settle()

        timeline = held(run_script(script, seed=seed))
        return trace(timeline, connections(timeline))

    first = lossy(3)
    assert str(lossy(3)).splitlines() == str(first).splitlines()
    assert lossy(4).digest != first.digest


def test_a_busy_machine_changes_nothing() -> None:
    """Programs that never rest take the processors away; the wire waits for those of the lab.

    No more is sent than is acknowledged at once: later ACKs wait for a timer of 40 ms.
    """

    def script(lab: Lab) -> None:
        client, server = lab.pair()
        talk(lab, client, server, 20_000)

    def one() -> list[str]:
        timeline = held(run_script(script))
        return str(trace(timeline, connections(timeline))).splitlines()

    quiet = one()
    busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(3)]
    try:
        assert one() == quiet
    finally:
        for process in busy:
            process.kill()
            process.wait()


# Stillness


def child(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)


def test_who_computes_is_not_still_and_who_waits_is() -> None:
    with child("import sys; sys.stdin.read()") as waiting:
        still = Stillness(waiting.pid)
        end_s = time.monotonic() + 60
        while not still.wait():  # it starts first
            assert time.monotonic() < end_s
        waiting.kill()
    with child("while True: pass") as computing:
        assert not Stillness(computing.pid).wait()
        computing.kill()


def test_a_grandchild_counts_and_the_asker_does_not() -> None:
    parent = os.fork()
    if not parent:
        if not os.fork():
            while True:
                pass
        select.select([], [], [])
    end_s = time.monotonic() + 60
    children = Path(f"/proc/{parent}/task/{parent}/children")
    while not (found := children.read_text().split()):
        assert time.monotonic() < end_s
    try:
        assert not Stillness(parent).wait()
    finally:
        for pid in (int(found[0]), parent):
            os.kill(pid, 9)
        os.waitpid(parent, 0)


def test_of_a_crowd_nobody_is_waited_for() -> None:
    code = "import threading as t; [t.Thread(target=t.Event().wait).start() for _ in range(99)]"
    with child(code) as crowd:
        tasks = Path(f"/proc/{crowd.pid}/task")
        end_s = time.monotonic() + 60
        while len(list(tasks.iterdir())) < 100:
            assert time.monotonic() < end_s
        assert not Stillness(crowd.pid).wait()
        crowd.kill()


def test_a_process_that_is_gone_is_still() -> None:
    with child("") as ended:
        ended.wait()
        pid = ended.pid
    assert Stillness(pid).wait()
