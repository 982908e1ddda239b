"""A header as the RFCs draw it."""

import pytest

from fourtuple.render.box import BOX_WIDTH, box
from fourtuple.render.terminal import ASCII
from fourtuple.render.text import width_of
from fourtuple.wire import ACK, SYN, Ethernet, Ipv4, Ipv6, Tcp, Udp, dissect, frame
from render.shown import painter

SYN_ACK = frame(
    Ethernet(), Ipv4("10.0.0.1", "10.0.0.2"), Tcp(40000, 80, sequence=7, flags=SYN | ACK)
)


def test_flags_are_written_downward_with_their_bits_below() -> None:
    tcp = dissect(SYN_ACK).tcp
    assert tcp is not None
    lines = box(tcp, painter())
    at = next(index for index, line in enumerate(lines) if "A│C│E│U│A│P│R│S│F" in line)
    assert [line[13:34] for line in lines[at : at + 4]] == [
        " │A│C│E│U│A│P│R│S│F│ ",
        " │E│W│C│R│C│S│S│Y│I│ ",
        " │ │R│E│G│K│H│T│N│N│ ",
        " │0│0│0│0│1│0│0│1│0│ ",
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    "data",
    [
        SYN_ACK,
        frame(Ethernet(), Ipv6("fd77::1", "fd77::2"), Udp(5353, 53), b"?"),
        frame(Ethernet(), Ipv4("10.0.0.1", "10.0.0.2"), Udp(5353, 53), b"?"),
    ],
)
def test_every_line_of_the_frame_is_of_one_width(data: bytes, language: str) -> None:
    for view in dissect(data).layers[1:3]:
        _, _, *lines = box(view, painter(language=language))
        assert {width_of(line) for line in lines} == {BOX_WIDTH}


def test_it_can_be_drawn_in_ascii() -> None:
    tcp = dissect(SYN_ACK).tcp
    assert tcp is not None
    assert "".join(box(tcp, painter(glyphs=ASCII))).isascii()


def test_a_header_that_was_cut_shows_what_there_is() -> None:
    tcp = dissect(SYN_ACK[:40]).tcp
    assert tcp is not None
    text = "\n".join(box(tcp, painter()))
    assert "40000" in text
    assert "Window" in text
