"""The survey says of every connection, and of every frame, what the whole way says."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analyze.crowds import babble, crowd, cuts, merged
from analyze.surveyed import facts_of, frames_of, survey, surveyed_facts, surveyed_frames
from fourtuple.analyze import connections
from fourtuple.analyze.survey import _layout as at
from fourtuple.analyze.survey.passing import _in_order
from fourtuple.compiled import available
from fourtuple.event.frames import FrameTableBuilder, Vantage
from fourtuple.event.timeline import Timeline
from story import MS, Story, closed, exchange, opened, refused, unread

seeds = st.integers(0, 1_000_000)
HOUR_MS = 3_600_000


def agree(timeline: Timeline, **how: object) -> None:
    whole = connections(timeline)
    found, known = survey(timeline, **how)
    rows = surveyed_facts(found)
    assert len(rows) == len(whole)
    for connection, row in zip(whole, rows, strict=True):
        expected = facts_of(connection)
        if row["flags"] & at.S_ODD:  # a second look decides
            expected.pop("close", None)
        assert {name: row[name] for name in expected} == expected
    frames = surveyed_frames(found, known)
    for number, frame in frames_of(whole).items():
        assert frames[number - 1] == frame, number


needs_numba = pytest.mark.skipif(not available(), reason="numba is not installed")


@given(seeds)
@example(19_634)  # it begins before the capture's own clock does
@settings(max_examples=60)
def test_both_ways_agree_on_captures_left_to_chance(seed):
    agree(crowd(seed))


@given(seeds)
@settings(max_examples=30)
def test_how_frames_are_cut_into_steps_and_how_small_the_tables_are_changes_nothing(seed):
    timeline = crowd(seed, size=12)
    agree(timeline, cuts=cuts(seed, len(timeline.frames)), capacity=32)


@needs_numba
def test_compiled_the_kernels_say_the_same():
    for seed in range(40):
        agree(crowd(seed), compiled=True)


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=needs_numba)])
def test_frames_that_are_tracked_aside_give_the_same_facts(compiled):
    for seed in range(10):
        timeline = crowd(seed, size=12)
        limits = cuts(seed, len(timeline.frames))
        here, _ = survey(timeline, compiled=compiled, capacity=32, cuts=limits)
        aside, known = survey(timeline, compiled=compiled, capacity=32, cuts=limits, every=False)
        assert surveyed_facts(aside) == surveyed_facts(here)
        assert aside.frames == here.frames
        assert not len(known)


@given(seeds)
@settings(max_examples=15)
def test_ipv6_gives_the_same_facts(seed):
    stories = (babble(seed, family=family, identified=False) for family in (4, 6))
    four, six = (surveyed_facts(survey(story.timeline())[0]) for story in stories)
    differ = {"family", "client", "server", "flags"}
    differ |= {f"{role}_{half}" for role in ("client", "server") for half in ("high", "low")}
    for a, b in zip(four, six, strict=True):
        assert {n for n in a if a[n] != b[n]} == differ


@pytest.mark.parametrize("tell", [exchange, refused, unread])
def test_stories_agree(tell):
    agree(tell(complete=False).timeline())


def test_numbers_that_wrap_are_counted_on():
    def tale(isn: int) -> Story:
        story = Story(complete=False)
        story.client.isn = isn
        story.client.syn()
        story.server.syn_ack()
        story.client.ack()
        for _ in range(5):
            story.client.send(1000)
            story.server.ack()
        story.client.send(1000, seq=story.client.next - 1000)
        return closed(story)

    for isn in (2**32 - 2500, 2**31 - 2500):
        agree(tale(isn).timeline())
    (far,), (near,) = (surveyed_facts(survey(tale(i).timeline())[0]) for i in (2**32 - 2500, 7))
    assert {n for n in far if far[n] != near[n]} == {"client_initial_seq"}


def test_a_four_tuple_that_is_used_again_is_another_connection_and_a_repeated_syn_is_not():
    story = Story(complete=False)
    story.client.syn()
    story.wait(1000)
    story.client.syn(seq=0)
    story.server.syn_ack()
    story.client.ack()
    closed(story)
    story.reborn()
    story.client.syn()
    story.server.rst_ack()
    rows = surveyed_facts(survey(story.timeline())[0])
    assert [row["reused_ports"] for row in rows] == [0, 1]
    assert [row["client_packets"] for row in rows] == [5, 1]
    agree(story.timeline())


def test_what_is_over_leaves_and_its_row_is_used_again():
    """A thousand connections, one after another, in a table that has room for a few."""
    tales = [exchange(ports=(p, 80), complete=False, begin_ns=p * 10**11) for p in range(1, 1001)]
    timeline = merged([tale.timeline() for tale in tales])
    found, _ = survey(timeline, capacity=4096, cuts=list(range(0, len(timeline.frames) + 1, 11)))
    assert len(found.survey.rows) == 4096
    limited, _ = survey(timeline, capacity=64, cuts=list(range(0, len(timeline.frames) + 1, 11)))
    assert len(limited.survey.rows) == 64
    assert surveyed_facts(found) == surveyed_facts(limited)
    assert len(found) == 1000


def test_a_table_grows_with_what_is_open_and_loses_nothing():
    """A connection a second, and each waits for a minute: more than sixty rows are needed."""
    tales = [exchange(ports=(p, 80), complete=False, begin_ns=p * 10**9) for p in range(1, 201)]
    timeline = merged([tale.timeline() for tale in tales])
    cuts = list(range(0, len(timeline.frames) + 1, 11))
    roomy, _ = survey(timeline, capacity=4096, cuts=cuts)
    grown, _ = survey(timeline, capacity=8, cuts=cuts)
    assert 60 <= len(grown.survey.rows) < 200
    assert len(grown.survey.slots) >= 2 * len(grown.survey.rows)
    assert len(roomy.survey.facts) == 0 < len(grown.survey.facts)
    assert surveyed_facts(grown) == surveyed_facts(roomy)
    assert len(grown) == 200


def test_an_open_connection_stays_for_hours():
    story = opened(complete=False)
    story.client.send(100)
    story.wait(2 * HOUR_MS)
    story.client.send(100)
    assert len(survey(story.timeline())[0]) == 1
    agree(story.timeline())


@pytest.mark.parametrize(("minutes", "lives"), [(0.9, 1), (1.1, 2)])
def test_one_that_ended_takes_nothing_after_a_minute(minutes, lives):
    story = exchange(complete=False)
    story.wait(minutes * 60_000)
    story.client.ack()
    assert len(connections(story.timeline())) == lives
    agree(story.timeline())


@pytest.mark.parametrize(("minutes", "talks"), [(4.9, 1), (5.1, 2)])
def test_a_udp_conversation_ends_with_five_minutes_of_silence(minutes, talks):
    story = Story(complete=False)
    story.datagram(story.client, 9)
    story.wait(minutes * 60_000)
    story.datagram(story.client, 9)
    assert len(connections(story.timeline())) == talks
    agree(story.timeline())


def test_of_several_vantage_points_each_four_tuple_counts_at_the_one_that_saw_most():
    near, far = exchange(ports=(1, 80), complete=False), exchange(ports=(2, 80), complete=False)
    builder = FrameTableBuilder()
    for number, data in enumerate(near.timeline().frames):
        builder.add(data, number * MS, vantage=0)
        if number % 2:
            builder.add(data, number * MS, vantage=1)
    for number, data in enumerate(far.timeline().frames):
        builder.add(data, number * MS, vantage=1)
    timeline = Timeline((Vantage("near"), Vantage("far")), builder.table())
    agree(timeline)
    rows = surveyed_facts(survey(timeline)[0])
    assert [(row["index"], row["vantage"]) for row in rows] == [(0, 0), (1, 1)]


@given(seeds)
@settings(max_examples=15)
def test_shuffled_capture_points_change_no_connection_but_its_number(seed):
    """The same frames, seen at either of two points as it happens, but each tuple at one."""
    timeline = crowd(seed)
    points = (timeline.columns.source_port + timeline.columns.destination_port) % 2
    vantages = (Vantage("one"), Vantage("other"))
    frames = replace(timeline.frames, vantage=points.astype(np.int64))
    agree(replace(timeline, vantages=vantages, frames=frames))
    apart = surveyed_facts(survey(replace(timeline, vantages=vantages, frames=frames))[0])
    together = surveyed_facts(survey(timeline)[0])
    assert [{**row, "vantage": 0} for row in apart] == together


def test_nothing_at_all_is_no_connection():
    found, _ = survey(Timeline())
    assert (len(found), surveyed_facts(found)) == (0, [])


@pytest.mark.parametrize("largest", [9, 2**40])
def test_evidence_is_in_order_of_connection_kind_and_frame(largest):
    """Whether or not a key and a frame's number fit into one word."""
    chance = np.random.default_rng(largest)
    keys, frames = chance.integers(0, largest, (2, 500))
    expected = sorted(zip(keys.tolist(), frames.tolist(), strict=True))
    in_order = _in_order(keys.copy(), frames.copy())
    assert [*zip(*(column.tolist() for column in in_order), strict=True)] == expected
