"""The trace of a run: what is the same whenever the same script runs with the same seed.

Order in each lane (the calls of a program's thread, the states of an end, the frames of a
direction) and causal edges (the frame that brought a state, the frames that an acknowledgment adds
up). Left out is what chance and the clock decide: initial sequence numbers, ports that a kernel
chose, IP identifications, timestamps, windows and their updates, process and descriptor numbers,
times, the order between lanes; into how many recv() the bytes that came together were cut; by how
many pure ACKs the segments of a transfer are acknowledged (one more where 40 ms pass between two,
or where a program reads meanwhile); and PSH in full segments, which tells how much a kernel handed
down at once.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec

from fourtuple.analyze.model import Connection, SegmentFact
from fourtuple.event.model import Call, Endpoint, Verdict, is_cable
from fourtuple.event.timeline import Timeline
from fourtuple.wire import ACK, PSH, Icmp6View, flag_names

__all__ = ["Trace", "trace"]

#: net.ipv4.ip_local_port_range begins here: a kernel chose what is higher
_CHOSEN_FROM = 32768
#: options whose values are the same in every run; of the others only the name is kept
_STABLE = ("MSS=", "SACK_PERM", "WS=")
#: of a peer that names none (RFC 9293, section 3.7.1); the room for options in a TCP header
_USUAL_MSS, _MOST_OPTIONS = 536, 40
_NEIGHBOR_TYPES = frozenset((130, 131, 132, 133, 134, 135, 136, 137, 143))


class Trace(msgspec.Struct, frozen=True):
    """Lanes by name, each with its lines in order, and the causal edges."""

    lanes: Mapping[str, tuple[str, ...]]
    edges: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{name}: {line}" for name in sorted(self.lanes) for line in self.lanes[name]]
        return "\n".join([*lines, *self.edges])

    @property
    def digest(self) -> str:
        """The same for equal traces: 16 hexadecimal digits."""
        return hashlib.sha256(str(self).encode()).hexdigest()[:16]


def trace(timeline: Timeline, connections: Sequence[Connection]) -> Trace:
    """The trace of a run, and of any timeline."""
    lanes: dict[str, list[str]] = {}
    for lane, line in (
        *_calls(timeline),
        *(found for one in connections for found in _of_connection(timeline, one)),
        *_others(timeline, connections),
    ):
        lanes.setdefault(lane, []).append(line)
    edges = sorted(edge for one in connections for edge in _edges(one))
    return Trace({name: tuple(lines) for name, lines in lanes.items()}, tuple(edges))


def _end(endpoint: Endpoint) -> str:
    return f"{endpoint.address}:{_text(endpoint.port)}"


def _text(value: object) -> str:
    """A value; a port that a kernel chose is a star."""
    return re.sub(r"\b\d{5}\b", _port, str(value))


def _port(found: re.Match[str]) -> str:
    return "*" if _CHOSEN_FROM <= int(found[0]) <= 65535 else found[0]


def _calls(timeline: Timeline) -> Iterator[tuple[str, str]]:
    """A line a call; the calls that read from one socket, one after another, are one."""
    threads: dict[tuple[int, int], str] = {}
    counts: Counter[tuple[str, str]] = Counter()
    reading: dict[str, tuple[int, int]] = {}
    for call in timeline.of(Call):
        place = call.pid, call.thread
        if place not in threads:
            counts[call.host, call.program] += 1
            number = counts[call.host, call.program]
            threads[place] = f"calls of {call.host}/{call.program} {number}"
        lane = threads[place]
        if call.name == "recv" and isinstance(call.result, int) and call.result:
            inode, size = reading.get(lane, (call.inode, 0))
            if inode != call.inode:
                yield lane, _read(size)
                size = 0
            reading[lane] = call.inode, size + call.result
            continue
        if lane in reading:
            yield lane, _read(reading.pop(lane)[1])
        yield lane, _call(call)
    for lane, (_, size) in reading.items():
        yield lane, _read(size)


def _read(size: int) -> str:
    return f"recv() -> {size} bytes"


def _call(call: Call) -> str:
    # a new descriptor's number depends on what else the process holds
    result = "a socket" if call.new_inode or call.name == "socket" else _text(call.result)
    return f"{call.name}({', '.join(map(_text, call.args))}) -> {call.errno or result}"


def _of_connection(timeline: Timeline, one: Connection) -> Iterator[tuple[str, str]]:
    # of two ends whose SYNs cross, chance says which is called the client
    ends = sorted((_end(one.client), _end(one.server)))
    yield f"{one.protocol} {one.index}", " - ".join(ends)
    for change in one.changes:
        yield _lane("states", one, change.of_client), f"{change.old} -> {change.new}"
    full = _full_length(one)
    untold = _untold(one, full)
    for segment in one.segments:
        if segment.frame not in untold:
            yield _lane("frames", one, segment.from_client), _segment(timeline, segment, full)
    for number in () if one.segments else one.frames:
        sent = timeline.columns.source(number - 1) == (one.client.address, one.client.port)
        yield _lane("frames", one, sent), _frame(timeline, number)


def _lane(kind: str, one: Connection, of_client: bool) -> str:
    return (
        f"{kind} of {one.protocol} {one.index} at {_end(one.client if of_client else one.server)}"
    )


def _full_length(one: Connection) -> int:
    """From how much payload on a segment is full: the lesser MSS, less what options may take."""
    told = [option for s in one.segments for option in s.options.split() if option[:4] == "MSS="]
    return min((int(option[4:]) for option in told), default=_USUAL_MSS) - _MOST_OPTIONS


def _segment(timeline: Timeline, segment: SegmentFact, full: int) -> str:
    options = (o if o.startswith(_STABLE) else o.split("=")[0] for o in segment.options.split())
    parts = (
        flag_names(segment.flags & ~PSH if segment.length >= full else segment.flags),
        f"seq {segment.seq} ack {segment.ack} len {segment.length}",
        *options,
        _payload(timeline, segment.frame),
        segment.verdict,
    )
    return " ".join(filter(None, parts))


def _untold(one: Connection, full: int) -> set[int]:
    """The frames of pure ACKs that only tell of a window, or that another pure ACK followed, for
    segments that had been sent by then or go on with a transfer: the last of a row says what all of
    them did. Those that brought about a state are told."""
    plain = [segment for segment in one.segments if _only_acknowledges(segment)]
    found = {segment.frame for segment in plain if "window_update" in segment.notes}
    told = {segment.frame for segment in plain if segment.acked > 0}
    going_on = {
        frame for of_client in (True, False) for frame in _of_transfers(one, of_client, full)
    }
    for of_client in (True, False):
        sent = [s for s in one.segments if s.from_client == of_client and s.frame not in found]
        for first, second in pairwise(sent):
            covered = [frame for frame in _acknowledged(second) if frame > first.frame]
            if going_on.issuperset(covered) and {first.frame, second.frame} <= told:
                found.add(first.frame)
    return found - {change.frame for change in one.changes}


def _of_transfers(one: Connection, of_client: bool, full: int) -> Iterator[int]:
    """The frames of full segments, and of those that follow one: the last of a transfer."""
    follows = False
    for segment in one.segments:
        if segment.from_client == of_client and segment.length:
            if follows or segment.length >= full:
                yield segment.frame
            follows = segment.length >= full


def _only_acknowledges(one: SegmentFact) -> bool:
    plain = one.flags == ACK and one.length == 0 and "SACK=" not in one.options
    return plain and one.arrived and one.as_left is None


def _acknowledged(one: SegmentFact) -> list[int]:
    """The frames that it is the first to acknowledge."""
    return [frame for total in one.arithmetic if total.kind == "ack" for frame in total.frames]


def _payload(timeline: Timeline, number: int) -> str:
    """What was carried, as a few digits."""
    data = timeline.packet(number).payload
    return hashlib.sha256(data).hexdigest()[:8] if data else ""


def _frame(timeline: Timeline, number: int) -> str:
    verdict = Verdict.NAMES[int(timeline.frames.verdict[number - 1])]
    return f"{len(timeline.frames.data(number - 1))} bytes {verdict}"


def _others(timeline: Timeline, connections: Sequence[Connection]) -> Iterator[tuple[str, str]]:
    """IP packets of no connection: ICMP, fragments. Kernels look for neighbors when they like."""
    own = {number for one in connections for number in one.frames}
    for number in range(1, len(timeline.frames) + 1):
        vantage = timeline.vantages[int(timeline.frames.vantage[number - 1])].name
        packet = timeline.packet(number)
        if number in own or not is_cable(vantage) or packet.ip is None:
            continue
        icmp = packet.icmp
        if not (isinstance(icmp, Icmp6View) and icmp.type in _NEIGHBOR_TYPES):
            kind = f"{icmp.name} type {icmp.type} code {icmp.code} " if icmp else ""
            lane = f"frames {packet.ip.source} -> {packet.ip.destination}"
            yield lane, kind + _frame(timeline, number)


def _edges(one: Connection) -> Iterator[str]:
    untold = _untold(one, _full_length(one))
    counts: Counter[bool] = Counter()
    named: dict[int, str] = {}
    for segment in one.segments:
        if segment.frame not in untold:
            counts[segment.from_client] += 1
            lane = _lane("frames", one, segment.from_client)
            named[segment.frame] = f"{lane}, {counts[segment.from_client]}"
    for change in one.changes:
        lane = _lane("states", one, change.of_client)
        yield f"{named[change.frame]} => {lane}: {change.old} -> {change.new}"
    before: dict[bool, list[str]] = {True: [], False: []}
    for segment in one.segments:
        for total in segment.arithmetic:
            if total.kind != "ack":
                continue
            covered = before[segment.from_client]
            covered += [named[frame] for frame in total.frames if frame in named]
            if covered and segment.frame in named:
                yield f"{'; '.join(covered)} => {named[segment.frame]}: ack {total.total}"
                before[segment.from_client] = []
