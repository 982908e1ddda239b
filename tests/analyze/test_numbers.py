"""Relative numbers, and sums that show where a number comes from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.analyze import connections
from fourtuple.analyze.model import Arithmetic, SegmentFact
from fourtuple.analyze.numbers import Side, Taken, acknowledgment, unwrapped
from story import Story, exchange, opened

numbers32 = st.integers(0, 2**32 - 1)


def segments(story: Story) -> tuple[SegmentFact, ...]:
    (connection,) = connections(story.timeline())
    return connection.segments


def sums(segment: SegmentFact) -> list[str]:
    """A segment's sums as a person writes them."""

    def text(a: Arithmetic) -> str:
        terms = [str(a.base), *([str(a.data)] if a.data else []), *["1"] * (a.syn + a.fin)]
        return f"{a.kind} {a.actual} {'=' if a.holds else '!='} {' + '.join(terms)}"

    return [text(one) for one in segment.arithmetic]


@given(numbers32, numbers32, st.integers(-(2**40), 2**40))
def test_an_unwrapped_number_is_the_nearest_that_wraps_to_it(number, base, near):
    relative = unwrapped(number, base, near)
    assert (base + relative) % 2**32 == number
    assert -(2**31) <= relative - near < 2**31


def test_fourteen_bytes_each_way_have_the_documents_numbers():
    numbers = [(s.seq, s.ack, s.length) for s in segments(exchange())]
    assert numbers == [
        (0, None, 0),
        (0, 1, 0),
        (1, 1, 0),
        (1, 1, 14),
        (1, 15, 0),
        (1, 15, 14),
        (15, 15, 0),
        (15, 15, 0),
        (15, 16, 0),
        (15, 16, 0),
        (16, 16, 0),
    ]


def test_every_number_of_the_exchange_is_a_sum_of_what_came_before():
    syn, syn_ack, ack, hello, heard, *_, fin, fin_heard, _, last = segments(exchange())
    assert sums(syn) == []
    assert sums(syn_ack) == ["ack 1 = 0 + 1"]
    assert sums(ack) == ["seq 1 = 0 + 1", "ack 1 = 0 + 1"]
    assert sums(hello) == ["seq 1 = 0 + 1"]
    assert sums(heard) == ["seq 1 = 0 + 1", "ack 15 = 1 + 14"]
    assert sums(fin) == ["seq 15 = 1 + 14"]
    assert sums(fin_heard) == ["seq 15 = 1 + 14", "ack 16 = 15 + 1"]
    assert sums(last) == ["seq 16 = 15 + 1", "ack 16 = 15 + 1"]
    assert (syn_ack.arithmetic[0].syn, fin_heard.arithmetic[1].fin) == (1, 1)


def test_a_sum_names_the_frames_that_its_terms_come_from():
    story = opened()
    sent = [story.client.send(size) for size in (1460, 1460, 30)]
    story.server.ack()
    *_, third, acknowledged = segments(story)
    assert sums(third) == ["seq 2921 = 1461 + 1460"]
    assert third.arithmetic[0].frames == (sent[1],)
    assert sums(acknowledged)[1] == "ack 2951 = 1 + 2950"
    assert acknowledged.arithmetic[1].frames == tuple(sent)
    assert acknowledged.acked == 2950


def test_numbers_count_on_where_the_header_wraps():
    story = opened()  # the server's first number is 296 below 2^32
    for _ in range(3):
        story.server.send(200)
        story.client.ack()
    last_data, last_ack = segments(story)[-2:]
    assert (last_data.seq, last_data.raw_seq) == (401, (4_294_967_000 + 401) % 2**32)
    assert last_data.raw_seq < 2**31
    assert (last_ack.ack, sums(last_ack)[1]) == (601, "ack 601 = 401 + 200")


def test_an_acknowledgment_of_what_never_arrived_is_wrong_and_its_sum_stops():
    story = opened()
    story.client.send(10)
    story.server.ack(ack=61)
    wrong = segments(story)[-1]
    assert "wrong_ack" in wrong.notes
    assert sums(wrong)[1] == "ack 61 != 1 + 10"


def test_what_the_wire_dropped_may_not_be_acknowledged():
    story = opened()
    story.client.send(10, lost=True)
    story.server.ack(ack=11)
    assert "wrong_ack" in segments(story)[-1].notes


def test_the_same_number_in_a_capture_is_a_gap_not_an_error():
    story = opened(complete=False)
    story.client.send(10)
    story.server.ack(ack=61)
    notes = segments(story)[-1].notes
    assert "ack_lost_segment" in notes
    assert "wrong_ack" not in notes


def test_a_sender_that_skips_numbers_is_wrong_only_where_every_frame_was_seen():
    for complete, word in ((True, "wrong_seq"), (False, "lost_segment")):
        story = opened(complete=complete)
        story.client.send(10, seq=101)
        skipping = segments(story)[-1]
        assert word in skipping.notes
        assert sums(skipping)[0] == "seq 101 != 0 + 1"


def test_an_acknowledgment_proves_delivery_though_its_stamp_is_earlier():
    """Both ends of a delivery are stamped by different readings of a clock."""
    story = opened()
    story.client.send(10, late_ms=1.5)
    story.server.ack(ack=11)
    acknowledged = segments(story)[-1]
    assert acknowledged.t_ns < segments(story)[-2].left_ns
    assert "wrong_ack" not in acknowledged.notes


def test_a_capture_that_starts_late_counts_each_side_from_its_first_byte():
    story = Story(complete=False)
    for party in (story.client, story.server):
        party.next = party.expects = 5000
    story.client.send(10)
    story.server.ack()
    first, second = segments(story)
    assert (first.seq, first.ack, first.length) == (1, 1, 10)
    assert (second.seq, second.ack) == (1, 11)
    assert sums(second) == ["ack 11 = 1 + 10"]


def test_the_rst_of_a_closed_port_is_shown_as_wireshark_shows_it():
    """Its raw number is 0, and belongs to no sequence (RFC 9293, section 3.10.7.1)."""
    story = Story()
    story.client.syn()
    story.server.rst_ack(raw_seq=0)
    refusal = segments(story)[-1]
    assert (refusal.raw_seq, refusal.seq, refusal.ack) == (0, 1, 1)
    assert sums(refusal) == ["ack 1 = 0 + 1"]


pieces = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=30)


@given(pieces)
def test_received_is_the_first_number_that_is_missing(arrivals):
    side, got = Side(), set()
    side.receive(0, 1)
    got.add(0)
    for begin, length in arrivals:
        side.receive(begin, begin + length)
        got.update(range(begin, begin + length))
    naive = next(number for number in range(100) if number not in got)
    assert side.received == naive


@pytest.mark.timeout(10)
def test_a_sum_looks_no_further_than_what_it_confirms():
    peer = Side(isn=7, base=7)
    for number in range(1, 100_001):
        peer.take(Taken(number, 1, 0, 0, number))
    for _ in range(5000):
        found = acknowledgment(Side(highest_ack=1), peer, 3)
        assert found is not None
        assert found.frames == (1, 2)
