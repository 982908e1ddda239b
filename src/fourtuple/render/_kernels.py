"""Columns -> text: rows printed by a program of simple steps. See wire._kernels for what a kernel
may be.

A step is (operation, a, b, c). What is printed is UTF-8; what must be escaped in JSON comes as text
that is escaped already.
"""

from __future__ import annotations

Bytes = memoryview
Column = memoryview
Table = memoryview
Rows = list[memoryview]  # Columns

(
    TEXT,  # text[a:b]
    NUMBER,  # column a
    NUMBER_OR_NULL,  # the same; null below 0
    SECONDS,  # column a, nanoseconds
    SECONDS_OR_NULL,  # the same; null for 0
    WORD,  # the word number b + column a
    ADDRESS,  # column a says whether IPv4 (column b, a number) or else (column c, a word)
    UNLESS_ANY,  # goes on c steps further where columns a up to a + b are all 0
    SKIP,  # goes on c steps further
    FINDINGS,  # the row's findings, by a program of their own
    PARAMETER,  # of a finding: its number a
    FRAMES,  # of a finding: its evidence
) = range(12)

# --- a finding of a row
(
    OF_ROW,
    FIRST_FRAME,
    ORDER,
    BEGIN,  # its steps
    END,
    FRAME,
    OTHER_FRAME,
    KEPT,  # its evidence from here
    KEPT_END,
    BEFORE,  # as far as it comes before this frame
    NUMBERS,
) = range(11)
FINDING = NUMBERS + 4
#: room that a row without findings, and one finding, never exceed
ROOM = 8192
_EVIDENCE = 16
_BILLION, _MOST_DIGITS = 1_000_000_000, 19
_ZERO, _MINUS, _POINT, _COMMA, _EXPONENT = 48, 45, 46, 44, 101
#: nanoseconds; times from here on are printed without a power of ten
_PLAIN = 10_000


def print_rows(
    state: Column,
    stops: Column,
    starts: Column,
    steps: Rows,
    text: Bytes,
    words: Rows,
    columns: Rows,
    findings: Rows,
    evidence: Column,
    frames: Column,
    out: Bytes,
) -> int:
    """Print rows from number state[0] on, until one of `stops`, or `out` is full, or the last; how
    many bytes.

    `starts` has the first step of each row, whose last one is followed by (SKIP, 0, 0, 0). state[0]
    and state[1], the next row and the next finding, are moved on. `frames` is scratch.
    """
    at = 0
    while state[0] < len(starts) and stops[state[0]] == 0:
        row = state[0] + 0
        mine = state[1] + 0
        while mine < len(findings) and findings[mine][OF_ROW] == row:
            mine += 1
        if at + ROOM * (1 + mine - state[1]) > len(out):
            break
        at = _row(starts[row] + 0, row, state[1] + 0, mine, steps, text, words, columns, findings,
                  evidence, frames, out, at)  # fmt: skip
        state[0] = row + 1
        state[1] = mine
    return at


def _row(
    step: int,
    row: int,
    first: int,
    last: int,
    steps: Rows,
    text: Bytes,
    words: Rows,
    columns: Rows,
    findings: Rows,
    evidence: Column,
    frames: Column,
    out: Bytes,
    at: int,
) -> int:
    while True:
        op, a, b, c = steps[step][0], steps[step][1] + 0, steps[step][2] + 0, steps[step][3] + 0
        step += 1
        if op == TEXT:
            at = _copy(text, a, b, out, at)
        elif op == SKIP:
            if c == 0:
                return at
            step += c
        elif op == UNLESS_ANY:
            total = 0
            for column in range(a, a + b):
                total |= columns[column][row]
            if total == 0:
                step += c
        elif op == FINDINGS:
            for number in range(first, last):
                if number > first:
                    out[at] = _COMMA
                    at += 1
                at = _finding(findings[number], row, steps, text, words, columns, evidence, frames,
                              out, at)  # fmt: skip
        else:
            at = _value(op, a, b, c, row, text, words, columns, out, at)


def _value(
    op: int,
    a: int,
    b: int,
    c: int,
    row: int,
    text: Bytes,
    words: Rows,
    columns: Rows,
    out: Bytes,
    at: int,
) -> int:
    value = columns[a][row] + 0
    if (op == NUMBER_OR_NULL and value < 0) or (op == SECONDS_OR_NULL and value == 0):
        for letter in (110, 117, 108, 108):
            out[at] = letter
            at += 1
        return at
    if op == WORD:
        return _copy(text, words[b + value][0] + 0, words[b + value][1] + 0, out, at)
    if op == ADDRESS:
        if value != 4:
            word = columns[c][row] + 0
            return _copy(text, words[word][0] + 0, words[word][1] + 0, out, at)
        return _dotted(columns[b][row] + 0, out, at)
    if op in (SECONDS, SECONDS_OR_NULL):
        return _seconds(value, out, at)
    return _number(value, out, at)


def _finding(
    finding: Column,
    row: int,
    steps: Rows,
    text: Bytes,
    words: Rows,
    columns: Rows,
    evidence: Column,
    frames: Column,
    out: Bytes,
    at: int,
) -> int:
    for step in range(finding[BEGIN], finding[END]):
        op, a, b, c = steps[step][0], steps[step][1] + 0, steps[step][2] + 0, steps[step][3] + 0
        if op == TEXT:
            at = _copy(text, a, b, out, at)
        elif op == PARAMETER:
            at = _number(finding[NUMBERS + a] + 0, out, at)
        elif op == FRAMES:
            at = _frames(finding, evidence, frames, out, at)
        else:
            at = _value(op, a, b, c, row, text, words, columns, out, at)
    return at


def _frames(finding: Column, evidence: Column, frames: Column, out: Bytes, at: int) -> int:
    """The first sixteen, ascending, each once: Spotted.frames."""
    count = 0
    for column in (FRAME, OTHER_FRAME):
        if finding[column] > 0:
            count = _insert(finding[column] + 0, frames, count)
    for place in range(finding[KEPT], finding[KEPT_END]):
        if evidence[place] < finding[BEFORE]:
            count = _insert(evidence[place] + 0, frames, count)
    for place in range(min(count, _EVIDENCE)):
        if place:
            out[at] = _COMMA
            at += 1
        at = _number(frames[place] + 0, out, at)
    return at


def _insert(number: int, frames: Column, count: int) -> int:
    place = count
    while place > 0 and frames[place - 1] > number:
        place -= 1
    if place > 0 and frames[place - 1] == number:
        return count
    for later in range(count, place, -1):
        frames[later] = frames[later - 1]
    frames[place] = number
    return count + 1


def _copy(text: Bytes, begin: int, end: int, out: Bytes, at: int) -> int:
    size = end - begin
    if begin >= 0 and at >= 0 and size > 0 and text[end - 1] + out[at + size - 1] >= 0:
        _unchecked_copy(text, begin, size, out, at)  # both are long enough
    return at + size


def _unchecked_copy(text: Bytes, begin: int, size: int, out: Bytes, at: int) -> None:
    # slices: a compiler copies many bytes at a time only where it sees that no index is negative
    source, target = text[begin : begin + size], out[at : at + size]
    for place in range(size):
        target[place] = source[place]


def _number(value: int, out: Bytes, at: int) -> int:
    if value < 0:
        out[at] = _MINUS
        at += 1
        value = -value
    if value < 10:
        out[at] = _ZERO + value
        return at + 1
    size, limit = 2, 100
    while size < _MOST_DIGITS and value >= limit:
        size += 1
        limit *= 10
    return _digits(value, size, out, at)


def _digits(value: int, size: int, out: Bytes, at: int) -> int:
    """The last `size` digits."""
    for place in range(at + size - 1, at - 1, -1):
        rest = value // 10
        out[place] = _ZERO + value - rest * 10
        value = rest
    return at + size


def _seconds(t_ns: int, out: Bytes, at: int) -> int:
    """Exact, with as few digits as that takes, and one after the point at least."""
    if t_ns < 0:
        out[at] = _MINUS
        at += 1
        t_ns = -t_ns
    if 0 < t_ns < _PLAIN:
        return _tiny(t_ns, out, at)
    whole = t_ns // _BILLION
    at = _number(whole, out, at)
    out[at] = _POINT
    least = at + 2
    at = _digits(t_ns - whole * _BILLION, 9, out, at + 1)
    while at > least and out[at - 1] == _ZERO:
        at -= 1
    return at


def _tiny(t_ns: int, out: Bytes, at: int) -> int:
    """Less than 10 µs, as a power of ten: so does the encoder of jsonout."""
    first, at = at, _number(t_ns, out, at)
    power = 10 - (at - first)
    while at - 1 > first and out[at - 1] == _ZERO:
        at -= 1
    if at - 1 > first:
        for place in range(at, first + 1, -1):
            out[place] = out[place - 1]
        out[first + 1] = _POINT
        at += 1
    out[at] = _EXPONENT
    out[at + 1] = _MINUS
    out[at + 2] = _ZERO + power
    return at + 3


def _dotted(address: int, out: Bytes, at: int) -> int:
    for shift in (24, 16, 8, 0):
        at = _number(address >> shift & 255, out, at)
        if shift:
            out[at] = _POINT
            at += 1
    return at
