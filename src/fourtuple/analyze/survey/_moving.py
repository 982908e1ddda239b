"""A segment is sent, and arrives: analyze.life, over tables. Names as in _segment."""

from __future__ import annotations

from fourtuple.analyze.survey import _layout as at
from fourtuple.analyze.survey._numbers import confirm, keep, receive
from fourtuple.analyze.survey._states import (
    GOT_ACK_OF_FIN,
    GOT_ACK_OF_SYN,
    GOT_FIN,
    GOT_RST,
    GOT_RST_OF_FIN,
    GOT_RST_OF_SYN,
    GOT_SYN,
    GOT_SYN_ACK,
    KILLED_SHIFT,
    SENT_ACK,
    SENT_FIN,
    SENT_RST,
    SENT_RST_ACK,
    SENT_SYN,
    SENT_SYN_ACK,
    STATE_BITS,
    moment,
    plain_step,
    step,
)
from fourtuple.wire import _row as wire

Column = memoryview
Rows = list[memoryview]  # Columns

FIN, SYN, RST, ACK = 1, 2, 4, 16
MAX_SCALE = 14


def enter(
    seg: Column,
    t_ns: int,
    number: int,
    flags: int,
    seq: int,
    ack: int,
    has_ack: bool,
    end: int,
    length: int,
    words: int,
    row: Column,
    s: int,
    p: int,
    more: Column,
    x: int,
    y: int,
    moves: Column,
    side: int,
) -> None:
    """The sender sent it: `Life._enter`."""
    if flags & SYN:
        _learn(seg, t_ns, row, s)
    if seg[wire.TS_VALUE] >= 0:
        row[s + at.BITS] |= at.B_TIMESTAMPS
    bits = row[s + at.BITS] + 0
    if end > seq and (not bits & at.B_SENT or end > row[s + at.SENT]):
        _take(t_ns, flags, seq, end, row, s, p)
    elif (not bits & at.B_SENT or seq > row[s + at.SENT]) and not flags & RST:
        row[s + at.BITS] |= at.B_SENT
        row[s + at.SENT] = seq
    crossed = _crossed(flags, ack, has_ack, row, s, p)
    before = row[s + at.STATE] + 0
    word = before
    if has_ack and _acknowledge(t_ns, flags, ack, words, row, s, p, more, x):
        word = step(word, GOT_FIN, moves)
    shadow = row[s + at.BITS] & at.B_FIN_ARRIVED != 0
    first, second = _said(flags)
    if first >= 0:
        word = step(word, first, moves)
        if shadow:
            _follow(row, s, first, moves)
    if second >= 0:
        word = step(word, second, moves)
        if shadow:
            _follow(row, s, second, moves)
    word = moment(before, word, flags & RST != 0)
    if crossed:
        word = (word & ~STATE_BITS) | row[s + at.SHADOW] & STATE_BITS
        word = moment(word, _from_shadow(word, moves), False)
        # an earlier frame's arrival moves to this moment
        more[x + at.CROSSED_FRAME] = row[s + at.SHADOW] >> 20
        more[x + at.CROSSED_STATES] = word & STATE_BITS
        more[x + at.CROSSED_PEER] = row[p + at.STATE] & STATE_BITS
    row[s + at.STATE] = word


def _follow(row: Column, s: int, event: int, moves: Column) -> None:
    """An event befell the side: its states as if the peer's FIN had not arrived follow, too."""
    shadow = row[s + at.SHADOW] + 0
    row[s + at.SHADOW] = shadow >> 20 << 20 | plain_step(shadow & STATE_BITS, event, moves)


def _from_shadow(word: int, moves: Column) -> int:
    """The word after the FIN that arrives belatedly; nothing is known of what changes nothing."""
    kept = word >> KILLED_SHIFT << KILLED_SHIFT
    return kept | plain_step(word & STATE_BITS, GOT_FIN, moves)


def _learn(seg: Column, t_ns: int, row: Column, s: int) -> None:
    bits = row[s + at.BITS] + 0
    if bits & at.B_MSS and (bits >> at.MSS_SHIFT & 0xFFFF) != seg[wire.MSS]:
        row[at.SHAPE] |= at.S_ODD
    bits &= ~(at.B_MSS | at.B_SCALE | at.B_SACK | 0xFFFF << at.MSS_SHIFT | 15 << at.SCALE_SHIFT)
    if seg[wire.MSS] >= 0:
        bits |= at.B_MSS | seg[wire.MSS] << at.MSS_SHIFT
    if seg[wire.WINDOW_SCALE] >= 0:
        bits |= at.B_SCALE | min(seg[wire.WINDOW_SCALE], MAX_SCALE) << at.SCALE_SHIFT
    if seg[wire.SACK_PERMITTED]:
        bits |= at.B_SACK
    if not seg[wire.FLAGS] & ACK:
        row[at.SYN_NS] = t_ns
    row[s + at.BITS] = bits


def _take(t_ns: int, flags: int, seq: int, end: int, row: Column, s: int, p: int) -> None:
    """The side sent new numbers: they count as in flight, and one of them may be timed."""
    bits = row[s + at.BITS] + 0
    if not bits & at.B_FIRST:
        bits |= at.B_FIRST
        row[s + at.FIRST] = max(seq, row[s + at.SENT]) if bits & at.B_SENT else seq
    row[s + at.SENT] = end
    bits |= at.B_SENT
    if flags & FIN and not bits & at.B_FIN:
        bits |= at.B_FIN
        row[s + at.FIN_NUMBER] = end - 1
    if not bits & at.B_TIMED:
        bits |= at.B_TIMED
        row[s + at.TIMED_END] = end
        row[s + at.TIMED_NS] = t_ns
    if row[p + at.BITS] & at.B_HIGHEST:
        row[s + at.FLIGHT] = max(row[s + at.FLIGHT], end - row[p + at.HIGHEST_ACK])
    row[s + at.BITS] = bits


def _said(flags: int) -> tuple[int, int]:
    """The one or two events of having sent it; -1 for none."""
    if flags & RST:
        return SENT_RST_ACK if flags & ACK else SENT_RST, -1
    if flags & SYN:
        return SENT_SYN_ACK if flags & ACK else SENT_SYN, -1
    return SENT_ACK if flags & ACK else -1, SENT_FIN if flags & FIN else -1


def _crossed(flags: int, ack: int, has_ack: bool, row: Column, s: int, p: int) -> bool:
    """Whether this first FIN shows that the peer's had not come yet: `Life._crossed`."""
    bits = row[s + at.BITS] + 0
    if not flags & FIN or bits & at.B_FIN_SENT:
        return False
    row[s + at.BITS] |= at.B_FIN_SENT
    if not bits & at.B_FIN_GOT or not has_ack:
        return False
    fin_known = row[p + at.BITS] & at.B_FIN != 0
    return fin_known and ack <= row[p + at.FIN_NUMBER] and bits & at.B_FIN_ARRIVED != 0


def _acknowledge(
    t_ns: int,
    flags: int,
    ack: int,
    words: int,
    row: Column,
    s: int,
    p: int,
    more: Column,
    x: int,
) -> bool:
    """The sender acknowledged; whether that shows that it has got the peer's FIN."""
    if words & at.W_HANDSHAKE_ACK and row[at.SYN_NS] != at.NEVER and row[at.RTT_NS] == 0:
        row[at.RTT_NS] = t_ns - row[at.SYN_NS]
    highest = row[s + at.HIGHEST_ACK] if row[s + at.BITS] & at.B_HIGHEST else 0
    row[s + at.HIGHEST_ACK] = max(ack, highest)
    row[s + at.BITS] |= at.B_LAST_ACK | at.B_HIGHEST
    if not flags & RST:
        confirm(row, s, more, x, ack)
    if row[p + at.BITS] & at.B_TIMED and ack >= row[p + at.TIMED_END]:
        _timed(t_ns - row[p + at.TIMED_NS], row, p)
    return _fin_received(row, s, p)


def _timed(took_ns: int, row: Column, p: int) -> None:
    row[p + at.BITS] &= ~at.B_TIMED
    first = row[p + at.RTT_COUNT] == 0
    row[p + at.RTT_COUNT] += 1
    row[p + at.RTT_SUM] += took_ns
    row[p + at.RTT_LEAST] = took_ns if first else min(took_ns, row[p + at.RTT_LEAST])
    row[p + at.RTT_MOST] = took_ns if first else max(took_ns, row[p + at.RTT_MOST])


def _fin_received(row: Column, s: int, p: int) -> bool:
    """Whether side `s` has got the peer's FIN just now."""
    if not row[p + at.BITS] & at.B_FIN or not row[s + at.BITS] & at.B_RECEIVED:
        return False
    if row[s + at.RECEIVED] <= row[p + at.FIN_NUMBER] or row[s + at.BITS] & at.B_FIN_GOT:
        return False
    row[s + at.BITS] |= at.B_FIN_GOT
    return True


def arrive(
    number: int,
    flags: int,
    seq: int,
    ack: int,
    has_ack: bool,
    end: int,
    row: Column,
    s: int,
    p: int,
    more: Column,
    y: int,
    moves: Column,
) -> None:
    """It reached its receiver, the side of `p`: `Life._arrive`."""
    before = row[p + at.STATE] + 0
    word = before
    shadow = row[p + at.BITS] & at.B_FIN_ARRIVED != 0
    if flags & RST:
        first, second = _reset_events(seq, ack, has_ack, row, s, p)
        taken = first >= 0 or second >= 0
        row[at.SHAPE] = row[at.SHAPE] | at.S_OVER if taken else row[at.SHAPE] + 0
        third = -1
    else:
        row[at.SHAPE] &= ~at.S_OVER
        first, second, third = _arrival_events(flags, ack, has_ack, row, p)
        if end > seq:
            if row[p + at.BITS] & at.B_RECEIVED and seq > row[p + at.RECEIVED]:
                keep(more, y, seq, end)
            else:
                receive(row, p, more, y, seq, end)
        elif not row[p + at.BITS] & at.B_RECEIVED:
            row[p + at.BITS] |= at.B_RECEIVED
            row[p + at.RECEIVED] = seq
    for event in (first, second, third):
        if event >= 0:
            word = step(word, event, moves)
            if shadow:
                _follow(row, p, event, moves)
    if not flags & RST and _fin_received(row, p, s):
        row[p + at.SHADOW] = number << 20 | word & STATE_BITS
        row[p + at.BITS] |= at.B_FIN_ARRIVED
        word = step(word, GOT_FIN, moves)
    row[p + at.STATE] = moment(before, word, flags & RST != 0)


def _reset_events(
    seq: int, ack: int, has_ack: bool, row: Column, s: int, p: int
) -> tuple[int, int]:
    bits = row[p + at.BITS] + 0
    of_syn = has_ack and bits & at.B_SENT != 0 and 0 < ack <= row[p + at.SENT]
    first = GOT_RST_OF_SYN if of_syn else -1
    if bits & at.B_FIN_GOT and row[s + at.BITS] & at.B_FIN and seq == row[s + at.FIN_NUMBER]:
        return first, GOT_RST_OF_FIN
    taken = not bits & at.B_RECEIVED or seq >= row[p + at.RECEIVED]
    return first, GOT_RST if taken else -1


def _arrival_events(
    flags: int, ack: int, has_ack: bool, row: Column, p: int
) -> tuple[int, int, int]:
    bits = row[p + at.BITS] + 0
    first, second, third = -1, -1, -1
    if flags & SYN:
        if not has_ack:
            first = GOT_SYN
        elif not bits & at.B_SENT or 0 < ack <= row[p + at.SENT]:
            first = GOT_SYN_ACK
    if has_ack:
        if ack > 0:
            second = GOT_ACK_OF_SYN
        if bits & at.B_FIN and ack > row[p + at.FIN_NUMBER]:
            third = GOT_ACK_OF_FIN
    return first, second, third
