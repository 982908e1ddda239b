"""The wire lane: what is worth showing of each segment or datagram of a connection, of fragments,
and of the ICMP messages about them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec
import numpy as np

from fourtuple.analyze.icmp import icmp_errors
from fourtuple.analyze.model import Connection, SegmentFact
from fourtuple.event.model import Verdict
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.render.view import WireCell
from fourtuple.wire import ACK, FIN, RST, SYN, flag_names
from fourtuple.wire.columns import FRAGMENT, Columns

__all__ = ["VERDICT_WORDS", "Crossing", "crossings"]

#: what the analysis noted of a segment, in the few words that fit on an arrow
_NOTES = {
    "retransmission": N_("retransmission"),
    "fast_retransmission": N_("fast retransmission"),
    "spurious_retransmission": N_("needless retransmission"),
    "out_of_order": N_("out of order"),
    "duplicate_ack": N_("duplicate ACK"),
    "lost_segment": N_("gap before it"),
    "ack_lost_segment": N_("acknowledges an unseen segment"),
    "zero_window": N_("zero window"),
    "zero_window_probe": N_("window probe"),
    "zero_window_probe_ack": N_("answer to the probe"),
    "probe_answer": N_("answer to the probe"),
    "window_full": N_("window full"),
    "window_update": N_("window update"),
    "keep_alive": N_("keepalive"),
    "keep_alive_ack": N_("answer to the keepalive"),
    "keepalive_answer": N_("answer to the keepalive"),
    "reused_ports": N_("ports used again"),
    "wrong_ack": N_("wrong ack"),
    "wrong_seq": N_("wrong seq"),
}
#: where Wireshark's word is not the truth, a note of our own puts another in its place, or none
_CORRECTED: Mapping[tuple[str, str], str | None] = MappingProxyType(
    {
        ("keep_alive", "resent"): "retransmission",
        ("keep_alive", "probe"): "zero_window_probe",
        ("window_update", "keepalive_answer"): None,
        ("keep_alive_ack", "probe_answer"): None,
    }
)
#: what the wire did that an arrow must say in words too
VERDICT_WORDS = {
    "dropped": N_("dropped"),
    "held": N_("held back"),
    "delayed": N_("delayed"),
    "duplicated": N_("duplicated"),
    "rewritten": N_("rewritten"),
    "injected": N_("injected"),
    "corrupted": N_("corrupted"),
}
#: what an ICMP message says, by protocol, type and code
_ICMP = {
    ("ICMP", 3, 1): N_("host unreachable"),
    ("ICMP", 3, 3): N_("port unreachable"),
    ("ICMP", 3, 4): N_("fragmentation needed"),
    ("ICMP", 11, 1): N_("a fragment is missing"),
    ("ICMPv6", 1, 4): N_("port unreachable"),
    ("ICMPv6", 2, 0): N_("packet too big"),
    ("ICMPv6", 3, 1): N_("a fragment is missing"),
}
_ICMP_OTHER = N_("type {type}, code {code}")
_UDP_HEADER = 8


class Crossing(msgspec.Struct, frozen=True):
    """A frame of the connection on the wire: entered at `t_ns`, left at `left_ns` (0: never)."""

    t_ns: int
    left_ns: int
    cell: WireCell


def crossings(timeline: Timeline, connection: Connection) -> list[Crossing]:
    """The connection's frames, in order of the recording: its segments or datagrams, and the ICMP
    messages about them."""
    found = {timeline.frames.row(s.frame): _of_segment(s) for s in connection.segments}
    if not connection.segments:
        found = _of_datagrams(timeline, connection)
    found |= _told_by_icmp(timeline, connection)
    return [found[row] for row in sorted(found)]


def _of_segment(segment: SegmentFact) -> Crossing:
    cell = WireCell(
        frame=segment.frame,
        flags=flag_names(segment.flags),
        from_client=segment.from_client,
        verdict=segment.verdict,
        length=segment.length,
        seq=segment.seq,
        ack=segment.ack,
        raw_seq=segment.raw_seq,
        raw_ack=None if segment.ack is None else segment.raw_ack,
        shows=_shows(segment),
        labels=_labels(segment),
    )
    return Crossing(segment.t_ns, segment.left_ns, cell)


def _shows(segment: SegmentFact) -> tuple[str, ...]:
    """A number is worth showing where it says something new: seq where sequence numbers are
    used, ack where something is acknowledged."""
    occupies = segment.length > 0 or bool(segment.flags & (SYN | FIN | RST))
    third_step = "handshake_ack" in segment.notes
    seq = occupies or third_step or not segment.flags & ACK
    ack = segment.ack is not None and (segment.acked > 0 or not occupies)
    shown = {"seq": seq, "ack": ack, "len": segment.length > 0}
    return tuple(name for name, worth in shown.items() if worth)


def _labels(segment: SegmentFact) -> tuple[Message, ...]:
    words = [VERDICT_WORDS[segment.verdict]] if segment.verdict in VERDICT_WORDS else []
    corrected = {word: note for (word, by), note in _CORRECTED.items() if by in segment.notes}
    notes = [corrected.get(note, note) for note in segment.notes]
    words += [_NOTES[note] for note in notes if note in _NOTES]
    return tuple(Message(word) for word in dict.fromkeys(words))


def _of_datagrams(timeline: Timeline, connection: Connection) -> dict[int, Crossing]:
    """The datagrams, and the later fragments of those that IP cut: row -> crossing."""
    client = (connection.client.address, connection.client.port)
    rows = [timeline.frames.row(number) for number in connection.frames]
    sent = {row: timeline.columns.source(row) == client for row in rows}
    sent |= _later_fragments(timeline, connection, sent)
    return {row: _datagram(timeline, row, ours) for row, ours in sent.items()}


def _later_fragments(
    timeline: Timeline, connection: Connection, sent: Mapping[int, bool]
) -> dict[int, bool]:
    """The fragments that belong to first ones, and whether the client sent them, as in `sent`."""
    columns = timeline.columns
    cut = [row for row in sent if columns.more_fragments[row]]
    if not cut:
        return {}
    firsts = {_identity(columns, row): sent[row] for row in cut}
    vantages = timeline.frames.vantage
    here = vantages == vantages[timeline.frames.row(connection.frames[0])]
    rows = np.flatnonzero((columns.kind == FRAGMENT) & here).tolist()
    found = {row: firsts.get(_identity(columns, row)) for row in rows}
    return {row: ours for row, ours in found.items() if ours is not None}


def _identity(columns: Columns, row: int) -> tuple[str, str, int]:
    """What the fragments of one packet have in common (RFC 791, section 3.2)."""
    return columns.source(row)[0], columns.destination(row)[0], int(columns.ip_id[row])


def _datagram(timeline: Timeline, row: int, from_client: bool) -> Crossing:
    """A datagram, or a fragment of one: later ones have no UDP header."""
    columns = timeline.columns
    offset = 8 * int(columns.fragment_offset[row])
    part = bool(offset or columns.more_fragments[row])
    labels = [Message("fragment from byte {offset} on", {"offset": offset})] * part
    length = int(columns.payload_length[row])
    if part and not offset:  # the columns tell the length of the whole datagram there
        length = max(0, int(columns.fragment_length[row]) - _UDP_HEADER)
    return _crossing(timeline, row, "IP" if offset else "UDP", from_client, labels, length)


def _crossing(
    timeline: Timeline,
    row: int,
    kind: str,
    from_client: bool,
    labels: Sequence[Message],
    length: int | None = None,
) -> Crossing:
    frames = timeline.frames
    verdict = Verdict.NAMES[int(frames.verdict[row])]
    fate = [Message(VERDICT_WORDS[verdict])] if verdict in VERDICT_WORDS else []
    cell = WireCell(
        frame=frames.number(row),
        flags=kind,
        from_client=from_client,
        verdict=verdict,
        length=length or 0,
        shows=() if length is None else ("len",),
        labels=(*fate, *labels),
    )
    return Crossing(int(frames.t_ns[row]), int(frames.left_ns[row]), cell)


def _told_by_icmp(timeline: Timeline, connection: Connection) -> dict[int, Crossing]:
    """The errors about packets of the connection: row -> crossing."""
    found = {}
    for error in icmp_errors(timeline, connection):
        text = _ICMP.get((error.protocol, error.type, error.code), _ICMP_OTHER)
        label = Message(text, {"type": error.type, "code": error.code})
        row = timeline.frames.row(error.frame)
        found[row] = _crossing(timeline, row, error.protocol, not error.to_client, [label])
    return found
