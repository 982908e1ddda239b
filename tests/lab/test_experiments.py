"""Every experiment holds on this machine's kernel, over both families."""

import dataclasses
import io

import msgspec
import pytest

from fourtuple.analyze import connections
from fourtuple.analyze.check import disagreements
from fourtuple.event.model import Call, Note, Snapshot, State
from fourtuple.event.recording import write_recording
from fourtuple.event.timeline import Timeline
from fourtuple.explain.comments import comments
from fourtuple.explain.text import Translator
from fourtuple.lab.experiment import all_experiments
from fourtuple.lab.runner import Options, run
from fourtuple.render.summary import report
from fourtuple.render.terminal import Terminal
from fourtuple.render.verdicts import checks_of, failures_of, passed
from fourtuple.source import read

NAMES = list(all_experiments())
RUNS = [(name, family) for name in NAMES for family in (4, 6)]


@pytest.fixture(scope="module")
def timelines() -> dict[tuple[str, int], Timeline]:
    return {}


@pytest.fixture
def timeline(
    request: pytest.FixtureRequest, timelines: dict[tuple[str, int], Timeline]
) -> Timeline:
    """One run serves every test of it in this file."""
    name, family = request.param
    if request.param not in timelines:
        timelines[request.param] = run(all_experiments()[name], Options(family=family))
    return timelines[request.param]


each_run = pytest.mark.parametrize("timeline", RUNS, indirect=True, ids=str)


@pytest.mark.kernel
@each_run
def test_it_passes_and_says_something(timeline: Timeline) -> None:
    assert failures_of(timeline, connections(timeline)) == ()
    assert passed(timeline)
    assert len(checks_of(timeline)) >= 3
    assert [note for note in timeline.of(Note) if note.kind == "claim"]


@pytest.mark.kernel
@each_run
def test_the_inferred_states_are_the_kernels_at_every_snapshot(timeline: Timeline) -> None:
    assert len(timeline.of(Snapshot)) > 10
    assert disagreements(timeline, connections(timeline)) == ()


@pytest.mark.kernel
@each_run
def test_all_four_views_are_there(timeline: Timeline) -> None:
    calls = timeline.of(Call)
    assert {call.host for call in calls} == {"client", "server"}
    assert all(call.end_ns and call.end_ns >= call.t_ns for call in calls)
    assert {state.source for state in timeline.of(State)} == {"sock_diag"}
    programs = [note for note in timeline.of(Note) if note.kind == "program"]
    owners = {(note.host, note.params["pid"]) for note in programs}
    assert {(call.host, call.pid) for call in calls} <= owners
    assert timeline.complete


@pytest.mark.kernel
@each_run
def test_the_picture_shows_every_state_that_a_kernel_was_in(timeline: Timeline) -> None:
    found = connections(timeline)
    shown = [
        report(timeline, Translator("en"), Terminal(160), connections=[one], every=len(found))
        for one in found
    ]
    assert {s.new for s in timeline.of(State)} <= set(" ".join(shown).split())


@pytest.mark.kernel
@each_run
@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_recording_read_back_reads_as_the_run_did(timeline: Timeline, language: str) -> None:
    translator, terminal = Translator(language), Terminal(120)
    file = io.BytesIO()
    write_recording(timeline, file, comments(timeline, translator))
    again = read(io.BytesIO(file.getvalue()))
    assert report(again, translator, terminal) == report(timeline, translator, terminal)


def test_names_are_unique_and_each_has_a_question_a_background_and_rows() -> None:
    assert len(NAMES) == len(set(NAMES))
    for one in all_experiments().values():
        assert one.question.endswith("?")
        assert one.background
        assert one.covers


@pytest.mark.kernel
@pytest.mark.parametrize("timeline", [("close", 4)], indirect=True)
def test_a_state_that_the_kernel_contradicts_fails_the_run_and_is_named(timeline: Timeline) -> None:
    at, snapshot = next(
        (index, event)
        for index, event in enumerate(timeline.events)
        if isinstance(event, Snapshot) and any(r.state == "CLOSE_WAIT" for r in event.sockets)
    )
    lie = tuple(
        msgspec.structs.replace(row, state="CLOSING" if row.state == "CLOSE_WAIT" else row.state)
        for row in snapshot.sockets
    )
    events = list(timeline.events)
    events[at] = msgspec.structs.replace(snapshot, sockets=lie)
    forged = dataclasses.replace(timeline, events=tuple(events))

    found = connections(forged)
    assert not passed(forged, found)
    (failure,) = failures_of(forged, found)
    told = Translator("en").text(failure)
    assert "server: the frames say CLOSE_WAIT" in told
    assert "the kernel's socket table says CLOSING" in told
    shown = report(forged, Translator("en"), Terminal(120))
    assert told in " ".join(shown.split())
