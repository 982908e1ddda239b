"""The order of a connect scan: each probe once, far from its neighbours, shards without overlap."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fourtuple.scan.connect.engine import probes_of
from fourtuple.scan.connect.order import Order

sizes = st.integers(1, 3000)
seeds = st.integers(-(2**40), 2**40)


@given(sizes, seeds)
def test_everything_comes_once(size: int, seed: int) -> None:
    order = Order(size, seed)
    assert sorted(order.at(position) for position in range(size)) == list(range(size))


@given(seeds)
def test_the_same_seed_gives_the_same_order(seed: int) -> None:
    first, again = Order(1000, seed), Order(1000, seed)
    assert [first.at(p) for p in range(1000)] == [again.at(p) for p in range(1000)]


def test_another_seed_gives_another_order() -> None:
    assert len({tuple(Order(1000, seed).at(p) for p in range(5)) for seed in range(20)}) == 20


def test_neighbours_in_time_are_far_apart() -> None:
    order = Order(65535, 0)
    seen = [order.at(position) for position in range(1000)]
    assert min(abs(a - b) for a, b in pairwise(seen)) > 10000


@given(st.integers(1, 9), st.integers(0, 99))
def test_shards_share_nothing_and_leave_nothing_out(shards: int, seed: int) -> None:
    targets, ports = ["10.0.0.1", "10.0.0.2", "10.0.0.3"], list(range(1, 40))
    size = len(targets) * len(ports)
    parts = [
        list(probes_of(targets, ports, seed, range(number, size, shards)))
        for number in range(shards)
    ]
    together = [probe for part in parts for probe in part]
    assert sorted(together) == sorted((t, p) for t in targets for p in ports)
