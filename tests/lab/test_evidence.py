"""What is written of an expected and an observed value."""

from typing import Any

import pytest

from fourtuple.lab.evidence import difference, observed, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (15, "15"),
        ("SYN ACK", "SYN ACK"),
        (["SYN", "SYN ACK"], "SYN, SYN ACK"),
        (observed([1460, 1460, 30], "length"), "1460, 1460, 30"),
        (b"", "0 bytes"),
        (b"?", "1 byte: ?"),
        (b"20240001 Alice", "14 bytes: 20240001 Alice"),
        (b"\xcd\x01", "2 bytes: cd 01"),
        (b"a" * 2950, f"2950 bytes: {'a' * 16} …"),
    ],
)
def test_a_value_is_written_short_and_without_quotes(value: Any, text: str) -> None:
    assert shown(value) == text


def test_bytes_that_differ_late_are_shown_from_there_on() -> None:
    one, other = b"x" * 100 + b"yes", b"x" * 100 + b"yet"
    begin = difference(one, other)
    assert (shown(one, begin), shown(other, begin)) == ("103 bytes: … s", "103 bytes: … t")


@pytest.mark.parametrize(
    ("one", "other", "at"), [(b"ab", b"ab", 0), (b"ab", b"abc", 2), (b"", b"a", 0), (1, 2, 0)]
)
def test_bytes_differ_where_one_ends_or_differs(one: Any, other: Any, at: int) -> None:
    assert difference(one, other) == at
