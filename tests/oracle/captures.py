"""Captures of runs of the lab, as a capture tool would have made them at either end of the wire.

Nothing is left of what the lab knows besides frames: a pcap file has their bytes and their times.
"""

from collections.abc import Callable
from pathlib import Path

from fourtuple.event.frames import FrameTable
from fourtuple.event.model import Note
from fourtuple.event.timeline import Timeline
from fourtuple.lab.experiment import Experiment
from fourtuple.lab.runner import Options, run
from fourtuple.lab.script import Lab
from octets import PCAP_NANO, pcap, pcap_record

__all__ = ["as_arrived", "as_sent", "made", "transfer", "written"]

PORT = 8888


def made(script: Callable[[Lab], None], family: int = 4) -> Timeline:
    """The timeline of a run of a script."""
    experiment = Experiment(name="transfer", question="?", script=script)
    timeline = run(experiment, Options(family=family, limit_s=30))
    assert [note.params for note in timeline.of(Note) if note.kind == "failure"] == []
    return timeline


def transfer(lab: Lab, size: int, rule: Callable[[Lab], object] | None = None) -> None:
    """A client sends so many bytes, the server reads them, both close; `rule` is for the wire."""
    client, server = lab.pair()
    if rule is not None:
        rule(lab)
    listener = server.socket().listen(PORT)
    ours = client.socket().connect(server, PORT)
    theirs = listener.accept()
    sending = ours.begin.send(bytes(size))
    theirs.recv_exactly(size)
    sending.result()
    ours.close()
    theirs.close()
    lab.settle()


def as_sent(timeline: Timeline) -> list[tuple[int, bytes]]:
    """What was captured where frames enter the wire."""
    return _in_order(timeline.frames, timeline.frames.t_ns.tolist())


def as_arrived(timeline: Timeline) -> list[tuple[int, bytes]]:
    """What was captured where frames leave it."""
    found = _in_order(timeline.frames, timeline.frames.left_ns.tolist())
    return [(t_ns, data) for t_ns, data in found if t_ns]


def _in_order(frames: FrameTable, times: list[int]) -> list[tuple[int, bytes]]:
    return sorted(zip(times, frames, strict=True), key=lambda frame: frame[0])


def written(frames: list[tuple[int, bytes]], path: Path) -> Path:
    """The frames as a file."""
    records = [pcap_record(data, *divmod(t_ns, 10**9)) for t_ns, data in frames]
    path.write_bytes(pcap(magic=PCAP_NANO) + b"".join(records))
    return path
