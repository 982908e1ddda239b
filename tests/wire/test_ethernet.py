"""Ethernet and VLAN tags."""

import pytest
from hypothesis import given

from fourtuple.errors import ValueNotLegal
from fourtuple.wire import Ethernet, EthernetView, Vlan, VlanView, dissect

from .strategies import ethernets, payloads, vlans

TAGGED = bytes.fromhex("020000000002 020000000001 8100 b00a 0800")


@given(ethernets, payloads)
def test_ethernet_goes_round(value: Ethernet, payload: bytes) -> None:
    data = value.emit(payload)
    view = EthernetView(data)
    assert Ethernet.parse(view) == value
    assert Ethernet.parse(view).emit(view.payload) == data


@given(vlans, payloads)
def test_a_tag_goes_round(value: Vlan, payload: bytes) -> None:
    data = value.emit(payload)
    view = VlanView(data)
    assert Vlan.parse(view) == value
    assert Vlan.parse(view).emit(view.payload) == data


def test_a_known_tagged_frame() -> None:
    ethernet, vlan, _ = dissect(TAGGED, original_length=60).layers
    assert isinstance(ethernet, EthernetView)
    assert isinstance(vlan, VlanView)
    assert (ethernet.destination, ethernet.source) == ("02:00:00:00:00:02", "02:00:00:00:00:01")
    assert [field.text for field in vlan.fields()] == ["5", "1", "10", "0x0800 (IPv4)"]


def test_a_length_instead_of_a_type_ends_the_dissection() -> None:
    packet = dissect(bytes.fromhex("0180c2000000 020000000001 0026 424203") + bytes(35))
    assert [view.name for view in packet.layers] == ["Ethernet", "Data"]
    with pytest.raises(ValueNotLegal, match="0x0600 or more"):
        Ethernet.parse(EthernetView(packet.data))
