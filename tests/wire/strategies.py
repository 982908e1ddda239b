"""What the property tests of this folder draw: legal values, frames of them, and damaged frames."""

from dataclasses import replace

from hypothesis import strategies as st

from fourtuple.wire import (
    Arp,
    Ethernet,
    FastOpen,
    Gre,
    Icmp,
    Icmp6,
    Ipv4,
    Ipv6,
    Ipv6Fragment,
    MaximumSegmentSize,
    NoOperation,
    Sack,
    SackPermitted,
    Tcp,
    TcpOption,
    Timestamps,
    Udp,
    UnknownOption,
    Vlan,
    Vxlan,
    WindowScale,
    frame,
    ipv4_text,
    ipv6_text,
    mac_text,
)
from fourtuple.wire.tcp_options import COOKIE_LENGTHS

bit = st.booleans()
u3 = st.integers(0, 7)
u8 = st.integers(0, 255)
u13 = st.integers(0, 0x1FFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
ethertypes = st.integers(0x600, 0xFFFF)
macs = st.binary(min_size=6, max_size=6).map(mac_text)
ipv4s = st.binary(min_size=4, max_size=4).map(ipv4_text)
ipv6s = st.binary(min_size=16, max_size=16).map(ipv6_text)
payloads = st.binary(max_size=40)


def known_option(kind: int) -> bool:
    return kind in (2, 3, 4, 5, 8, 34)


tcp_options = st.one_of(
    st.builds(NoOperation),
    st.builds(MaximumSegmentSize, u16),
    st.builds(WindowScale, st.integers(0, 14)),
    st.builds(SackPermitted),
    st.builds(Sack, st.lists(st.tuples(u32, u32), min_size=1, max_size=4).map(tuple)),
    st.builds(Timestamps, u32, u32),
    st.builds(
        FastOpen,
        st.sampled_from(COOKIE_LENGTHS).flatmap(lambda n: st.binary(min_size=n, max_size=n)),
    ),
    st.builds(
        UnknownOption,
        st.integers(2, 255).filter(lambda kind: not known_option(kind)),
        st.binary(max_size=12),
    ),
)


def _that_fit(options: list[TcpOption]) -> tuple[TcpOption, ...]:
    while sum(len(option.encode()) for option in options) > 40:
        options = options[1:]
    return tuple(options)


ethernets = st.builds(Ethernet, macs, macs, ethertypes)
vlans = st.builds(Vlan, st.integers(0, 4095), u3, bit, ethertypes)
arps = st.builds(Arp, u16, macs, ipv4s, macs, ipv4s)
tcps = st.builds(
    Tcp, u16, u16, u32, u32, st.integers(0, 511), u16, u16,
    options=st.lists(tcp_options, max_size=5).map(_that_fit),
)  # fmt: skip
udps = st.builds(Udp, u16, u16)
icmps = st.builds(Icmp, u8, u8, u32)
#: Neighbor Discovery's header goes to the end of the message: its options are not any bytes
icmp6s = st.builds(Icmp6, u8.filter(lambda kind: not 133 <= kind <= 137), u8, u32)
ipv4_options = st.sampled_from(
    (b"", b"\x94\x04\0\0", b"\x01\x01\x01\x00", b"\x07\x07\x04" + bytes(5))
)
ipv4_headers = st.builds(
    Ipv4, ipv4s, ipv4s, u8, u8, u16, bit, bit, u13, st.integers(0, 63), st.integers(0, 3),
    ipv4_options,
)  # fmt: skip
ipv6_headers = st.builds(
    Ipv6, ipv6s, ipv6s, u8, u8, st.integers(0, 63), st.integers(0, 3), st.integers(0, 0xFFFFF)
)
fragments = st.builds(Ipv6Fragment, u32, u13, bit, u8)

ordinary_ipv4 = st.builds(Ipv4, ipv4s, ipv4s, identification=u16, options=ipv4_options)
ordinary_ipv6 = st.builds(Ipv6, ipv6s, ipv6s)

#: a chain of IPv6 extension headers, ending before the protocol number given
CHAINS = (
    (0, b"%c\x00\x05\x02\0\0\x01\0"),
    (60, b"%c\x01" + b"\x01\x0c" + bytes(12)),
    (43, b"%c\x00\x04\x01\0\0\0\0"),
    (43, b"%c\x00\x04\x00\0\0\0\0"),
    (44, b"%c\x00\x00\x01\0\0\0\x07"),
    (51, b"%c\x04" + bytes(22)),
)


@st.composite
def ipv6_chains(draw: st.DrawFn) -> bytes:
    """An IPv6 packet with extension headers before its transport header."""
    ip = draw(ordinary_ipv6)
    inside, number = draw(st.sampled_from(((tcps, 6), (udps, 17), (icmp6s, 58))))
    payload = draw(inside).emit(draw(payloads), ip)
    for kind, header in draw(st.lists(st.sampled_from(CHAINS), min_size=1, max_size=3)):
        payload, number = header % number + payload, kind
    return replace(ip, next_header=number).emit(payload)


@st.composite
def ipv4_packets(draw: st.DrawFn) -> bytes:
    ip = draw(st.one_of(ordinary_ipv4, ordinary_ipv4, ipv4_headers))
    return frame(ip, draw(st.one_of(tcps, tcps, udps, icmps)), draw(payloads))


@st.composite
def ipv6_packets(draw: st.DrawFn) -> bytes:
    layers = draw(
        st.one_of(ordinary_ipv6.map(lambda ip: (ip,)), st.tuples(ipv6_headers, fragments))
    )
    return frame(*layers, draw(st.one_of(tcps, tcps, udps, icmp6s)), draw(payloads))


@st.composite
def icmp_errors(draw: st.DrawFn) -> bytes:
    """An IP packet with an ICMP error that quotes the beginning of another packet."""
    kept, rest = draw(st.integers(0, 120)), draw(st.sampled_from((0, 1400, 0x00050000, 0x00FF05DC)))
    if draw(bit):
        quoted = draw(st.one_of(ipv6_packets(), ipv6_chains()))
        kind = draw(st.sampled_from((1, 2, 3, 4, 5)))
        return frame(draw(ordinary_ipv6), Icmp6(kind, 0, rest), quoted[:kept])
    kind, code = draw(st.sampled_from(((3, 1), (3, 3), (3, 4), (4, 0), (5, 1), (11, 0), (12, 0))))
    return frame(draw(ordinary_ipv4), Icmp(kind, code, rest), draw(ipv4_packets())[:kept])


@st.composite
def tunneled(draw: st.DrawFn) -> bytes:
    """An IP packet with another in it, and perhaps a third in that."""
    packet = draw(st.one_of(ipv4_packets(), ipv6_packets(), ipv6_chains(), icmp_errors()))
    for _ in range(draw(st.integers(1, 2))):
        number = draw(st.sampled_from((0, 1, 5, 0xFFFFFF)))
        ethertype = 0x86DD if packet[0] >> 4 == 6 else 0x0800
        key = draw(st.sampled_from((None, number)))
        gre = Gre(ethertype, key, draw(st.sampled_from((None, 7))), draw(bit))
        bridged = replace(gre, type=0x6558)
        inside = Ethernet(type=ethertype)
        ip = draw(st.sampled_from((Ipv4("10.9.0.1", "10.9.0.2"), Ipv6("fd00::1", "fd00::2"))))
        if draw(bit):
            ip = replace(ip, source=ip.destination, destination=ip.source)
        direct = 41 if ethertype == 0x86DD else 4
        name = "protocol" if isinstance(ip, Ipv4) else "next_header"
        layers = draw(
            st.sampled_from(
                (
                    (replace(ip, **{name: direct}),),
                    (ip, gre),
                    (ip, bridged, inside),
                    (ip, Udp(50000, 4789), Vxlan(number), inside),
                )
            )
        )
        packet = frame(*layers, packet)
    return packet


MACS = b"\2\0\0\0\0\2\2\0\0\0\0\1"
#: link types and what stands before and after the ethertype
WRAPPINGS = (
    (1, MACS, b""),
    (1, MACS + b"\x81\0\0\7", b""),
    (1, MACS + b"\x88\xa8\0\7\x81\0\0\7", b""),
    (1, MACS + b"\x91\0\0\7", b""),
    (104, b"\x0f\0", b""),
    (9, b"\x8f\0", b""),
    (113, bytes(14), b""),
    (276, b"", bytes(18)),
)


@st.composite
def sound_captures(draw: st.DrawFn) -> tuple[bytes, int]:
    """A sound frame and its link type."""
    anything = (ipv4_packets(), ipv6_packets(), ipv6_chains(), icmp_errors(), tunneled())
    packet = draw(st.one_of(*anything))
    six = packet[0] >> 4 == 6
    family = (draw(st.sampled_from((10, 24, 28, 30))) if six else 2).to_bytes(4, "big")
    bare = ((101, b""), (228 + six, b""), (0, family), (0, family[::-1]), (108, family))
    number = b"\x57" if six else b"\x21"
    bare += ((12, b""), (14, b""), (9, b"\xff\3\0" + number), (50, b"\0" + number), (9, number))
    ethertype = b"\x86\xdd" if six else b"\x08\0"
    typed = tuple((link, before + ethertype + after) for link, before, after in WRAPPINGS)
    link, header = draw(st.sampled_from(typed + bare))
    return header + packet, link


@st.composite
def damaged_captures(draw: st.DrawFn) -> tuple[bytes, int]:
    """The same with a few bytes changed, and often with its end cut off."""
    sound, link = draw(sound_captures())
    data = bytearray(sound)
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(0, len(data) - 1))] = draw(u8)
    return bytes(data[: draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))]), link


nonsense = st.tuples(
    st.binary(max_size=120),
    st.sampled_from((*range(3), 9, 12, 50, 101, 104, 108, 113, 228, 229, 276)),
)
arp_frames = st.builds(lambda arp, rest: (frame(Ethernet(), arp, rest), 1), arps, payloads)
#: bytes of every sort with a link type: sound, damaged, and no frame at all
captures = st.one_of(sound_captures(), damaged_captures(), arp_frames, nonsense)
