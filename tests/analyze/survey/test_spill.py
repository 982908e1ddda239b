"""Rows put aside: in memory or in a file, they come back the same."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.analyze.survey._layout import FACT
from fourtuple.analyze.survey.spill import Shelf, Spill
from fourtuple.compiled import interpreted, kernels

MODULE = "fourtuple.analyze.survey._kernels"

pieces = st.lists(st.lists(st.integers(-(2**60), 2**60), max_size=9), max_size=6)


@given(pieces, st.sampled_from([0, 64, 10**9]))
def test_what_comes_back_is_what_was_put_aside(values, limit):
    aside = Spill(2, limit)
    rows = [np.array([(value, -value) for value in one], np.int64).reshape(-1, 2) for one in values]
    for one in rows:
        aside.add(one)
    whole = np.concatenate([np.zeros((0, 2), np.int64), *rows])
    assert len(aside) == len(whole)
    assert [aside.column(c).tolist() for c in (0, 1)] == whole.T.tolist()


numbers = st.one_of(
    st.just(0), st.integers(-3, 70_000), st.sampled_from([2**31 - 1, 2**31, -(2**31), -(2**31) - 1])
) | st.integers(-(2**63), 2**63 - 1)


@given(st.data(), st.sampled_from([kernels, interpreted]))
def test_facts_come_back_by_their_keys_as_they_were(data, load):
    keys = data.draw(st.lists(st.integers(0, 9), max_size=9, unique=True))
    facts = np.zeros((len(keys), FACT), np.int64)
    for row in facts:
        places = data.draw(st.dictionaries(st.integers(0, FACT - 1), numbers, max_size=20))
        row[list(places)] = list(places.values())
    shelf, cut = Shelf(load(MODULE)), data.draw(st.integers(0, len(keys)))
    for part in (slice(0, cut), slice(cut, None)):
        shelf.add(np.array(keys[part], np.int64), facts[part])
    assert len(shelf) == len(keys)
    first, count = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 9))
    found = np.full((FACT, count), 7)
    shelf.ordered().columns(first, found)
    for place in range(count):
        here = facts[keys.index(first + place)] if first + place in keys else np.full(FACT, 7)
        assert found[:, place].tolist() == here.tolist()


def test_facts_that_are_many_come_back_from_a_file():
    shelf = Shelf(interpreted(MODULE), words=Spill(1, limit=100))
    facts = np.arange(20 * FACT).reshape(20, FACT)
    for row in range(0, 20, 5):
        shelf.add(np.arange(row, row + 5), facts[row : row + 5])
    ordered, found = shelf.ordered(), np.zeros((FACT, 7), np.int64)
    assert ordered.mapped is not None
    ordered.columns(6, found)
    assert (facts[6:13] == found.T).all()


def test_what_is_put_aside_is_a_copy():
    rows, aside = np.ones((1, 1), np.int64), Spill(1)
    aside.add(rows)
    rows[0] = 7
    assert aside.column(0).tolist() == [1]
