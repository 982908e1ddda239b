"""Classic captures, byte by byte: both byte orders, micro- and nanoseconds, cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import octets
from fourtuple.event.flaw import FRAME_CUT, FRAME_TOO_LONG, HEADER_CUT, MAX_FRAME, Flaw
from fourtuple.event.frames import Vantage
from fourtuple.source.pcap import MAGICS, VERSION_UNKNOWN, PcapWalk, frame_table, vantage

FILE = (
    octets.pcap()
    + octets.pcap_record(b"abc", 1, 2)
    + octets.pcap_record(b"", 3, 4, original=60)
    + octets.pcap_record(b"de", 3, 3)
)
BORDERS = [24, 24 + 19, 24 + 19 + 16, len(FILE)]


def walked(data: bytes, *cuts: int) -> PcapWalk:
    """The walk over data that arrives in pieces."""
    walk, buffer = PcapWalk(MAGICS[data[:4]][0]), bytearray()
    ends = [*sorted(cuts), len(data)]
    for begin, end in zip([0, *ends], ends, strict=False):
        buffer += data[begin:end]
        walk.step(buffer)
    walk.finish(buffer)
    return walk


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("magic", "t_ns"),
    [(octets.PCAP_MICRO, 1_700_000_000_000_123_000), (octets.PCAP_NANO, 1_700_000_000_000_000_123)],
)
def test_all_four_kinds_are_read(order: str, magic: int, t_ns: int) -> None:
    data = octets.pcap(order, magic, snap_length=96, link=101)
    data += octets.pcap_record(b"frame", 1_700_000_000, 123, original=1500, order=order)
    walk = walked(data)
    table = frame_table(bytearray(data), walk)
    assert walk.flaw is None
    assert list(table) == [b"frame"]
    assert table.t_ns.tolist() == table.left_ns.tolist() == [t_ns]
    assert table.original.tolist() == [1500]
    assert vantage(bytearray(data), order) == Vantage("capture", 101, snap_length=96)


def test_the_numbers_are_unsigned() -> None:
    data = octets.pcap() + octets.pcap_record(b"", 2**32 - 1, 999_999, original=2**32 - 1)
    table = frame_table(bytearray(data), walked(data))
    assert table.t_ns.tolist() == [(2**32 - 1) * 10**9 + 999_999_000]
    assert table.original.tolist() == [2**32 - 1]


def test_frames_keep_the_order_of_the_file_whatever_their_times() -> None:
    table = frame_table(bytearray(FILE), walked(FILE))
    assert list(table) == [b"abc", b"", b"de"]
    assert table.t_ns.tolist() == [1_000_002_000, 3_000_004_000, 3_000_003_000]


def test_bits_of_the_link_type_that_tell_of_other_things_are_not_part_of_it() -> None:
    with_check_sequence = octets.pcap(link=0x4400_0001)
    assert vantage(bytearray(with_check_sequence), "<").link_type == 1


@given(st.lists(st.integers(0, len(FILE)), max_size=6))
def test_in_pieces_it_is_the_same(cuts: list[int]) -> None:
    assert walked(FILE, *cuts) == walked(FILE)


@pytest.mark.parametrize("end", range(4, len(FILE) + 1))
def test_a_cut_file_has_the_frames_before_the_cut(end: int) -> None:
    walk = walked(FILE[:end])
    whole = [border for border in BORDERS if border <= end]
    assert len(frame_table(bytearray(FILE[:end]), walk)) == max(0, len(whole) - 1)
    if not whole:
        assert walk.flaw == Flaw(0, HEADER_CUT)
    elif end in BORDERS:
        assert walk.flaw is None
    else:
        assert walk.flaw == Flaw(whole[-1], FRAME_CUT)


@pytest.mark.parametrize("length", [MAX_FRAME + 1, 0xFFFFFFFF])
def test_an_impossible_length_ends_the_walk_at_once(length: int) -> None:
    lying = bytearray(octets.pcap_record(b"x", 1, 2))
    lying[8:12] = length.to_bytes(4, "little")
    walk = walked(FILE + lying + octets.pcap_record(b"never", 1, 2))
    limits = {"length": length, "limit": MAX_FRAME}
    assert walk.flaw == Flaw(len(FILE), FRAME_TOO_LONG, limits)
    assert len(walk.offsets) == 3


def test_the_longest_frame_is_read() -> None:
    walk = walked(octets.pcap() + octets.pcap_record(bytes(MAX_FRAME), 1, 2))
    assert (walk.flaw, len(walk.offsets)) == (None, 1)


@pytest.mark.parametrize("version", [(1, 4), (2, 3), (3, 0)])
def test_another_version_is_named_not_guessed(version: tuple[int, int]) -> None:
    walk = walked(octets.pcap(version=version) + octets.pcap_record(b"x", 1, 2))
    assert walk.flaw == Flaw(0, VERSION_UNKNOWN, {"major": version[0], "minor": version[1]})
    assert len(walk.offsets) == 0
