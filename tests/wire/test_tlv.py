"""The walk over options: any bytes come out again, in order; an impossible length ends it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.wire.tlv import IPV6, NEIGHBOR, PLAIN, Item, Style, items

styles = st.sampled_from((PLAIN, IPV6, NEIGHBOR))


@given(st.binary(max_size=60), styles)
def test_the_items_are_the_list(data: bytes, style: Style) -> None:
    found = list(items(data, style))
    assert b"".join(item.data for item in found) == data
    assert all(item.whole for item in found[:-1])


@pytest.mark.parametrize(
    ("style", "data", "expected"),
    [
        (PLAIN, "01 01 02040578", [Item(b"\1", 0), Item(b"\1", 1), Item(b"\2\4\5\x78", 2)]),
        (PLAIN, "01 00 0203", [Item(b"\1", 0), Item(b"\0\2\3", 1)]),
        (PLAIN, "0204", [Item(b"\2\4", 0, whole=False)]),
        (PLAIN, "02", [Item(b"\2", 0, whole=False)]),
        (PLAIN, "0200 01", [Item(b"\2\0\1", 0, whole=False)]),
        (IPV6, "00 0100 0502ffff", [Item(b"\0", 0), Item(b"\1\0", 1), Item(b"\5\2\xff\xff", 3)]),
        (IPV6, "0103 0000", [Item(b"\1\3\0\0", 0, whole=False)]),
        (NEIGHBOR, "0101 020000000001", [Item(bytes.fromhex("0101020000000001"), 0)]),
        (NEIGHBOR, "0100 020000000001", [Item(bytes.fromhex("0100020000000001"), 0, whole=False)]),
    ],
)
def test_known_lists(style: Style, data: str, expected: list[Item]) -> None:
    assert list(items(bytes.fromhex(data), style)) == expected
