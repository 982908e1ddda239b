"""Frame tables: when two are the same, and what a clock shift leaves alone."""

from dataclasses import replace

import numpy as np
import pytest

from fourtuple.event.frames import FrameTable, FrameTableBuilder, table_of


def test_tables_are_equal_where_the_same_frames_were_seen_in_the_same_way() -> None:
    table = table_of([(b"abc", 1), (b"de", 2)])
    assert table == table_of([(b"abc", 1), (b"de", 2)])
    assert table != table_of([(b"abc", 1), (b"dX", 2)])
    assert table != table_of([(b"abc", 1)])
    assert table != "abc"


def test_where_in_a_buffer_the_frames_lie_makes_no_difference() -> None:
    spread = replace(
        table_of([(b"abc", 1), (b"de", 2)]),
        buffer=np.frombuffer(b"..de..abc", np.uint8),
        start=np.array([6, 2]),
    )
    assert spread == table_of([(b"abc", 1), (b"de", 2)])


@pytest.mark.parametrize("column", ["original", "t_ns", "left_ns", "vantage", "verdict"])
def test_every_column_counts(column: str) -> None:
    table = table_of([(b"abc", 1)])
    other: FrameTable = replace(table, **{column: getattr(table, column) + 1})
    assert table != other


def test_a_frame_that_never_left_has_not_left_on_any_clock() -> None:
    frames = FrameTableBuilder()
    frames.add(b"lost", 5, left_ns=0)
    frames.add(b"seen", 6, left_ns=9)
    shifted = frames.table().shifted(100)
    assert (shifted.t_ns.tolist(), shifted.left_ns.tolist()) == ([105, 106], [0, 109])
