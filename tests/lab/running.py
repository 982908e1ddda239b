"""A script or an experiment carried out on the real kernel, and what came of it."""

from collections.abc import Callable, Sequence
from typing import Any

from fourtuple.analyze import connections
from fourtuple.event.model import Note, Verdict, is_cable
from fourtuple.event.timeline import Timeline
from fourtuple.explain.text import Translator
from fourtuple.lab.experiment import Experiment
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.runner import Options, run
from fourtuple.lab.script import Lab
from fourtuple.render.verdicts import failures_of

__all__ = ["LIMIT_S", "failures", "fates", "held", "ran", "run_script", "talk"]

#: only what hangs takes so long, on the slowest machine
LIMIT_S = 200.0


def ran(experiment: Experiment, family: int = 4, seed: int = 0) -> Timeline:
    """A run of an experiment, which passed."""
    return held(run(experiment, Options(family=family, seed=seed, limit_s=LIMIT_S)))


def run_script(
    script: Callable[[Lab], None], *, family: int = 4, seed: int = 0, limit_s: float = LIMIT_S
) -> Timeline:
    experiment = Experiment(name=script.__name__, question="?", script=script)
    return run(experiment, Options(family=family, seed=seed, limit_s=limit_s))


def held(timeline: Timeline) -> Timeline:
    """The same timeline, if the script came to its end, and the kernels agree with the analysis."""
    english = Translator("en")
    told = [english.text(one) for one in failures_of(timeline, connections(timeline))]
    assert not told, "\n".join(told)
    return timeline


def failures(timeline: Timeline) -> list[str]:
    """What ended the script, in English."""
    notes = [note for note in timeline.of(Note) if note.kind == "failure"]
    return [note.message.format_map(note.params) for note in notes]


def fates(timeline: Timeline, numbers: Sequence[int] = ()) -> list[str]:
    """What the wire did with these frames, or with all that it did not just deliver."""
    verdicts = [Verdict.NAMES[verdict] for verdict in timeline.frames.verdict.tolist()]
    if numbers:
        return [verdicts[number - 1] for number in numbers]
    at = [timeline.vantages[vantage].name for vantage in timeline.frames.vantage.tolist()]
    pairs = zip(verdicts, at, strict=True)
    return [word for word, name in pairs if word != "delivered" and is_cable(name)]


def talk(lab: Lab, client: Host, server: Host, size: int) -> tuple[Any, Any]:
    """Open a connection, send, and have the server read all of it; both sockets."""
    sock, peer = lab.connected(client, server)
    message = lab.bytes(size)
    sock.send(message)
    lab.expect(peer.recv_exactly(size), message, "what the server reads")
    lab.settle()
    return sock, peer
