"""Every frame, one a line."""

from fourtuple.analyze import connections
from fourtuple.event.timeline import Timeline
from fourtuple.explain.text import Translator
from fourtuple.render.framelist import frame_list
from fourtuple.render.terminal import Terminal
from fourtuple.render.text import width_of
from render.scene import Scene
from story import exchange


def listed(timeline: Timeline, width: int = 120, **how: object) -> list[str]:
    found = connections(timeline)
    return frame_list(timeline, found, Translator(), Terminal(width), **how).splitlines()


def test_a_segment_has_number_time_connection_ends_and_numbers() -> None:
    words = listed(exchange().timeline())[3].split()
    assert words[:4] == ["4", "3.00", "#0", "10.77.0.1:40000"]
    assert words[5:] == ["10.77.0.2:8888", "PSH", "ACK", "seq", "1", "ack", "1", "len", "14"]


def test_raw_numbers_stand_beside_the_relative_ones() -> None:
    assert "seq 0 (1000000000)" in listed(Scene().exchange(), raw=True)[0]


def test_a_frame_of_no_connection_is_named_by_its_last_layer() -> None:
    scene = Scene()
    scene.frames.add(bytes(12) + b"\x08\x06" + bytes(28), 0)
    assert listed(scene.timeline())[0].split() == ["1", "0.00", "ARP", "42", "bytes"]


def test_frames_can_be_chosen_by_number() -> None:
    story = exchange()
    story.datagram(story.client, 9)
    assert [line.split()[0] for line in listed(story.timeline(), numbers={12})] == ["12"]


def test_a_narrow_list_goes_on_below_and_cuts_nothing() -> None:
    wide, narrow = (listed(exchange().timeline(), width) for width in (120, 60))
    assert len(narrow) > len(wide)
    assert " ".join(narrow).split() == " ".join(wide).split()
    assert narrow[1] == "         SYN  seq 0  len 0"


def test_lines_fit_and_an_empty_capture_has_none() -> None:
    assert max(map(width_of, listed(exchange(6).timeline(), 40))) <= 40
    assert listed(Timeline()) == []
