"""The order of probes: each thing once, however it is cut."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.scan.model import ScanOptions
from fourtuple.scan.raw.permutation import Permutation

sizes = st.integers(1, 5000)
seeds = st.integers(0, 2**64 - 1)


def order(size: int, seed: int) -> list[int]:
    return Permutation(size, seed).at(np.arange(size)).tolist()


@given(sizes, seeds)
def test_each_thing_has_one_place(size: int, seed: int) -> None:
    assert sorted(order(size, seed)) == list(range(size))


@given(sizes, seeds, st.integers(0, 4999))
def test_any_place_can_be_asked_for_by_itself(size: int, seed: int, place: int) -> None:
    place %= size
    alone = Permutation(size, seed).at(np.array([place]))
    assert alone.tolist() == [order(size, seed)[place]]


def test_seeds_give_orders_that_have_nothing_in_common() -> None:
    one, other = order(65535, 1), order(65535, 2)
    # two random orders agree at one place on average
    assert sum(a == b for a, b in zip(one, other, strict=True)) < 10
    assert one != sorted(one)


@given(sizes, st.integers(1, 20))
def test_shards_share_nothing_and_leave_nothing_out(size: int, shards: int) -> None:
    parts = [
        ScanOptions("syn", shard=(number + 1, shards)).positions(size) for number in range(shards)
    ]
    assert sorted(place for part in parts for place in part) == list(range(size))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
