"""The survey's hot loop: frames -> which connection each belongs to, and what becomes of it.

`track` takes decoded frames in, `sweep` lets go of connections that no segment can belong to any
more, `conclude` turns rows into facts, `pack` and `unpack` put those aside. See wire._kernels for
what a kernel may be, _layout for the tables. Nothing grows here: before each call there must be
room for as many rows as there are frames, and for eight entries of the log each. The rules are
those of analyze.tracking and analyze.life, which are the slow twin in the tests.
"""

from __future__ import annotations

from fourtuple.analyze.survey import _layout as at
from fourtuple.analyze.survey._conclude import conclude as _conclude
from fourtuple.analyze.survey._numbers import place
from fourtuple.analyze.survey._packing import pack as _pack
from fourtuple.analyze.survey._packing import unpack as _unpack
from fourtuple.analyze.survey._segment import segment
from fourtuple.analyze.survey._states import BEGIN
from fourtuple.wire import _row as wire

Bytes = memoryview
Column = memoryview
Table = memoryview
Rows = list[memoryview]  # Columns

_SYN, _RST, _ACK = 2, 4, 16
_M32, _M63 = (1 << 32) - 1, (1 << 63) - 1
_UDP_BIT, _SIX_BIT, _VANTAGE_SHIFT = 1 << 32, 1 << 33, 34


def track(
    table: Rows,
    t_ns: Column,
    vantage: Column,
    file: Column,
    first: int,
    rows: Rows,
    slots: Column,
    free: Column,
    extra: Rows,
    extra_free: Column,
    log: Table,
    control: Column,
    moves: Column,
    out: Rows,
) -> None:
    """Take frames in: decoded, when and where each was seen, and the first one's number.

    `slots` is a hash table of rows (0: empty), its size a power of two. `out` gets what is known
    of each frame where it has a row for each; else it needs one row.
    """
    if len(table[0]) != wire.WIDTH or len(rows[0]) != at.ROW or len(extra[0]) != at.EXTRA_ROW:
        control[len(control)] = 0  # our mistake; from here on a compiler knows these widths
    every = len(out) >= len(t_ns)
    for i in range(len(t_ns)):
        now = t_ns[i] + 0
        if now > control[at.C_NOW]:
            control[at.C_NOW] = now
        kind = table[i][wire.KIND] + 0
        o = i if every else 0
        if kind != wire.TCP and kind != wire.UDP:
            control[at.C_OTHER] += 1
            out[o][at.F_ROW_INDEX] = -1
            continue
        control[at.C_FRAMES] += 1
        side = _sender(table, i)
        slot = _slot(table, i, side, vantage[i] + 0, rows, slots)
        if kind == wire.UDP:
            r = _talk(slots[slot] + 0, rows, control)
        else:
            r = _life(table, i, side, slots[slot] + 0, rows, control)
        if r == 0:
            r = _begin(table, i, side, vantage[i] + 0, first + i, slots, slot, rows, free, control)
            rows[r][at.START_NS] = now
            rows[r][at.END_NS] = now
            rows[r][at.FILE] = file[i]
        if now < rows[r][at.START_NS]:
            rows[r][at.START_NS] = now
        if now > rows[r][at.END_NS]:
            rows[r][at.END_NS] = now
        rows[r][at.LAST_FRAME] = first + i
        if kind == wire.UDP:
            rows[r][at.SIDES + side * at.SIDE + at.PACKETS] += 1
            rows[r][at.SIDES + side * at.SIDE + at.PAYLOAD] += table[i][wire.PAYLOAD_LENGTH]
            out[o][at.F_ROW_INDEX] = rows[r][at.INDEX]
            out[o][at.F_SIDE] = side
            out[o][at.F_LENGTH] = table[i][wire.PAYLOAD_LENGTH]
        else:
            segment(
                table[i],
                now,
                first + i,
                side,
                rows[r],
                extra,
                extra_free,
                log,
                control,
                moves,
                out[o],
            )


def _sender(table: Rows, i: int) -> int:
    """Which side sent the frame: 0 the end that sorts first."""
    if table[i][wire.SOURCE_HIGH] != table[i][wire.DESTINATION_HIGH]:
        return 0 if table[i][wire.SOURCE_HIGH] < table[i][wire.DESTINATION_HIGH] else 1
    if table[i][wire.SOURCE_LOW] != table[i][wire.DESTINATION_LOW]:
        return 0 if table[i][wire.SOURCE_LOW] < table[i][wire.DESTINATION_LOW] else 1
    return 0 if table[i][wire.SOURCE_PORT] <= table[i][wire.DESTINATION_PORT] else 1


def _ports(table: Rows, i: int, side: int, vantage: int) -> int:
    a, b = table[i][wire.SOURCE_PORT] + 0, table[i][wire.DESTINATION_PORT] + 0
    if side:
        a, b = b, a
    word = vantage << _VANTAGE_SHIFT | a << 16 | b
    if table[i][wire.KIND] == wire.UDP:
        word |= _UDP_BIT
    if table[i][wire.FAMILY] == 6:
        word |= _SIX_BIT
    return word


def _hash(a_high: int, a_low: int, b_high: int, b_low: int, ports: int) -> int:
    mark = (a_low * 0x1E3779B97F4A7C15 + a_high) & _M63
    mark = ((mark ^ mark >> 32) * 0x3F58476D1CE4E5B9 + b_low) & _M63
    mark = ((mark ^ mark >> 29) * 0x14D049BB133111EB + b_high) & _M63
    mark = ((mark ^ mark >> 32) * 0x2545F4914F6CDD1D + ports) & _M63
    mark = ((mark ^ mark >> 30) * 0x1E3779B97F4A7C15) & _M63
    return mark ^ mark >> 33


def _slot(table: Rows, i: int, side: int, vantage: int, rows: Rows, slots: Column) -> int:
    """Where in `slots` the frame's four-tuple is, or belongs."""
    ports = _ports(table, i, side, vantage)
    if side == 0:
        a_high, a_low = table[i][wire.SOURCE_HIGH] + 0, table[i][wire.SOURCE_LOW] + 0
        b_high, b_low = table[i][wire.DESTINATION_HIGH] + 0, table[i][wire.DESTINATION_LOW] + 0
    else:
        a_high, a_low = table[i][wire.DESTINATION_HIGH] + 0, table[i][wire.DESTINATION_LOW] + 0
        b_high, b_low = table[i][wire.SOURCE_HIGH] + 0, table[i][wire.SOURCE_LOW] + 0
    tunnel = table[i][wire.TUNNEL] + 0
    mask = len(slots) - 1
    slot = _hash(a_high, a_low, b_high, b_low, ports) & mask
    while slots[slot]:
        r = slots[slot] + 0
        if rows[r][at.KEY_PORTS] == ports and rows[r][at.KEY_A_LOW] == a_low:
            if rows[r][at.KEY_B_LOW] == b_low and rows[r][at.KEY_A_HIGH] == a_high:
                if rows[r][at.KEY_B_HIGH] == b_high and rows[r][at.KEY_TUNNEL] == tunnel:
                    break
        slot = (slot + 1) & mask
    return slot


def _expired(rows: Rows, r: int, now: int) -> bool:
    """Whether no segment can belong to a connection any more: `tracking.expired`."""
    quiet = now - rows[r][at.END_NS]
    if quiet <= at.OVER_NS:
        return False
    shape, a, b = rows[r][at.SHAPE] + 0, at.SIDES, at.SIDES + at.SIDE
    if shape & at.S_UDP:
        return quiet > at.SILENT_NS
    if shape & at.S_OVER or (_finished(rows, r, a, b) and _finished(rows, r, b, a)):
        return True
    one_sided = rows[r][a + at.PACKETS] == 0 or rows[r][b + at.PACKETS] == 0
    return one_sided and quiet > at.UNANSWERED_NS


def _finished(rows: Rows, r: int, s: int, p: int) -> bool:
    """Whether a side's FIN was acknowledged."""
    known = rows[r][s + at.BITS] & at.B_FIN and rows[r][p + at.BITS] & at.B_HIGHEST
    return known != 0 and rows[r][p + at.HIGHEST_ACK] > rows[r][s + at.FIN_NUMBER]


def _talk(r: int, rows: Rows, control: Column) -> int:
    return 0 if r == 0 or _expired(rows, r, control[at.C_NOW] + 0) else r


def _life(table: Rows, i: int, side: int, latest: int, rows: Rows, control: Column) -> int:
    """The row of the life that a segment belongs to; 0: it begins a new one."""
    if latest == 0:
        return 0
    now = control[at.C_NOW] + 0
    older = rows[latest][at.OLDER] + 0
    if _expired(rows, latest, now):
        latest = older
        older = 0
    elif older and _expired(rows, older, now):
        older = 0
    if latest and _expired(rows, latest, now):
        return 0
    if latest == 0:
        return 0
    if table[i][wire.FLAGS] & _SYN:
        return _life_of_syn(table, i, side, latest, older, rows)
    if older == 0:
        return latest
    near, far = _distance(table, i, side, rows, latest), _distance(table, i, side, rows, older)
    return older if far < near else latest


def _life_of_syn(table: Rows, i: int, side: int, latest: int, older: int, rows: Rows) -> int:
    s, p = at.SIDES + side * at.SIDE, at.SIDES + (1 - side) * at.SIDE
    seq = table[i][wire.SEQUENCE] + 0
    if rows[latest][s + at.BITS] & at.B_ISN and rows[latest][s + at.BASE] == seq:
        return latest
    if older and rows[older][s + at.BITS] & at.B_ISN and rows[older][s + at.BASE] == seq:
        return older
    mine, theirs = rows[latest][s + at.BITS] + 0, rows[latest][p + at.BITS] + 0
    if mine & at.B_ISN:
        return 0
    has_ack = table[i][wire.FLAGS] & _ACK != 0
    if has_ack and theirs & at.B_ISN:
        if table[i][wire.ACKNOWLEDGMENT] == (rows[latest][p + at.BASE] + 1) & _M32:
            return latest
    if mine & at.B_SENT:
        return latest if rows[latest][s + at.BASE] == seq else 0
    opens = theirs & at.B_ISN and theirs & at.B_SENT and rows[latest][p + at.SENT] == 1
    return latest if has_ack or opens else 0


def _distance(table: Rows, i: int, side: int, rows: Rows, r: int) -> int:
    """How far a segment's numbers are from those that the life would have next."""
    s, p = at.SIDES + side * at.SIDE, at.SIDES + (1 - side) * at.SIDE
    found = -1
    if rows[r][s + at.BITS] & at.B_BASE:
        due = _due(rows, r, s, p)
        found = abs(place(table[i][wire.SEQUENCE] + 0, rows[r][s + at.BASE] + 0, due) - due)
    if table[i][wire.FLAGS] & _ACK and rows[r][p + at.BITS] & at.B_BASE:
        due = _due(rows, r, p, s)
        gap = abs(place(table[i][wire.ACKNOWLEDGMENT] + 0, rows[r][p + at.BASE] + 0, due) - due)
        found = max(found, gap)
    return 1 << 31 if found < 0 else found


def _due(rows: Rows, r: int, s: int, p: int) -> int:
    """The number that a side has next; of one that sent nothing, what its peer acknowledged: its
    SYN, and what that may have carried (RFC 7413)."""
    if rows[r][s + at.BITS] & at.B_SENT:
        return rows[r][s + at.SENT] + 0
    highest = rows[r][p + at.HIGHEST_ACK] + 0 if rows[r][p + at.BITS] & at.B_HIGHEST else 0
    return highest if highest else 1


def _begin(
    table: Rows,
    i: int,
    side: int,
    vantage: int,
    number: int,
    slots: Column,
    slot: int,
    rows: Rows,
    free: Column,
    control: Column,
) -> int:
    """A new connection, the latest of its four-tuple."""
    if control[at.C_FREE] > 0:
        control[at.C_FREE] -= 1
        r = free[control[at.C_FREE]] + 0
    else:
        r = control[at.C_ROWS] + 0
        control[at.C_ROWS] += 1
    before = _latest(slots[slot] + 0, rows, control[at.C_NOW] + 0)
    slots[slot] = r
    source, destination = (
        (at.KEY_A_HIGH, at.KEY_B_HIGH) if side == 0 else (at.KEY_B_HIGH, at.KEY_A_HIGH)
    )
    for half in range(2):
        rows[r][source + half] = table[i][wire.SOURCE_HIGH + half]
        rows[r][destination + half] = table[i][wire.DESTINATION_HIGH + half]
    rows[r][at.KEY_PORTS] = _ports(table, i, side, vantage)
    rows[r][at.KEY_TUNNEL] = table[i][wire.TUNNEL]
    rows[r][at.INDEX] = control[at.C_NEXT_INDEX]
    control[at.C_NEXT_INDEX] += 1
    rows[r][at.FIRST_FRAME] = number
    rows[r][at.SYN_NS] = at.NEVER
    shape = (at.S_FIRST_SIDE if side else 0) | (at.S_SIX if table[i][wire.FAMILY] == 6 else 0)
    if table[i][wire.KIND] == wire.UDP:
        shape |= at.S_UDP
    else:
        rows[r][at.SIDES + at.STATE] = BEGIN
        rows[r][at.SIDES + at.SIDE + at.STATE] = BEGIN
        if not table[i][wire.FLAGS] & (_SYN | _RST | _ACK):
            shape |= at.S_STRAY
    rows[r][at.SHAPE] = shape
    if before and table[i][wire.KIND] == wire.TCP:
        last = rows[before][at.OLDER] + 0
        if last:
            rows[last][at.SHAPE] |= at.S_DONE
        rows[before][at.OLDER] = 0
        rows[r][at.OLDER] = before
    return r


def _latest(r: int, rows: Rows, now: int) -> int:
    """The latest life of a four-tuple that has not expired; those that have are done with."""
    while r and _expired(rows, r, now):
        rows[r][at.SHAPE] |= at.S_DONE
        r = rows[r][at.OLDER] + 0
    return r


def sweep(rows: Rows, slots: Column, control: Column, gone: Column) -> int:
    """Note the rows that no segment can belong to any more in `gone`.

    Those that are left have the hash table for themselves. The caller empties the others' rows
    and puts them on the free list. The result is how many they are.
    """
    count, now = 0, control[at.C_NOW] + 0
    for slot in range(len(slots)):
        slots[slot] = 0
    for r in range(1, control[at.C_ROWS]):
        if rows[r][at.FIRST_FRAME] == 0:
            continue
        if rows[r][at.SHAPE] & at.S_DONE or _expired(rows, r, now):
            gone[count] = r
            count += 1
    for place_ in range(count):
        rows[gone[place_]][at.LAST_FRAME] = -rows[gone[place_]][at.LAST_FRAME]
    mask = len(slots) - 1
    for r in range(1, control[at.C_ROWS]):
        if rows[r][at.FIRST_FRAME] == 0 or rows[r][at.LAST_FRAME] < 0:
            continue
        older = rows[r][at.OLDER] + 0
        if older and rows[older][at.LAST_FRAME] < 0:
            rows[r][at.OLDER] = 0
        _enroll(rows, r, slots, mask)
    for place_ in range(count):
        rows[gone[place_]][at.LAST_FRAME] = -rows[gone[place_]][at.LAST_FRAME]
    return count


def _enroll(rows: Rows, r: int, slots: Column, mask: int) -> None:
    """Put a row into the hash table; the latest life of a four-tuple stands for it."""
    slot = _hash(
        rows[r][at.KEY_A_HIGH] + 0, rows[r][at.KEY_A_LOW] + 0, rows[r][at.KEY_B_HIGH] + 0,
        rows[r][at.KEY_B_LOW] + 0, rows[r][at.KEY_PORTS] + 0,
    ) & mask  # fmt: skip
    while slots[slot]:
        other = slots[slot] + 0
        same = rows[other][at.KEY_TUNNEL] == rows[r][at.KEY_TUNNEL]
        for column in range(at.KEY_A_HIGH, at.KEY_TUNNEL):
            same = same and rows[other][column] == rows[r][column]
        if same:
            if rows[other][at.INDEX] < rows[r][at.INDEX]:
                slots[slot] = r
            return
        slot = (slot + 1) & mask
    slots[slot] = r


def conclude(rows: Rows, extra: Rows, chosen: Column, facts: Rows) -> None:
    """The facts of the chosen rows; `facts` comes in as zeros, one row for each."""
    _conclude(rows, extra, chosen, facts)


def pack(facts: Rows, starts: Column, out: Column) -> int:
    """Pack rows of facts into `out`; `starts` gets where each begins. How many words there are."""
    return _pack(facts, starts, out)


def unpack(words: Column, starts: Column, places: Column, columns: Table) -> None:
    """Facts again, from where each row begins, as columns."""
    _unpack(words, starts, places, columns)
