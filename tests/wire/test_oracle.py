"""tshark beside us: the same frames, the same fields, and checksums that it calls good."""

import random
import struct
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from fourtuple.wire import (
    ACK,
    Ethernet,
    FastOpen,
    Gre,
    Icmp,
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
    Vlan,
    Vxlan,
    WindowScale,
    frame,
    ipv4_text,
    ipv6_text,
)
from fourtuple.wire.columns import FRAGMENT, ICMP, TCP, UDP, Columns, Seen, decode_columns

pytestmark = pytest.mark.oracle("tshark")

FIELDS = (
    *("ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "ip.checksum.status"),
    *("tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport"),
    *("tcp.seq_raw", "tcp.ack_raw", "tcp.flags", "tcp.window_size_value", "tcp.urgent_pointer"),
    *("tcp.len", "udp.length", "tcp.checksum.status", "udp.checksum.status"),
    *("tcp.options.mss_val", "tcp.options.wscale.shift", "tcp.options.timestamp.tsval"),
    *("tcp.options.timestamp.tsecr", "tcp.options.sack_le", "tcp.options.sack_re"),
    *("tcp.options.tfo.cookie", "_ws.malformed"),
)
PREFERENCES = (
    *("tcp.relative_sequence_numbers:FALSE", "tcp.check_checksum:TRUE"),
    *("ip.check_checksum:TRUE", "udp.check_checksum:TRUE", "ip.defragment:FALSE"),
)
GOOD = "1"

Fields = dict[str, str]


def random_options(rng: random.Random) -> tuple[TcpOption, ...]:
    number = rng.getrandbits
    choices: list[TcpOption] = [
        MaximumSegmentSize(number(16)),
        WindowScale(rng.randrange(15)),
        SackPermitted(),
        NoOperation(),
        Timestamps(number(32), number(32)),
        FastOpen(rng.randbytes(8)),
        Sack(tuple((number(32), number(32)) for _ in range(rng.randrange(1, 3)))),
    ]
    chosen = rng.sample(choices, rng.randrange(4))
    return tuple(chosen) if sum(len(option.encode()) for option in chosen) <= 40 else ()


def random_packet(rng: random.Random) -> bytes:
    """An IP packet with a segment or a datagram."""
    number = rng.getrandbits
    tcp = Tcp(
        *(number(16), number(16), number(32), number(32), number(9), number(16), number(16)),
        options=random_options(rng),
    )
    # ports that no protocol above claims, so that nothing but UDP is judged
    inside = rng.choice((tcp, tcp, Udp(61000 + number(8), 62000 + number(8))))
    four = Ipv4(ipv4_text(rng.randbytes(4)), ipv4_text(rng.randbytes(4)), identification=number(16))
    six = Ipv6(ipv6_text(rng.randbytes(16)), ipv6_text(rng.randbytes(16)))
    ips = rng.choice(((four,), (six,), (six, Ipv6Fragment(number(32)))))
    return frame(*ips, inside, rng.randbytes(rng.randrange(30)))


def wrapped(packet: bytes, link_type: int, rng: random.Random) -> bytes:
    six = packet[0] >> 4 == 6
    ethertype = 0x86DD if six else 0x0800
    kind = struct.pack(">H", ethertype)
    if link_type == 1:
        tag = Vlan(7, type=ethertype).emit() if rng.random() < 0.3 else b""
        return Ethernet(type=0x8100 if tag else ethertype).emit(tag + packet)
    headers = {101: b"", 104: b"\x0f\0" + kind, 113: bytes(14) + kind, 276: kind + bytes(18)}
    number = struct.pack(">H", 0x57 if six else 0x21)
    if link_type in (9, 50):
        framings = (b"\xff\3" + number, b"\xff\3" + number[1:], b"\x0f\0" + kind)
        return rng.choice(framings if link_type == 50 else (*framings, number)) + packet
    families = {0: struct.pack("<I", 30 if six else 2), 108: struct.pack(">I", 24 if six else 2)}
    return (headers | families)[link_type] + packet


def ask_tshark(
    frames: list[bytes],
    link_type: int,
    folder: Path,
    names: tuple[str, ...] = FIELDS,
    more: tuple[str, ...] = (),
) -> list[Fields]:
    """The fields of each frame as tshark reads them; `more` are words of its command line."""
    path = folder / "frames.pcap"
    records = (struct.pack("<IIII", 0, 0, len(data), len(data)) + data for data in frames)
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link_type)
    path.write_bytes(header + b"".join(records))
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "separator=;"]
    command += [word for name in names for word in ("-e", name)]
    command += [word for setting in PREFERENCES for word in ("-o", setting)]
    done = subprocess.run([*command, *more], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    return [dict(zip(names, line.split(";"), strict=True)) for line in lines]


def ours(columns: Columns, row: int) -> Fields:
    """The same fields from the columns, in tshark's words."""
    tcp, six = columns.kind[row] == TCP, columns.family[row] == 6
    (source, source_port), (destination, port) = columns.source(row), columns.destination(row)
    ip, transport = ("ipv6" if six else "ip"), ("tcp" if tcp else "udp")
    found = {
        f"{ip}.src": source,
        f"{ip}.dst": destination,
        "ip.checksum.status": "" if six else GOOD,
    }
    found |= {f"{transport}.srcport": str(source_port), f"{transport}.dstport": str(port)}
    found[f"{transport}.checksum.status"] = GOOD
    if not tcp:
        return found | {"udp.length": str(columns.payload_length[row] + 8)}
    found |= {
        "tcp.seq_raw": str(columns.sequence[row]),
        "tcp.ack_raw": str(columns.acknowledgment[row]),
        "tcp.flags": f"0x{columns.flags[row]:04x}",
        "tcp.window_size_value": str(columns.window[row]),
        "tcp.urgent_pointer": str(columns.urgent_pointer[row]),
        "tcp.len": str(columns.payload_length[row]),
    }
    return found | our_options(columns, row)


def our_options(columns: Columns, row: int) -> Fields:
    names = {
        "mss": "tcp.options.mss_val",
        "window_scale": "tcp.options.wscale.shift",
        "ts_value": "tcp.options.timestamp.tsval",
        "ts_echo": "tcp.options.timestamp.tsecr",
    }
    values = {name: int(getattr(columns, field)[row]) for field, name in names.items()}
    found = {name: str(value) for name, value in values.items() if value >= 0}
    edges = columns.sack_edges[row, : 2 * columns.sack_count[row]].tolist()
    found["tcp.options.sack_le"] = ",".join(map(str, edges[::2]))
    found["tcp.options.sack_re"] = ",".join(map(str, edges[1::2]))
    return found


def columns_of(frames: list[bytes], link_type: int) -> Columns:
    sizes = np.array([len(data) for data in frames], dtype=np.int64)
    buffer = np.frombuffer(b"".join(frames), dtype=np.uint8)
    seen = Seen(np.arange(len(frames)), np.zeros(len(frames), np.int64))
    links = [link_type] * len(frames)
    return decode_columns(buffer, np.cumsum(sizes) - sizes, sizes, sizes, links, seen)


@pytest.mark.parametrize("link_type", [1, 0, 9, 50, 101, 104, 108, 113, 276])
def test_tshark_reads_the_same_fields(link_type: int, tmp_path: Path) -> None:
    rng = random.Random(100 + link_type)
    frames = [wrapped(random_packet(rng), link_type, rng) for _ in range(150)]
    columns = columns_of(frames, link_type)
    theirs = ask_tshark(frames, link_type, tmp_path)
    assert len(theirs) == len(frames)
    for row, fields in enumerate(theirs):
        cookie = fields.pop("tcp.options.tfo.cookie")
        assert len(cookie) // 2 == max(0, columns.fast_open[row])
        assert {name: text for name, text in fields.items() if text} == {
            name: text for name, text in ours(columns, row).items() if text
        }


def tunneled(packet: bytes, rng: random.Random) -> bytes:
    """The packet in a tunnel, and perhaps that in another."""
    for _ in range(rng.randrange(1, 3)):
        six = packet[0] >> 4 == 6
        ethertype, direct = (0x86DD, 41) if six else (0x0800, 4)
        key, sequence = rng.choice((None, rng.getrandbits(32))), rng.choice((None, 7))
        gre = Gre(ethertype, key, sequence, rng.random() < 0.5)
        inside = Ethernet(type=ethertype)
        outer: Ipv4 | Ipv6 = Ipv4("10.9.0.1", "10.9.0.2", direct)
        if rng.random() < 0.5:
            outer = Ipv6("fd00::1", "fd00::2", direct)
        vxlan = (outer, Udp(50000, 4789), Vxlan(rng.getrandbits(24)), inside)
        bridged = (outer, replace(gre, type=0x6558), inside)
        packet = frame(*rng.choice(((outer,), (outer, gre), bridged, vxlan)), packet)
    return packet


def test_tshark_sees_the_same_in_tunnels(tmp_path: Path) -> None:
    """The last packet of each frame, as both read it."""
    rng = random.Random(7)
    frames = [tunneled(random_packet(rng), rng) for _ in range(200)]
    columns = columns_of(frames, 101)
    names = ("ip.src", "ipv6.dst", "tcp.seq_raw", "tcp.len", "udp.srcport", "udp.length")
    theirs = ask_tshark(frames, 101, tmp_path, names, ("-E", "occurrence=l"))
    assert len(theirs) == 200
    for row, fields in enumerate(theirs):
        six = columns.family[row] == 6
        assert (
            fields["ipv6.dst" if six else "ip.src"]
            == (columns.destination(row) if six else columns.source(row))[0]
        )
        if columns.kind[row] == TCP:
            assert fields["tcp.seq_raw"] == str(columns.sequence[row])
            assert fields["tcp.len"] == str(columns.payload_length[row])
        else:
            assert columns.kind[row] == UDP
            assert fields["udp.srcport"] == str(columns.source_port[row])
            assert fields["udp.length"] == str(columns.payload_length[row] + 8)
        assert columns.tunnel[row] != 0


def in_fragments(packet: bytes, number: int, rng: random.Random) -> list[bytes]:
    """An IPv4 packet of 20 bytes of header, cut at random places, in random order."""
    places = [0, *sorted(rng.sample(range(8, len(packet) - 28, 8), 2)), len(packet) - 20]
    made = []
    for begin, end in pairwise(places):
        more = end < len(packet) - 20
        ip = Ipv4(
            *(ipv4_text(packet[12:16]), ipv4_text(packet[16:20]), packet[9]),
            identification=number,
            more_fragments=more,
            fragment_offset=begin // 8,
        )
        made.append(frame(ip, packet[20 + begin : 20 + end]))
    rng.shuffle(made)
    return made


def test_tshark_puts_the_same_fragments_together(tmp_path: Path) -> None:
    """A segment where its last fragment is seen; a datagram is told by its first one already."""
    rng = random.Random(3)
    frames = []
    for number in range(100):
        tcp = Tcp(rng.getrandbits(16), 80, rng.getrandbits(32), flags=ACK)
        packet = frame(Ipv4("10.0.0.1", "10.0.0.2"), tcp, rng.randbytes(rng.randrange(60, 400)))
        frames += in_fragments(packet, number, rng)
    columns = columns_of(frames, 101)
    names = ("tcp.seq_raw", "tcp.srcport", "tcp.len")
    theirs = ask_tshark(frames, 101, tmp_path, names, ("-o", "ip.defragment:TRUE"))
    for row, fields in enumerate(theirs):
        if not fields["tcp.len"]:
            assert columns.kind[row] == FRAGMENT
            continue
        assert columns.kind[row] == TCP
        found = (columns.sequence[row], columns.source_port[row], columns.payload_length[row])
        assert tuple(fields.values()) == tuple(map(str, found))
    assert sum(columns.kind == TCP) == 100


def test_tshark_reads_the_same_out_of_icmp_errors(tmp_path: Path) -> None:
    rng = random.Random(5)
    frames = []
    for _ in range(100):
        tcp = Tcp(rng.getrandbits(16), rng.getrandbits(16), rng.getrandbits(32))
        quoted = frame(Ipv4(ipv4_text(rng.randbytes(4)), "10.0.0.2"), tcp)[:28]
        kind, code = rng.choice(((3, 1), (3, 3), (3, 4), (11, 0)))
        frames.append(
            frame(Ipv4("10.0.0.9", "10.0.0.1"), Icmp(kind, code, rng.randrange(576, 1500)), quoted)
        )
    columns = columns_of(frames, 101)
    names = ("icmp.type", "icmp.code", "icmp.mtu", "ip.src", "tcp.srcport", "tcp.seq")
    theirs = ask_tshark(frames, 101, tmp_path, names, ("-E", "occurrence=l"))
    for row, fields in enumerate(theirs):
        quote = columns.quoted(row)
        assert columns.kind[row] == ICMP
        assert quote is not None
        mtu = str(columns.icmp_mtu[row]) if columns.icmp_mtu[row] else ""
        assert list(fields.values()) == [
            *(str(columns.icmp_type[row]), str(columns.icmp_code[row]), mtu),
            *(quote.source[0], str(quote.source[1]), str(quote.sequence)),
        ]
