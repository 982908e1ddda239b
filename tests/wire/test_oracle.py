"""tshark beside us: the same frames, the same fields, and checksums that it calls good."""

import random
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from fourtuple.wire import (
    Ethernet,
    FastOpen,
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
    WindowScale,
    frame,
    ipv4_text,
    ipv6_text,
)
from fourtuple.wire.columns import TCP, Columns, decode_columns

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
    headers = {101: b"", 113: bytes(14) + kind, 276: kind + bytes(18)}
    families = {0: struct.pack("<I", 30 if six else 2), 108: struct.pack(">I", 24 if six else 2)}
    return (headers | families)[link_type] + packet


def ask_tshark(frames: list[bytes], link_type: int, folder: Path) -> list[Fields]:
    """The fields of each frame as tshark reads them."""
    path = folder / "frames.pcap"
    records = (struct.pack("<IIII", 0, 0, len(data), len(data)) + data for data in frames)
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link_type)
    path.write_bytes(header + b"".join(records))
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "separator=;"]
    command += [word for name in FIELDS for word in ("-e", name)]
    command += [word for setting in PREFERENCES for word in ("-o", setting)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    return [dict(zip(FIELDS, line.split(";"), strict=True)) for line in lines]


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


@pytest.mark.parametrize("link_type", [1, 0, 101, 108, 113, 276])
def test_tshark_reads_the_same_fields(link_type: int, tmp_path: Path) -> None:
    rng = random.Random(link_type)
    frames = [wrapped(random_packet(rng), link_type, rng) for _ in range(150)]
    sizes = np.array([len(data) for data in frames], dtype=np.int64)
    buffer = np.frombuffer(b"".join(frames), dtype=np.uint8)
    columns = decode_columns(buffer, np.cumsum(sizes) - sizes, sizes, sizes, [link_type] * 150)
    theirs = ask_tshark(frames, link_type, tmp_path)
    assert len(theirs) == len(frames)
    for row, fields in enumerate(theirs):
        cookie = fields.pop("tcp.options.tfo.cookie")
        assert len(cookie) // 2 == max(0, columns.fast_open[row])
        assert {name: text for name, text in fields.items() if text} == {
            name: text for name, text in ours(columns, row).items() if text
        }
