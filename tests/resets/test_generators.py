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


@pytest.mark.timeout(600)
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("letter", ["a", "b"])
def test_what_is_said_of_resets_is_what_was_done(letter: str, family: int) -> None:
    timeline = provoked(letter, family)
    assert came(letter, timeline) == all_of(letter)
    nothing_certain_is_wrong(letter, timeline)
    ten_kinds_and_more_are_named_right_by_frames_alone(letter, timeline)
    what_the_host_knows_names_the_others_and_errs_in_nothing(letter, timeline)


def provoked(letter: str, family: int) -> Timeline:
    """A run of a generator. Whole programs are at work in it, side by side: where the machine was
    so busy that one of them came to no reset, it is made again."""
    for _ in range(3):
        timeline: Timeline = import_module(f"resets.generator_{letter}").provoke(family)
        if came(letter, timeline) == all_of(letter):
            break
    assert failures(timeline) == []
    return timeline


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


def nothing_certain_is_wrong(letter: str, timeline: Timeline) -> None:
    assert mistakes(by_frames(letter, timeline), "certain") == []
    assert mistakes(by_all(letter, timeline), "certain") == []


def ten_kinds_and_more_are_named_right_by_frames_alone(letter: str, timeline: Timeline) -> None:
    right = {one.cause for one in by_frames(letter, timeline) if one.right}
    assert right <= BY_FRAMES
    assert len(right) >= 10


def what_the_host_knows_names_the_others_and_errs_in_nothing(
    letter: str, timeline: Timeline
) -> None:
    found = by_all(letter, timeline)
    assert mistakes(found, "likely") == []
    assert {one.cause for one in found if one.right} >= BY_HOST
