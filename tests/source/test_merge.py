"""Several files as one capture, in order of time."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import octets
from fourtuple.errors import CaptureDamaged, CaptureUnknown, UsageError
from fourtuple.event.frames import Origin
from fourtuple.event.timeline import Timeline
from fourtuple.source import Capture, read


def pcap(*times: int, link: int = 1, size: int = 1) -> bytes:
    """A capture with a frame for each time in seconds; its bytes are that time."""
    records = (octets.pcap_record(bytes((t % 256,)) * size, t, 0) for t in times)
    return octets.pcap(link=link) + b"".join(records)


def together(*files: bytes) -> Timeline:
    return read([io.BytesIO(data) for data in files])


def seconds(timeline: Timeline) -> list[int]:
    return [t_ns // 10**9 for t_ns in timeline.frames.t_ns.tolist()]


def origin(timeline: Timeline) -> Origin:
    assert timeline.frames.origin is not None
    return timeline.frames.origin


def test_frames_are_in_order_of_time_and_know_where_they_come_from() -> None:
    timeline = together(pcap(1, 4, 5), pcap(2, 3, 6))
    assert seconds(timeline) == [1, 2, 3, 4, 5, 6]
    assert list(timeline.frames) == [bytes((t,)) for t in range(1, 7)]
    assert origin(timeline).number.tolist() == [1, 2, 3, 4, 5, 6]
    assert origin(timeline).file.tolist() == [0, 1, 1, 0, 0, 1]
    assert origin(timeline).place.tolist() == [1, 1, 2, 2, 3, 3]
    assert timeline.meta["files"] == ["stream", "stream"]


def test_a_frame_can_be_found_in_its_own_file(tmp_path: Path) -> None:
    first, second = tmp_path / "a.pcap", tmp_path / "b.pcap"
    first.write_bytes(pcap(1, 4))
    second.write_bytes(pcap(2, 3))
    timeline = read([first, second])
    assert [timeline.origin(number) for number in range(1, 5)] == [
        *(("a.pcap", 1), ("b.pcap", 1), ("b.pcap", 2), ("a.pcap", 2))
    ]
    assert read(second).origin(2) == ("b.pcap", 2)


def test_of_frames_at_the_same_time_the_first_file_goes_first() -> None:
    timeline = together(pcap(1, 1, 2), pcap(1, 2))
    assert origin(timeline).file.tolist() == [0, 0, 1, 0, 1]


def test_a_file_keeps_its_order_whatever_its_times() -> None:
    timeline = together(pcap(5, 1, 6), pcap(2, 7))
    places = [p for f, p in zip(*columns(timeline), strict=True) if f == 0]
    assert places == [1, 2, 3]
    assert sorted(seconds(timeline)) == [1, 2, 5, 6, 7]


def columns(timeline: Timeline) -> tuple[list[int], list[int]]:
    return origin(timeline).file.tolist(), origin(timeline).place.tolist()


times = st.lists(st.integers(0, 50), max_size=30)


@given(st.lists(times, min_size=2, max_size=5))
def test_nothing_is_lost_and_nothing_is_before_its_time(files: list[list[int]]) -> None:
    timeline = together(*(pcap(*sorted(each)) for each in files))
    assert seconds(timeline) == sorted(t for each in files for t in each)
    for index, each in enumerate(files):
        chosen = np.flatnonzero(origin(timeline).file == index)
        assert origin(timeline).place[chosen].tolist() == list(range(1, len(each) + 1))
        assert [seconds(timeline)[row] for row in chosen] == sorted(each)


def test_long_runs_and_short_ones_are_the_same_frames() -> None:
    """A run of many frames is passed on, a few are copied: nobody can tell."""
    first = pcap(*range(0, 3000, 2), size=900)
    second = pcap(*range(1, 900, 2), *range(1500, 2500), size=700)
    timeline = together(first, second)
    assert seconds(timeline) == sorted(seconds(timeline))
    assert len(timeline.frames) == 1500 + 450 + 1000
    assert all(
        set(frame) == {t % 256} for frame, t in zip(timeline.frames, seconds(timeline), strict=True)
    )


def test_files_that_follow_each_other_were_seen_at_one_place() -> None:
    """As tcpdump -C writes them: a connection that goes on in the next file is one."""
    timeline = together(pcap(5, 6), pcap(1, 2), pcap(3, 4))
    assert seconds(timeline) == [1, 2, 3, 4, 5, 6]
    assert len(timeline.vantages) == 1


def test_files_that_overlap_were_seen_at_two() -> None:
    assert together(pcap(1, 3), pcap(2, 4)).frames.vantage.tolist() == [0, 1, 0, 1]


def test_another_kind_of_interface_is_another_place() -> None:
    timeline = together(pcap(1, 2), pcap(3, 4, link=101))
    assert [vantage.link_type for vantage in timeline.vantages] == [1, 101]
    assert timeline.frames.vantage.tolist() == [0, 0, 1, 1]


def test_thousands_of_files_need_no_thousand_descriptors(tmp_path: Path) -> None:
    for number in range(1500):
        (tmp_path / f"{number:04}.pcap").write_bytes(pcap(number))
    timeline = read(sorted(tmp_path.iterdir()))
    assert seconds(timeline) == list(range(1500))
    assert len(timeline.vantages) == 1


def test_a_damaged_file_does_not_hide_the_others() -> None:
    with pytest.raises(CaptureDamaged, match=r"stream ends in the middle of frame 2") as caught:
        together(pcap(1, 5)[:-1], pcap(2, 3))
    assert seconds(caught.value.timeline) == [1, 2, 3]


def test_what_is_no_capture_is_refused_before_anything_else() -> None:
    with pytest.raises(CaptureUnknown):
        next(Capture.of([io.BytesIO(pcap(1)), io.BytesIO(b"words")]).blocks())


def test_no_file_at_all_is_a_mistake_of_the_command_line() -> None:
    with pytest.raises(UsageError, match="No file is named"):
        read([])


def test_the_end_of_time_is_a_time_too() -> None:
    """Times beyond 64 bits of nanoseconds become the last that fit."""
    late = octets.section() + octets.interface(options=[(9, b"\0")])
    late += octets.enhanced(b"late", 2**62)
    for files in ([late, pcap(1)], [pcap(1), late], [late, late], [pcap(), late]):
        assert list(together(*files).frames)[-1] == b"late"


def test_an_empty_capture_among_others_adds_nothing() -> None:
    assert seconds(together(pcap(), pcap(1), octets.section())) == [1]
