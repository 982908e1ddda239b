"""Where frames are in pcapng: whole files, growing windows, and files that lie about themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import octets
from fourtuple.event._kernels import MAX_BLOCK
from fourtuple.event.blocks import MAX_INTERFACES, BlockWalk
from fourtuple.event.flaw import (
    BLOCK_CUT,
    BLOCK_LENGTH,
    BLOCK_LENGTHS_DIFFER,
    BYTE_ORDER_UNKNOWN,
    FRAME_CUT,
    INTERFACES_TOO_MANY,
    VERSION_UNKNOWN,
    Flaw,
)
from walks import Found, Walked, walked

BLOCKS = (
    octets.section("<"),
    octets.interface("<"),
    octets.enhanced(b"abc", 1),
    octets.simple(b"now"),
    octets.section(">"),
    octets.interface(">"),
    octets.interface(">", options=[(9, b"\x09")]),
    octets.block(0x8000_0001, b"nobody knows this type", ">"),
    octets.enhanced(b"defgh", 2, order=">", number=1, original=60),
)
FILE = b"".join(BLOCKS)
BORDERS = [sum(map(len, BLOCKS[:count])) for count in range(len(BLOCKS) + 1)]
FRAMES = [Found(b"abc", 3, 1000, 0), Found(b"now", 3, 1000, 0), Found(b"defgh", 60, 2, 2)]


def walk(data: bytes, *cuts: int, forget: bool = False, room: int = 64) -> Walked:
    return walked(BlockWalk(), data, *cuts, forget=forget, room=room)


def test_every_frame_is_found() -> None:
    assert walk(FILE) == Walked(FRAMES, None, len(FILE))


@given(st.lists(st.integers(0, len(FILE)), max_size=6), st.booleans(), st.integers(1, 4))
def test_in_pieces_it_is_the_same(cuts: list[int], forget: bool, room: int) -> None:
    assert walk(FILE, *cuts, forget=forget, room=room) == walk(FILE)


@pytest.mark.parametrize("end", range(1, len(FILE)))
def test_a_cut_file_has_the_frames_before_the_cut(end: int) -> None:
    cut = walk(FILE[:end])
    assert cut.frames == FRAMES[: len(cut.frames)]
    assert cut.offset == max(border for border in BORDERS if border <= end)
    assert (cut.flaw is None) == (end in BORDERS)


def test_it_says_frame_where_the_type_of_the_last_block_can_still_be_read() -> None:
    last, unheard_of = BORDERS[8], BORDERS[7]
    assert walk(FILE[: last + 4]).flaw == Flaw(last, FRAME_CUT)
    assert walk(FILE[: last + 3]).flaw == Flaw(last, BLOCK_CUT)
    assert walk(FILE[: unheard_of + 20]).flaw == Flaw(unheard_of, BLOCK_CUT)


@pytest.mark.parametrize("length", [0, 11, 31, MAX_BLOCK + 1, 0xFFFFFFFF])
def test_an_impossible_length_ends_the_walk_at_once(length: int) -> None:
    lying = octets.block(6, bytes(32), length=length)
    limits = {"length": length, "least": 32, "limit": MAX_BLOCK}
    after = octets.interface() + octets.enhanced(b"x", 1)
    assert walk(octets.section() + lying + after) == Walked([], Flaw(28, BLOCK_LENGTH, limits), 28)


@pytest.mark.parametrize("length", [0, 27, MAX_BLOCK + 1])
def test_so_does_that_of_a_section(length: int) -> None:
    lying = bytearray(octets.section(">"))
    lying[4:8] = length.to_bytes(4, "big")
    limits = {"length": length, "least": 28, "limit": MAX_BLOCK}
    assert walk(FILE + lying).flaw == Flaw(len(FILE), BLOCK_LENGTH, limits)


def test_the_two_lengths_of_a_block_must_agree() -> None:
    for block, length in ((octets.interface(), 20), (octets.section(), 28)):
        differing = block[:-4] + (24).to_bytes(4, "little")
        lengths = {"length": length, "other": 24}
        assert walk(octets.section() + differing).flaw == Flaw(28, BLOCK_LENGTHS_DIFFER, lengths)


def test_a_length_that_forgets_the_padding_is_forgiven() -> None:
    sloppy = octets.block(0x8000_0001, b"12345", length=17)
    good = octets.interface() + octets.enhanced(b"x", 1)
    assert walk(octets.section() + sloppy + good).frames == [Found(b"x", 1, 1000, 0)]


def test_a_section_of_another_kind_is_named() -> None:
    odd = octets.section().replace(b"\x4d\x3c\x2b\x1a", b"\x4d\x3c\x2b\x1b")
    assert walk(odd).flaw == Flaw(0, BYTE_ORDER_UNKNOWN)
    assert walk(octets.section(major=2)).flaw == Flaw(0, VERSION_UNKNOWN, {"version": 2})
    later = walk(octets.section() + octets.section(">", major=3))
    assert later.flaw == Flaw(28, VERSION_UNKNOWN, {"version": 3})


def test_interfaces_without_end_are_a_flaw_not_a_full_memory() -> None:
    found = walk(octets.section() + octets.interface() * (MAX_INTERFACES + 1))
    assert found.flaw == Flaw(28 + 20 * MAX_INTERFACES, INTERFACES_TOO_MANY, {"limit": 65536})


def test_a_window_that_forgets_stays_small() -> None:
    """It holds what is not walked yet: here never more than a block and the next piece."""
    data = octets.section() + octets.interface() + octets.enhanced(bytes(1000), 1) * 200
    assert len(walk(data, *range(0, len(data), 300), forget=True).frames) == 200
