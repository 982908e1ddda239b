"""What findings rest on, and what analyze.shape looks for in all segments, noted as they come.

Names as in _segment."""

from __future__ import annotations

from fourtuple.analyze.survey import _layout as at
from fourtuple.analyze.survey._numbers import own
from fourtuple.wire import _row as wire

Column = memoryview
Table = memoryview
Rows = list[memoryview]  # Columns

FIN, SYN, RST, ACK = 1, 2, 4, 16
#: see explain.rules.handshake
_CROSSED_NS = 100_000_000


def _note(kind: int, number: int, row: Column, log: Table, control: Column) -> None:
    """Keep the frame as evidence, if it is one of the first of its kind."""
    word, shift = at.LOGGED + kind // 12, kind % 12 * 5
    if row[word] >> shift & 31 < at.EVIDENCE:
        row[word] += 1 << shift
        log[control[at.C_LOG], 0] = row[at.INDEX] << at.KIND_BITS | kind
        log[control[at.C_LOG], 1] = number
        control[at.C_LOG] += 1


def count(
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
    elif words & at.W_NEEDLESS:
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


def broke_off(
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


def shape_of(
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
    if words & at.W_HANDSHAKE_ACK and not shape & at.S_THIRD_STEP:
        shape |= at.S_THIRD_STEP
        row[at.THIRD_NS] = t_ns
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
    shape &= ~(at.S_LATEST_SIDE | at.S_REFUSED)
    row[at.SHAPE] = shape | (at.S_LATEST_SIDE if side else 0)


def refused(seg: Column, flags: int, ack: int, row: Column, s: int, p: int) -> None:
    """An RST that answers a lone SYN as a closed port does: analyze.resets.answers._refusal."""
    asked = at.S_SYN_KNOWN | at.S_ODD | at.S_JOINS | at.S_FIN | at.S_STRAY | at.S_FORGOT
    alone = row[s + at.PACKETS] == 1 and row[p + at.PACKETS] == 1
    silent = row[s + at.PAYLOAD] == 0 and row[p + at.PAYLOAD] == 0
    if alone and silent and row[at.SHAPE] & asked == at.S_SYN_KNOWN:
        told = (
            row[p + at.BITS] & at.B_SAID_RST == 0 and flags & (RST | ACK | SYN | FIN) == RST | ACK
        )
        if told and seg[wire.SEQUENCE] == 0 and ack == 1:
            row[at.SHAPE] |= at.S_REFUSED


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
            if shape & at.S_THIRD_STEP and t_ns > row[at.THIRD_NS] + _CROSSED_NS:
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
            if not usual or words & at.W_SPURIOUS or shape & at.S_THIRD_STEP:
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
    shape |= 16 << at.COMPLETENESS_SHIFT if has_ack else 0
    if row[s + at.FIN_FRAME] == 0:
        row[s + at.FIN_FRAME] = number
    else:
        _note(at.E_FIN, number, row, log, control)
    if not shape & at.S_FIN:
        row[at.FIN_NEXT] = end
        if row[p + at.BITS] & at.B_HIGHEST and row[p + at.HIGHEST_ACK] >= end:
            # one below the first number counts as 0 there: then it cannot be told
            shape |= at.S_CLOSE_FOUR if end > 0 else at.S_ODD
        return shape | at.S_FIN | (at.S_FIN_SIDE if side else 0)
    if not shape & at.S_SECOND_FIN and (shape & at.S_FIN_SIDE != 0) != (side != 0):
        shape |= at.S_SECOND_FIN
        if has_ack and ack >= row[at.FIN_NEXT]:
            shape |= at.S_CLOSE_LATE
    return shape
