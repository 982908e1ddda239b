"""The engine in a process of its own says what it would say in this one."""

import os
import signal
from typing import Any

import pytest

from fourtuple.errors import CapabilityMissing
from fourtuple.scan.model import ScanOptions
from fourtuple.scan.raw.ahead import RawEngine, ready_engine, starting_ahead
from scan.engines import done_mask, run_engine
from scan.ground import CLOSED, DROPPED, OPEN, Ground, in_namespaces, on_ground
from scan.raw.test_engine import give_up_capabilities, words

pytestmark = pytest.mark.kernel
TARGET = "10.90.0.2"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["scan", "127.0.0.1"], False),
        (["scan", "127.0.0.1", "--method", "connect"], False),
        (["scan", "127.0.0.1", "--method", "connect,syn"], len(os.sched_getaffinity(0)) > 1),
        (["scan", "127.0.0.1", "--method=udp"], len(os.sched_getaffinity(0)) > 1),
    ],
)
def test_it_is_begun_where_a_method_needs_it(arguments: list[str], expected: bool) -> None:
    with starting_ahead(arguments):
        assert (ready_engine() is not None) == expected
    assert ready_engine() is None


def test_one_engine_scans_by_several_methods() -> None:
    def work(ground: Ground) -> Any:
        engine = RawEngine()
        found = {}
        for method in ("syn", "fin"):
            options = ScanOptions(method, timeout_s=0.3)
            results, summary = run_engine(
                engine.scan, [TARGET], [OPEN, CLOSED, DROPPED], options, done=done_mask(3, 1)
            )
            found[method] = [words(results), summary.interrupted]
        engine.close()
        return found

    assert on_ground(work) == {
        "syn": [{str(OPEN): "open", str(DROPPED): "filtered"}, False],
        "fin": [{str(OPEN): "open|filtered", str(DROPPED): "open|filtered"}, False],
    }


def test_what_the_machine_does_not_allow_is_told_as_ever() -> None:
    def work() -> Any:
        give_up_capabilities()
        engine = RawEngine()
        try:
            run_engine(engine.scan, ["127.0.0.1"], [1], ScanOptions("syn"))
        except CapabilityMissing as missing:
            return [missing.params["method"], str(missing)]
        return None

    method, text = in_namespaces(work)
    assert method == "syn"
    assert "CAP_NET_RAW" in text


def test_an_interrupt_reaches_it_and_what_it_knows_is_told() -> None:
    def work(ground: Ground) -> Any:
        engine = RawEngine()
        options = ScanOptions("syn", timeout_s=30.0)
        results, summary = run_engine(
            engine.scan, [TARGET], [OPEN, CLOSED, DROPPED], options,
            on_result=lambda one: one.port == OPEN and os.kill(os.getpid(), signal.SIGINT),
        )  # fmt: skip
        return [words(results), summary.interrupted]

    found, interrupted = on_ground(work)
    assert interrupted
    assert str(DROPPED) not in found
    assert found[str(OPEN)] == "open"
