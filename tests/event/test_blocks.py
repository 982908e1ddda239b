"""Where blocks begin: whole files, growing buffers, and files that lie about their lengths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import octets
from fourtuple.event.blocks import MAX_BLOCK, BlockWalk
from fourtuple.event.flaw import (
    BLOCK_CUT,
    BLOCK_LENGTH,
    BLOCK_LENGTHS_DIFFER,
    BYTE_ORDER_UNKNOWN,
    FRAME_CUT,
    VERSION_UNKNOWN,
    Flaw,
)

FILE = (
    octets.section("<")
    + octets.interface("<")
    + octets.enhanced(b"abc", 1)
    + octets.section(">")
    + octets.interface(">")
    + octets.block(0x8000_0001, b"nobody knows this type", ">")
    + octets.enhanced(b"defgh", 2, order=">")
)


def walked(data: bytes, *cuts: int) -> BlockWalk:
    """The walk over data that arrives in pieces."""
    walk, buffer = BlockWalk(), bytearray()
    ends = [*sorted(cuts), len(data)]
    for begin, end in zip([0, *ends], ends, strict=False):
        buffer += data[begin:end]
        walk.step(buffer)
    walk.finish(buffer)
    return walk


def test_every_block_is_noted_with_its_type() -> None:
    walk = walked(FILE)
    assert walk.flaw is None
    assert walk.types.tolist() == [0x0A0D0D0A, 1, 6, 0x0A0D0D0A, 1, 0x8000_0001, 6]
    assert walk.offsets.tolist() == [0, 28, 48, 84, 112, 132, 168]


@given(st.lists(st.integers(0, len(FILE)), max_size=6))
def test_in_pieces_it_is_the_same(cuts: list[int]) -> None:
    assert walked(FILE, *cuts) == walked(FILE)


@pytest.mark.parametrize("end", range(1, len(FILE)))
def test_a_cut_file_has_the_blocks_before_the_cut(end: int) -> None:
    walk, whole = walked(FILE[:end]), walked(FILE)
    noted = len(walk.offsets)
    assert walk.offsets == whole.offsets[:noted]
    borders = [*whole.offsets.tolist(), len(FILE)]
    assert walk.position == max(border for border in borders if border <= end)
    assert (walk.flaw is None) == (end in borders)


def test_it_says_frame_where_the_type_of_the_last_block_can_still_be_read() -> None:
    assert walked(FILE[: 168 + 4]).flaw == Flaw(168, FRAME_CUT)
    assert walked(FILE[: 168 + 3]).flaw == Flaw(168, BLOCK_CUT)
    assert walked(FILE[: 132 + 20]).flaw == Flaw(132, BLOCK_CUT)


@pytest.mark.parametrize("length", [0, 11, 31, MAX_BLOCK + 1, 0xFFFFFFFF])
def test_an_impossible_length_ends_the_walk_at_once(length: int) -> None:
    lying = octets.block(6, bytes(32), length=length)
    walk = walked(octets.section() + lying + octets.interface())
    limits = {"length": length, "least": 32, "limit": MAX_BLOCK}
    assert walk.flaw == Flaw(28, BLOCK_LENGTH, limits)
    assert walk.offsets.tolist() == [0]


def test_the_two_lengths_of_a_block_must_agree() -> None:
    differing = octets.interface()[:-4] + (24).to_bytes(4, "little")
    lengths = {"length": 20, "other": 24}
    assert walked(octets.section() + differing).flaw == Flaw(28, BLOCK_LENGTHS_DIFFER, lengths)


def test_a_length_that_forgets_the_padding_is_forgiven() -> None:
    sloppy = octets.block(0x8000_0001, b"12345", length=17)
    walk = walked(octets.section() + sloppy + octets.interface())
    assert (walk.flaw, walk.types[-1]) == (None, 1)


def test_a_section_of_another_kind_is_named() -> None:
    odd = octets.section().replace(b"\x4d\x3c\x2b\x1a", b"\x4d\x3c\x2b\x1b")
    assert walked(odd).flaw == Flaw(0, BYTE_ORDER_UNKNOWN)
    assert walked(octets.section(major=2)).flaw == Flaw(0, VERSION_UNKNOWN, {"version": 2})
    later = walked(octets.section() + octets.section(">", major=3))
    assert later.flaw == Flaw(28, VERSION_UNKNOWN, {"version": 3})
