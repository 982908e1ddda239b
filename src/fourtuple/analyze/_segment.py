"""One segment taken in by the survey: analyze.life, judgment, words and truth, over tables.

The order of things is that of `Life.step` for a capture, where a segment arrives when it is seen.
Names as in _numbers: `r` a row, `s` and `p` where its sender's and its receiver's columns begin,
`more` its row of the second table (an empty one, never written to, where it has none), `x` and `y`
where theirs begin there, `seg` the decoded segment.
"""

from __future__ import annotations

from fourtuple.analyze import _layout as at
from fourtuple.analyze._numbers import confirm, has_come, keep, own, place, receive
from fourtuple.analyze._states import (
    GOT_ACK_OF_FIN,
    GOT_ACK_OF_SYN,
    GOT_FIN,
    GOT_RST,
    GOT_RST_OF_SYN,
    GOT_SYN,
    GOT_SYN_ACK,
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
Table = memoryview
Rows = list[memoryview]  # Columns

FIN, SYN, RST, ACK = 1, 2, 4, 16
MAX_SCALE = 14
#: see analyze.words
_FAST_NS, _OVERTAKEN_NS = 20_000_000, 3_000_000
#: see analyze.truth
_TWIN_ID_NS, _TWIN_NS = 10_000_000, 50_000
_M32, _H32, _M63 = (1 << 32) - 1, 1 << 31, (1 << 63) - 1
#: see explain.rules.handshake
_CROSSED_NS = 100_000_000
_ASKS = at.B_KEEPALIVE_ASKS | at.B_PROBE_ASKS


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
    acked = has_ack and _acked(row, s, p, ack)
    words, shut = _words(
        t_ns, flags, seq, ack, end, length, seg[wire.WINDOW] + 0, window,
        seg[wire.SACK_COUNT] > 0, row, s, p, extra[row[at.EXTRA]], y,
    )  # fmt: skip
    words = _probing(flags, seq, ack, words, shut, row, s, p)
    words |= _answers(flags, length, seq, seg[wire.WINDOW] + 0, has_ack, acked, words, row, s, p)
    words = _truth(seg, t_ns, seq, ack, end, words, row, s, p, extra, extra_free, control, x, y)
    advanced = _remember(
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
    _enter(
        seg, t_ns, number, flags, seq, ack, has_ack, end, length, words,
        row, s, p, more, x, y, moves, side,
    )  # fmt: skip
    if end > seq and row[p + at.BITS] & at.B_RECEIVED and seq > row[p + at.RECEIVED]:
        if not flags & RST:
            own(row, extra_free, control)
            more = extra[row[at.EXTRA]]
    _arrive(
        number, flags, seq, ack, has_ack, end, row, s, p, more, y, moves,
    )  # fmt: skip
    if words & ~at.W_HANDSHAKE_ACK:
        own(row, extra_free, control)
        more = extra[row[at.EXTRA]]
        _count(words, number, flags, acked, row, side, more, x, log, control)
    _shape(
        t_ns, number, side, flags, ack, has_ack, end, length, window, words, acked,
        row, s, p, log, control,
    )  # fmt: skip
    if flags & (RST | ACK) == RST | ACK:
        _broke_off(t_ns, length, row, s, extra, extra_free, control, x)
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
    | _ASKS
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


def _acked(row: Column, s: int, p: int, ack: int) -> bool:
    """Whether the segment acknowledges what had not been acknowledged."""
    if row[s + at.BITS] & at.B_HIGHEST:
        return ack > row[s + at.HIGHEST_ACK] and ack > 0
    if row[p + at.BITS] & at.B_ISN:
        return ack > 0
    return row[p + at.BITS] & at.B_FIRST != 0 and ack > row[p + at.FIRST] and ack > 0


def _words(
    t_ns: int,
    flags: int,
    seq: int,
    ack: int,
    end: int,
    length: int,
    raw_window: int,
    window: int,
    sack: bool,
    row: Column,
    s: int,
    p: int,
    more: Column,
    y: int,
) -> tuple[int, bool]:
    """Wireshark's words (analyze.words), and whether the receiver's window was shut."""
    mine, theirs = row[s + at.BITS] + 0, row[p + at.BITS] + 0
    shut = theirs & at.B_WINDOW != 0 and row[p + at.WINDOW_SEEN] == 0
    plain = not flags & (SYN | FIN | RST)
    following = row[s + at.NEXT] + 0
    words = 0
    if mine & at.B_NEXT:
        if plain:
            if length == 1 and seq == following and shut:
                words = at.W_ZERO_PROBE
            elif length <= 1 and seq == following - 1:
                words = at.W_KEEP_ALIVE
        if seq > following and not flags & RST:
            words |= at.W_LOST
    if flags & ACK and theirs & at.B_REACHABLE:
        reachable = row[p + at.REACHABLE] + 0
        probed = 0
        if theirs & at.B_PROBED:
            probed = more[y + at.PROBED] + 0
        if ack > max(reachable, probed):
            words |= at.W_ACK_LOST
    if plain:
        if raw_window == 0 and not words & at.W_ZERO_PROBE:
            words |= at.W_ZERO
        if length and theirs & at.B_LIMIT and theirs & at.B_ACKED:
            if end == row[p + at.ACKED] + row[p + at.LIMIT]:
                words |= at.W_FULL
        if not length and flags & ACK and mine & at.B_NEXT and seq == following:
            if mine & at.B_ACKED and ack == row[s + at.ACKED]:
                words |= _repeated_ack(raw_window, sack, mine, theirs, row[s + at.WINDOW_SEEN] + 0)
    if end > seq and not words & (at.W_KEEP_ALIVE | at.W_ZERO_PROBE):
        words |= _repeated_data(t_ns, seq, end, row, s, p)
    return words, shut


def _repeated_ack(raw_window: int, sack: bool, mine: int, theirs: int, before: int) -> int:
    same = mine & at.B_WINDOW != 0 and raw_window == before
    if raw_window == 0:
        return at.W_ZERO_PROBE_ACK if same and theirs & at.B_WAS_PROBE else 0
    if same and theirs & at.B_WAS_KEEPALIVE:
        return at.W_KEEP_ALIVE_ACK
    return at.W_DUPLICATE_ACK if same or sack else at.W_UPDATE


def _repeated_data(t_ns: int, seq: int, end: int, row: Column, s: int, p: int) -> int:
    mine, theirs = row[s + at.BITS] + 0, row[p + at.BITS] + 0
    if theirs & at.B_ACKED and end <= row[p + at.ACKED]:
        return at.W_SPURIOUS | at.W_RETRANSMISSION
    if not mine & at.B_NEXT or seq >= row[s + at.NEXT]:
        return 0
    fast = row[p + at.DUPLICATES] >= 2 and theirs & at.B_ACKED and row[p + at.ACKED] == seq
    if fast and t_ns - row[p + at.ACKED_NS] < _FAST_NS:
        return at.W_FAST | at.W_RETRANSMISSION
    bound = row[at.RTT_NS] + 0
    if bound == 0:
        bound = _OVERTAKEN_NS
    if t_ns - row[s + at.ADVANCED_NS] >= bound or end == row[s + at.NEXT]:
        return at.W_RETRANSMISSION
    return at.W_OUT_OF_ORDER


def _probing(
    flags: int, seq: int, ack: int, words: int, shut: bool, row: Column, s: int, p: int
) -> int:
    """With analyze.judgment's notes."""
    theirs, mine = row[p + at.BITS] + 0, row[s + at.BITS] + 0
    if words & at.W_KEEP_ALIVE:
        if theirs & at.B_HIGHEST and row[p + at.HIGHEST_ACK] <= seq:
            words |= at.W_RESENT
        elif shut:
            words |= at.W_PROBE
    if not mine & at.B_HIGHEST and flags & ACK and ack > 0 and not flags & (SYN | RST):
        if mine & theirs & at.B_ISN and theirs & at.B_LAST_ACK:
            words |= at.W_HANDSHAKE_ACK
    return words


def _answers(
    flags: int,
    length: int,
    seq: int,
    raw_window: int,
    has_ack: bool,
    acked: bool,
    words: int,
    row: Column,
    s: int,
    p: int,
) -> int:
    """Whether it answers the peer's probe; then, whether it asks for an answer itself."""
    found = 0
    if row[p + at.BITS] & _ASKS:
        bare = not length and not flags & (SYN | FIN | RST) and has_ack and not acked
        if bare and row[s + at.BITS] & at.B_SENT and seq == row[s + at.SENT]:
            if row[p + at.BITS] & at.B_KEEPALIVE_ASKS:
                found = at.W_KEEPALIVE_ANSWER
            elif raw_window == 0:
                found = at.W_PROBE_ANSWER
        if found:
            row[p + at.BITS] &= ~_ASKS
    row[s + at.BITS] &= ~_ASKS
    if words & (at.W_KEEP_ALIVE | at.W_ZERO_PROBE) and not words & at.W_RESENT:
        keepalive = words & at.W_KEEP_ALIVE and not words & at.W_PROBE
        row[s + at.BITS] |= at.B_KEEPALIVE_ASKS if keepalive else at.B_PROBE_ASKS
    return found


def _truth(
    seg: Column,
    t_ns: int,
    seq: int,
    ack: int,
    end: int,
    words: int,
    row: Column,
    s: int,
    p: int,
    extra: Rows,
    extra_free: Column,
    control: Column,
    x: int,
    y: int,
) -> int:
    """The words with the truth about repeated numbers: analyze.truth."""
    if _seen_twice(seg, t_ns, row, s):
        return words | at.W_TWICE
    more = extra[row[at.EXTRA]]
    if seg[wire.SACK_COUNT] > 0 and seg[wire.FLAGS] & ACK:
        own(row, extra_free, control)
        more = extra[row[at.EXTRA]]
        words |= _sacked(seg, ack, row, p, more, y)
    if seg[wire.FLAGS] & ACK and more[y + at.AGAIN_END] > 0 and ack >= more[y + at.AGAIN_END]:
        ahead = (more[y + at.AGAIN_TS] - seg[wire.TS_ECHO]) & _M32
        if seg[wire.TS_ECHO] >= 0 and 0 < ahead < _H32:
            words |= at.W_ARRIVED
        more[y + at.AGAIN_END] = 0
    again = words & (at.W_KEEP_ALIVE | at.W_ZERO_PROBE) == 0 or words & at.W_RESENT
    if end > seq and again and row[s + at.BITS] & at.B_SENT and seq < row[s + at.SENT]:
        words |= _repeated(seg, t_ns, seq, end, words, row, s, p, more, x, y, control)
        if words & (at.W_BY_ACKS | at.W_BY_TIMER) and seg[wire.TS_VALUE] >= 0:
            own(row, extra_free, control)
            more = extra[row[at.EXTRA]]
            if more[x + at.AGAIN_END] == 0:
                more[x + at.AGAIN_END] = max(end, 0)
                more[x + at.AGAIN_TS] = seg[wire.TS_VALUE]
        if row[s + at.BITS] & at.B_TIMED and seq < row[s + at.TIMED_END]:
            row[s + at.BITS] &= ~at.B_TIMED
    return words


def _seen_twice(seg: Column, t_ns: int, row: Column, s: int) -> bool:
    """Whether the capture has the very same packet as its sender's one before, just before."""
    flags, identified = seg[wire.FLAGS] + 0, seg[wire.IP_ID] != 0
    mark = seg[wire.SEQUENCE] << 31 ^ seg[wire.ACKNOWLEDGMENT]
    mark = (mark * 0x1E3779B97F4A7C15 + (seg[wire.IP_ID] << 40 ^ flags << 30)) & _M63
    mark = ((mark ^ mark >> 29) * 0x3F58476D1CE4E5B9 + seg[wire.PAYLOAD_LENGTH]) & _M63
    mark = (mark ^ mark >> 31) * 0x14D049BB133111EB + (seg[wire.WINDOW] << 17)
    mark = (mark + seg[wire.TS_VALUE] * 0x2545F4914F6CDD1D + seg[wire.TS_ECHO]) & _M63
    waited = t_ns - row[s + at.TWIN_NS]
    same = mark == row[s + at.TWIN] and row[s + at.PACKETS] > 0
    row[s + at.TWIN] = mark
    row[s + at.TWIN_NS] = t_ns
    if not same or waited < 0:
        return False
    if identified:
        return waited <= _TWIN_ID_NS
    carries = seg[wire.PAYLOAD_LENGTH] > 0 or flags & (FIN | RST) != 0
    following = (row[at.SHAPE] & at.S_LATEST_SIDE != 0) == (s != at.SIDES)
    return waited <= _TWIN_NS and carries and not flags & SYN and following


def _sacked(seg: Column, ack: int, row: Column, p: int, more: Column, y: int) -> int:
    """Learn how far SACK reports; whether its first block is a D-SACK (RFC 2883)."""
    raw_ack, found = seg[wire.ACKNOWLEDGMENT] + 0, 0
    left = place(seg[wire.SACK_EDGES] + 0, raw_ack, 0) + ack
    right = place(seg[wire.SACK_EDGES + 1] + 0, raw_ack, 0) + ack
    count = seg[wire.SACK_COUNT] + 0
    if left < right <= ack:
        found = at.W_DSACK
    elif count > 1:
        wide = place(seg[wire.SACK_EDGES + 2] + 0, raw_ack, 0) + ack
        far = place(seg[wire.SACK_EDGES + 3] + 0, raw_ack, 0) + ack
        if wide <= left < right <= far:
            found = at.W_DSACK
    for block in range(count):
        edge = place(seg[wire.SACK_EDGES + 2 * block + 1] + 0, raw_ack, 0) + ack
        if edge > more[y + at.SACKED]:
            if row[p + at.BITS] & at.B_SENT and edge <= row[p + at.SENT]:
                more[y + at.SACKED] = edge
    return found


def _repeated(
    seg: Column,
    t_ns: int,
    seq: int,
    end: int,
    words: int,
    row: Column,
    s: int,
    p: int,
    more: Column,
    x: int,
    y: int,
    control: Column,
) -> int:
    """Why an old number comes: it was overtaken, or sent again after acknowledgments or a timer."""
    if words & at.W_SPURIOUS:
        return 0
    new = row[p + at.BITS] & at.B_RECEIVED and seq >= row[p + at.RECEIVED]
    if new and not has_come(more, y, seq):
        if _overtaken(seg, t_ns, row, s):
            return at.W_REORDERED
    told = row[p + at.DUPLICATES] >= 3 or more[x + at.SACKED] > seq
    return at.W_BY_ACKS if told else at.W_BY_TIMER


def _overtaken(seg: Column, t_ns: int, row: Column, s: int) -> bool:
    """Whether it was sent before the segment with the highest number: by its timestamp, else its
    IP id, else its time."""
    stamp = row[s + at.STAMP] + 0
    if stamp >= 0 and seg[wire.TS_VALUE] >= 0 and seg[wire.TS_VALUE] != stamp:
        return (stamp - seg[wire.TS_VALUE]) & _M32 < _H32
    other = row[s + at.STAMP_ID] + 0
    if other > 0 and seg[wire.IP_ID] > 0 and seg[wire.IP_ID] != other:
        return (other - seg[wire.IP_ID]) & 0xFFFF < 0x8000
    bound = row[at.RTT_NS] + 0
    return t_ns - row[s + at.ADVANCED_NS] < (bound if bound > 0 else _OVERTAKEN_NS)


def _remember(
    t_ns: int,
    seq: int,
    ack: int,
    has_ack: bool,
    end: int,
    raw_window: int,
    window: int,
    words: int,
    row: Column,
    s: int,
    p: int,
    extra: Rows,
    extra_free: Column,
    control: Column,
    x: int,
    flags: int,
) -> bool:
    """What analyze.words leaves behind for the next segments; whether the numbers advanced."""
    bits = row[s + at.BITS] & ~(at.B_WAS_KEEPALIVE | at.B_WAS_PROBE | at.B_LIMIT | at.B_PROBED)
    bits |= at.B_WINDOW
    if words & at.W_KEEP_ALIVE:
        bits |= at.B_WAS_KEEPALIVE
    if bits & at.B_ISN or flags & SYN:
        bits |= at.B_LIMIT
    row[s + at.WINDOW_SEEN] = raw_window
    row[s + at.LIMIT] = window
    if words & at.W_DUPLICATE_ACK:
        row[s + at.DUPLICATES] += 1
    elif has_ack and (not bits & at.B_ACKED or ack != row[s + at.ACKED]):
        row[s + at.DUPLICATES] = 0
    if has_ack:
        bits |= at.B_ACKED
        row[s + at.ACKED] = ack
        row[s + at.ACKED_NS] = t_ns
    if words & at.W_ACK_LOST:
        row[p + at.REACHABLE] = ack
    if words & at.W_ZERO_PROBE:
        own(row, extra_free, control)
        more = extra[row[at.EXTRA]]
        more[x + at.PROBED] = end
        row[s + at.BITS] = bits | at.B_WAS_PROBE | at.B_PROBED
        if end != 0:
            return False
        bits |= at.B_WAS_PROBE
    if words & at.W_LOST:
        bits |= at.B_REACHABLE
        row[s + at.REACHABLE] = row[s + at.NEXT]
    elif not bits & at.B_REACHABLE or seq == row[s + at.REACHABLE]:
        bits |= at.B_REACHABLE
        row[s + at.REACHABLE] = end
    advances = not bits & at.B_NEXT or end > row[s + at.NEXT]
    if advances:
        bits |= at.B_NEXT
        row[s + at.NEXT] = end
        row[s + at.ADVANCED_NS] = t_ns
    row[s + at.BITS] = bits
    return advances


def _enter(
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
    kept = word >> 33 << 33
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
    if words & at.W_HANDSHAKE_ACK and row[at.SYN_NS] >= 0 and row[at.RTT_NS] == 0:
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


def _arrive(
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
        first, second = _reset_events(seq, ack, has_ack, row, p)
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


def _reset_events(seq: int, ack: int, has_ack: bool, row: Column, p: int) -> tuple[int, int]:
    bits = row[p + at.BITS] + 0
    of_syn = has_ack and bits & at.B_SENT != 0 and 0 < ack <= row[p + at.SENT]
    taken = not bits & at.B_RECEIVED or seq >= row[p + at.RECEIVED]
    return GOT_RST_OF_SYN if of_syn else -1, GOT_RST if taken else -1


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


def _note(kind: int, number: int, row: Column, log: Table, control: Column) -> None:
    """Keep the frame as evidence, if it is one of the first of its kind."""
    word, shift = at.LOGGED + kind // 12, kind % 12 * 5
    if row[word] >> shift & 31 < at.EVIDENCE:
        row[word] += 1 << shift
        log[control[at.C_LOG], 0] = row[at.INDEX] << at.KIND_BITS | kind
        log[control[at.C_LOG], 1] = number
        control[at.C_LOG] += 1


def _count(
    words: int,
    number: int,
    flags: int,
    acked: bool,
    row: Column,
    side: int,
    more: Column,
    x: int,
    log: Table,
    control: Column,
) -> None:
    """Count the words; keep what findings rest on (explain.rules.loss)."""
    for word in range(at.WORDS):
        more[at.EXTRA_COUNTS + word] += words >> word & 1
    if words & (at.W_LOST | at.W_ACK_LOST):
        _note(at.E_GAP, number, row, log, control)
    if words & at.W_TWICE:
        more[x + at.N_TWICE] += 1
        _note(at.E_TWICE + side, number, row, log, control)
    elif words & at.W_REORDERED:
        more[x + at.N_REORDERED] += 1
        _note(at.E_REORDERED + side, number, row, log, control)
    elif words & at.W_SPURIOUS:
        if not (flags & SYN and (flags & ACK or acked)):
            more[x + at.N_NEEDLESS] += 1
            _note(at.E_NEEDLESS + side, number, row, log, control)
    elif words & (at.W_BY_ACKS | at.W_BY_TIMER) and not flags & SYN:
        more[x + at.N_AGAIN] += 1
        _note(at.E_AGAIN + side, number, row, log, control)
    if words & at.W_ZERO:
        more[x + at.N_ZERO] += 1
        _note(at.E_ZERO + side, number, row, log, control)
    if words & at.W_KEEP_ALIVE and not words & (at.W_PROBE | at.W_RESENT):
        more[x + at.N_KEEPALIVE] += 1
        _note(at.E_KEEPALIVE + side, number, row, log, control)
    if words & at.W_DSACK:
        more[x + at.N_DSACK] += 1
        _note(at.E_DSACK + side, number, row, log, control)
    more[x + at.N_BY_ACKS] += 1 if words & at.W_BY_ACKS else 0
    more[x + at.N_BY_TIMER] += 1 if words & at.W_BY_TIMER else 0
    more[x + at.N_ARRIVED] += 1 if words & at.W_ARRIVED else 0


def _broke_off(
    t_ns: int,
    length: int,
    row: Column,
    s: int,
    extra: Rows,
    extra_free: Column,
    control: Column,
    x: int,
) -> None:
    """An RST with ACK: when the side first refused with one, or dropped without a word what it had
    agreed to (analyze.services)."""
    own(row, extra_free, control)
    more = extra[row[at.EXTRA]]
    bits = row[s + at.BITS] + 0
    if not bits & at.B_SAID_SYN_ACK:
        if not bits & at.B_REFUSED:
            bits |= at.B_REFUSED
            more[x + at.REFUSED_NS] = t_ns
    elif row[s + at.PAYLOAD] == length and not bits & at.B_DROPPED:
        bits |= at.B_DROPPED
        more[x + at.DROPPED_NS] = t_ns
    row[s + at.BITS] = bits


def _shape(
    t_ns: int,
    number: int,
    side: int,
    flags: int,
    ack: int,
    has_ack: bool,
    end: int,
    length: int,
    window: int,
    words: int,
    acked: bool,
    row: Column,
    s: int,
    p: int,
    log: Table,
    control: Column,
) -> None:
    """What analyze.shape and analyze.facts look for in all segments, noted as they come."""
    row[s + at.PACKETS] += 1
    row[s + at.PAYLOAD] += length
    bits, shape = row[s + at.BITS] + 0, row[at.SHAPE] + 0
    if flags & ACK and not flags & (SYN | RST):
        bits |= at.B_SAID_PLAIN_ACK | at.B_SAID_LISTENER | at.B_SAID_NO_RST
        if ack > 0:
            bits |= at.B_CONFIRMS
    else:
        if flags & SYN or not flags & RST:
            bits |= at.B_SAID_LISTENER
        if not flags & RST or flags & ACK:
            bits |= at.B_SAID_NO_RST
    if row[s + at.PACKETS] == 1 and flags & ACK and flags & (SYN | RST):
        bits |= at.B_ANSWERED
    if flags & SYN:
        bits, shape = _opening(
            t_ns, number, side, flags, ack, has_ack, length, words, acked, bits, shape,
            row, p, log, control,
        )  # fmt: skip
    elif flags & ACK and not length:
        shape |= 4 << at.COMPLETENESS_SHIFT
    if length:
        row[s + at.LARGEST] = max(row[s + at.LARGEST], length)
        shape |= 8 << at.COMPLETENESS_SHIFT
        if bits & at.B_MSS:
            mss = bits >> at.MSS_SHIFT & 0xFFFF
            if length == mss - 12:
                _note(at.E_FULL_SIZE + side, number, row, log, control)
            elif length > mss:
                _note(at.E_TOO_LARGE + side, number, row, log, control)
    if window == 0 and not flags & (SYN | RST):
        shape |= at.S_SHUT
    if flags & RST:
        shape |= 32 << at.COMPLETENESS_SHIFT | at.S_RST
        bits |= at.B_SAID_RST
        if has_ack and ack > 0:
            bits |= at.B_RST_ACKS
    if flags & FIN:
        shape = _closing(number, side, ack, has_ack, end, shape, row, s, p, log, control)
    elif has_ack and shape & (at.S_FIN | at.S_SECOND_FIN) == at.S_FIN:
        if (shape & at.S_FIN_SIDE != 0) != (side != 0) and ack >= row[at.FIN_NEXT]:
            shape |= at.S_CLOSE_FOUR
    row[s + at.BITS] = bits
    row[at.SHAPE] = (shape & ~at.S_LATEST_SIDE) | (at.S_LATEST_SIDE if side else 0)


def _opening(
    t_ns: int,
    number: int,
    side: int,
    flags: int,
    ack: int,
    has_ack: bool,
    length: int,
    words: int,
    acked: bool,
    bits: int,
    shape: int,
    row: Column,
    p: int,
    log: Table,
    control: Column,
) -> tuple[int, int]:
    usual = words & at.W_RETRANSMISSION and not acked
    if row[p + at.PACKETS] > 0 and bits & at.B_SAID_PLAIN_ACK and not usual:
        shape |= at.S_ODD
    if flags & ACK:
        bits |= at.B_SAID_SYN_ACK
        shape |= 2 << at.COMPLETENESS_SHIFT
        if not shape & at.S_SYN_ACK_KNOWN:
            shape |= at.S_SYN_ACK_KNOWN | (at.S_SYN_ACK_SIDE if side else 0)
            shape |= at.S_ODD if words & at.W_RETRANSMISSION else 0
            row[at.SYN_ACK_FRAME] = number
            row[at.AGREED_NS] = t_ns
        else:
            _note(at.E_SYN_ACK, number, row, log, control)
            confirmed = row[p + at.BITS] & at.B_CONFIRMS
            if confirmed and t_ns > row[at.SYN_NS] + row[at.RTT_NS] + _CROSSED_NS:
                shape |= at.S_ODD
            if not usual or (shape & at.S_SYN_ACK_SIDE != 0) != (side != 0):
                shape |= at.S_ODD
    else:
        if not row[p + at.PACKETS] and bits >> at.ASKED_SHIFT & 3 < 3:
            bits += 1 << at.ASKED_SHIFT
        bits |= at.B_SAID_SYN | (at.B_SYN_DATA if length else 0)
        shape |= 1 << at.COMPLETENESS_SHIFT
        if not shape & at.S_SYN_KNOWN:
            shape |= at.S_SYN_KNOWN | (at.S_SYN_SIDE if side else 0)
            shape |= at.S_ODD if words & at.W_RETRANSMISSION else 0
            row[at.SYN_FRAME] = number
        else:
            _note(at.E_SYN, number, row, log, control)
            if not usual or words & at.W_SPURIOUS:
                shape |= at.S_ODD
            if (shape & at.S_SYN_SIDE != 0) != (side != 0):
                shape |= at.S_BOTH_SYN
        early = min(length, 0x1FFFF)
        if early > shape >> at.EARLY_SHIFT & 0x1FFFF:
            shape = (shape & ~(0x1FFFF << at.EARLY_SHIFT)) | early << at.EARLY_SHIFT
    if has_ack and ack > 1:
        bits |= at.B_SYN_MORE
    return bits, shape


def _closing(
    number: int,
    side: int,
    ack: int,
    has_ack: bool,
    end: int,
    shape: int,
    row: Column,
    s: int,
    p: int,
    log: Table,
    control: Column,
) -> int:
    shape |= 16 << at.COMPLETENESS_SHIFT
    if row[s + at.FIN_FRAME] == 0:
        row[s + at.FIN_FRAME] = number
    else:
        _note(at.E_FIN, number, row, log, control)
    if not shape & at.S_FIN:
        row[at.FIN_NEXT] = end
        if row[p + at.BITS] & at.B_HIGHEST and row[p + at.HIGHEST_ACK] >= end:
            shape |= at.S_CLOSE_FOUR
        return shape | at.S_FIN | (at.S_FIN_SIDE if side else 0)
    if not shape & at.S_SECOND_FIN and (shape & at.S_FIN_SIDE != 0) != (side != 0):
        shape |= at.S_SECOND_FIN
        if has_ack and ack >= row[at.FIN_NEXT]:
            shape |= at.S_CLOSE_LATE
    return shape
