"""The columns of foreign pcapng files: times, lengths, interfaces, and claims that cannot be."""

import pytest

import octets
from fourtuple.event._kernels import MAX_FRAME
from fourtuple.event.blocks import BlockWalk
from fourtuple.event.flaw import FRAME_OVERRUNS, FRAME_TOO_LONG, INTERFACE_UNKNOWN, Flaw
from fourtuple.event.frames import Vantage
from fourtuple.event.packets import Packets, packets
from fourtuple.event.walk import Window, walk_all


def found(*blocks: bytes) -> Packets:
    window, walk = Window(), BlockWalk(keep=True)
    window.add(b"".join(blocks))
    table = walk_all(walk, window)
    walk.finish(window)
    return packets(window, walk, table)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_frame_is_read_in_either_byte_order(order: str) -> None:
    made = found(
        octets.section(order),
        octets.interface(order, link=101, snap_length=96, options=[(2, b"eth0\0"), (3, b"uplink")]),
        octets.enhanced(b"hello", 1_700_000_000_123_456, order=order, original=1500),
    )
    assert made.vantages == (Vantage("eth0", 101, "uplink", 96),)
    assert list(made.frames) == [b"hello"]
    assert made.frames.original.tolist() == [1500]
    assert made.frames.t_ns.tolist() == made.frames.left_ns.tolist() == [1_700_000_000_123_456_000]
    assert made.flaw is None


def test_interfaces_count_anew_in_every_section() -> None:
    made = found(
        octets.section("<"),
        octets.interface("<", options=[(2, b"a")]),
        octets.interface("<", options=[(2, b"b"), (9, b"\x09")]),
        octets.enhanced(b"1", 1, number=1),
        octets.section(">"),
        octets.interface(">", options=[(2, b"c"), (9, b"\x03")]),
        octets.enhanced(b"2", 1, number=0, order=">"),
    )
    assert [vantage.name for vantage in made.vantages] == ["a", "b", "c"]
    assert made.frames.vantage.tolist() == [1, 2]
    assert made.frames.t_ns.tolist() == [1, 1_000_000]


@pytest.mark.parametrize("order", ["<", ">"])
def test_old_and_simple_packet_blocks_are_frames_too(order: str) -> None:
    made = found(
        octets.section(order),
        octets.interface(order, snap_length=4),
        octets.interface(order),
        octets.simple(b"cut!", order=order, original=60),
        octets.obsolete(b"older", 2_000, order=order, number=1),
        octets.simple(b"abc", order=order),
    )
    assert list(made.frames) == [b"cut!", b"older", b"abc"]
    assert made.frames.original.tolist() == [60, 5, 3]
    assert made.frames.vantage.tolist() == [0, 1, 0]
    # A simple packet block has no time: it is given that of the frame before it.
    assert made.frames.t_ns.tolist() == [0, 2_000_000, 2_000_000]


def test_other_blocks_are_passed_over() -> None:
    names, statistics, custom, unheard_of = (octets.block(k, bytes(16)) for k in (4, 5, 0xBAD, 77))
    head = (octets.section(), octets.interface())
    made = found(*head, names, octets.enhanced(b"1", 1), statistics, custom, unheard_of)
    assert (list(made.frames), made.flaw) == ([b"1"], None)


@pytest.mark.parametrize(
    ("wrong", "text", "params"),
    [
        (octets.enhanced(b"x", 1, number=1), INTERFACE_UNKNOWN, {"interface": 1}),
        (octets.enhanced(b"x" * 8, 1, captured=9), FRAME_OVERRUNS, {"length": 9, "room": 8}),
        (
            octets.enhanced(b"x", 1, captured=MAX_FRAME + 1),
            FRAME_TOO_LONG,
            {"length": MAX_FRAME + 1, "limit": MAX_FRAME},
        ),
        (
            octets.simple(bytes(MAX_FRAME + 4)),
            FRAME_TOO_LONG,
            {"length": MAX_FRAME + 4, "limit": MAX_FRAME},
        ),
    ],
)
def test_the_first_impossible_frame_ends_the_capture(
    wrong: bytes, text: str, params: dict[str, int]
) -> None:
    good = octets.enhanced(b"good", 1)
    made = found(octets.section(), octets.interface(), good, wrong, octets.interface(), good)
    assert list(made.frames) == [b"good"]
    assert made.flaw == Flaw(48 + len(good), text, params)


def test_a_frame_before_any_interface_is_a_flaw_not_a_crash() -> None:
    for lonely in (octets.enhanced(b"x", 1), octets.simple(b"x"), octets.obsolete(b"x", 1)):
        made = found(octets.section(), lonely)
        assert len(made.frames) == 0
        assert made.flaw == Flaw(28, INTERFACE_UNKNOWN, {"interface": 0})


def test_the_options_of_every_frame_can_be_found() -> None:
    comments = [octets.option(1, text, ">") for text in (b"one", b"", b"three")]
    blocks = [octets.enhanced(bytes(n), n, order=">", options=c) for n, c in enumerate(comments)]
    made = found(octets.section(">"), octets.interface(">"), *blocks, octets.simple(b"", order=">"))
    values = [[v for _, v in made.options(made.frame_options(row))] for row in range(4)]
    assert values == [[b"one"], [b""], [b"three"], []]


def test_no_block_at_all_is_no_packet() -> None:
    made = found(b"")
    assert (len(made.frames), made.vantages, made.sections) == (0, (), ())
