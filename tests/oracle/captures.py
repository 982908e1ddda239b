"""Captures of runs of the lab, as a capture tool would have made them at either end of the wire.

Nothing is left of what the lab knows besides frames: a pcap file has their bytes and their times.
"""

from collections.abc import Callable
from pathlib import Path

from fourtuple.lab.links import Deliveries

from fourtuple.event.frames import FrameTable
from fourtuple.event.model import Note, Verdict
from fourtuple.event.timeline import Timeline
from fourtuple.lab.carrier import CarriedFrame, StraightLink
from fourtuple.lab.experiment import Experiment
from fourtuple.lab.runner import Options, run
from fourtuple.lab.script import Lab
from fourtuple.wire import dissect
from octets import PCAP_NANO, pcap, pcap_record

__all__ = ["Swapped", "as_arrived", "as_sent", "made", "transfer", "written"]

PORT = 8888


def made(script: Callable[[Lab], None], family: int = 4) -> Timeline:
    """The timeline of a run of a script."""
    experiment = Experiment(script.__name__, "?", "", ("A1",), (), False, script)
    timeline = run(experiment, Options(family=family, limit_s=30))
    assert [note.params for note in timeline.of(Note) if note.kind == "failure"] == []
    return timeline


def transfer(lab: Lab, size: int, **how: object) -> None:
    """A client sends so many bytes, the server reads them, both close."""
    client, server = lab.pair(**how)
    listener = server.socket().listen(PORT)
    ours = client.socket().connect(server, PORT)
    theirs = listener.accept()
    sending = ours.begin.send(bytes(size))
    theirs.recv_exactly(size)
    sending.result()
    ours.close()
    theirs.close()
    lab.settle()


class Swapped:
    """Holds the n-th segment with data back until `behind` others have passed it."""

    def __init__(self, number: int, behind: int) -> None:
        self._number, self._behind = number, behind
        self._seen = 0
        self._held: list[tuple[int, bytes]] = []
        self._passed = 0
        self._link = StraightLink()

    def carry(self, frame: CarriedFrame) -> Deliveries:
        tcp = dissect(frame.data).tcp
        if tcp is not None and len(tcp.payload):
            self._seen += 1
            if self._seen == self._number:
                self._held = [(Verdict.DELAYED, frame.data)]
                return ()
            self._passed += bool(self._held)
        let_go = self._held if self._passed == self._behind else []
        self._held = [] if let_go else self._held
        return [*self._link.carry(frame), *let_go]


def as_sent(timeline: Timeline) -> list[tuple[int, bytes]]:
    """What was captured where frames enter the wire."""
    return _in_order(timeline.frames, timeline.frames.t_ns.tolist())


def as_arrived(timeline: Timeline, behind: int = 0) -> list[tuple[int, bytes]]:
    """What was captured where frames leave it. What `Swapped` holds back the recording shows as
    dropped: it arrived right after so many (`behind`) of the segments with data that followed."""
    frames, left = timeline.frames, timeline.frames.left_ns.tolist()
    if behind:
        held = frames.verdict.tolist().index(Verdict.DROPPED)
        carried = [row for row in range(len(frames)) if timeline.columns.payload_length[row]]
        left[held] = left[[row for row in carried if row > held][behind - 1]] + 1
    return [(t_ns, data) for t_ns, data in _in_order(frames, left) if t_ns]


def _in_order(frames: FrameTable, times: list[int]) -> list[tuple[int, bytes]]:
    return sorted(zip(times, frames, strict=True), key=lambda frame: frame[0])


def written(frames: list[tuple[int, bytes]], path: Path) -> Path:
    """The frames as a file."""
    records = [pcap_record(data, *divmod(t_ns, 10**9)) for t_ns, data in frames]
    path.write_bytes(pcap(magic=PCAP_NANO) + b"".join(records))
    return path
