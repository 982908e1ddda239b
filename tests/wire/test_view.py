"""What holds for every view, on any bytes: it reads, and its fields tile the header exactly."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.wire import (
    ArpView,
    AuthenticationView,
    DestinationOptionsView,
    Envelope,
    EthernetView,
    FieldValue,
    HopByHopView,
    Icmp6View,
    IcmpView,
    Ipv4View,
    Ipv6FragmentView,
    Ipv6View,
    LoopView,
    NullView,
    PayloadView,
    RoutingView,
    Sll2View,
    SllView,
    TcpView,
    UdpView,
    View,
    VlanView,
    dissect,
    labels,
)

from .strategies import sound_captures

VIEWS = (
    ArpView,
    AuthenticationView,
    DestinationOptionsView,
    EthernetView,
    HopByHopView,
    Icmp6View,
    IcmpView,
    Ipv4View,
    Ipv6FragmentView,
    Ipv6View,
    LoopView,
    NullView,
    PayloadView,
    RoutingView,
    Sll2View,
    SllView,
    TcpView,
    UdpView,
    VlanView,
)
envelopes = st.sampled_from(
    (None, Envelope(bytes(4), bytes(4)), Envelope(bytes(16), bytes(16)), Envelope(b"", b"", False))
)


@st.composite
def views(draw: st.DrawFn) -> View:
    """Any view on any bytes, in the middle of them, with a length that may be a lie."""
    data = draw(st.binary(max_size=100))
    offset = draw(st.integers(0, len(data) + 2))
    length = draw(st.one_of(st.none(), st.integers(-1, 120)))
    return draw(st.sampled_from(VIEWS))(data, offset, length, draw(envelopes))


def assert_tiles(fields: Sequence[FieldValue], begin: int, bits: int) -> None:
    at = begin
    for field in fields:
        assert field.bit_offset == at
        assert field.bits > 0
        at += field.bits
        if field.children:
            assert_tiles(field.children, field.bit_offset, field.bits)
    assert at == begin + bits


@given(views())
def test_fields_tile_the_header_bit_by_bit(view: View) -> None:
    assert_tiles(view.fields(), 0, view.header_length * 8)


@given(views())
def test_a_value_is_none_exactly_where_bytes_are_missing(view: View) -> None:
    present = len(view.header) * 8
    for field in view.fields():
        there = field.bit_offset + field.bits <= present
        assert there or field.value is None
        if field.name != "options":
            assert there == (field.value is not None)
        assert field.value is not None or field.text == ""


@given(views())
def test_fields_hold_the_very_bits_of_the_header(view: View) -> None:
    header = int.from_bytes(view.header, "big")
    for field in view.fields():
        if field.value is not None:
            below = len(view.header) * 8 - field.bit_offset - field.bits
            value = field.value
            number = value if isinstance(value, int) else int.from_bytes(value, "big")
            assert number == header >> below & ((1 << field.bits) - 1)


@given(views())
def test_header_and_payload_lie_where_they_should(view: View) -> None:
    assert len(view.header) <= view.header_length
    assert len(view.payload) <= view.payload_length
    after = view.offset + view.header_length
    if view.payload:
        assert len(view.header) == view.header_length
        assert view.data[after : after + len(view.payload)] == view.payload
    missing = len(view.header) < view.header_length
    assert ("cut" in view.problems() or "too-short" in view.problems()) or not missing


@given(views())
def test_every_property_can_be_read(view: View) -> None:
    for name in dir(type(view)):
        if not name.startswith("_"):
            getattr(view, name)
    assert repr(view).startswith(f"<{type(view).__name__}")
    assert all(isinstance(code, str) for code in view.problems())


@given(views())
def test_every_label_is_listed_for_the_catalog(view: View) -> None:
    assert {view.name, *_labels(view.fields())} <= set(labels())


@given(sound_captures())
def test_so_are_those_of_sound_frames(capture: tuple[bytes, int]) -> None:
    for view in dissect(*capture).layers:
        assert {view.name, *_labels(view.fields())} <= set(labels())


def _labels(fields: Sequence[FieldValue]) -> Iterator[str]:
    for field in fields:
        yield field.label
        yield from _labels(field.children)


@pytest.mark.parametrize("kind", VIEWS)
def test_of_nothing_everything_is_empty(kind: type[View]) -> None:
    view = kind(b"")
    assert view.header == view.payload == b""
    assert all(getattr(view, row.name) in (0, "") for row in kind.FIELDS)
    assert all(field.value is None for field in view.fields())


def test_the_table_says_name_place_width_and_label() -> None:
    rows = [(row.name, row.bit_offset, row.bits, row.label) for row in UdpView.FIELDS]
    assert rows == [
        ("source_port", 0, 16, "Source port"),
        ("destination_port", 16, 16, "Destination port"),
        ("declared_length", 32, 16, "Length"),
        ("checksum", 48, 16, "Checksum"),
    ]
    assert UdpView.MINIMUM == 8


def test_cut_by_the_capture_and_too_short_on_the_wire_are_different_things() -> None:
    assert UdpView(bytes(6), 0, 20).problems() == ("cut",)
    assert UdpView(bytes(6), 0, 6).problems() == ("too-short",)
    assert UdpView(bytes(6)).problems() == ("too-short",)
