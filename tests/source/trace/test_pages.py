"""Pages of the ring buffer, made here by the kernel's own description of them."""

import struct
import sys

from hypothesis import given
from hypothesis import strategies as st

from fourtuple.source.trace.formats import parse_layout
from fourtuple.source.trace.pages import Page, read_page
from source.trace.test_formats import PAGE

LAYOUT = parse_layout(PAGE)
LITTLE = sys.byteorder == "little"


def head(kind: int, delta: int) -> bytes:
    return struct.pack("=I", kind | delta << 5 if LITTLE else kind << 27 | delta)


def event(record: bytes, delta: int, *, long: bool = False) -> bytes:
    """A record with its head: lengths up to 28 words are in the head itself."""
    words, left = divmod(len(record), 4)
    assert not left
    if words > 28 or not words or long:
        return head(0, delta) + struct.pack("=I", len(record) + 4) + record
    return head(words, delta) + record


def extend(delta: int) -> bytes:
    return head(30, delta & (1 << 27) - 1) + struct.pack("=I", delta >> 27)


def stamp(t_ns: int) -> bytes:
    low = t_ns & (1 << 59) - 1
    return head(31, low & (1 << 27) - 1) + struct.pack("=I", low >> 27)


def page(*parts: bytes, t_ns: int = 1_000, flags: int = 0, behind: bytes = b"") -> bytes:
    data = b"".join(parts)
    return (struct.pack("=QQ", t_ns, len(data) | flags) + data + behind).ljust(4096, b"\0")


def test_times_add_up_from_the_page_s_own() -> None:
    found = read_page(page(event(b"aaaa", 0), event(b"bbbbcccc", 7), event(b"d" * 200, 3)), LAYOUT)
    assert found == Page([(1000, b"aaaa"), (1007, b"bbbbcccc"), (1010, b"d" * 200)], 0, False)


def test_a_long_pause_has_a_record_of_its_own() -> None:
    found = read_page(page(event(b"aaaa", 1), extend(1 << 40), event(b"bbbb", 2)), LAYOUT)
    assert [t_ns for t_ns, _ in found.records] == [1001, 1003 + (1 << 40)]


def test_an_absolute_time_takes_its_highest_bits_from_the_page() -> None:
    began = (3 << 59) + 5
    found = read_page(page(stamp(began + 100), event(b"aaaa", 4), t_ns=began), LAYOUT)
    assert [t_ns for t_ns, _ in found.records] == [began + 104]


def test_what_was_taken_back_is_passed_over() -> None:
    taken_back = head(29, 1) + struct.pack("=I", 12) + b"x" * 8
    found = read_page(page(event(b"aaaa", 0), taken_back, event(b"bbbb", 2)), LAYOUT)
    assert found.records == [(1000, b"aaaa"), (1003, b"bbbb")]


def test_padding_ends_the_page() -> None:
    found = read_page(page(event(b"aaaa", 0), head(29, 0), event(b"bbbb", 2)), LAYOUT)
    assert (found.records, found.damaged) == ([(1000, b"aaaa")], False)


def test_events_that_were_lost_before_a_page_are_counted_where_the_kernel_does() -> None:
    counted = page(event(b"aaaa", 0), flags=3 << 30, behind=struct.pack("=Q", 42))
    assert read_page(counted, LAYOUT).missed == 42
    assert read_page(page(event(b"aaaa", 0), flags=1 << 31), LAYOUT).missed is None
    assert read_page(page(event(b"aaaa", 0)), LAYOUT).missed == 0


def test_a_record_that_claims_more_than_the_page_has_is_damage() -> None:
    found = read_page(page(event(b"aaaa", 0), head(28, 1)), LAYOUT)
    assert (found.records, found.damaged) == ([(1000, b"aaaa")], True)
    beyond = read_page(struct.pack("=QQ", 0, 5000) + event(b"aaaa", 0), LAYOUT)
    assert (beyond.records, beyond.damaged) == ([(0, b"aaaa")], True)


records = st.lists(
    st.tuples(
        st.integers(0, (1 << 50) - 1),
        st.integers(0, 40).map(lambda words: words * 4),
        st.booleans(),
        st.booleans(),
    ),
    max_size=20,
)


@given(records, st.integers(0, (1 << 59) - 1))
def test_what_was_written_is_read(written: list[tuple[int, int, bool, bool]], t_ns: int) -> None:
    parts, expected, now = [], [], t_ns
    for delta, size, absolute, long in written:
        now += delta
        record = bytes(range(size % 251))[:size].ljust(size, b"\1")
        if absolute and now >> 59 == t_ns >> 59:
            parts += [stamp(now), event(record, 0, long=long)]
        elif delta >> 27:
            parts += [extend(delta), event(record, 0, long=long)]
        else:
            parts.append(event(record, delta, long=long))
        expected.append((now, record))
    assert read_page(page(*parts, t_ns=t_ns), LAYOUT) == Page(expected, 0, False)


@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_read_without_a_complaint(data: bytes) -> None:
    found = read_page(data, LAYOUT)
    assert sum(len(record) for _, record in found.records) <= len(data)
