"""One segment taken in by the survey: analyze.life, judgment, words and truth, over tables.

The order of things is that of `Life.step` for a capture, where a segment arrives when it is seen.
Names as in _numbers: `r` a row, `s` and `p` where its sender's and its receiver's columns begin,
`more` its row of the second table (an empty one, never written to, where it has none), `x` and `y`
where theirs begin there, `seg` the decoded segment.
"""

from __future__ import annotations

from fourtuple.analyze.survey import _layout as at
from fourtuple.analyze.survey._judging import acknowledges, answers, probing, remember
from fourtuple.analyze.survey._judging import words as words_of
from fourtuple.analyze.survey._moving import arrive, enter
from fourtuple.analyze.survey._noting import broke_off, count, refused, shape_of
from fourtuple.analyze.survey._numbers import own, place
from fourtuple.analyze.survey._states import (
    STATE_BITS,
)
from fourtuple.analyze.survey._truth import truth
from fourtuple.wire import _row as wire

Column = memoryview
Table = memoryview
Rows = list[memoryview]  # Columns

FIN, SYN, RST, ACK = 1, 2, 4, 16
_M32 = (1 << 32) - 1


def segment(
    seg: Column,
    t_ns: int,
    number: int,
    side: int,
    row: Column,
    extra: Rows,
    extra_free: Column,
    log: Table,
    control: Column,
    moves: Column,
    seen: Column,
) -> None:
    """Take in the segment of row `i` of the decoded table: frame `number`, sent by `side`."""
    s, p = at.SIDES + side * at.SIDE, at.SIDES + (1 - side) * at.SIDE
    x = at.EXTRA_SIDES + side * at.EXTRA_SIDE
    y = at.EXTRA_SIDES + (1 - side) * at.EXTRA_SIDE
    flags, length = seg[wire.FLAGS] + 0, seg[wire.PAYLOAD_LENGTH] + 0
    seq, ack, window = _placed(seg, row, s, p, extra[row[at.EXTRA]], x, y)
    has_ack = flags & ACK != 0
    end = seq + length + (flags >> 1 & 1) + (flags & 1)
    acked = has_ack and acknowledges(row, s, p, ack)
    words, shut = words_of(
        t_ns, flags, seq, ack, end, length, seg[wire.WINDOW] + 0, window,
        row, s, p, extra[row[at.EXTRA]], y,
    )  # fmt: skip
    words = probing(flags, seq, ack, words, shut, row, s, p)
    words |= answers(flags, length, seq, seg[wire.WINDOW] + 0, has_ack, acked, words, row, s, p)
    words = truth(seg, t_ns, seq, ack, end, words, row, s, p, extra, extra_free, control, x, y)
    advanced = remember(
        t_ns, seq, ack, has_ack, end, seg[wire.WINDOW] + 0, window,
        words, row, s, p, extra, extra_free, control, x, flags,
    )  # fmt: skip
    if advanced:
        row[s + at.STAMP] = seg[wire.TS_VALUE]
        row[s + at.STAMP_ID] = seg[wire.IP_ID]
    more = extra[row[at.EXTRA]]
    arrived = row[s + at.BITS] & (at.B_FIN_ARRIVED | at.B_FIN_SENT) == at.B_FIN_ARRIVED
    if flags & FIN and arrived and ack <= row[p + at.FIN_NUMBER]:
        own(row, extra_free, control)
        more = extra[row[at.EXTRA]]
    enter(
        seg, t_ns, number, flags, seq, ack, has_ack, end, length, words,
        row, s, p, more, x, y, moves, side,
    )  # fmt: skip
    if end > seq and row[p + at.BITS] & at.B_RECEIVED and seq > row[p + at.RECEIVED]:
        if not flags & RST:
            own(row, extra_free, control)
            more = extra[row[at.EXTRA]]
    arrive(
        number, flags, seq, ack, has_ack, end, row, s, p, more, y, moves,
    )  # fmt: skip
    if words & ~at.W_HANDSHAKE_ACK:
        own(row, extra_free, control)
        more = extra[row[at.EXTRA]]
        count(words, number, flags, acked, row, side, more, x, log, control)
    shape_of(
        t_ns, number, side, flags, ack, has_ack, end, length, window, words, acked,
        row, s, p, log, control,
    )  # fmt: skip
    if flags & (RST | ACK) == RST | ACK:
        broke_off(t_ns, length, row, s, extra, extra_free, control, x)
        refused(seg, flags, ack, row, s, p)
    elif seg[wire.MULTIPATH_JOIN] and flags & SYN:
        row[at.SHAPE] |= at.S_JOINS
    seen[at.F_ROW_INDEX] = row[at.INDEX]
    seen[at.F_SIDE] = side
    seen[at.F_SEQ] = seq
    seen[at.F_ACK] = ack
    seen[at.F_HAS_ACK] = 1 if has_ack else 0
    seen[at.F_WINDOW] = window
    seen[at.F_WORDS] = words
    seen[at.F_FLAGS] = flags
    seen[at.F_LENGTH] = length
    seen[at.F_RAW_SEQ] = seg[wire.SEQUENCE]
    seen[at.F_RAW_ACK] = seg[wire.ACKNOWLEDGMENT]
    seen[at.F_STATE_A] = _shown(row, at.SIDES)
    seen[at.F_STATE_B] = _shown(row, at.SIDES + at.SIDE)


def _shown(row: Column, s: int) -> int:
    """The states of a side; above them, those that hold if the peer's FIN is yet to come."""
    if row[s + at.BITS] & at.B_FIN_ARRIVED and not row[s + at.BITS] & at.B_FIN_SENT:
        return (row[s + at.STATE] & STATE_BITS) | (row[s + at.SHADOW] & STATE_BITS) << 20
    states = row[s + at.STATE] & STATE_BITS
    return states | states << 20


def _placed(
    seg: Column, row: Column, s: int, p: int, more: Column, x: int, y: int
) -> tuple[int, int, int]:
    """Relative numbers (the acknowledgment 0 without ACK) and the window in bytes."""
    flags, raw = seg[wire.FLAGS] + 0, seg[wire.SEQUENCE] + 0
    if flags & SYN and not row[s + at.BITS] & at.B_ISN:
        if row[s + at.BITS] & at.B_BASE and row[s + at.BASE] != raw:
            _forget(row, s, p, more, x, y)
        row[s + at.BITS] |= at.B_ISN | at.B_BASE
        row[s + at.BASE] = raw
    if not row[s + at.BITS] & at.B_BASE:
        row[s + at.BITS] |= at.B_BASE
        row[s + at.BASE] = (raw - 1) & _M32
    ack = 0
    if flags & ACK:
        acknowledged = seg[wire.ACKNOWLEDGMENT] + 0
        if not row[p + at.BITS] & at.B_BASE:
            row[p + at.BITS] |= at.B_BASE
            row[p + at.BASE] = (acknowledged - 1) & _M32
        near = row[p + at.SENT] if row[p + at.BITS] & at.B_SENT else 0
        ack = place(acknowledged, row[p + at.BASE], near)
    near = row[s + at.SENT] if row[s + at.BITS] & at.B_SENT else 0
    window = seg[wire.WINDOW] + 0
    if not flags & SYN and row[s + at.BITS] & row[p + at.BITS] & at.B_SCALE:
        window <<= row[s + at.BITS] >> at.SCALE_SHIFT & 15
    return place(raw, row[s + at.BASE], near), ack, window


#: what of a side's bits does not depend on what its numbers are counted from
_LASTING = (
    at.B_FIN_SENT
    | at.B_FIN_GOT
    | at.B_FIN_ARRIVED
    | at.B_KEEPALIVE_ASKS
    | at.B_PROBE_ASKS
    | at.B_SAID_SYN
    | at.B_SAID_SYN_ACK
    | at.B_SAID_PLAIN_ACK
    | at.B_SAID_LISTENER
    | at.B_SAID_NO_RST
    | at.B_CONFIRMS
    | at.B_SYN_DATA
    | at.B_SYN_MORE
    | at.B_RST_ACKS
    | at.B_ANSWERED
    | 3 << at.ASKED_SHIFT
)


def _forget(row: Column, s: int, p: int, more: Column, x: int, y: int) -> None:
    """A SYN starts a side's numbers anew: `Life._forget`."""
    row[at.SHAPE] |= at.S_ODD | at.S_FORGOT
    row[s + at.BITS] &= _LASTING
    row[s + at.DUPLICATES] = 0
    row[s + at.ACKED_NS] = 0
    row[s + at.ADVANCED_NS] = 0
    row[p + at.BITS] &= ~(at.B_LAST_ACK | at.B_HIGHEST | at.B_RECEIVED | at.B_ACKED)
    row[p + at.DUPLICATES] = 0
    if row[at.EXTRA]:
        more[x + at.SPANS] = 0
        more[y + at.SPANS] = 0
        more[x + at.SACKED] = 0
        more[x + at.AGAIN_END] = 0
        more[x + at.PROBED] = 0
