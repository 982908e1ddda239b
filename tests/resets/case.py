"""What both generators of resets share: how the truth is written down, and what a capture keeps.

A generator provokes resets on a kernel, each at a server port of its own, and says of each what it
did. `captured` takes away all that a capture does not hold: calls, states, the wire's word, and
the frames that never came by the place of the capture.
"""

from dataclasses import dataclass, replace

from fourtuple.analyze.model import Connection, Reset
from fourtuple.event.frames import FrameTableBuilder
from fourtuple.event.model import Verdict
from fourtuple.event.timeline import Timeline

__all__ = ["Judged", "Truth", "captured", "judged"]


@dataclass(frozen=True, slots=True)
class Truth:
    """What was done at `port`: `sender` reset the connection for `cause`.

    `later` is the cause of what else is reset afterwards, by either end: mostly a segment that
    still came for the socket that was gone. `seen_at` are the hosts where a capture makes sense (a
    segment that one host forges in the name of another is no segment of the other's capture).
    """

    port: int
    name: str
    sender: str
    cause: str
    later: str = "no-such-connection"
    seen_at: tuple[str, ...] = ("client", "server")


@dataclass(frozen=True, slots=True)
class Judged:
    """One RST with what was done (`cause`) and what was said of it."""

    truth: Truth
    cause: str
    connection: Connection
    reset: Reset

    @property
    def right(self) -> bool:
        return self.reset.cause == self.cause


def captured(timeline: Timeline, host: str) -> Timeline:
    """The run as a capture at one host has it: what it sent when it sent it, what reached it when
    it did, and nothing else."""
    own = timeline.meta["hosts"][host]
    frames, columns, table = timeline.frames, timeline.columns, FrameTableBuilder()
    seen = []
    for row in range(len(frames)):
        sent = columns.source(row)[0] in own
        if sent or int(frames.verdict[row]) in Verdict.ARRIVED:
            seen.append((int((frames.t_ns if sent else frames.left_ns)[row]), row))
    for t_ns, row in sorted(seen):
        table.add(frames.data(row), t_ns)
    meta = {"file": f"{host}.pcap"}
    return replace(timeline, frames=table.table(), events=(), meta=meta, complete=False)


def judged(truths: tuple[Truth, ...], found: tuple[Connection, ...], host: str) -> list[Judged]:
    """Every RST of the ports that were tried, beside the truth."""
    of_port = {truth.port: truth for truth in truths if host in truth.seen_at}
    told = []
    for connection in found:
        truth = of_port.get(connection.server.port)
        first = True
        for reset in connection.resets if truth else ():
            assert truth is not None
            told.append(Judged(truth, truth.cause if first else truth.later, connection, reset))
            first = False
    return told
