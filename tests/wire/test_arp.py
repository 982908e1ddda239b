"""ARP: the message that every connection on a fresh link begins with."""

import pytest
from hypothesis import given

from fourtuple.errors import ValueNotLegal
from fourtuple.wire import Arp, ArpView, dissect

from .strategies import arps

WHO_HAS = bytes.fromhex(
    "ffffffffffff 020000000001 08060001 0800 06 04 0001 020000000001 0a4d0001 000000000000 0a4d0002"
)


@given(arps)
def test_a_message_goes_round(value: Arp) -> None:
    assert Arp.parse(ArpView(value.emit())) == value
    assert Arp.parse(ArpView(value.emit())).emit() == value.emit()


def test_who_has() -> None:
    arp = dissect(WHO_HAS).arp
    assert arp is not None
    assert [field.text for field in arp.fields()] == [
        *("1 (Ethernet)", "0x0800 (IPv4)", "6", "4", "1 (request)"),
        *("02:00:00:00:00:01", "10.77.0.1", "00:00:00:00:00:00", "10.77.0.2"),
    ]
    assert (arp.sender_address, arp.target_address) == ("10.77.0.1", "10.77.0.2")
    assert (arp.sender_hardware, arp.target_hardware) == (
        "02:00:00:00:00:01",
        "00:00:00:00:00:00",
    )


def test_padding_to_the_smallest_frame_is_no_part_of_it() -> None:
    packet = dissect(WHO_HAS + bytes(18))
    assert packet.problems() == ()
    assert [view.name for view in packet.layers] == ["Ethernet", "ARP"]
    assert packet.trailer == bytes(18)


def test_other_address_sizes_are_shown_as_bytes() -> None:
    odd = ArpView(bytes.fromhex("0006 0800 02 03 0001 aabb 0a4d00 ccdd 0a4d01"))
    assert [field.text for field in odd.fields()][5:] == ["aa bb", "0a 4d 00", "cc dd", "0a 4d 01"]
    assert odd.problems() == ()
    with pytest.raises(ValueNotLegal, match="not ARP for IPv4 over Ethernet"):
        Arp.parse(odd)
