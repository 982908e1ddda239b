"""TCP options: legal ones go round, others are kept as bytes and named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.errors import ValueNotLegal
from fourtuple.wire import (
    FastOpen,
    MaximumSegmentSize,
    NoOperation,
    Sack,
    SackPermitted,
    TcpOption,
    TcpView,
    Timestamps,
    UnknownOption,
    WindowScale,
)
from fourtuple.wire.tcp_options import decode_options, encode_options

from .strategies import tcp_options

KNOWN = [
    (NoOperation(), "01", "nop"),
    (MaximumSegmentSize(1460), "0204 05b4", "MSS 1460"),
    (WindowScale(7), "030307", "window scale 7"),
    (SackPermitted(), "0402", "SACK permitted"),
    (Sack(((1, 2),)), "050a 00000001 00000002", "SACK 1-2"),
    (Sack(((1, 2), (3, 4))), "0512 00000001 00000002 00000003 00000004", "SACK 1-2 3-4"),
    (Timestamps(1, 2), "080a 00000001 00000002", "timestamps 1 2"),
    (FastOpen(), "2202", "fast open request"),
    (FastOpen(b"\1\2\3\4"), "2206 01020304", "fast open 01020304"),
    (UnknownOption(30, b"\x00\x81"), "1e04 0081", "option 30 0081"),
    (UnknownOption(19, bytes(16)), "1312" + "00" * 16, "option 19 " + "00" * 16),
]


@pytest.mark.parametrize(("option", "data", "text"), KNOWN)
def test_known_options(option: TcpOption, data: str, text: str) -> None:
    assert option.encode() == bytes.fromhex(data)
    assert decode_options(bytes.fromhex(data)) == ((option,), True)
    assert str(option) == text


@given(st.lists(tcp_options, max_size=3))
def test_options_go_round(options: list[TcpOption]) -> None:
    data = b"".join(option.encode() for option in options)
    assert decode_options(data) == (tuple(options), True)


def test_the_end_and_its_padding_are_no_options() -> None:
    assert decode_options(bytes.fromhex("030307 00")) == ((WindowScale(7),), True)
    assert encode_options((WindowScale(7),)) == bytes.fromhex("030307 00")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("0203 05", (UnknownOption(2, b"\5"),)),
        ("0302 01", (UnknownOption(3), NoOperation())),
        ("0403 00", (UnknownOption(4, b"\0"),)),
        ("0509 00000001000000", (UnknownOption(5, bytes.fromhex("00000001000000")),)),
        ("0803 00", (UnknownOption(8, b"\0"),)),
        ("2205 010203", (UnknownOption(34, b"\1\2\3"),)),
        ("03030f", (WindowScale(14),)),
        ("01 0204", (NoOperation(),)),
        ("01 0200", (NoOperation(),)),
        ("01 02", (NoOperation(),)),
    ],
)
def test_what_no_rfc_allows_is_told(data: str, found: tuple[TcpOption, ...]) -> None:
    assert decode_options(bytes.fromhex(data)) == (found, False)


def test_of_several_the_last_one_counts() -> None:
    header = bytes(12) + b"\x70\x02" + bytes(6) + bytes.fromhex("0204 0001 0204 0002")
    assert TcpView(header).option(MaximumSegmentSize) == MaximumSegmentSize(2)
    assert TcpView(header).option(Timestamps) is None


def test_each_part_of_an_option_has_its_place() -> None:
    header = bytes(12) + b"\x80\x10" + bytes(6) + Sack(((7, 9),)).encode() + b"\1\1"
    option = TcpView(header).fields()[-3]
    assert (option.label, option.text) == ("Selective acknowledgment", "7 9")
    assert [(part.name, part.bit_offset, part.value) for part in option.children] == [
        ("kind", 160, 5),
        ("length", 168, 10),
        ("left", 176, 7),
        ("right", 208, 9),
    ]


@pytest.mark.parametrize(
    "make",
    [
        lambda: MaximumSegmentSize(65536),
        lambda: WindowScale(15),
        lambda: Sack(()),
        lambda: Sack(((1, 2),) * 5),
        lambda: Sack(((0, 1 << 32),)),
        lambda: Timestamps(-1),
        lambda: FastOpen(b"123"),
        lambda: FastOpen(bytes(18)),
        lambda: UnknownOption(1),
        lambda: UnknownOption(30, bytes(39)),
        lambda: encode_options((Timestamps(1, 2),) * 5),
    ],
)
def test_options_that_cannot_be_are_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueNotLegal):
        make()
