"""Probes as numpy rows: one template a target and payload, in which the columns are filled in.

A template is an ordinary frame of the wire package, whole and legal, its ports and cookie 0. What a
row changes is added to its checksum (RFC 1624), so no byte of it is summed again.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from fourtuple.scan.strategy import Probe
from fourtuple.wire import SYN, Ethernet, Ipv4, Ipv6, MaximumSegmentSize, Tcp, Udp, frame

__all__ = ["Address", "Crafter", "Frames"]

Int64s = npt.NDArray[np.int64]
Uint8s = npt.NDArray[np.uint8]

_MSS = 1460
_WINDOW = 1024
#: within a TCP header, and a UDP header
_TCP_CHECKSUM, _UDP_CHECKSUM = 16, 6
_SEQUENCE, _ACKNOWLEDGMENT = 4, 8


class Address(Struct, frozen=True):
    """From where to where. `link` is the two Ethernet addresses (source, destination), None where
    packets are given to the kernel without a link header."""

    source: str
    destination: str
    link: tuple[str, str] | None = None


class Frames(Struct, frozen=True):
    """n frames: `rows` uint8[n, stride], of each of which the first `lengths` bytes count."""

    rows: Uint8s
    lengths: Int64s

    def __len__(self) -> int:
        return len(self.lengths)

    def data(self, index: int) -> bytes:
        return self.rows[index, : int(self.lengths[index])].tobytes()


class Crafter:
    """Makes probes of one kind to addresses of one family, all with or all without link header.

    `payloads` are what is sent to a UDP port of that number; any other gets an empty datagram.
    """

    def __init__(
        self,
        probe: Probe,
        addresses: Sequence[Address],
        payloads: Mapping[int, bytes] | None = None,
    ) -> None:
        self._probe = probe
        wanted = payloads or {}
        contents = [b"", *dict.fromkeys(wanted.values())]
        made = [_template(probe, address, data) for address in addresses for data in contents]
        self._contents = len(contents)
        self._content_of_port = np.zeros(65536, dtype=np.int64)
        for port, data in wanted.items():
            self._content_of_port[port] = contents.index(data)
        self._lengths = np.array([len(data) for data in made], dtype=np.int64)
        self._templates = np.zeros((len(made), int(self._lengths.max())), dtype=np.uint8)
        for row, data in zip(self._templates, made, strict=True):
            row[: len(data)] = np.frombuffer(data, dtype=np.uint8)
        link = 14 if addresses[0].link else 0
        self._header = link + (40 if ":" in addresses[0].destination else 20)

    def frames(
        self, targets: Int64s, ports: Int64s, source_ports: Int64s, cookies: Int64s
    ) -> Frames:
        """A probe a row: `targets` counts from 0 among the addresses; all int64[n]."""
        which = targets
        if self._contents > 1:
            which = targets * self._contents + self._content_of_port[ports]
        rows = self._templates[which]
        at = self._header
        _put(rows, at, source_ports)
        _put(rows, at + 2, ports)
        added = source_ports + ports
        if self._probe.flags is not None:
            for field in (_SEQUENCE, _ACKNOWLEDGMENT)[: 1 + self._probe.acknowledges]:
                _put(rows, at + field, cookies >> 16)
                _put(rows, at + field + 2, cookies & 0xFFFF)
                added = added + (cookies >> 16) + (cookies & 0xFFFF)
        self._mend_checksum(rows, added)
        return Frames(rows, self._lengths[which])

    def _mend_checksum(self, rows: Uint8s, added: Int64s) -> None:
        udp = self._probe.flags is None
        at = self._header + (_UDP_CHECKSUM if udp else _TCP_CHECKSUM)
        old = rows[:, at].astype(np.int64) << 8 | rows[:, at + 1]
        total = (0xFFFF - old) + added
        for _ in range(2):
            total = (total & 0xFFFF) + (total >> 16)
        new = 0xFFFF - total
        if udp:
            new[new == 0] = 0xFFFF  # RFC 768: 0 would say that there is no checksum
        _put(rows, at, new)


def _put(rows: Uint8s, at: int, values: Int64s) -> None:
    """Write 16-bit numbers in network order, one a row."""
    rows[:, at] = values >> 8
    rows[:, at + 1] = values & 0xFF


def _template(probe: Probe, address: Address, payload: bytes) -> bytes:
    ip: Ipv4 | Ipv6
    if ":" in address.destination:
        ip = Ipv6(address.source, address.destination)
    else:
        ip = Ipv4(address.source, address.destination, dont_fragment=True)
    transport = Udp(0, 0) if probe.flags is None else _segment(probe)
    if address.link is None:
        return frame(ip, transport, payload)
    source, destination = address.link
    return frame(Ethernet(source, destination), ip, transport, payload)


def _segment(probe: Probe) -> Tcp:
    assert probe.flags is not None
    options = (MaximumSegmentSize(_MSS),) if probe.flags == SYN else ()
    return Tcp(0, 0, flags=probe.flags, window=_WINDOW, options=options)
