"""Rows put aside: in memory or in a file, they come back the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.analyze.survey.spill import Spill

pieces = st.lists(st.lists(st.integers(-(2**60), 2**60), max_size=9), max_size=6)


@given(pieces, st.sampled_from([0, 64, 10**9]))
def test_what_comes_back_is_what_was_put_aside(values, limit):
    spill = Spill(2, limit)
    rows = [np.array([(value, -value) for value in one], np.int64).reshape(-1, 2) for one in values]
    for one in rows:
        spill.add(one)
    whole = np.concatenate([np.zeros((0, 2), np.int64), *rows])
    assert len(spill) == len(whole)
    assert [spill.column(c).tolist() for c in (0, 1)] == whole.T.tolist()


@pytest.mark.parametrize("limit", [0, 10**9])
def test_rows_come_by_their_key_whatever_the_order_in_which_they_came(limit):
    spill = Spill(2, limit)
    for key in (3, 1, 2, 1):
        spill.add(np.array([[key, 10 * key]]))
    ordered = spill.order(0)
    assert ordered.rows(1, 3).tolist() == [[1, 10], [1, 10], [2, 20]]
    assert ordered.rows(3, 9).tolist() == [[3, 30]]
    assert len(ordered.rows(4, 9)) == 0


def test_what_is_put_aside_is_a_copy():
    rows, spill = np.ones((1, 1), np.int64), Spill(1)
    spill.add(rows)
    rows[0] = 7
    assert spill.column(0).tolist() == [1]
