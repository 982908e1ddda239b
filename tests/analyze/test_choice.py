"""Which connections are asked for."""

from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyze.crowds import crowd, merged
from analyze.surveyed import survey
from fourtuple.analyze import connections
from fourtuple.analyze.choice import Choice
from story import MS, exchange

TWO = merged(
    [
        exchange(complete=False, begin_ns=10**9).timeline(),
        exchange(6, complete=False, ports=(50000, 443), begin_ns=2 * 10**9).timeline(),
    ]
)

networks = st.sampled_from(["10.77.0.1/32", "10.0.0.0/8", "fd77::/16", "::/0", "192.0.2.0/24"])
moments = st.none() | st.integers(10**9 - 5 * MS, 3 * 10**9)
choices = st.builds(
    Choice,
    st.lists(networks.map(ip_network), max_size=2).map(tuple),
    st.lists(st.sampled_from([40000, 40001, 8888, 443]), max_size=2).map(tuple),
    moments,
    moments,
    st.none() | st.sets(st.integers(0, 9)),
)


def chosen(choice: Choice) -> list[int]:
    return [one.index for one in connections(TWO) if choice.takes(one)]


@pytest.mark.parametrize(
    ("choice", "indices"),
    [
        (Choice(), [0, 1]),
        (Choice(ports=(443, 9)), [1]),
        (Choice(networks=(ip_network("10.77.0.2"),)), [0]),
        (Choice(networks=(ip_network("::/0"),)), [1]),
        (Choice(networks=(ip_network("10.77.0.2"),), ports=(443,)), []),
        (Choice(until_ns=15 * 10**8), [0]),
        (Choice(since_ns=15 * 10**8), [1]),
        (Choice(indices={1, 7}), [1]),
    ],
)
def test_every_part_that_is_given_must_fit(choice: Choice, indices: list[int]) -> None:
    assert chosen(choice) == indices


def test_a_connection_is_of_every_moment_that_it_lived_through() -> None:
    first = connections(TWO)[0]
    middle = (first.start_ns + first.end_ns) // 2
    for since, until in ((first.end_ns, None), (None, first.start_ns), (middle, middle)):
        assert 0 in chosen(Choice(since_ns=since, until_ns=until))
    assert 0 not in chosen(Choice(since_ns=first.end_ns + 1))
    assert 0 not in chosen(Choice(until_ns=first.start_ns - 1))


def test_the_clock_of_a_recording_is_allowed_for() -> None:
    first = connections(TWO)[0]
    assert Choice(since_ns=first.start_ns + 500 * 10**9).takes(first, epoch_ns=500 * 10**9)


def test_whether_it_names_connections_decides_about_frames_of_none() -> None:
    assert Choice().everything
    assert not Choice(until_ns=5).names_connections
    assert Choice(ports=(1,)).names_connections
    assert Choice(indices=()).names_connections
    assert Choice(since_ns=4, until_ns=6).covers(5)
    assert not Choice(since_ns=4, until_ns=6).covers(7)


@given(choices, st.integers(0, 3))
@settings(deadline=None)
def test_rows_and_objects_are_chosen_alike(choice: Choice, seed: int) -> None:
    timeline = TWO if seed == 3 else CROWDS[seed]
    found, _ = SURVEYS[seed]
    ours = [choice.takes(one) for one in connections(timeline)]
    assert [bool(row) for table in found.tables() for row in choice.rows(table)] == ours


CROWDS = [crowd(seed, size=4) for seed in range(3)]
SURVEYS = [survey(timeline) for timeline in (*CROWDS, TWO)]
