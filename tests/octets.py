"""Capture files written by hand, field by field: what other tools' files are made of.

Nothing here uses fourtuple's own writer. `order` is "<" (little-endian) or ">".
"""

import struct
from collections.abc import Iterable

__all__ = [
    "PCAP_MICRO",
    "PCAP_MODIFIED",
    "PCAP_NANO",
    "block",
    "enhanced",
    "interface",
    "obsolete",
    "option",
    "pcap",
    "pcap_record",
    "section",
    "simple",
]

PCAP_MICRO, PCAP_NANO, PCAP_MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34


def pcap(
    order: str = "<",
    magic: int = PCAP_MICRO,
    *,
    version: tuple[int, int] = (2, 4),
    snap_length: int = 65535,
    link: int = 1,
) -> bytes:
    """The file header of a classic capture."""
    return struct.pack(order + "IHHiIII", magic, *version, 0, 0, snap_length, link)


def pcap_record(
    data: bytes,
    seconds: int,
    fraction: int,
    *,
    original: int | None = None,
    order: str = "<",
    swapped: bool = False,
) -> bytes:
    """A frame of a classic capture; `swapped` is how versions before 2.4 give the lengths."""
    lengths = (len(data), len(data) if original is None else original)
    lengths = lengths[::-1] if swapped else lengths
    return struct.pack(order + "IIII", seconds, fraction, *lengths) + data


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def block(kind: int, body: bytes, order: str = "<", length: int | None = None) -> bytes:
    """Any pcapng block; `length` replaces both of its length fields."""
    body += bytes(-len(body) % 4)
    total = 12 + len(body) if length is None else length
    return struct.pack(order + "II", kind, total) + body + struct.pack(order + "I", total)


def section(order: str = "<", options: bytes = b"", major: int = 1) -> bytes:
    head = struct.pack(order + "IHHq", 0x1A2B3C4D, major, 0, -1)
    return block(0x0A0D0D0A, head + options, order)


def interface(
    order: str = "<",
    *,
    link: int = 1,
    snap_length: int = 0,
    options: Iterable[tuple[int, bytes]] = (),
) -> bytes:
    head = struct.pack(order + "HHI", link, 0, snap_length)
    return block(1, head + b"".join(option(*each, order) for each in options), order)


def enhanced(
    data: bytes,
    ticks: int,
    *,
    order: str = "<",
    number: int = 0,
    original: int | None = None,
    captured: int | None = None,
    options: bytes = b"",
) -> bytes:
    """An enhanced packet block; `captured` is what it claims, whatever `data` is."""
    claimed = len(data) if captured is None else captured
    whole = claimed if original is None else original
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, claimed, whole)
    return block(6, head + data + bytes(-len(data) % 4) + options, order)


def obsolete(data: bytes, ticks: int, *, order: str = "<", number: int = 0) -> bytes:
    """The packet block of old pcapng files: 16 bits of interface, 16 of drops (7 of them)."""
    times = (ticks >> 32, ticks & 0xFFFFFFFF)
    head = struct.pack(order + "HHIIII", number, 7, *times, len(data), len(data))
    return block(2, head + data, order)


def simple(data: bytes, *, order: str = "<", original: int | None = None) -> bytes:
    whole = len(data) if original is None else original
    return block(3, struct.pack(order + "I", whole) + data, order)
