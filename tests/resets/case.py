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
from fourtuple.wire import ACK

__all__ = ["Judged", "Truth", "captured", "judged"]


@dataclass(frozen=True, slots=True)
class Truth:
    """What was done at `port`: `sender` reset the connection for `cause`.

    `later` is the cause of what else the sender resets afterwards: mostly a segment that still
    came for the socket that was gone. What the other end resets it never heard of. `once`: only
    the very first RST at the port has the cause, else the first of each connection. `seen_at` are
    the hosts where a capture makes sense (a segment that one host forges in the name of another
    is no segment of the other's capture).
    """

    port: int
    name: str
    sender: str
    cause: str
    later: str = "no-such-connection"
    seen_at: tuple[str, ...] = ("client", "server")
    once: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """One RST with what was done (`cause`) and what was said of it, in a capture at `host`."""

    truth: Truth
    host: str
    cause: str
    connection: Connection
    reset: Reset

    @property
    def right(self) -> bool:
        return self.reset.cause == self.cause

    @property
    def case(self) -> tuple[str, str, str, str, str, str, int]:
        """The same for RSTs that tell nothing new: many may answer one close."""
        reset, place = self.reset, (self.host, self.connection.family)
        return self.truth.name, self.cause, reset.sender, reset.cause, reset.confidence, *place


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
    """Every RST of the ports that were tried, beside the truth. `host` is where the capture was
    made; "lab" for a recording, which sees both."""
    of_port = {t.port: t for t in truths if host in (*t.seen_at, "lab")}
    told: list[Judged] = []
    for connection in found:
        truth = of_port.get(connection.server.port)
        for reset in connection.resets if truth else ():
            assert truth is not None
            cause = _cause(truth, connection, reset, told)
            if not cause:
                continue  # a busy machine brought about what the scene does not
            told.append(Judged(truth, host, cause, connection, reset))
    return told


def _cause(truth: Truth, connection: Connection, reset: Reset, told: list[Judged]) -> str:
    """What was done, by one reset of several. Who is refused once a listener is gone meets a
    closed port."""
    if truth.cause == "listener-closed" and connection.handshake == "refused":
        return "port-closed"
    if reset.sender != truth.sender:
        return "no-such-connection"
    own = _own(connection, reset)
    if truth.cause == "listener-closed" and not connection.segment(own[0].frame).flags & ACK:
        return truth.cause  # the third step met no listener any more, and no more does what follows
    before = [one for one in told if one.truth == truth]
    first = not before if truth.once else reset == own[0]
    return truth.cause if first else truth.later


def _own(connection: Connection, reset: Reset) -> list[Reset]:
    return [one for one in connection.resets if one.sender == reset.sender]
