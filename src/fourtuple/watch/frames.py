"""Frames by the connection that they are of, as long as somebody may ask for them.

A frame is looked at just enough to tell its four-tuple; those of connections that nobody asks for
are let go after a while.
"""

import socket
from collections.abc import Iterable
from dataclasses import dataclass, field

from fourtuple.event.model import Endpoint
from fourtuple.system.tapping import Tapped
from fourtuple.wire import dissect

__all__ = ["Frames", "key_of", "pair_key"]

_ETHERNET, _RAW = 1, 101
_TCP, _UDP = b"\x06", b"\x11"
_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"
#: the flags and offset of an IPv4 packet that is no fragment, with DF or without
_NO_FRAGMENT = (b"\x40\x00", b"\x00\x00")
_MOST_BYTES = 512 << 20


def pair_key(one: Endpoint, other: Endpoint, protocol: str = "tcp") -> bytes:
    """What all frames between two endpoints have in common."""
    ends = sorted(_packed(end) for end in (one, other))
    return (_UDP if protocol == "udp" else _TCP) + ends[0] + ends[1]


def _packed(end: Endpoint) -> bytes:
    family = socket.AF_INET6 if ":" in end.address else socket.AF_INET
    return socket.inet_pton(family, end.address) + end.port.to_bytes(2, "big")


def key_of(data: bytes, link_type: int) -> bytes | None:
    """The `pair_key` of a frame, or of the segment that an ICMP error quotes; None without one."""
    at = 14 if link_type == _ETHERNET else 0
    kind = data[12:14] if at else (_IPV4 if data[:1] < b"\x50" else _IPV6)
    whole = data[at + 6 : at + 8] in _NO_FRAGMENT
    protocol = data[at + 9 : at + 10] if kind == _IPV4 else data[at + 6 : at + 7]
    if protocol not in (_TCP, _UDP):
        return _slow_key(data, link_type)
    if kind == _IPV4 and whole:
        ports = at + (data[at] & 15) * 4
        source, target = data[at + 12 : at + 16], data[at + 16 : at + 20]
    elif kind == _IPV6:
        ports = at + 40
        source, target = data[at + 8 : at + 24], data[at + 24 : at + 40]
    else:
        return _slow_key(data, link_type)
    one = source + data[ports : ports + 2]
    other = target + data[ports + 2 : ports + 4]
    return protocol + (one + other if one < other else other + one)


def _slow_key(data: bytes, link_type: int) -> bytes | None:
    packet = dissect(data, link_type)
    packet = packet.quoted or packet
    ports = packet.tcp or packet.udp
    if packet.ip is None or ports is None:
        return None
    ends = (
        Endpoint(str(packet.ip.source), ports.source_port),
        Endpoint(str(packet.ip.destination), ports.destination_port),
    )
    return pair_key(*ends, "tcp" if packet.tcp else "udp")


@dataclass(slots=True)
class Frames:
    """Frames that were taken, by `pair_key`; `left_out` counts those for which there was no room.

    `ports`: only frames with one of these are kept; none: all.
    """

    ports: frozenset[int] = frozenset()
    left_out: int = 0
    _kept: dict[bytes, list[Tapped]] = field(default_factory=dict)
    _bytes: int = 0

    def add(self, frames: Iterable[Tapped]) -> None:
        """Sort these in."""
        wanted = {port.to_bytes(2, "big") for port in self.ports}
        kept = self._kept
        for frame in frames:
            data = frame.data
            key = key_of(data, frame.link_type)
            if key is None or (wanted and wanted.isdisjoint(_ports_in(key))):
                continue
            if self._bytes + len(data) > _MOST_BYTES:
                self.left_out += 1
                continue
            self._bytes += len(data)
            if key in kept:
                kept[key].append(frame)
            else:
                kept[key] = [frame]

    @property
    def many(self) -> bool:
        """Whether half of the room is taken."""
        return self._bytes > _MOST_BYTES // 2

    def of(self, key: bytes) -> list[Tapped]:
        """The frames between two endpoints, so far."""
        return self._kept.get(key, [])

    def forget(self, keys: Iterable[bytes]) -> None:
        """Nobody will ask for these."""
        for key in keys:
            for frame in self._kept.pop(key, ()):
                self._bytes -= len(frame.data)

    def forget_idle(self, before_ns: int, wanted: frozenset[bytes]) -> None:
        """Let go of what has been silent since then and is nobody's."""
        self.forget(
            [key for key, frames in self._kept.items()
             if key not in wanted and frames[-1].t_ns < before_ns]
        )  # fmt: skip


def _ports_in(key: bytes) -> tuple[bytes, bytes]:
    half = len(key) // 2  # after the protocol
    return key[half - 1 : half + 1], key[-2:]
