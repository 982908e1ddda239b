"""The header of a segment, field by field and bit by bit (row B2)."""

import struct

from fourtuple.errors import N_
from fourtuple.lab.evidence import ObservedSegment
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.script import Lab
from fourtuple.wire import TcpView

#: ports, sequence number, acknowledgment number, offset and flags, window, checksum, urgent pointer
_FIXED = struct.Struct("!HHIIHHHH")
BITS = ("CWR", "ECE", "URG", "ACK", "PSH", "RST", "SYN", "FIN")


def flag_bits(text: str) -> str:
    """The eight flags of a header as bits, highest first: "SYN ACK" is 00010010."""
    return "".join("1" if bit in text.split() else "0" for bit in BITS)


@experiment(
    covers="B2",
    question="What is in the header of a segment, field by field?",
    background=(
        "20 bytes: ports 2 + 2, sequence number 4, acknowledgment number 4, then in 2 bytes the "
        "data offset (4 bits, in words of 4 bytes), 4 bits that are reserved and 8 flags, window "
        "2, checksum 2, urgent pointer 2. Options follow, up to 40 bytes (RFC 9293, 3.1)."
    ),
    try_next=(
        N_("Turn timestamps off: how long is each header then?"),
        N_("See all six flags in real segments: lab run flags"),
        N_("Break the checksum: lab run corrupted-segment"),
    ),
    tags="header",
    mutation=Mutation(N_("window scaling is off"), sysctls={"net.ipv4.tcp_window_scaling": 0}),
)
def tcp_header(lab: Lab) -> None:
    client, server = lab.pair()
    sock, peer = lab.connected(client, server)
    sock.send(b"hello")
    lab.expect(peer.recv(), b"hello", "what the server's program reads")
    lab.settle()
    port = sock.call("getsockname").result()[1]

    syn, syn_ack, ack = lab.segments()[:3]
    data = lab.segments(payload=True)[0]
    there, back = [port, 8888], [8888, port]
    _fields(lab, syn, "SYN", there, 0)
    _fields(lab, syn_ack, "SYN ACK", back, syn.raw_seq + 1)
    _fields(lab, ack, "ACK", there, syn_ack.raw_seq + 1)
    _fields(lab, data, "PSH ACK", there, syn_ack.raw_seq + 1)

    lab.expect(
        _option_names(syn), ["MSS", "SACK_PERM", "TSval", "TSecr", "WS"], "options of the SYN",
        evidence=[syn.frame],
    )  # fmt: skip
    lab.expect(_length(lab, syn), 40, "bytes of its header: 20 and 20 of options")
    lab.expect(
        _option_names(data), ["TSval", "TSecr"], "options of the segment with data",
        evidence=[data.frame],
    )  # fmt: skip
    lab.expect(_length(lab, data), 32, "bytes of its header: 20 and 12")
    lab.claim(
        "the TCP header has 20 bytes",
        "its options: 20 bytes are the least, and the data offset says how many there are",
        "the SYN has {first} and the segment with data {later}",
        source="B",
        evidence=[syn.frame, data.frame],
        first=_length(lab, syn),
        later=_length(lab, data),
    )


def _fields(
    lab: Lab, segment: ObservedSegment, name: str, ends: list[int], acknowledgment: int
) -> None:
    """Each field of the fixed part, read here from the bytes, beside what it should be."""
    seen = _header(lab, segment)
    source, target, seq, ack, offset_and_flags, window, checksum, urgent = _FIXED.unpack(
        seen.header[: _FIXED.size]
    )

    def expect(actual: object, expected: object, what: str) -> None:
        lab.expect(actual, expected, what, evidence=[segment.frame], name=name, window=window)

    expect([source, target], ends, N_("{name}: source and destination port"))
    expect(seq, segment.raw_seq, N_("{name}: sequence number"))
    expect(ack, acknowledgment % 2**32, N_("{name}: acknowledgment number"))
    expect(offset_and_flags >> 12, seen.header_length // 4, N_("{name}: data offset, in words"))
    expect(offset_and_flags >> 8 & 0xF, 0, N_("{name}: reserved bits"))
    bits = f"{offset_and_flags & 0xFF:08b}"
    expect(
        bits, flag_bits(name), N_("{name}: flags, from CWR, ECE, URG, ACK, PSH, RST, SYN to FIN")
    )
    expect(window > 0, True, N_("{name}: window {window}: more than none"))
    expect(
        [checksum > 0, seen.checksum_holds], [True] * 2, N_("{name}: a checksum, and it is right")
    )
    expect(urgent, 0, N_("{name}: urgent pointer"))


def _header(lab: Lab, segment: ObservedSegment) -> TcpView:
    seen = lab.timeline().packet(segment.frame).tcp
    assert seen is not None
    return seen


def _length(lab: Lab, segment: ObservedSegment) -> int:
    return _header(lab, segment).header_length


def _option_names(segment: ObservedSegment) -> list[str]:
    """As Wireshark calls them, without their values; padding is left out."""
    return [word.partition("=")[0] for word in segment.options.split()]
