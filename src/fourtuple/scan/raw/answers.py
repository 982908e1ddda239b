"""Received packets as columns: who answers which probe, and how. Pure.

A packet is a row that begins at its IP header. Anything may be in it: what is no answer gets kind
NOTHING, and no bytes raise. ICMP errors are read for the probe that they quote (RFC 792: at least
eight bytes of it), so their endpoints are the probe's own.
"""

import numpy as np
import numpy.typing as npt
from msgspec import Struct

__all__ = ["ICMP", "ICMP6", "NOTHING", "TCP", "UDP", "Answers", "read_answers"]

Int64s = npt.NDArray[np.int64]
Uint64s = npt.NDArray[np.uint64]
Uint8s = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

NOTHING, TCP, UDP, ICMP, ICMP6 = range(5)


class Answers(Struct, frozen=True):
    """n packets; int64[n] unless said.

    kind            NOTHING, TCP, UDP, ICMP or ICMP6
    protocol        6 or 17: of the probe that is answered
    high, low       uint64[n]: the probed address; IPv4's is all in low
    port, own_port  of the probe: where it went and whence it came
    sequence, acknowledgment, flags, window
                    TCP's fields; of an ICMP error, the quoted probe's, as far as it quotes them
    icmp_type, code of an ICMP error
    """

    kind: Int64s
    protocol: Int64s
    high: Uint64s
    low: Uint64s
    port: Int64s
    own_port: Int64s
    sequence: Int64s
    acknowledgment: Int64s
    flags: Int64s
    window: Int64s
    icmp_type: Int64s
    code: Int64s


#: where something begins in each packet: the same place in all of them, or one place a row
_At = int | Int64s


class _Rows:
    """Bytes of n packets, at one place or at places that differ from row to row; 0 beyond a
    packet's end where they differ."""

    def __init__(self, data: Uint8s, captured: Int64s) -> None:
        self._data = data
        self._index = np.arange(len(data))
        self.captured = np.minimum(captured, data.shape[1])

    def byte(self, at: _At) -> Int64s:
        if isinstance(at, int):
            return self._data[:, at].astype(np.int64)
        inside = at < self.captured
        clipped = np.where(inside, at, 0)
        return np.where(inside, self._data[self._index, clipped], 0).astype(np.int64)

    def short(self, at: _At) -> Int64s:
        return self.byte(at) << 8 | self.byte(at + 1)

    def word(self, at: _At) -> Int64s:
        return self.short(at) << 16 | self.short(at + 2)

    def long(self, at: _At) -> Uint64s:
        high, low = self.word(at).astype(np.uint64), self.word(at + 4).astype(np.uint64)
        return high << np.uint64(32) | low


def read_answers(data: Uint8s, captured: Int64s) -> Answers:
    """Read n packets: `data` uint8[n, width], of each of which `captured` bytes are there."""
    plain = (data[:, 0] == 0x45) & (data[:, 9] == 6) & (captured >= 40)
    plain &= (data[:, 6] & 0x1F | data[:, 7]) == 0
    if plain.all():
        return _read_plain(_Rows(data, captured))
    return _read_any(_Rows(data, captured))


def _read_plain(rows: _Rows) -> Answers:
    """TCP behind IPv4 headers without options: nearly all that a scan meets, and five times faster
    for its fixed places."""
    zeros = np.zeros(len(rows.captured), dtype=np.int64)
    return Answers(
        kind=np.full_like(zeros, TCP),
        protocol=np.full_like(zeros, 6),
        high=zeros.astype(np.uint64),
        low=rows.word(12).astype(np.uint64),
        port=rows.short(20),
        own_port=rows.short(22),
        sequence=rows.word(24),
        acknowledgment=rows.word(28),
        flags=rows.byte(33),
        window=rows.short(34),
        icmp_type=zeros,
        code=zeros,
    )


class _Ip(Struct, frozen=True):
    """What an IP header at `at` says; `whole` where a transport header follows it."""

    whole: Bools
    six: Bools
    protocol: Int64s
    payload: Int64s
    at: Int64s

    def address(self, rows: _Rows, destination: bool) -> tuple[Uint64s, Uint64s]:
        place = self.at + np.where(self.six, 24 if destination else 8, 16 if destination else 12)
        zero = np.uint64(0)
        high = np.where(self.six, rows.long(place), zero)
        low = np.where(self.six, rows.long(place + 8), rows.word(place).astype(np.uint64))
        return high, low


def _ip(rows: _Rows, at: Int64s) -> _Ip:
    first = rows.byte(at)
    six = first >> 4 == 6
    four = (first >> 4 == 4) & (first & 15 >= 5)
    fragment = np.where(four, rows.short(at + 6) & 0x1FFF, 0)
    protocol = np.where(six, rows.byte(at + 6), rows.byte(at + 9))
    payload = at + np.where(six, 40, 4 * (first & 15))
    return _Ip((six | four) & (fragment == 0), six, protocol, payload, at)


def _read_any(rows: _Rows) -> Answers:
    outer = _ip(rows, np.zeros(len(rows.captured), dtype=np.int64))
    kind = _kind(rows, outer)
    error = kind >= ICMP
    quoted = _ip(rows, outer.payload + 8)
    kind = np.where(error & ~quoted.whole, NOTHING, kind)
    at = np.where(error, quoted.payload, outer.payload)
    low_port, high_port = rows.short(at), rows.short(at + 2)
    theirs = outer.address(rows, destination=False)
    asked = quoted.address(rows, destination=True)
    return Answers(
        kind=kind,
        protocol=np.where(error, quoted.protocol, outer.protocol),
        high=np.where(error, asked[0], theirs[0]),
        low=np.where(error, asked[1], theirs[1]),
        port=np.where(error, high_port, low_port),
        own_port=np.where(error, low_port, high_port),
        sequence=rows.word(at + 4),
        acknowledgment=rows.word(at + 8),
        flags=rows.byte(at + 13),
        window=rows.short(at + 14),
        icmp_type=rows.byte(outer.payload),
        code=rows.byte(outer.payload + 1),
    )


def _kind(rows: _Rows, ip: _Ip) -> Int64s:
    """What a packet is; NOTHING where its header is not all there."""
    there = ip.whole & (rows.captured >= ip.payload + 8)
    kind = np.full(len(rows.captured), NOTHING, dtype=np.int64)
    kind[there & (ip.protocol == 6) & (rows.captured >= ip.payload + 20)] = TCP
    kind[there & (ip.protocol == 17)] = UDP
    kind[there & (ip.protocol == 1) & ~ip.six] = ICMP
    kind[there & (ip.protocol == 58) & ip.six] = ICMP6
    return kind
