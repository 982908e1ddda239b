"""Resets made by this machine's kernel, judged by what a capture holds, and by all that the lab
knows. Generator A was there when the rules were made, B was not."""

from importlib import import_module

import pytest

from fourtuple.analyze import connections
from fourtuple.event.timeline import Timeline
from lab.running import failures
from resets.case import Judged, captured, judged

pytestmark = pytest.mark.kernel

#: what frames alone can show; the rest needs what the host knows
BY_FRAMES = {
    "port-closed",
    "unread-data",
    "linger-zero",
    "data-after-close",
    "no-such-connection",
    "backlog-overflow",
    "listener-closed",
    "keepalive-timeout",
    "invalid-ack",
    "time-wait",
    "firewall",
    "forged",
}
BY_HOST = {"user-timeout", "destroyed"}

each = pytest.mark.parametrize("run", [("a", 4), ("a", 6), ("b", 4), ("b", 6)], indirect=True)


@pytest.fixture(scope="module")
def runs() -> dict[tuple[str, int], Timeline]:
    return {}


@pytest.fixture
def run(
    request: pytest.FixtureRequest, runs: dict[tuple[str, int], Timeline]
) -> tuple[str, Timeline]:
    """One run of a generator serves every test in this file. Whole programs are at work in it, side
    by side: where the machine was so busy that one of them came to no reset, it is made again."""
    letter, family = request.param
    for _ in range(3 if request.param not in runs else 0):
        runs[request.param] = import_module(f"resets.generator_{letter}").provoke(family)
        if came(letter, runs[request.param]) == all_of(letter):
            break
    assert failures(runs[request.param]) == []
    return letter, runs[request.param]


def all_of(letter: str) -> set[str]:
    return {truth.name for truth in import_module(f"resets.generator_{letter}").TRUTHS}


def came(letter: str, timeline: Timeline) -> set[str]:
    return {one.truth.name for one in by_all(letter, timeline)}


def by_frames(letter: str, timeline: Timeline) -> list[Judged]:
    truths = import_module(f"resets.generator_{letter}").TRUTHS
    return [
        one
        for host in ("client", "server")
        for one in judged(truths, connections(captured(timeline, host)), host)
    ]


def by_all(letter: str, timeline: Timeline) -> list[Judged]:
    truths = import_module(f"resets.generator_{letter}").TRUTHS
    return judged(truths, connections(timeline), "lab")


def mistakes(found: list[Judged], confidence: str) -> list[tuple[str, str, str]]:
    wrong = (one for one in found if not one.right and one.reset.confidence == confidence)
    return [(one.truth.name, one.cause, one.reset.cause) for one in wrong]


@each
def test_every_scenario_came_to_its_reset(run: tuple[str, Timeline]) -> None:
    assert came(*run) == all_of(run[0])


@each
def test_nothing_certain_is_wrong(run: tuple[str, Timeline]) -> None:
    assert mistakes(by_frames(*run), "certain") == []
    assert mistakes(by_all(*run), "certain") == []


@each
def test_ten_kinds_and_more_are_named_right_by_frames_alone(run: tuple[str, Timeline]) -> None:
    right = {one.cause for one in by_frames(*run) if one.right}
    assert right <= BY_FRAMES
    assert len(right) >= 10


@each
def test_what_the_host_knows_names_the_others_and_errs_in_nothing(
    run: tuple[str, Timeline],
) -> None:
    found = by_all(*run)
    assert mistakes(found, "likely") == []
    assert {one.cause for one in found if one.right} >= BY_HOST
