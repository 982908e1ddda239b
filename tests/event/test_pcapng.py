"""Blocks and options, byte by byte against the draft's figures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import octets
from fourtuple.errors import ValueNotLegal
from fourtuple.event import pcapng


def test_a_section_header_without_options_is_28_bytes() -> None:
    assert pcapng.section_header(b"") == bytes.fromhex(
        "0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000"
    )


def test_an_interface_names_its_resolution_and_leaves_out_empty_texts() -> None:
    assert pcapng.interface_description("", "", 1, 65535) == bytes.fromhex(
        "01000000 20000000 0100 0000 ffff0000 0900 0100 09000000 0000 0000 20000000"
    )


def test_a_packet_is_padded_and_its_options_are_closed() -> None:
    made = pcapng.enhanced_packet(b"\xaa\xbb\xcc", 60, 2, 0x1_0000_0002, pcapng.option(1, b"hi"))
    assert made == bytes.fromhex(
        "06000000 30000000 02000000 01000000 02000000 03000000 3c000000"
        "aabbcc00 0100 0200 68690000 0000 0000 30000000"
    )


@pytest.mark.parametrize("order", ["<", ">"])
@given(chosen=st.lists(st.tuples(st.integers(1, 0xFFFF), st.binary(max_size=40))))
def test_options_come_back_in_their_order(order: str, chosen: list[tuple[int, bytes]]) -> None:
    data = b"".join(octets.option(code, value, order) for code, value in chosen)
    assert list(pcapng.options(data, 0, len(data), order)) == chosen


def test_options_end_at_the_end_mark() -> None:
    data = octets.option(1, b"seen") + octets.option(0, b"") + octets.option(1, b"never")
    assert list(pcapng.options(data, 0, len(data), "<")) == [(1, b"seen")]


def test_an_option_that_runs_over_the_end_is_not_read() -> None:
    data = octets.option(1, b"whole") + b"\x02\x00\xff\x00abc"
    assert list(pcapng.options(data, 0, len(data), "<")) == [(1, b"whole")]


@given(st.binary(max_size=64), st.integers(0, 64), st.integers(0, 64))
def test_any_bytes_are_some_list_of_options(data: bytes, begin: int, end: int) -> None:
    for code, value in pcapng.options(data, begin, min(end, len(data)), "<"):
        assert code != 0
        assert value in data


def test_no_option_is_longer_than_its_length_field_can_say() -> None:
    assert len(pcapng.option(1, bytes(65535))) == 4 + 65536
    with pytest.raises(ValueNotLegal, match="65535 bytes, not 65536"):
        pcapng.option(1, bytes(65536))


@pytest.mark.parametrize(("link", "snap"), [(65536, 0), (-1, 0), (1, 2**32), (1, -1)])
def test_an_interface_outside_of_its_fields_is_refused(link: int, snap: int) -> None:
    with pytest.raises(ValueNotLegal, match="out of range"):
        pcapng.interface_description("eth0", "", link, snap)
