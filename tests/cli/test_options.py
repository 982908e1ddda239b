"""What a value on the command line must be."""

import pytest

from fourtuple.cli.values import number, number_between, seconds
from fourtuple.errors import UsageError


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("12", 12), ("-3", -3)])
def test_a_whole_number_is_taken(text: str, value: int) -> None:
    assert number("--frame", text) == value


@pytest.mark.parametrize("text", ["", "one", "1.5", " 1", "1_000", "\u0661", "9" * 5000])
def test_anything_else_is_refused_with_the_option_and_the_value(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        number("--frame", text)
    assert str(caught.value).startswith("--frame takes a whole number; '")


@pytest.mark.parametrize(
    ("text", "taken"), [("40", True), ("400", True), ("39", False), ("401", False)]
)
def test_limits_are_included(text: str, taken: bool) -> None:
    if taken:
        assert number_between("--width", text, 40, 400) == int(text)
        return
    with pytest.raises(UsageError, match="from 40 to 400"):
        number_between("--width", text, 40, 400)


@pytest.mark.parametrize(("text", "value"), [("30", 30), ("0.5", 0.5), ("1e3", 1000)])
def test_a_time_may_be_a_fraction(text: str, value: float) -> None:
    assert seconds("--limit", text) == value


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon", ""])
def test_a_time_must_end_and_be_above_0(text: str) -> None:
    with pytest.raises(UsageError, match="--limit takes a number of seconds above 0"):
        seconds("--limit", text)
