"""Classic captures, byte by byte: both byte orders, old and odd headers, cut anywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import octets
from fourtuple.event._kernels import MAX_FRAME
from fourtuple.event.flaw import FRAME_CUT, FRAME_TOO_LONG, HEADER_CUT, Flaw
from fourtuple.event.frames import Vantage
from fourtuple.source.pcap import VERSION_UNKNOWN, PcapWalk
from walks import Found, Walked, walked

FILE = (
    octets.pcap()
    + octets.pcap_record(b"abc", 1, 2)
    + octets.pcap_record(b"", 3, 4, original=60)
    + octets.pcap_record(b"de", 3, 3)
)
BORDERS = [24, 24 + 19, 24 + 19 + 16, len(FILE)]
FRAMES = [
    Found(b"abc", 3, 1_000_002_000, 0),
    Found(b"", 60, 3_000_004_000, 0),
    Found(b"de", 2, 3_000_003_000, 0),  # as in the file, whatever the time
]


def walk(data: bytes, *cuts: int, forget: bool = False, room: int = 64) -> Walked:
    return walked(PcapWalk(data[:4]), data, *cuts, forget=forget, room=room)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("magic", "t_ns"),
    [(octets.PCAP_MICRO, 1_700_000_000_000_123_000), (octets.PCAP_NANO, 1_700_000_000_000_000_123)],
)
def test_all_four_kinds_are_read(order: str, magic: int, t_ns: int) -> None:
    data = octets.pcap(order, magic, snap_length=96, link=101)
    data += octets.pcap_record(b"frame", 1_700_000_000, 123, original=1500, order=order)
    one = PcapWalk(data[:4])
    assert walked(one, data) == Walked([Found(b"frame", 1500, t_ns, 0)], None, len(data))
    assert one.vantages == [Vantage("capture", 101, snap_length=96)]


def test_frames_keep_the_order_of_the_file() -> None:
    assert walk(FILE) == Walked(FRAMES, None, len(FILE))


def test_the_numbers_are_unsigned() -> None:
    data = octets.pcap() + octets.pcap_record(b"", 2**32 - 1, 999_999, original=2**32 - 1)
    latest = (2**32 - 1) * 10**9 + 999_999_000
    assert walk(data).frames == [Found(b"", 2**32 - 1, latest, 0)]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("version", "swapped"),
    [((2, 0), True), ((2, 2), True), ((543, 0), True), ((2, 3), True), ((2, 3), False)],
)
def test_old_versions_give_the_lengths_the_other_way_round(
    order: str, version: tuple[int, int], swapped: bool
) -> None:
    """Of 2.3 both are found: the original length is never the smaller one."""
    frame = octets.pcap_record(b"abc", 1, 2, original=60, order=order, swapped=swapped)
    data = octets.pcap(order, version=version) + frame * 2
    assert walk(data).frames == [Found(b"abc", 60, 1_000_002_000, 0)] * 2


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_longer_record_header_is_passed_over(order: str) -> None:
    """Kuznetsov's patch: interface, protocol and packet type of each frame."""
    record = octets.pcap_record(b"", 1, 2, order=order)
    record = record[:8] + octets.pcap_record(b"abc", 0, 0, original=60, order=order)[8:16]
    data = octets.pcap(order, octets.PCAP_MODIFIED) + (record + bytes(8) + b"abc") * 2
    assert walk(data).frames == [Found(b"abc", 60, 1_000_002_000, 0)] * 2


def test_bits_of_the_link_type_that_tell_of_other_things_are_not_part_of_it() -> None:
    one = PcapWalk(octets.pcap()[:4])
    walked(one, octets.pcap(link=0x4400_0001))
    assert one.vantages[0].link_type == 1


@given(st.lists(st.integers(0, len(FILE)), max_size=6), st.booleans(), st.integers(1, 4))
def test_in_pieces_it_is_the_same(cuts: list[int], forget: bool, room: int) -> None:
    assert walk(FILE, *cuts, forget=forget, room=room) == walk(FILE)


@pytest.mark.parametrize("end", range(4, len(FILE) + 1))
def test_a_cut_file_has_the_frames_before_the_cut(end: int) -> None:
    cut = walk(FILE[:end])
    whole = [border for border in BORDERS if border <= end]
    assert cut.frames == FRAMES[: max(0, len(whole) - 1)]
    if not whole:
        assert cut.flaw == Flaw(0, HEADER_CUT)
    elif end in BORDERS:
        assert cut.flaw is None
    else:
        assert cut.flaw == Flaw(whole[-1], FRAME_CUT)


@pytest.mark.parametrize("length", [MAX_FRAME + 1, 0xFFFFFFFF])
def test_an_impossible_length_ends_the_walk_at_once(length: int) -> None:
    lying = bytearray(octets.pcap_record(b"x", 1, 2))
    lying[8:12] = length.to_bytes(4, "little")
    flaw = Flaw(len(FILE), FRAME_TOO_LONG, {"length": length, "limit": MAX_FRAME})
    never = octets.pcap_record(b"never", 1, 2)
    assert walk(FILE + lying + never) == Walked(FRAMES, flaw, len(FILE))


def test_the_longest_frame_is_read() -> None:
    found = walk(octets.pcap() + octets.pcap_record(bytes(MAX_FRAME), 1, 2))
    assert (found.flaw, len(found.frames)) == (None, 1)


@pytest.mark.parametrize("version", [(1, 4), (2, 5), (3, 0), (543, 1)])
def test_another_version_is_named_not_guessed(version: tuple[int, int]) -> None:
    found = walk(octets.pcap(version=version) + octets.pcap_record(b"x", 1, 2))
    flaw = Flaw(0, VERSION_UNKNOWN, {"major": version[0], "minor": version[1]})
    assert (found.frames, found.flaw) == ([], flaw)
