"""Every experiment holds on this machine's kernel, and fails under its mutation."""

import dataclasses
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fourtuple.analyze import connections
from fourtuple.analyze.check import disagreements
from fourtuple.analyze.model import Connection
from fourtuple.event.model import Call, Note, Snapshot, State
from fourtuple.event.recording import write_recording
from fourtuple.event.timeline import Timeline
from fourtuple.explain.comments import comments
from fourtuple.explain.text import Translator
from fourtuple.lab.experiment import Experiment, all_experiments, find_experiment
from fourtuple.lab.needs import lacking
from fourtuple.lab.runner import Options, run
from fourtuple.render.summary import report
from fourtuple.render.terminal import Terminal
from fourtuple.render.verdicts import checks_of, failures_of, passed
from fourtuple.source import read
from lab.causes import resets_are_what_the_script_did
from lab.running import LIMIT_S, ran

EXPERIMENTS = tuple(all_experiments().values())


def runs() -> Iterator[Any]:
    """Each experiment over each of its families; those that wait are marked slow."""
    for one in EXPERIMENTS:
        for family in one.families:
            yield pytest.param(one, family, id=f"{one.name}-IPv{family}", marks=marks_of(one))


def marks_of(experiment: Experiment) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow, pytest.mark.timeout(400)] if experiment.slow else []


def skip_where_something_is_lacking(experiment: Experiment) -> None:
    for capability in lacking(experiment):
        pytest.skip(str(capability))


@pytest.mark.kernel
@pytest.mark.parametrize(("experiment", "family"), list(runs()))
def test_it_passes_and_what_it_shows_is_what_happened(
    experiment: Experiment, family: int, kept_runs: Path
) -> None:
    skip_where_something_is_lacking(experiment)
    timeline = run(experiment, Options(family=family, limit_s=300 if experiment.slow else LIMIT_S))
    found = connections(timeline)
    english = Translator("en")
    assert [english.text(failure) for failure in failures_of(timeline, found)] == []
    assert passed(timeline, found)
    assert len(checks_of(timeline)) >= 3
    the_inferred_states_are_the_kernels(timeline, found)
    all_views_are_there(timeline)
    every_state_is_shown(timeline, found)
    resets_are_what_the_script_did(experiment, found)
    recording = a_recording_reads_as_the_run_did(timeline)
    unfinished = kept_runs / f"{experiment.name}-{family}"
    unfinished.write_bytes(recording)
    unfinished.rename(unfinished.with_suffix(".pcapng"))


def the_inferred_states_are_the_kernels(timeline: Timeline, found: Sequence[Connection]) -> None:
    assert timeline.of(Snapshot)
    assert disagreements(timeline, found) == ()


def all_views_are_there(timeline: Timeline) -> None:
    calls = timeline.of(Call)
    assert all(call.end_ns is None or call.end_ns >= call.t_ns for call in calls)
    assert {state.source for state in timeline.of(State)} <= {"sock_diag"}
    programs = [note for note in timeline.of(Note) if note.kind == "program"]
    owners = {(note.host, note.params["pid"]) for note in programs}
    assert {(call.host, call.pid) for call in calls} <= owners
    assert timeline.complete


def every_state_is_shown(timeline: Timeline, found: Sequence[Connection]) -> None:
    """The pictures of all connections together have every state that a kernel was in."""
    english, terminal = Translator("en"), Terminal(160)
    shown = [report(timeline, english, terminal, connections=[one], every=len(found))
             for one in found]  # fmt: skip
    assert {s.new for s in timeline.of(State) if s.remote.port} <= set(" ".join(shown).split())


def a_recording_reads_as_the_run_did(timeline: Timeline) -> bytes:
    for language in ("en", "zh"):
        translator, terminal = Translator(language), Terminal(120)
        file = io.BytesIO()
        write_recording(timeline, file, comments(timeline, translator))
        again = read(io.BytesIO(file.getvalue()))
        assert report(again, translator, terminal) == report(timeline, translator, terminal)
    return file.getvalue()


@pytest.mark.kernel
@pytest.mark.parametrize(
    "experiment",
    [pytest.param(one, id=one.name, marks=marks_of(one)) for one in EXPERIMENTS],
)
def test_its_expectations_fail_under_its_mutation(experiment: Experiment) -> None:
    """So no experiment passes by saying nothing."""
    skip_where_something_is_lacking(experiment)
    assert experiment.mutation is not None
    family = experiment.families[0]
    timeline = run(
        experiment,
        Options(family=family, limit_s=300 if experiment.slow else LIMIT_S, mutated=True),
    )
    notes = [note for note in timeline.of(Note) if note.kind == "failure"]
    assert [note.params["error"] for note in notes[:1]] == [experiment.mutation.error]


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda one: one.name)
def test_it_tells_a_student_what_to_know_and_where_to_go_on(experiment: Experiment) -> None:
    assert experiment.question.endswith("?")
    assert experiment.background
    assert experiment.covers
    assert experiment.try_next
    assert experiment.tags
    assert experiment.mutation is not None


@pytest.mark.kernel
def test_a_state_that_the_kernel_contradicts_fails_the_run_and_is_named() -> None:
    timeline = ran(find_experiment("close"))
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
