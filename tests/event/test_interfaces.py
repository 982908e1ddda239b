"""Clocks of any resolution, told in nanoseconds since 1970."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

import octets
from fourtuple.event.blocks import BlockWalk
from walks import walked

LATEST = 2**63 - 1


def time_at(resolution: int | None, ticks: int, offset_s: int = 0, order: str = "<") -> int:
    """The time of one frame with these ticks, on an interface of this resolution."""
    options = [] if resolution is None else [(9, bytes([resolution]))]
    options += [(14, struct.pack(order + "q", offset_s))] if offset_s else []
    described = octets.interface(order, options=options)
    frame = octets.enhanced(b"", ticks, order=order)
    return walked(BlockWalk(), octets.section(order) + described + frame).frames[0].t_ns


@pytest.mark.parametrize(
    ("resolution", "ticks", "t_ns"),
    [
        (None, 7, 7_000),  # microseconds where nothing is said
        (0, 1_700_000_000, 1_700_000_000_000_000_000),
        (3, 1_700_000_000_001, 1_700_000_000_001_000_000),
        (9, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
        (12, 1_999, 1),  # picoseconds, rounded down
        (0x80 | 10, 1024 + 512, 1_500_000_000),  # 1/1024 s
        (0x80 | 32, (1_700_000_000 << 32) | 1 << 31, 1_700_000_000_500_000_000),
        (127, 2**64 - 1, 0),
        (0x80 | 127, 2**64 - 1, 0),
    ],
)
def test_any_resolution_becomes_nanoseconds(resolution: int, ticks: int, t_ns: int) -> None:
    assert time_at(resolution, ticks) == t_ns


@pytest.mark.parametrize("order", ["<", ">"])
def test_an_interface_may_shift_its_clock_by_seconds(order: str) -> None:
    assert time_at(9, 5_000_000_000, 3, order) == 8_000_000_000
    assert time_at(9, 5_000_000_000, -6, order) == -1_000_000_000


@given(
    resolution=st.integers(0, 255),
    ticks=st.integers(0, 2**64 - 1),
    offset_s=st.integers(-(2**63), 2**63 - 1),
)
def test_times_are_exact_or_the_nearest_that_64_bits_hold(
    resolution: int, ticks: int, offset_s: int
) -> None:
    per_second = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    exact = ticks * 10**9 // per_second + offset_s * 10**9
    assert time_at(resolution, ticks, offset_s) == max(-LATEST - 1, min(exact, LATEST))
