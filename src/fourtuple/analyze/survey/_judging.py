"""A segment's numbers judged, and what they leave behind: analyze.words and analyze.judgment, as
kernels. Names as in _segment."""

from __future__ import annotations

from fourtuple.analyze.survey import _layout as at
from fourtuple.analyze.survey._numbers import own

Column = memoryview
Rows = list[memoryview]  # Columns

FIN, SYN, RST, ACK = 1, 2, 4, 16
#: see analyze.words
_FAST_NS, _OVERTAKEN_NS = 20_000_000, 3_000_000
_ASKS = at.B_KEEPALIVE_ASKS | at.B_PROBE_ASKS


def words(
    t_ns: int,
    flags: int,
    seq: int,
    ack: int,
    end: int,
    length: int,
    raw_window: int,
    window: int,
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
                words |= _repeated_ack(raw_window, mine, theirs, row[s + at.WINDOW_SEEN] + 0)
    if end > seq and not words & (at.W_KEEP_ALIVE | at.W_ZERO_PROBE):
        words |= _repeated_data(t_ns, seq, end, length, row, s, p)
    return words, shut


def _repeated_ack(raw_window: int, mine: int, theirs: int, before: int) -> int:
    same = mine & at.B_WINDOW != 0 and raw_window == before
    if raw_window == 0:
        return at.W_ZERO_PROBE_ACK if same and theirs & at.B_WAS_PROBE else 0
    if same and theirs & at.B_WAS_KEEPALIVE:
        return at.W_KEEP_ALIVE_ACK
    return at.W_DUPLICATE_ACK if same else at.W_UPDATE


def _repeated_data(t_ns: int, seq: int, end: int, length: int, row: Column, s: int, p: int) -> int:
    mine, theirs = row[s + at.BITS] + 0, row[p + at.BITS] + 0
    if length and theirs & at.B_ACKED and seq + length <= row[p + at.ACKED]:
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


def probing(
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


def answers(
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


def remember(
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
        row[p + at.REACHABLE] = row[p + at.NEXT]
    if words & at.W_ZERO_PROBE:
        own(row, extra_free, control)
        more = extra[row[at.EXTRA]]
        more[x + at.PROBED] = end
        row[s + at.BITS] = bits | at.B_WAS_PROBE | at.B_PROBED
        if end != 0:
            return False
        bits |= at.B_WAS_PROBE
    advances = not bits & at.B_NEXT or end > row[s + at.NEXT]
    if advances:
        bits |= at.B_NEXT
        row[s + at.NEXT] = end
        row[s + at.ADVANCED_NS] = t_ns
    if not bits & at.B_REACHABLE or seq == row[s + at.REACHABLE]:
        bits |= at.B_REACHABLE
        row[s + at.REACHABLE] = row[s + at.NEXT]
    row[s + at.BITS] = bits
    return advances


def acknowledges(row: Column, s: int, p: int, ack: int) -> bool:
    """Whether the segment acknowledges what had not been acknowledged."""
    if row[s + at.BITS] & at.B_HIGHEST:
        return ack > row[s + at.HIGHEST_ACK] and ack > 0
    if row[p + at.BITS] & at.B_ISN:
        return ack > 0
    return row[p + at.BITS] & at.B_FIRST != 0 and ack > row[p + at.FIRST] and ack > 0
