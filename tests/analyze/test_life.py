"""Whatever is on the wire becomes facts, never an exception."""

from hypothesis import given, settings

from analyze.chance import nonsense
from fourtuple.analyze import connections, disagreements
from fourtuple.analyze.model import Connection, SegmentFact
from fourtuple.analyze.states import STATES
from fourtuple.wire import SYN
from story import Story


@given(nonsense())
@settings(deadline=None)
def test_senseless_segments_are_facts_too(story: Story):
    timeline = story.timeline()
    found = connections(timeline)
    frames = sorted(frame for one in found for frame in one.frames)
    assert frames == list(range(1, len(timeline.frames) + 1))
    for one in found:
        assert len(one.segments) == len(one.frames) == sum(one.packets)
        assert {s.client_state for s in one.segments} <= {*STATES, ""}
        assert all(s.seq % 2**32 == 0 for s in one.segments if _is_first_syn(one, s))
    disagreements(timeline, found)


def _is_first_syn(one: Connection, segment: SegmentFact) -> bool:
    isn = one.initial_seq[0 if segment.from_client else 1]
    return bool(segment.flags & SYN) and segment.raw_seq == isn


def test_a_syn_starts_its_side_s_numbers_anew():
    """A late capture of a client that had rebooted: the server's old numbers mean nothing now."""
    story = Story(complete=False)
    story.client.syn()
    story.server.ack(raw_seq=5_000, raw_ack=6_000)
    story.client.rst(raw_seq=6_000)
    story.client.syn(seq=0)
    story.server.syn_ack()
    story.client.ack()
    story.server.send(10)
    story.client.ack()
    (one,) = connections(story.timeline())
    assert one.handshake == "complete"
    assert [(s.seq, s.ack) for s in one.segments[4:]] == [(0, 1), (1, 1), (1, 1), (1, 11)]
    assert all(sum_.holds for s in one.segments[4:] for sum_ in s.arithmetic)


@given(nonsense())
@settings(deadline=None)
def test_states_change_from_where_they_were(story: Story):
    for one in connections(story.timeline()):
        now = dict(zip((True, False), one.initial_states, strict=True))
        for change in one.changes:
            assert change.old == now[change.of_client] != change.new
            now[change.of_client] = change.new
