"""Frame by frame what a survey knows: the words of each segment, and both ends' states.

A survey's second time over the frames (`Survey.step` with `every`) gives numbers that mean
something only once the connections are known: who was client, how each end began. Here they become
words, those of analyze.model.SegmentFact.
"""

from collections.abc import Iterable, Iterator

import msgspec
import numpy as np
import numpy.typing as npt

from fourtuple.analyze.survey import _layout as at
from fourtuple.analyze.survey._states import NAMES, NO_STATE
from fourtuple.analyze.survey.table import ConnectionTable

__all__ = ["FrameColumns", "FrameKnown", "Roles", "notes_of"]

Int64s = npt.NDArray[np.int64]

#: every word and note by its bit, in the order in which analyze.life gives them
_WORDS = (
    (at.W_ZERO_PROBE, "zero_window_probe"),
    (at.W_KEEP_ALIVE, "keep_alive"),
    (at.W_LOST, "lost_segment"),
    (at.W_ACK_LOST, "ack_lost_segment"),
    (at.W_ZERO, "zero_window"),
    (at.W_FULL, "window_full"),
    (at.W_ZERO_PROBE_ACK, "zero_window_probe_ack"),
    (at.W_KEEP_ALIVE_ACK, "keep_alive_ack"),
    (at.W_DUPLICATE_ACK, "duplicate_ack"),
    (at.W_UPDATE, "window_update"),
    (at.W_SPURIOUS, "spurious_retransmission"),
    (at.W_FAST, "fast_retransmission"),
    (at.W_RETRANSMISSION, "retransmission"),
    (at.W_OUT_OF_ORDER, "out_of_order"),
    (at.W_RESENT, "resent"),
    (at.W_PROBE, "probe"),
    (at.W_HANDSHAKE_ACK, "handshake_ack"),
    (at.W_REUSED, "reused_ports"),
    (at.W_KEEPALIVE_ANSWER, "keepalive_answer"),
    (at.W_PROBE_ANSWER, "probe_answer"),
    (at.W_TWICE, "captured_twice"),
    (at.W_DSACK, "dsack"),
    (at.W_ARRIVED, "had_arrived"),
    (at.W_NEEDLESS, "needless"),
    (at.W_REORDERED, "reordered"),
    (at.W_BY_ACKS, "by_acks"),
    (at.W_BY_TIMER, "by_timer"),
)
_COLUMNS = (
    "client_side",
    "initial_states",
    "flags",
    "reused_ports",
    "first_frame",
    "client_crossed_frame",
    "server_crossed_frame",
    "client_crossed_states",
    "server_crossed_states",
    "client_crossed_peer",
    "server_crossed_peer",
    "protocol",
)
_STATES = (1 << 20) - 1


class FrameKnown(msgspec.Struct, frozen=True):
    """A segment (or a datagram, of which most is empty) as it is told of: numbers are relative."""

    connection: int
    from_client: bool
    tcp: bool
    flags: int
    seq: int
    ack: int | None
    length: int
    raw_seq: int
    raw_ack: int
    window: int
    notes: tuple[str, ...]
    states: tuple[str, str]


class FrameColumns(msgspec.Struct, frozen=True):
    """The same of many frames, a column each.

    connection    int64[n]  -1 for a frame that is of none; what follows means nothing there
    from_client   bool[n]
    tcp           bool[n]
    has_ack       bool[n]   whether the frame has an `ack`
    flags, seq, ack, length, raw_seq, raw_ack, window
                  int64[n]
    words         int64[n]  `notes_of` puts it into words
    client_state, server_state
                  int64[n]  places in `_states.NAMES`
    """

    connection: Int64s
    from_client: npt.NDArray[np.bool_]
    tcp: npt.NDArray[np.bool_]
    has_ack: npt.NDArray[np.bool_]
    flags: Int64s
    seq: Int64s
    ack: Int64s
    length: Int64s
    raw_seq: Int64s
    raw_ack: Int64s
    window: Int64s
    words: Int64s
    client_state: Int64s
    server_state: Int64s


def notes_of(words: int) -> tuple[str, ...]:
    """The notes of a segment."""
    return tuple(name for bit, name in _WORDS if words & bit) if words else ()


class Roles:
    """What must be known of all connections to tell of their frames."""

    def __init__(self, tables: Iterable[ConnectionTable]) -> None:
        columns = [np.stack([table[name] for name in _COLUMNS]) for table in tables]
        empty = np.zeros((len(_COLUMNS), 0), np.int64)
        self._rows = np.concatenate([empty, *columns], axis=1).T

    def told(self, known: Int64s, first_number: int) -> Iterator[FrameKnown | None]:
        """Each frame of a block; None for one that is of no connection."""
        for number, frame in enumerate(known.tolist(), first_number):
            yield self._frame(frame, number) if frame[at.F_ROW_INDEX] >= 0 else None

    def columns(self, known: Int64s, first_number: int) -> FrameColumns:
        """What `told` says of a block, as columns."""
        index = known[:, at.F_ROW_INDEX]
        # a frame of no connection borrows the facts of the first one, where there is one
        none = np.zeros((len(_COLUMNS), len(known)), np.int64)
        facts = self._rows[index.clip(0)].T if len(self._rows) else none
        side, _, flags, reused, first, *_, protocol = facts
        numbers = np.arange(first_number, first_number + len(known))
        again = (reused > 0) & (numbers == first)
        stray = (protocol != 6) | (flags & at.S_STRAY > 0)
        client, server = _all_states(facts, known, numbers)
        return FrameColumns(
            connection=index,
            from_client=known[:, at.F_SIDE] == side,
            tcp=protocol == 6,
            has_ack=known[:, at.F_HAS_ACK] > 0,
            flags=known[:, at.F_FLAGS],
            seq=known[:, at.F_SEQ],
            ack=known[:, at.F_ACK],
            length=known[:, at.F_LENGTH],
            raw_seq=known[:, at.F_RAW_SEQ],
            raw_ack=known[:, at.F_RAW_ACK],
            window=known[:, at.F_WINDOW],
            words=known[:, at.F_WORDS] | np.where(again, at.W_REUSED, 0),
            client_state=np.where(stray, NO_STATE, client),
            server_state=np.where(stray, NO_STATE, server),
        )

    def _frame(self, frame: list[int], number: int) -> FrameKnown:
        index = frame[at.F_ROW_INDEX]
        facts: list[int] = self._rows[index].tolist()
        side, _, flags, reused, first, *_, protocol = facts
        words = frame[at.F_WORDS] | (at.W_REUSED if reused and number == first else 0)
        tcp = protocol == 6
        stray = not tcp or flags & at.S_STRAY
        return FrameKnown(
            connection=index,
            from_client=frame[at.F_SIDE] == side,
            tcp=tcp,
            flags=frame[at.F_FLAGS],
            seq=frame[at.F_SEQ],
            ack=frame[at.F_ACK] if frame[at.F_HAS_ACK] else None,
            length=frame[at.F_LENGTH],
            raw_seq=frame[at.F_RAW_SEQ],
            raw_ack=frame[at.F_RAW_ACK],
            window=frame[at.F_WINDOW],
            notes=notes_of(words),
            states=("", "") if stray else _states(facts, frame, number),
        )


def _states(facts: list[int], frame: list[int], number: int) -> tuple[str, str]:
    """Client's and server's. Where one's FIN was found to have crossed the other's, the states are
    those as if it had come then; its frame shows what both were then."""
    side, initial = facts[0], facts[1]
    crossed, own, peer = facts[5:7], facts[7:9], facts[9:11]
    words = [frame[at.F_STATE_A], frame[at.F_STATE_B]]
    words = words if side == 0 else words[::-1]
    for role in (0, 1):
        if crossed[role]:
            words[role] >>= 20
    for role in (0, 1):
        if crossed[role] == number:
            words[role], words[1 - role] = own[role], peer[role]
    places = initial >> 4, initial & 15
    client, server = (
        NAMES[(word & _STATES) >> 4 * place & 15] for word, place in zip(words, places, strict=True)
    )
    return client, server


def _all_states(facts: Int64s, known: Int64s, numbers: Int64s) -> tuple[Int64s, Int64s]:
    """`_states` of many frames, as numbers."""
    side, initial = facts[0], facts[1]
    crossed, own, peer = facts[5:7], facts[7:9], facts[9:11]
    both = known[:, at.F_STATE_A], known[:, at.F_STATE_B]
    words = [np.where(side == role, *both) for role in (0, 1)]
    words = [np.where(crossed[role] > 0, words[role] >> 20, words[role]) for role in (0, 1)]
    for role in (0, 1):
        here = crossed[role] == numbers
        words[role] = np.where(here, own[role], words[role])
        words[1 - role] = np.where(here, peer[role], words[1 - role])
    client, server = (
        (word & _STATES) >> 4 * place & 15
        for word, place in zip(words, (initial >> 4, initial & 15), strict=True)
    )
    return client, server
