"""Pages of the kernel's ring buffer -> records with their times (include/linux/ring_buffer.h).

A page begins with a time stamp and the length of its data; each record has a head of 32 bits, five
for kind or length and 27 for the nanoseconds since the record before. Rules: a page is understood
by itself; bytes that make no sense end it, and are counted as damage, never raised.
"""

import struct
import sys
from dataclasses import dataclass

from fourtuple.source.trace.formats import Layout

__all__ = ["Page", "page_time", "read_page"]

# ring_buffer_type: what type_len says beyond lengths in words
_PADDING, _TIME_EXTEND, _TIME_STAMP = 29, 30, 31
_DELTA_BITS, _DELTA_MASK = 27, (1 << 27) - 1
#: flags in the high bits of the commit field (kernel/trace/ring_buffer.c)
_MISSED_EVENTS, _MISSED_STORED = 1 << 31, 1 << 30
_LENGTH_MASK = (1 << 27) - 1
#: an absolute time stamp has only its lower 59 bits
_STAMP_MASK = (1 << 59) - 1
_WORD = struct.Struct("=I")
_LITTLE = sys.byteorder == "little"


@dataclass(frozen=True, slots=True)
class Page:
    """What a page holds: (t_ns, record) pairs in order.

    missed    events that were lost before it; None where the kernel does not say how many
    damaged   its bytes made no sense from some place on
    """

    records: list[tuple[int, bytes]]
    missed: int | None
    damaged: bool


def page_time(page: bytes, layout: Layout) -> int:
    """When a page begins, in nanoseconds: none of its events is earlier."""
    at = layout.timestamp.offset
    return int.from_bytes(page[at : at + layout.timestamp.size], sys.byteorder)


def read_page(page: bytes, layout: Layout) -> Page:
    """Take a page apart."""
    commit_at = layout.commit.offset
    commit = int.from_bytes(page[commit_at : commit_at + layout.commit.size], sys.byteorder)
    t_ns = page_time(page, layout)
    end = layout.data + (commit & _LENGTH_MASK)
    records, damaged = _records(page, layout.data, min(end, len(page)), t_ns)
    return Page(records, _missed(page, commit, end), damaged or end > len(page))


def _missed(page: bytes, commit: int, end: int) -> int | None:
    if not commit & _MISSED_EVENTS:
        return 0
    if not commit & _MISSED_STORED or end + 8 > len(page):
        return None
    return int.from_bytes(page[end : end + 8], sys.byteorder)


def _records(page: bytes, at: int, end: int, t_ns: int) -> tuple[list[tuple[int, bytes]], bool]:
    found: list[tuple[int, bytes]] = []
    word = _WORD.unpack_from
    while at + 4 <= end:
        (head,) = word(page, at)
        kind, delta = (head & 31, head >> 5) if _LITTLE else (head >> 27, head & _DELTA_MASK)
        at += 4
        if 0 < kind < _PADDING:
            size = kind * 4
        elif at + 4 > end:
            return found, kind != _PADDING or delta != 0
        else:
            (size,) = word(page, at)
            if kind == _TIME_EXTEND:
                t_ns += (size << _DELTA_BITS) + delta
                at += 4
                continue
            if kind == _TIME_STAMP:
                t_ns = (t_ns & ~_STAMP_MASK) | ((size << _DELTA_BITS) + delta)
                at += 4
                continue
            if kind == _PADDING:
                if not delta:  # nothing more on this page
                    break
                at += size  # a record that was taken back
                t_ns += delta
                continue
            at, size = at + 4, size - 4  # a long one: its length has a word of its own
        if size < 0 or at + size > end:
            return found, True
        t_ns += delta
        found.append((t_ns, page[at : at + size]))
        at += size
    return found, False
