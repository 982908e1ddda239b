"""What is said, and when: descriptors, repeated messages, lines that someone types."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.talk.dial.source import Nothing, Prepared, Reader, Typed


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    readable, writable = os.pipe()
    yield readable, writable
    for descriptor in (readable, writable):
        try:
            os.close(descriptor)
        except OSError:
            continue


def test_a_descriptor_is_taken_as_it_comes(pipe: tuple[int, int]) -> None:
    readable, writable = pipe
    source = Reader(readable)
    os.write(writable, b"a\r\n\0b")
    assert source.take(0.0) == [b"a\r\n\0b"]
    os.close(writable)
    assert source.take(0.0) is None


def test_datagrams_are_no_longer_than_asked_for(pipe: tuple[int, int]) -> None:
    source = Reader(pipe[0], most=3)
    os.write(pipe[1], b"abcdefg")
    assert [source.take(0.0), source.take(0.0), source.take(0.0)] == [[b"abc"], [b"def"], [b"g"]]


@given(
    st.lists(st.binary(max_size=6).filter(lambda line: b"\n" not in line and line[-1:] != b"\r")),
    st.integers(1, 5),
)
def test_lines_are_the_same_however_they_are_cut(lines: list[bytes], most: int) -> None:
    readable, writable = os.pipe()
    try:
        os.write(writable, b"\n".join(lines))
        os.close(writable)
        source = Reader(readable, by_lines=True, most=most)
        found: list[bytes] = []
        while (taken := source.take(0.0)) is not None:
            found += taken
    finally:
        os.close(readable)
    # what stands behind the last line end is a line only if there is something
    assert found == (lines[:-1] if lines and not lines[-1] else lines)


def test_repeated_messages_keep_to_the_plan() -> None:
    source = Prepared([b"x"], 3, 1.0)
    assert source.due_s(10.0) == 0.0
    assert source.take(10.0) == [b"x"]
    assert source.due_s(10.25) == 0.75
    assert source.take(11.5) == [b"x"]  # late
    assert source.due_s(11.5) == 0.5  # the next one is not
    assert source.take(12.0) == [b"x"]
    assert source.take(12.0) is None


def test_who_was_asleep_for_long_does_not_send_all_at_once() -> None:
    source = Prepared([b"x"], 9, 1.0)
    source.take(0.0)
    source.take(100.0)
    assert source.due_s(100.0) == pytest.approx(0.0)
    source.take(100.0)
    assert source.due_s(100.0) == pytest.approx(1.0)


def test_what_was_typed_before_the_end_is_still_said() -> None:
    source = Typed()
    source.put(b"a\n")
    source.put(b"b\n")
    source.end(quits=False)
    assert source.take(0.0) == [b"a\n", b"b\n"]
    assert source.take(0.0) is None
    assert not source.quits
    source.close()


def test_nothing_never_ends() -> None:
    source = Nothing()
    assert (source.fileno(), source.due_s(0.0), source.take(0.0)) == (None, None, [])
