"""Text measured in cells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.render.text import clean, clip, pad, width_of, wrap


def test_a_chinese_character_fills_two_cells() -> None:
    assert width_of("三次握手 ok") == 11


@pytest.mark.parametrize(
    ("dirty", "harmless"),
    [
        ("plain", "plain"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc", "a b c"),
        ("\ud800", "\\ud800"),
        ("\u202eevil", "\\u202eevil"),
    ],
)
def test_nothing_drives_the_terminal(dirty: str, harmless: str) -> None:
    assert clean(dirty) == harmless


@given(st.text())
def test_cleaned_text_is_printable(text: str) -> None:
    assert clean(text).isprintable()


def test_a_cut_is_marked() -> None:
    assert clip("connect(10.77.0.2:8888)", 10) == "connect(1…"


def test_a_cut_never_halves_a_character() -> None:
    assert clip("确认号", 4) == "确…"
    assert pad("确认号", 4) == "确… "


@given(st.text(max_size=40), st.integers(0, 50), st.booleans())
def test_padded_text_fills_its_cells_exactly(text: str, width: int, right: bool) -> None:
    assert width_of(pad(clean(text), width, right=right)) == width


def test_english_breaks_at_blanks() -> None:
    assert wrap("every byte up to 14 has arrived", 14) == ["every byte up", "to 14 has", "arrived"]


def test_chinese_breaks_anywhere_but_before_a_full_stop() -> None:
    assert wrap("第三步确认。", 10) == ["第三步确", "认。"]


def test_a_bracket_stays_with_what_it_opens() -> None:
    assert wrap("一二三（四）", 8) == ["一二三", "（四）"]


@given(st.text(max_size=80), st.integers(2, 30))
def test_no_line_is_too_wide_and_no_character_is_lost(text: str, width: int) -> None:
    text = clean(text)
    lines = wrap(text, width)
    assert all(width_of(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_characters_that_join_into_one_do_not_make_a_line_too_wide() -> None:
    hearts = "\u2764\ufe0f" * 6
    assert all(width_of(line) <= 4 for line in wrap(hearts + "ab", 4))
    assert width_of(clip(hearts, 3)) <= 3
    assert width_of(pad(hearts, 3)) == 3


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", ["x" * 1_000_000, "中" * 300_000, " " * 1_000_000])
def test_a_hostile_word_of_any_length_is_divided_in_linear_time(text: str) -> None:
    assert "".join(wrap(text, 100)) == text.rstrip(" ")
