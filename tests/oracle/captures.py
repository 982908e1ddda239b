"""Captures of runs of the lab, as a capture tool would have made them at either end of the wire.

Nothing is left of what the lab knows besides frames: a pcap file has their bytes and their times.
`together` puts many captures into one file, each on a network and in minutes of its own, so that a
tool has to be started but once.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from fourtuple.event.model import Verdict
from fourtuple.event.timeline import Timeline
from fourtuple.lab.experiment import Experiment
from fourtuple.lab.script import Lab
from lab.running import ran
from octets import PCAP_NANO, pcap, pcap_record

__all__ = [
    "APART_S",
    "BEGIN_S",
    "Frames",
    "as_arrived",
    "as_sent",
    "made",
    "places",
    "together",
    "transfer",
    "written",
]

PORT = 8888
#: time and bytes
Frames = list[tuple[int, bytes]]

#: what leaves the wire otherwise than it entered is there twice
_CHANGED = frozenset((Verdict.REWRITTEN, Verdict.CORRUPTED))
#: when the first of several captures begins, and how much later each begins than the one before
BEGIN_S, APART_S = 1_700_000_000, 300


def made(script: Callable[[Lab], None], family: int = 4) -> Timeline:
    """The timeline of a run of a script."""
    experiment = Experiment(name="transfer", question="?", script=script)
    return ran(experiment, family)


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


def as_sent(timeline: Timeline) -> Frames:
    """What was captured where frames enter the wire."""
    return _in_order(zip(timeline.frames.t_ns.tolist(), timeline.frames, strict=True))


def as_arrived(timeline: Timeline) -> Frames:
    """What was captured where frames leave it."""
    left = zip(timeline.frames.left_ns.tolist(), timeline.frames, strict=True)
    return _in_order(frame for frame in left if frame[0])


def _in_order(frames: Iterable[tuple[int, bytes]]) -> Frames:
    return sorted(frames, key=lambda frame: frame[0])


def places(timeline: Timeline) -> Iterator[tuple[str, Frames]]:
    """Where a capture could have been made, and what it has: where frames enter and leave each
    cable, and at the two hosts of the wire."""
    frames, vantages = timeline.frames, timeline.vantages
    rows: dict[str, list[int]] = {}
    for row, vantage in enumerate(frames.vantage.tolist()):
        # what the wire changed has a vantage of its own: "wire, as left"
        rows.setdefault(vantages[vantage].name.split(",")[0], []).append(row)
    for name, seen in rows.items():
        entered = [row for row in seen if vantages[frames.vantage[row]].name == name]
        yield (
            f"{name}, sent",
            _in_order((int(frames.t_ns[row]), frames.data(row)) for row in entered),
        )
        other = _CHANGED if len(entered) < len(seen) else frozenset()
        left = [row for row in seen if frames.left_ns[row]]
        left = [row for row in left if row not in entered or int(frames.verdict[row]) not in other]
        yield (
            f"{name}, arrived",
            _in_order((int(frames.left_ns[row]), frames.data(row)) for row in left),
        )
        if name == "wire":
            for host, addresses in timeline.meta["hosts"].items():
                yield f"at {host}", _at_host(timeline, addresses, entered, left)


def _at_host(timeline: Timeline, own: list[str], entered: list[int], left: list[int]) -> Frames:
    frames, columns = timeline.frames, timeline.columns
    sent = {
        row
        for row in entered
        if columns.source(row)[0] in own and frames.verdict[row] != Verdict.INJECTED
    }
    came = [row for row in left if columns.source(row)[0] not in own]
    found = [(int(frames.t_ns[row]), frames.data(row)) for row in sent]
    return _in_order([*found, *((int(frames.left_ns[row]), frames.data(row)) for row in came)])


def written(frames: Frames, path: Path) -> Path:
    """The frames as a file."""
    records = [pcap_record(data, *divmod(t_ns, 10**9)) for t_ns, data in frames]
    path.write_bytes(pcap(magic=PCAP_NANO) + b"".join(records))
    return path


def together(captures: Iterable[Frames], path: Path) -> Path:
    """All captures as one file. The n-th begins `APART_S` seconds after the one before it."""
    merged: Frames = []
    for number, frames in enumerate(captures):
        later_ns = (BEGIN_S + number * APART_S) * 10**9 - (frames[0][0] if frames else 0)
        merged += [(t_ns + later_ns, _moved(data, number)) for t_ns, data in frames]
    return written(merged, path)


def _moved(data: bytes, number: int) -> bytes:
    """The frame with other addresses, whose checksums stay as right or wrong as they were: what
    one word of an address gains another one loses (RFC 6296, section 3.1)."""
    kind, moved = data[12:14], bytearray(data)
    if kind == b"\x08\x00":
        for place in (26, 30):
            if moved[place] == 10:
                _shift(moved, place, place + 2, number)
    elif kind == b"\x86\xdd":
        for place in (22, 38):
            if moved[place] == 0xFD:
                _shift(moved, place + 2, place + 4, number)
    return bytes(moved)


def _shift(data: bytearray, gains: int, loses: int, number: int) -> None:
    for place, change in ((gains, number), (loses, -number)):
        (word,) = struct.unpack_from(">H", data, place)
        struct.pack_into(">H", data, place, (word + change) % 0xFFFF)
