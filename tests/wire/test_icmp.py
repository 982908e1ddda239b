"""ICMP: echoes, errors, and the packets that errors quote."""

from hypothesis import given

from fourtuple.wire import Icmp, IcmpView, Ipv4, Tcp, Udp, dissect, frame

from .strategies import icmps, payloads

HERE, THERE = "10.0.0.1", "10.0.0.2"


@given(icmps, payloads)
def test_a_message_goes_round(value: Icmp, payload: bytes) -> None:
    data = value.emit(payload)
    view = IcmpView(data)
    assert Icmp.parse(view) == value
    assert Icmp.parse(view).emit(view.payload) == data


def test_a_known_echo_request() -> None:
    # 0800 + 1234 + 0007 + 6869 = 82a4
    data = bytes.fromhex("08 00 7d5b 1234 0007 6869")
    assert Icmp(8, 0, 0x12340007).emit(b"hi") == data
    view = IcmpView(data)
    assert (view.identifier, view.sequence, view.payload) == (0x1234, 7, b"hi")
    assert view.fields()[0].text == "8 (echo request)"
    assert IcmpView(data[:-1] + b"j").problems() == ("bad-checksum",)


def test_port_unreachable_quotes_the_datagram() -> None:
    asked = frame(Ipv4(HERE, THERE), Udp(40000, 9), b"is anybody there?")
    packet = dissect(frame(Ipv4(THERE, HERE), Icmp(3, 3), asked), 228)
    assert packet.udp is None
    quoted = packet.quoted
    assert quoted is not None and quoted.udp is not None and quoted.ip is not None
    assert (quoted.ip.source, quoted.udp.destination_port) == (HERE, 9)
    assert quoted.payload == b"is anybody there?"


def test_a_quote_of_eight_bytes_still_names_ports_and_sequence_number() -> None:
    segment = frame(Ipv4(HERE, THERE), Tcp(40000, 80, sequence=77), bytes(1000))
    packet = dissect(frame(Ipv4(THERE, HERE), Icmp(3, 4, 1400), segment[:28]), 228)
    quoted = packet.quoted
    assert quoted is not None and quoted.tcp is not None and packet.icmp is not None
    assert (quoted.tcp.source_port, quoted.tcp.destination_port, quoted.tcp.sequence) == (
        40000,
        80,
        77,
    )
    assert quoted.problems() == ("cut",)
    assert isinstance(packet.icmp, IcmpView)
    assert packet.icmp.next_hop_mtu == 1400


def test_an_extension_after_the_quote_is_not_quoted() -> None:
    segment = frame(Ipv4(HERE, THERE), Tcp(1, 2), bytes(200))[:128]
    packet = dissect(frame(Ipv4(THERE, HERE), Icmp(11, 0, 32 << 16), segment), 228)
    extended = dissect(frame(Ipv4(THERE, HERE), Icmp(11, 0, 32 << 16), segment + bytes(8)), 228)
    assert packet.quoted is not None and extended.quoted is not None
    assert extended.quoted.data == packet.quoted.data == segment


def test_an_echo_quotes_nothing() -> None:
    assert dissect(frame(Ipv4(HERE, THERE), Icmp(8), b"E" * 40), 228).quoted is None
