"""A script carried out on the real kernel, and what came of it."""

from collections.abc import Callable, Sequence
from typing import Any

from fourtuple.analyze import connections, disagreements
from fourtuple.event.model import Note, Verdict, is_cable
from fourtuple.event.timeline import Timeline
from fourtuple.lab.experiment import Experiment
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.runner import Options, run
from fourtuple.lab.script import Lab

__all__ = ["failures", "fates", "held", "run_script", "talk"]


def run_script(
    script: Callable[[Lab], None], *, family: int = 4, seed: int = 0, limit_s: float = 20
) -> Timeline:
    experiment = Experiment(name=script.__name__, question="?", script=script)
    return run(experiment, Options(family=family, seed=seed, limit_s=limit_s))


def held(timeline: Timeline) -> Timeline:
    """The same timeline, if the script came to its end, and the kernels agree with the analysis."""
    assert failures(timeline) == []
    assert disagreements(timeline, connections(timeline)) == ()
    return timeline


def failures(timeline: Timeline) -> list[str]:
    """What the run failed of, in English."""
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
