"""How long to wait: RFC 6298 within bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.scan.raw.timer import FLOOR_S, RoundTripTimer


def test_without_a_sample_it_waits_as_long_as_it_may() -> None:
    assert RoundTripTimer(0.5).timeout_s == 0.5


def test_the_first_sample_counts_three_times() -> None:
    timer = RoundTripTimer(10)
    timer.sample(1.0)
    assert timer.timeout_s == pytest.approx(1.0 + 4 * 0.5)  # RFC 6298, 2.2


def test_later_samples_move_it_by_an_eighth_and_a_quarter() -> None:
    timer = RoundTripTimer(10)
    timer.sample(1.0)
    timer.sample(2.0)
    variation = 0.75 * 0.5 + 0.25 * 1.0
    assert timer.timeout_s == pytest.approx(1.125 + 4 * variation)


def test_a_network_faster_than_the_floor_is_waited_for_as_long_as_the_floor() -> None:
    timer = RoundTripTimer(0.5)
    for _ in range(100):
        timer.sample(0.00001)
    assert timer.timeout_s == FLOOR_S


@given(st.lists(st.floats(0, 100)), st.floats(0.01, 10))
def test_it_never_waits_longer_than_it_may(samples: list[float], ceiling_s: float) -> None:
    timer = RoundTripTimer(ceiling_s)
    for sample in samples:
        timer.sample(sample)
    assert min(ceiling_s, FLOOR_S) <= timer.timeout_s <= ceiling_s
