"""What the compiled survey does with sequence numbers: analyze.numbers, over tables.

See wire._kernels for what a kernel may be. `row` is a connection's, `s` where a
side's columns begin in it, `more` its row in the second table, `x` where the side's begin there.
"""

from __future__ import annotations

from fourtuple.analyze.survey import _layout as at

Column = memoryview
Rows = list[memoryview]  # Columns

_HALF, _MASK = 1 << 31, (1 << 32) - 1


def place(number: int, base: int, near: int) -> int:
    """The relative number nearest to `near` of all that wrap to the raw `number`."""
    return near + ((number - base - near + _HALF) & _MASK) - _HALF


def own(row: Column, extra_free: Column, control: Column) -> None:
    """See that the connection has a row in the second table."""
    if row[at.EXTRA] == 0:
        if control[at.C_EXTRA_FREE] > 0:
            control[at.C_EXTRA_FREE] -= 1
            row[at.EXTRA] = extra_free[control[at.C_EXTRA_FREE]]
        else:
            row[at.EXTRA] = control[at.C_EXTRAS]
            control[at.C_EXTRAS] += 1


def receive(row: Column, s: int, more: Column, x: int, begin: int, end: int) -> None:
    """Numbers reached a side in order, or filled a gap; those that came early are `keep`'s."""
    if not row[s + at.BITS] & at.B_RECEIVED:
        row[s + at.BITS] |= at.B_RECEIVED
        row[s + at.RECEIVED] = begin
    if end > row[s + at.RECEIVED]:
        row[s + at.RECEIVED] = end
    if more[x + at.SPANS] > 0:
        _close_gaps(row, s, more, x)


def confirm(row: Column, s: int, more: Column, x: int, number: int) -> None:
    """Everything before `number` must have reached this side: it says so."""
    if not row[s + at.BITS] & at.B_RECEIVED or number > row[s + at.RECEIVED]:
        row[s + at.BITS] |= at.B_RECEIVED
        row[s + at.RECEIVED] = number
        if more[x + at.SPANS] > 0:
            _close_gaps(row, s, more, x)


def _close_gaps(row: Column, s: int, more: Column, x: int) -> None:
    count = more[x + at.SPANS] + 0
    reached = 0
    while reached < count and more[x + at.SPAN_1 + 2 * reached] <= row[s + at.RECEIVED]:
        end = more[x + at.SPAN_1 + 2 * reached + 1] + 0
        if end > row[s + at.RECEIVED]:
            row[s + at.RECEIVED] = end
        reached += 1
    if reached:
        for span in range(2 * (count - reached)):
            more[x + at.SPAN_1 + span] = more[x + at.SPAN_1 + 2 * reached + span]
        more[x + at.SPANS] = count - reached


def keep(more: Column, x: int, begin: int, end: int) -> None:
    """Numbers came early. Of more than four spans the one furthest ahead is forgotten."""
    count = more[x + at.SPANS] + 0
    first = 0
    while first < count and more[x + at.SPAN_1 + 2 * first + 1] < begin:
        first += 1
    last = first
    while last < count and more[x + at.SPAN_1 + 2 * last] <= end:
        begin = min(begin, more[x + at.SPAN_1 + 2 * last] + 0)
        end = max(end, more[x + at.SPAN_1 + 2 * last + 1] + 0)
        last += 1
    if last == first:
        if count == at.SPAN_LIMIT:
            if first == count:
                return
            count -= 1
        for span in range(2 * count - 1, 2 * first - 1, -1):
            more[x + at.SPAN_1 + span + 2] = more[x + at.SPAN_1 + span]
        count += 1
    else:
        gone = last - first - 1
        for span in range(2 * (first + 1), 2 * (count - gone)):
            more[x + at.SPAN_1 + span] = more[x + at.SPAN_1 + span + 2 * gone]
        count -= gone
    more[x + at.SPAN_1 + 2 * first] = begin
    more[x + at.SPAN_1 + 2 * first + 1] = end
    more[x + at.SPANS] = count


def has_come(more: Column, x: int, number: int) -> bool:
    """Whether a number is in what came early."""
    for span in range(more[x + at.SPANS]):
        begin = x + at.SPAN_1 + 2 * span
        if more[begin] <= number < more[begin + 1]:
            return True
    return False
