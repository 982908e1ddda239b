"""Rows in columns, and what becomes of them where there is no room."""

from hypothesis import given
from hypothesis import strategies as st

from fourtuple.render.columns import columns
from fourtuple.render.text import width_of

ROWS = [("name", "rows", "question"), ("close", "A6 E4", "Why does closing take four segments?")]


def test_columns_are_as_wide_as_they_need_to_be_and_the_last_is_filled() -> None:
    assert columns(ROWS, 40) == [
        "name   rows   question",
        "close  A6 E4  Why does closing take four",
        "              segments?",
    ]


def test_where_the_last_has_no_room_it_stands_below() -> None:
    assert columns(ROWS, 30) == [
        "name  rows",
        "  question",
        "close  A6 E4",
        "  Why does closing take four",
        "  segments?",
    ]


def test_wide_characters_fill_two_cells() -> None:
    assert columns([("名称", "问"), ("a", "b")], 40) == ["名称  问", "a     b"]


cells = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=8)
tables = st.lists(st.tuples(cells, cells, st.lists(cells, min_size=1).map(" ".join)), max_size=5)


@given(tables, st.integers(24, 90))
def test_no_line_is_too_wide_and_no_word_is_lost(
    rows: list[tuple[str, str, str]], width: int
) -> None:
    lines = columns(rows, width)
    assert max(map(width_of, lines), default=0) <= width
    assert " ".join(lines).split() == " ".join(" ".join(row) for row in rows).split()
