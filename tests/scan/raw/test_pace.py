"""How fast to send: answers that keep their share speed up, a share that falls slows down."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.scan.raw.pace import FAR, NEAR, LimitedPace, Pace


def judged(pace: Pace, *slices: tuple[int, int]) -> Pace:
    """A pace that saw slices of (sent, answered), one a second."""
    for second, (sent, answered) in enumerate(slices):
        pace.judge(sent, answered, second, second + 0.5)
    return pace


def test_while_all_is_answered_the_rate_doubles() -> None:
    assert judged(Pace(NEAR), (100, 100), (100, 100)).rate == 4 * NEAR.first


def test_it_grows_to_its_bound_and_no_further() -> None:
    assert judged(Pace(FAR), *[(100, 100)] * 30).rate == FAR.most


def test_ports_that_never_answer_slow_nothing_down() -> None:
    assert judged(Pace(FAR), *[(100, 0)] * 3).rate == 8 * FAR.first


def test_a_share_that_stays_as_it_was_is_no_sign_of_haste() -> None:
    assert judged(Pace(FAR), (100, 50), (100, 45), (100, 56)).rate == 8 * FAR.first


def test_a_share_that_falls_halves_the_rate() -> None:
    pace = judged(Pace(FAR), (100, 90), (100, 90))
    before = pace.rate
    pace.judge(100, 30, 10, 11)
    assert pace.rate == before / 2


def test_after_a_fall_the_rate_grows_by_a_tenth() -> None:
    pace = judged(Pace(FAR), (100, 90), (100, 30), (100, 90))
    assert pace.rate == pytest.approx(FAR.first * 2 / 2 * 1.1)


def test_a_slice_sent_before_the_rate_changed_does_not_judge_the_new_rate() -> None:
    pace = Pace(FAR)
    pace.judge(100, 100, sent_s=0, now_s=1)
    pace.judge(100, 100, sent_s=0.5, now_s=1.5)
    assert pace.rate == 2 * FAR.first


@given(st.lists(st.tuples(st.integers(1, 1000), st.floats(0, 1))))
def test_a_fixed_rate_is_kept(slices: list[tuple[int, float]]) -> None:
    seen = [(sent, int(sent * share)) for sent, share in slices]
    assert judged(Pace(NEAR, fixed=123), *seen).rate == 123


@given(st.floats(1, 1e6), st.lists(st.floats(0.0001, 0.1), min_size=1, max_size=50))
def test_no_more_is_allowed_than_the_rate_and_one_burst(rate: float, steps: list[float]) -> None:
    pace, now_s, sent = Pace(NEAR, fixed=rate), 0.0, 0
    for step in steps:
        allowed = pace.allowance(now_s)
        pace.sent(allowed)
        sent += allowed
        now_s += step
    assert sent <= 1 + (now_s - steps[-1]) * rate + 1e-6


def test_what_is_waited_for_is_allowed_then() -> None:
    pace = Pace(NEAR, fixed=10)
    pace.sent(pace.allowance(0))
    assert pace.allowance(0.05) == 0
    assert pace.allowance(0.05 + pace.wait_s() + 1e-9) == 1


def test_a_limited_target_is_asked_faster_while_it_answers_all() -> None:
    assert judged(LimitedPace(50), (4, 4), (4, 4)).rate == 200


def test_a_limited_target_that_misses_some_is_asked_slower() -> None:
    assert judged(LimitedPace(50), (4, 4), (4, 2)).rate == pytest.approx(100 / 1.5)


def test_a_new_round_lets_a_limited_target_recover_first() -> None:
    pace = judged(LimitedPace(10), (4, 4))
    pace.allowance(0)
    pace.restart()
    assert pace.rate == 10
    assert pace.allowance(0.1) == 0
    assert pace.wait_s() == pytest.approx(0.2)
