"""A capture of any size: what a second look finds, and what it leaves out."""

import io

import pytest

from analyze.crowds import crowd, merged
from analyze.surveyed import survey
from fourtuple.analyze import connections
from fourtuple.analyze.services import services_of, services_of_tables
from fourtuple.event.timeline import Timeline
from fourtuple.explain import picking
from fourtuple.explain.catalog import findings
from fourtuple.explain.overview import Overview
from fourtuple.source import Capture
from octets import PCAP_NANO, pcap, pcap_record
from story import Story, closed, exchange, opened


def looked_at(timeline: Timeline) -> Overview:
    records = [
        pcap_record(data, *divmod(t_ns + 10**11, 10**9))
        for data, t_ns in zip(timeline.frames, timeline.frames.t_ns.tolist(), strict=True)
    ]
    return Overview.of(Capture.of(io.BytesIO(pcap(magic=PCAP_NANO) + b"".join(records))))


def crowded() -> Timeline:
    """Five connections; the third is refused when it asks again."""
    stories = [exchange(ports=(port, 80), complete=False) for port in (1, 2, 4, 5)]
    third = Story(ports=(3, 80), complete=False)
    third.client.syn()
    third.client.syn(seq=0)
    third.server.rst_ack(raw_seq=0)
    stories.insert(2, third)
    return merged([story.timeline() for story in stories])


def test_only_what_rows_do_not_tell_is_looked_at_again() -> None:
    timeline = crowded()
    overview = looked_at(timeline)
    assert len(overview) == 5
    (detail,) = overview.undecided()
    refusal = next(c for c in connections(timeline) if c.handshake == "refused")
    assert list(detail.connections) == [refusal.index]
    assert detail.connections[refusal.index].resets == refusal.resets
    assert len(detail.timeline.frames) == 3


def test_a_second_look_tells_of_a_connection_what_the_whole_way_tells() -> None:
    timeline = crowded()
    overview = looked_at(timeline)
    for connection in connections(timeline):
        again = overview.detail(connection.index).connections[connection.index]
        assert again.frames == connection.frames
        assert [s.notes for s in again.segments] == [s.notes for s in connection.segments]
    with pytest.raises(IndexError):
        overview.detail(5)


def test_of_a_long_connection_the_beginning_and_the_end_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(picking, "LONGEST", 30)
    monkeypatch.setattr(picking, "_HEAD", 10)
    story = opened(complete=False)
    for _ in range(50):
        story.client.send(100)
        story.server.ack()
    story.server.rst_ack()
    overview = looked_at(story.timeline())
    detail = overview.detail(0)
    assert detail.shortened == {0}
    assert detail.connections[0].frames == (*range(1, 11), *range(85, 105))
    assert detail.connections[0].resets[0].frame == 104
    assert overview.packets(0) == 104


def test_an_icmp_error_brings_its_connection_to_a_second_look() -> None:
    story = Story(complete=False)
    story.client.syn()
    story.unreachable(story.client, 1)
    overview = looked_at(story.timeline())
    (detail,) = overview.undecided()
    codes = {one.code for one in findings(detail.timeline, detail.connections.values())}
    assert "icmp-unreachable" in codes


def test_a_frame_is_shown_with_its_connection() -> None:
    story = exchange(complete=False)
    overview = looked_at(story.timeline())
    timeline, around = overview.around(4)
    assert timeline.frame(4).number == 4
    assert [one.index for one in around] == [0]
    with pytest.raises(IndexError):
        overview.around(12)


@pytest.mark.parametrize("seed", range(8))
def test_rows_tell_of_ports_what_connections_tell(seed: int) -> None:
    timeline = crowd(seed)
    found, _ = survey(timeline)
    assert services_of_tables(found.tables) == services_of(connections(timeline))


def test_a_damaged_capture_is_surveyed_as_far_as_it_can_be_read() -> None:
    timeline = closed(opened(complete=False)).timeline()
    records = [
        pcap_record(data, *divmod(t_ns, 10**9))
        for data, t_ns in zip(timeline.frames, timeline.frames.t_ns.tolist(), strict=True)
    ]
    data = pcap(magic=PCAP_NANO) + b"".join(records)
    overview = Overview.of(Capture.of(io.BytesIO(data[:-5])))
    assert overview.damage is not None
    assert overview.frames == len(timeline.frames) - 1
    assert len(list(overview.seen())) == 1
