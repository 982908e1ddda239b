"""What is kept of connections that are over comes in any order, and leaves in order of time."""

import os
from pathlib import Path

import pytest

from fourtuple.errors import FourtupleError
from fourtuple.event.model import Call, Note
from fourtuple.system.packet import WallClock
from fourtuple.system.tapping import Tapped
from fourtuple.watch.spool import Spool


def frame(t_ns: int, data: bytes, interface: int = 1) -> Tapped:
    return Tapped(t_ns, interface, 1, len(data) + 100, data)


def call(t_ns: int, name: str) -> Call:
    return Call(t_ns=t_ns, end_ns=None, host="local", program="x", pid=1, thread=1, name=name,
                args=("a", 5), fd=3)  # fmt: skip


def test_frames_and_events_come_back_in_order_of_time(tmp_path: Path) -> None:
    spool, clock = Spool(str(tmp_path)), WallClock()
    late = clock.offset_ns + 9000
    spool.add_frames([frame(late, b"third"), frame(late + 1, b"fourth", interface=7)], clock)
    spool.add_events([call(50, "b"), Note(t_ns=70, kind="text", message="x", params={"n": 1})])
    spool.add_frames([frame(late - 5, b"first"), frame(late - 4, b"second")], clock)
    spool.add_events([call(20, "a")])
    frames, events = spool.frames(), spool.events()
    spool.close()
    assert list(frames) == [b"first", b"second", b"third", b"fourth"]
    assert frames.t_ns.tolist() == [8995, 8996, 9000, 9001]
    assert (frames.original - frames.captured).tolist() == [100] * 4
    assert (frames.vantage.tolist(), list(spool.places)) == ([0, 0, 0, 1], [(1, 1), (7, 1)])
    assert [event.t_ns for event in events] == [20, 50, 70]
    assert events[1] == call(50, "b") and events[-2:] == (events[1], events[2])
    assert os.listdir(tmp_path) == [], "the file has no name"


def test_nothing_is_a_timeline_too(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    assert (len(spool.frames()), list(spool.events())) == (0, [])
    spool.close()


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    spool._file.close()
    spool._file = open("/dev/full", "wb", 0)  # noqa: SIM115
    with pytest.raises(FourtupleError, match="No space left"):
        spool.add_events([call(1, "a")])
    spool.close()
