"""The truth about numbers that come again: analyze.truth, as kernels. Names as in _segment."""

from __future__ import annotations

from fourtuple.analyze.survey import _layout as at
from fourtuple.analyze.survey._numbers import has_come, own, place
from fourtuple.wire import _row as wire

Column = memoryview
Rows = list[memoryview]  # Columns

FIN, SYN, RST, ACK = 1, 2, 4, 16
#: see analyze.truth
_TWIN_ID_NS, _TWIN_NS, _OVERTAKEN_NS = 10_000_000, 50_000, 3_000_000
_M32, _H32, _M63 = (1 << 32) - 1, 1 << 31, (1 << 63) - 1


def truth(
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
    confirmed = row[p + at.BITS] & at.B_ACKED and end <= row[p + at.ACKED]
    if confirmed and not seg[wire.FLAGS] & SYN:
        return at.W_NEEDLESS
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
