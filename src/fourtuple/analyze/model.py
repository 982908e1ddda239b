"""Facts: what the evidence proves, without judgement. Data only; `analyze.connections` makes it.

Numbers are relative unless a name says `raw_`: the first sequence number of each side is 0. States
are RFC 9293's, in sock_diag's spelling: CLOSED LISTEN SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT1
FIN_WAIT2 CLOSE_WAIT CLOSING LAST_ACK TIME_WAIT.
"""

from bisect import bisect_left
from collections.abc import Mapping

import msgspec

from fourtuple.event.model import Endpoint
from fourtuple.wire import ACK, RST, SYN

__all__ = [
    "COUNT_NAMES",
    "Arithmetic",
    "Connection",
    "Disagreement",
    "Reset",
    "RoundTrips",
    "SegmentFact",
    "StateChange",
]

#: Wireshark's tcp.analysis words: the keys of `Connection.counts`
COUNT_NAMES = (
    "retransmission",
    "fast_retransmission",
    "spurious_retransmission",
    "out_of_order",
    "duplicate_ack",
    "lost_segment",
    "ack_lost_segment",
    "zero_window",
    "zero_window_probe",
    "zero_window_probe_ack",
    "window_full",
    "window_update",
    "keep_alive",
    "keep_alive_ack",
    "reused_ports",
)


class Arithmetic(msgspec.Struct, frozen=True):
    """How one number follows from earlier ones: total = base + data + syn + fin.

    `kind` is "seq" (what this side should send next) or "ack" (what the peer's bytes add up to).
    `actual` is the number in the segment; it equals `total` unless the sender erred or the
    evidence has a gap. `frames` are those that the terms come from.
    """

    kind: str
    base: int
    data: int
    syn: int
    fin: int
    total: int
    actual: int
    frames: tuple[int, ...] = ()

    @property
    def holds(self) -> bool:
        return self.total == self.actual


class SegmentFact(msgspec.Struct, frozen=True):
    """One segment of a connection.

    `flags` is the header's flag bits (wire.tcp: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE
    64, CWR 128). `ack` is None without the ACK flag. `window` is in bytes, scaled where the scale
    is known. `acked` is how many new sequence numbers of the peer this segment acknowledges.
    `client_state` and `server_state` hold once the segment has arrived (or was lost); "" where the
    frames do not tell. `notes` are words of COUNT_NAMES and others: "handshake_ack" (the third
    step), "wrong_ack" (acknowledges what never reached its sender), "wrong_seq" (skips numbers),
    "probe" (an old number, sent because the peer's window is 0; also a "keep_alive"), "resent" (a
    "keep_alive" by Wireshark's rules, in truth a retransmission of one byte), "keepalive_answer"
    and "probe_answer" (what a keepalive, or a probe of a window that is 0 still, brought back), and
    those of analyze.truth.
    `options` is written as Wireshark does ("MSS=1460 SACK_PERM TSval=1 TSecr=0 WS=128"). `as_left`
    is the frame that shows what left the wire, where that differs from what entered.
    """

    frame: int
    t_ns: int
    left_ns: int
    from_client: bool
    arrived: bool
    verdict: str
    flags: int
    seq: int
    ack: int | None
    raw_seq: int
    raw_ack: int
    length: int
    window: int
    acked: int
    client_state: str
    server_state: str
    arithmetic: tuple[Arithmetic, ...] = ()
    notes: tuple[str, ...] = ()
    options: str = ""
    as_left: int | None = None

    @property
    def stray(self) -> bool:
        """Whether it can belong to no connection: every segment of one has SYN, ACK or RST (RFC
        9293, section 3.10.7). FIN, NULL and XMAS scans send such segments."""
        return not self.flags & (SYN | ACK | RST)

    @property
    def next_seq(self) -> int:
        """The sequence number after this segment: SYN and FIN count one each."""
        return self.seq + self.length + (self.flags >> 1 & 1) + (self.flags & 1)


class StateChange(msgspec.Struct, frozen=True):
    """One end went from state `old` to `new` when `frame` had entered the wire (`arrived` False:
    this end sent it) or had left it (`arrived` True: it reached this end)."""

    t_ns: int
    frame: int
    of_client: bool
    arrived: bool
    old: str
    new: str


class Reset(msgspec.Struct, frozen=True):
    """One RST: who sent it ("client" or "server"), the cause and confidence in the output
    contract's words, and the frames that the cause rests on."""

    frame: int
    sender: str
    cause: str
    confidence: str
    evidence: tuple[int, ...] = ()
    kernel_reason: str | None = None


class RoundTrips(msgspec.Struct, frozen=True):
    """The times from segments of one end to their acknowledgment: how many were measured (one at a
    time, none of what was sent again), the least, their sum, the most. Nanoseconds."""

    count: int = 0
    least_ns: int = 0
    sum_ns: int = 0
    most_ns: int = 0

    @property
    def mean_ns(self) -> int:
        return self.sum_ns // self.count if self.count else 0


class Connection(msgspec.Struct, frozen=True):
    """One life of a four-tuple (TCP), or the datagrams between two endpoints (UDP).

    `client` sent the first SYN (or the first datagram); `client_known` is False where that is the
    best guess. `frames` are numbers, in order; `segments` is empty for UDP. `handshake`, `close`
    and `counts` use the words of the output contract. Pairs are (client, server). `changes` are the
    inferred states of both ends, in order, beginning at `initial_states`. `rtt_ns` is from the SYN
    to the third step of the handshake, 0 where they were not seen; `round_trips` belong to who
    sent the data, and `flight_bytes` is the most that an end had sent and not seen acknowledged.
    """

    index: int
    protocol: str
    family: int
    client: Endpoint
    server: Endpoint
    client_known: bool
    start_ns: int
    end_ns: int
    frames: tuple[int, ...]
    packets: tuple[int, int]
    payload_bytes: tuple[int, int]
    segments: tuple[SegmentFact, ...] = ()
    handshake: str = "none"
    close: str = "open"
    first_closer: str | None = None
    completeness: int = 0
    initial_seq: tuple[int | None, int | None] = (None, None)
    mss: tuple[int | None, int | None] = (None, None)
    window_scale: tuple[int | None, int | None] = (None, None)
    timestamps: bool = False
    sack: bool = False
    counts: Mapping[str, int] = msgspec.field(default_factory=dict)
    resets: tuple[Reset, ...] = ()
    rtt_ns: int = 0
    round_trips: tuple[RoundTrips, RoundTrips] = (RoundTrips(), RoundTrips())
    flight_bytes: tuple[int, int] = (0, 0)
    initial_states: tuple[str, str] = ("", "")
    changes: tuple[StateChange, ...] = ()

    def segment(self, frame: int) -> SegmentFact:
        """The segment that came in `frame`; KeyError where it is not of this connection."""
        position = bisect_left(self.segments, frame, key=lambda segment: segment.frame)
        if position == len(self.segments) or self.segments[position].frame != frame:
            raise KeyError(frame)
        return self.segments[position]


class Disagreement(msgspec.Struct, frozen=True):
    """The kernel's own state and the one inferred from frames differ at a snapshot."""

    connection: int
    host: str
    t_ns: int
    frame: int
    inferred: tuple[str, ...]
    kernel: str
