"""The wire lane: what is worth showing of each segment or datagram of a connection."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fourtuple.analyze.model import Connection, SegmentFact
from fourtuple.event.model import Verdict
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Message
from fourtuple.explain.text import N_
from fourtuple.render.view import WireCell
from fourtuple.wire import ACK, FIN, RST, SYN, flag_names

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


@dataclass(frozen=True, slots=True)
class Crossing:
    """A frame of the connection on the wire: entered at `t_ns`, left at `left_ns` (0: never)."""

    t_ns: int
    left_ns: int
    cell: WireCell


def crossings(timeline: Timeline, connection: Connection) -> list[Crossing]:
    """The connection's frames, in order of the recording."""
    if connection.segments:
        return [_of_segment(segment) for segment in connection.segments]
    return list(_of_datagrams(timeline, connection))


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


def _of_datagrams(timeline: Timeline, connection: Connection) -> Iterator[Crossing]:
    client = (connection.client.address, connection.client.port)
    for number in connection.frames:
        row = number - 1
        verdict = Verdict.NAMES[int(timeline.frames.verdict[row])]
        cell = WireCell(
            frame=number,
            flags=connection.protocol.upper(),
            from_client=timeline.columns.source(row) == client,
            verdict=verdict,
            length=int(timeline.columns.payload_length[row]),
            shows=("len",),
            labels=(Message(VERDICT_WORDS[verdict]),) if verdict in VERDICT_WORDS else (),
        )
        yield Crossing(int(timeline.frames.t_ns[row]), int(timeline.frames.left_ns[row]), cell)
