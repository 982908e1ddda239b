"""The internet checksum: RFC 1071's own numbers, and a twin that adds word by word."""

from hypothesis import given
from hypothesis import strategies as st

from fourtuple.wire import checksum, pseudo_header


def naive(data: bytes) -> int:
    """As RFC 1071, section 4.1 writes it."""
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def test_the_example_of_rfc_1071() -> None:
    # section 3: the words 0001 f203 f4f5 f6f7 add up to ddf2
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


def test_nothing_but_zeros_and_nothing_at_all() -> None:
    assert checksum(b"") == checksum(bytes(20)) == 0xFFFF
    assert checksum(b"\xff\xff") == checksum(b"\x80\x00\x7f\xff") == 0


@given(st.one_of(st.binary(max_size=80), st.lists(st.sampled_from((0, 255))).map(bytes)))
def test_it_agrees_with_its_slow_twin(data: bytes) -> None:
    assert checksum(data) == naive(data)


@given(st.binary(max_size=80).filter(lambda data: len(data) % 2 == 0))
def test_data_with_its_own_checksum_sums_to_zero(data: bytes) -> None:
    assert checksum(data + checksum(data).to_bytes(2, "big")) == 0


def test_pseudo_headers() -> None:
    four = pseudo_header(b"\x0a\0\0\1", b"\x0a\0\0\2", 6, 20)
    assert four == bytes.fromhex("0a000001 0a000002 00 06 0014")
    six = pseudo_header(bytes(15) + b"\1", bytes(15) + b"\2", 17, 65536)
    assert six == bytes(15) + b"\1" + bytes(15) + b"\2" + bytes.fromhex("00010000 000000 11")
