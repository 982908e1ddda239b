"""Times as people read them."""

import pytest

from fourtuple.render.numbers import duration, milliseconds


@pytest.mark.parametrize(
    ("t_ns", "text"),
    [
        (0, "0 us"),
        (350_000, "350 us"),
        (999_600, "1 ms"),
        (40_123_000, "40.1 ms"),
        (999_600_000, "1 s"),
        (1_020_000_000, "1.02 s"),
        (99_600_000_000, "1 min 40 s"),
        (125_000_000_000, "2 min 5 s"),
        (7_260_000_000_000, "2 h 1 min"),
    ],
)
def test_a_duration_has_the_unit_that_suits_it(t_ns: int, text: str) -> None:
    assert duration(t_ns) == text


def test_the_ladder_counts_hundredths_of_milliseconds() -> None:
    assert milliseconds(42_104_999) == "42.10"
