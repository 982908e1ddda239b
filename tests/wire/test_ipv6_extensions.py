"""IPv6's extension headers: each a layer, and what comes after them is found."""

from hypothesis import given

from fourtuple.wire import (
    AuthenticationView,
    HopByHopView,
    Ipv4,
    Ipv6,
    Ipv6Fragment,
    Ipv6FragmentView,
    RoutingView,
    Tcp,
    Udp,
    dissect,
    frame,
)

from .strategies import fragments, ipv6_chains, payloads

IP = Ipv6("fd00::1", "fd00::2")
SEGMENT = Tcp(1, 2).emit(b"hello", IP)


def packet_with(number: int, *headers: str) -> bytes:
    return Ipv6("fd00::1", "fd00::2", number).emit(bytes.fromhex("".join(headers)) + SEGMENT)


@given(fragments, payloads)
def test_a_fragment_header_goes_round(value: Ipv6Fragment, payload: bytes) -> None:
    view = Ipv6FragmentView(value.emit(payload))
    assert Ipv6Fragment.parse(view) == value
    assert Ipv6Fragment.parse(view).emit(view.payload) == value.emit(payload)


@given(ipv6_chains())
def test_whatever_the_chain_the_transport_header_is_found(data: bytes) -> None:
    packet = dissect(data, 229)
    assert packet.tcp or packet.udp or packet.icmp
    assert packet.problems() == ()


def test_hop_by_hop_options() -> None:
    packet = dissect(packet_with(0, "06 00 0502 0000 01 00"), 229)
    layer = packet.layers[1]
    assert isinstance(layer, HopByHopView)
    assert [field.label for field in layer.fields()[2:]] == ["Router alert", "Padding"]
    assert packet.payload == b"hello"


def test_a_malformed_option_is_named_and_the_chain_goes_on() -> None:
    packet = dissect(packet_with(60, "06 00 0509 0000 0100"), 229)
    assert packet.problems() == ("bad-option",)
    assert packet.payload == b"hello"


def test_behind_a_routing_header_the_checksum_cannot_be_told() -> None:
    on_the_way = dissect(packet_with(43, "06 02 04 01 00000000", "ee" * 16), 229)
    arrived = dissect(packet_with(43, "06 02 04 00 00000000", "ee" * 16), 229)
    assert isinstance(arrived.layers[1], RoutingView)
    assert on_the_way.tcp is not None and arrived.tcp is not None
    assert on_the_way.tcp.checksum_holds is None
    assert arrived.tcp.checksum_holds is True


def test_a_later_fragment_has_no_transport_header() -> None:
    later = dissect(frame(IP, Ipv6Fragment(7, fragment_offset=3), b"rest"), 229)
    assert later.tcp is None
    assert later.payload == b"rest"


def test_a_first_fragment_is_not_judged_by_its_checksum_or_length() -> None:
    whole = Udp(1, 2).emit(bytes(40), IP)
    ip = Ipv6("fd00::1", "fd00::2", 44)
    fragment = Ipv6Fragment(7, more_fragments=True, next_header=17)
    first = dissect(ip.emit(fragment.emit(whole[:24])), 229)
    assert first.udp is not None
    assert first.udp.checksum_holds is None
    assert first.problems() == ()


def test_an_authentication_header_leaves_its_content_in_the_clear() -> None:
    header = "06 04 0000 00000001 00000002" + "cc" * 12
    packet = dissect(packet_with(51, header), 229)
    layer = packet.layers[1]
    assert isinstance(layer, AuthenticationView)
    assert (layer.spi, layer.sequence, layer.header_length) == (1, 2, 24)
    assert packet.payload == b"hello"
    four = dissect(Ipv4("1.1.1.1", "2.2.2.2", 51).emit(bytes.fromhex(header) + SEGMENT), 228)
    assert four.tcp is not None


def test_an_authentication_header_of_impossible_length_ends_the_dissection() -> None:
    packet = dissect(packet_with(51, "06 00 0000 00000001 00000002"), 229)
    assert packet.problems() == ("bad-header-length",)
    assert packet.tcp is None


def test_an_extension_header_longer_than_the_packet_ends_the_dissection() -> None:
    packet = dissect(packet_with(0, "06 ff 0502 0000 0100"), 229)
    assert packet.problems() == ("too-short",)
    assert packet.tcp is None
