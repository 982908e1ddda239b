"""What no connection has: link types that nobody decodes, headers without end, odd fragments."""

import io
import struct

import octets
from fourtuple.explain.text import Translator
from fourtuple.render.leftover import leftover_of
from fourtuple.render.summary import report
from fourtuple.render.terminal import Terminal
from fourtuple.source import read
from fourtuple.wire import Ethernet, Ipv4, Ipv6, Tcp, Vlan, frame, ip_bytes
from fourtuple.wire.checksum import checksum, pseudo_header

FRAGMENT = Ipv4("10.0.0.1", "10.0.0.2", identification=7, more_fragments=True)


def told(*frames: bytes, link: int = 1) -> list[str]:
    data = octets.pcap(link=link) + b"".join(octets.pcap_record(each, 1, 0) for each in frames)
    words = Translator()
    return [words.text(message) for message in leftover_of(read(io.BytesIO(data)))]


def test_an_ordinary_capture_leaves_nothing_to_say() -> None:
    assert told(frame(Ethernet(), Ipv4("10.0.0.1", "10.0.0.2"), Tcp(1, 2))) == []


def test_a_link_type_that_is_not_decoded_is_counted_and_named() -> None:
    assert told(bytes(60), bytes(60), link=105) == [
        "2 frames have link type IEEE802_11 (105), which is not decoded"
    ]
    assert told(bytes(60), link=3999) == ["1 frame has link type 3999 (3999), which is not decoded"]


def test_tags_without_end_are_not_followed() -> None:
    tags = frame(Ethernet(type=0x8100), *[Vlan(1, type=0x8100)] * 5000, Vlan(1))
    assert told(tags) == [
        "1 frame nests more headers than are looked at: the rest of it is not decoded"
    ]


def test_fragments_that_overlap_or_fit_nowhere_are_counted() -> None:
    over = Ipv4("10.0.0.1", "10.0.0.2", identification=7, fragment_offset=1)
    overlapping = [
        frame(Ethernet(), FRAGMENT, bytes(16)),
        frame(Ethernet(), over, bytes(24)),
        frame(Ethernet(), FRAGMENT, bytes(9)),
    ]
    assert told(*overlapping) == [
        (
            "1 IP fragment overlaps another: hosts drop such packets, and so does this analysis "
            "(RFC 5722)"
        ),
        "1 IP fragment cannot be part of a packet: its place or its length is impossible",
    ]


def test_checksums_that_a_network_card_was_to_finish_are_no_damage() -> None:
    for ip in (Ipv4("10.0.0.1", "10.0.0.2"), Ipv6("fd00::1", "fd00::2")):
        whole = frame(Ethernet(), ip, Tcp(1, 2), b"data")
        cut = bytearray(whole)
        at = len(whole) - 8  # of 20 bytes of header and 4 of data
        pseudo = pseudo_header(ip_bytes(ip.source), ip_bytes(ip.destination), 6, 24)
        cut[at : at + 2] = struct.pack(">H", 0xFFFF - checksum(pseudo))
        assert told(bytes(cut), bytes(cut), whole) == [
            (
                "2 frames were captured on the host that sent them, before their checksums were "
                "computed (offload): nothing is wrong with them"
            )
        ]
        assert told(bytes(cut), *[whole] * 1001) == []  # that happens by chance


def test_the_summary_says_it() -> None:
    data = octets.pcap(link=249) + octets.pcap_record(bytes(60), 1, 0)
    text = report(read(io.BytesIO(data)), Translator(), Terminal(80))
    assert "1 frame has link type USBPCAP (249), which is not decoded" in text
