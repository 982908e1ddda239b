"""Packets in packets: the innermost one counts, and the tunnel tells equal ones apart."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.errors import ValueNotLegal
from fourtuple.wire import (
    Arp,
    Ethernet,
    EthernetView,
    Gre,
    GreView,
    Ipv4,
    Ipv4View,
    Ipv6,
    Tcp,
    Udp,
    Value,
    Vlan,
    Vxlan,
    VxlanView,
    dissect,
    frame,
)
from fourtuple.wire.columns import OTHER, TCP, UDP

from .test_columns import columns_of

OUTER = Ipv4("10.0.0.1", "10.0.0.2")
BACK = Ipv4("10.0.0.2", "10.0.0.1")
INNER = Ipv4("192.168.0.1", "192.168.0.2")
SIX = Ipv6("fd00::1", "fd00::2")
SEGMENT = (Tcp(1000, 80, 5), b"hello")
VXLAN = (Udp(50000, 4789), Vxlan(7), Ethernet())


def through(*layers: Value | bytes) -> bytes:
    return frame(Ethernet(), *layers, INNER, *SEGMENT)


TUNNELS: dict[str, Sequence[Value]] = {
    "IPv4 in IPv4": (Ipv4("10.0.0.1", "10.0.0.2", 4),),
    "IPv4 in IPv6": (Ipv6("fd00::1", "fd00::2", 4),),
    "GRE": (OUTER, Gre()),
    "GRE with everything": (OUTER, Gre(key=7, sequence=1, checksummed=True)),
    "GRE bridged": (SIX, Gre(0x6558), Ethernet(type=0x8100), Vlan(3)),
    "VXLAN": (OUTER, *VXLAN),
    "VXLAN in GRE": (OUTER, Gre(), Ipv4("10.1.0.1", "10.1.0.2"), *VXLAN),
}


@pytest.mark.parametrize("layers", TUNNELS.values(), ids=TUNNELS)
def test_the_innermost_packet_is_the_frames_own(layers: Sequence[Value]) -> None:
    data = through(*layers)
    packet, columns = dissect(data), columns_of((data, 1, 0))
    assert packet.problems() == ()
    assert packet.ip is not None
    assert packet.ip.source == "192.168.0.1"
    assert (packet.payload, packet.udp) == (b"hello", None)
    assert packet.tunnels
    assert columns.kind.tolist() == [TCP]
    assert columns.source(0) == ("192.168.0.1", 1000)
    assert columns.payload_length.tolist() == [5]
    assert columns.tunnel[0] > 0


def test_outside_of_tunnels_there_is_no_number() -> None:
    data = frame(Ethernet(), INNER, *SEGMENT)
    assert columns_of((data, 1, 0)).tunnel.tolist() == [0]
    assert dissect(data).tunnels == ()


def test_both_directions_are_in_one_tunnel() -> None:
    there, back = through(OUTER, *VXLAN), through(BACK, *VXLAN)
    assert len({*columns_of((there, 1, 0), (back, 1, 0)).tunnel.tolist()}) == 1


def test_the_same_four_tuple_in_other_tunnels_is_another() -> None:
    """Ends, kind, key and what is around all tell tunnels apart."""
    frames = [
        *(through(*layers) for layers in TUNNELS.values()),
        through(OUTER, Udp(50000, 4789), Vxlan(8), Ethernet()),
        through(OUTER, Gre(key=0)),
        through(OUTER, Gre(key=8)),
        through(Ipv4("10.0.0.3", "10.0.0.2"), Gre()),
        through(SIX, *VXLAN),
    ]
    numbers = columns_of(*((data, 1, 0) for data in frames)).tunnel.tolist()
    assert len({*numbers}) == len(frames)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_other_keys_are_other_tunnels(one: int, other: int) -> None:
    frames = [(through(OUTER, Gre(key=key)), 1, 0) for key in (one, other)]
    numbers = columns_of(*frames).tunnel.tolist()
    assert (numbers[0] == numbers[1]) == (one == other)


def test_what_a_tunnel_carries_beside_ip_leaves_the_outer_packet_in_place() -> None:
    arp = Arp(1, "02:00:00:00:00:01", "10.0.0.1", "00:00:00:00:00:00", "10.0.0.2")
    data = frame(Ethernet(), OUTER, *VXLAN, arp)
    columns = columns_of((data, 1, 0))
    assert (columns.kind[0], columns.source(0)) == (UDP, ("10.0.0.1", 50000))
    assert dissect(data).arp is not None
    gre = frame(Ethernet(), OUTER, Gre(0x8847), b"labels")
    assert columns_of((gre, 1, 0)).kind.tolist() == [OTHER]


def test_a_damaged_inner_packet_leaves_the_outer_one_in_place() -> None:
    data = frame(Ethernet(), OUTER, *VXLAN, b"\x15" + bytes(30))
    columns = columns_of((data, 1, 0))
    assert (columns.kind[0], columns.tunnel[0]) == (UDP, 0)
    assert "bad-version" in dissect(data).problems()


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("2001 880b 0005 0001 00000000", id="PPTP"),
        pytest.param("4000 0800 00000000", id="source route"),
    ],
)
def test_other_kinds_of_gre_are_not_taken_apart(header: str) -> None:
    data = frame(Ipv4("10.0.0.1", "10.0.0.2", 47), bytes.fromhex(header) + bytes(40))
    packet = dissect(data, 101)
    assert [view.name for view in packet.layers] == ["IPv4", "GRE", "Data"]
    assert columns_of((data, 101, 0)).tunnel.tolist() == [0]


def test_a_datagram_to_the_port_of_vxlan_need_not_be_one() -> None:
    data = frame(OUTER, Udp(1, 4789), bytes(60))
    packet = dissect(data, 101)
    assert [view.name for view in packet.layers] == ["IPv4", "UDP", "VXLAN", "Data"]
    assert columns_of((data, 101, 0)).kind.tolist() == [UDP]


@pytest.mark.parametrize(
    "value",
    [Gre(), Gre(0x86DD, 5), Gre(sequence=0), Gre(key=0, sequence=2**32 - 1, checksummed=True)],
)
def test_gre_goes_round(value: Gre) -> None:
    assert Gre.parse(GreView(value.emit(b"data"))) == value


def test_a_wrong_checksum_of_gre_is_a_problem() -> None:
    data = bytearray(Gre(checksummed=True).emit(b"data"))
    assert GreView(bytes(data)).problems() == ()
    data[-1] ^= 1
    assert GreView(bytes(data)).problems() == ("bad-checksum",)


def test_what_no_gre_value_can_be() -> None:
    for header in ("4000 0800 00000000", "0001 0800", "8000 0800 f7ff 0001"):
        with pytest.raises(ValueNotLegal):
            Gre.parse(GreView(bytes.fromhex(header)))


def test_vxlan_goes_round() -> None:
    assert Vxlan.parse(VxlanView(Vxlan(0xABCDEF).emit())) == Vxlan(0xABCDEF)
    with pytest.raises(ValueNotLegal):
        Vxlan(2**24)
    with pytest.raises(ValueNotLegal):
        Vxlan.parse(VxlanView(bytes.fromhex("08000001 00000700")))


def test_packets_in_packets_without_end_are_not_followed() -> None:
    data = frame(*[Ipv4("10.0.0.1", "10.0.0.2", 4)] * 200, INNER, *SEGMENT)
    packet, columns = dissect(data, 101), columns_of((data, 101, 0))
    assert "too-deep" in packet.problems()
    assert sum(isinstance(view, Ipv4View) for view in packet.layers) == 32
    assert columns.problems.tolist() == [512]
    tags = frame(Ethernet(type=0x8100), *[Vlan(1, type=0x8100)] * 15_000, Vlan(1))
    assert len(dissect(tags).layers) == 33
    assert dissect(tags).layer(EthernetView) is not None
