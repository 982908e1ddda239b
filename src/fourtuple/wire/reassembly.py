"""IP packets that cross in fragments, put together again: over columns, as far as headers need it.

Only lengths and the first bytes of a packet are kept, so a short snap length does no harm. The row
of the fragment that completes a packet becomes the packet's: its segment, or what is inside of its
tunnel. A datagram or an ICMP message is told by its first fragment already, and counts there.

The rules are Linux's (net/ipv4/inet_fragment.c): a fragment that is there already is passed over;
one that overlaps another, or contradicts the end, ends the packet (RFC 5722), and is a problem of
its row. Packets that never become whole are forgotten: after 30 seconds of IPv4 and 60 of IPv6, or
when there are too many. Whatever the fragments claim, memory is bounded.
"""

from bisect import bisect_left
from collections import OrderedDict
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from fourtuple.wire import _kernels as kernels
from fourtuple.wire._row import (
    DESTINATION_HIGH,
    DESTINATION_LOW,
    FAMILY,
    FRAGMENT_LENGTH,
    FRAGMENT_MISFIT,
    FRAGMENT_OFFSET,
    FRAGMENT_OVERLAP,
    FRAGMENT_START,
    HOP_LIMIT,
    ICMP,
    ICMP6,
    IP_ID,
    KIND,
    MORE_FRAGMENTS,
    PAYLOAD_START,
    PROBLEMS,
    PROTOCOL,
    SOURCE_HIGH,
    SOURCE_LOW,
    TUNNEL,
    UDP,
    WIDTH,
)

__all__ = ["Reassembly", "Seen"]

Int64s = npt.NDArray[np.int64]
Octets = npt.NDArray[np.uint8]

_WAITING = 1024
_SPANS = 64
_PATIENCE_NS = {4: 30 * 10**9, 6: 60 * 10**9}
_LARGEST = 65_535
#: more than all headers of a segment in a tunnel
_HEAD = 256

_OWN = (FRAGMENT_OFFSET, MORE_FRAGMENTS, FRAGMENT_START, FRAGMENT_LENGTH)
_KEY = (
    *(TUNNEL, FAMILY, IP_ID, SOURCE_HIGH, SOURCE_LOW, DESTINATION_HIGH, DESTINATION_LOW),
    *(PROTOCOL,),
)


class Seen(msgspec.Struct, frozen=True):
    """When and where n frames were seen: fragments of one packet are seen at one place.

    t_ns     int64[n]
    vantage  int64[n]
    lost     bool[n]   of those that never left the wire; None where that is not known
    """

    t_ns: Int64s
    vantage: Int64s
    lost: npt.NDArray[np.bool_] | None = None


class _Pending(msgspec.Struct):
    """A packet of which not all is there. `spans` are the stretches that are, apart and in order;
    `end` is -1 until the last fragment tells it."""

    begun_ns: int
    spans: list[tuple[int, int]] = msgspec.field(default_factory=list)
    end: int = -1
    head: bytearray = msgspec.field(default_factory=lambda: bytearray(_HEAD))

    @property
    def whole(self) -> bool:
        return self.spans == [(0, self.end)]

    def take(self, begin: int, end: int, last: bool) -> int:
        """Note a stretch; the problem with it."""
        at = bisect_left(self.spans, (begin, end))
        near = self.spans[max(0, at - 1) : at + 1]
        if any(first <= begin and end <= after for first, after in near):
            return 0
        if any(begin < after and first < end for first, after in near):
            return FRAGMENT_OVERLAP
        furthest = self.spans[-1][1] if self.spans else 0
        if (last and (self.end >= 0 or furthest > end)) or 0 <= self.end < end:
            return FRAGMENT_MISFIT
        self.end = end if last else self.end
        self._insert(at, begin, end)
        return FRAGMENT_MISFIT if len(self.spans) > _SPANS else 0

    def _insert(self, at: int, begin: int, end: int) -> None:
        if at < len(self.spans) and self.spans[at][0] == end:
            end = self.spans.pop(at)[1]
        if at and self.spans[at - 1][1] == begin:
            at -= 1
            begin = self.spans.pop(at)[0]
        self.spans.insert(at, (begin, end))


class Reassembly(msgspec.Struct):
    """Goes over the rows of a capture in steps; how they are cut into steps changes nothing."""

    _pending: OrderedDict[tuple[int, ...], _Pending] = msgspec.field(default_factory=OrderedDict)

    def step(self, buffer: Octets, table: Int64s, seen: Seen) -> None:
        """Take in rows that `wire._kernels` has decoded, and change those that complete a packet.

        buffer   uint8[bytes]     that the rows were decoded from
        table    int64[n, WIDTH]  the rows
        """
        for row in np.flatnonzero(table[:, FRAGMENT_START]).tolist():
            if seen.lost is None or not seen.lost[row]:
                self._take(buffer, table[row], int(seen.t_ns[row]), int(seen.vantage[row]))

    def _take(self, buffer: Octets, row: Int64s, t_ns: int, vantage: int) -> None:
        key = (vantage, *row[list(_KEY)].tolist())
        begin = int(row[FRAGMENT_OFFSET]) * 8
        length, more = int(row[FRAGMENT_LENGTH]), bool(row[MORE_FRAGMENTS])
        end = begin + length
        if length <= 0 or end > _LARGEST or (more and length % 8):
            row[PROBLEMS] |= FRAGMENT_MISFIT
            return
        pending = self._of(key, t_ns)
        problem = pending.take(begin, end, last=not more)
        row[PROBLEMS] |= problem
        if problem:
            del self._pending[key]
            return
        if begin < _HEAD:
            _copy(buffer, row, pending, begin, length)
        if pending.whole:
            del self._pending[key]
            _complete(row, pending)

    def _of(self, key: tuple[int, ...], t_ns: int) -> _Pending:
        pending = self._pending.get(key)
        if pending and t_ns - pending.begun_ns > _PATIENCE_NS[key[2]]:
            del self._pending[key]
            pending = None
        if pending is None:
            pending = self._pending[key] = _Pending(t_ns)
            if len(self._pending) > _WAITING:
                self._pending.popitem(last=False)
        return pending


def _copy(buffer: Octets, row: Int64s, pending: _Pending, begin: int, length: int) -> None:
    """Keep the packet's first bytes. What was not captured stays 0: it is behind the headers, or
    the segment is not one that a kernel would take."""
    at = int(row[FRAGMENT_START])
    data = buffer[at : at + min(length, _HEAD - begin)].tobytes()
    pending.head[begin : begin + len(data)] = data


def _complete(row: Int64s, pending: _Pending) -> None:
    """Make the row that of the whole packet."""
    header = _header(row, pending.end)
    data = np.frombuffer(header + pending.head[: pending.end], np.uint8)
    whole = np.zeros((1, WIDTH), np.int64)
    whole[0, TUNNEL] = row[TUNNEL]
    numbers = (0, len(data), len(header) + pending.end, 228 if row[FAMILY] == 4 else 229)
    columns = [np.array([number], np.int64) for number in numbers]
    arrays: tuple[npt.NDArray[Any], ...] = (data, *columns, whole)
    kernels.decode_rows(*(array.data for array in arrays))
    found = whole[0]
    nested = found[TUNNEL] != row[TUNNEL]
    if found[KIND] in (UDP, ICMP, ICMP6) and not nested:
        return
    found[PROBLEMS] |= row[PROBLEMS]
    found[PAYLOAD_START] = row[PAYLOAD_START]
    found[list(_OWN)] = row[list(_OWN)]
    if not nested:
        found[IP_ID] = row[IP_ID]
    row[:] = found


def _header(row: Int64s, length: int) -> bytes:
    """The header of the packet as if it had never been cut."""
    if row[FAMILY] == 4:
        total = min(20 + length, _LARGEST)
        start = b"\x45\0" + total.to_bytes(2, "big") + bytes(4)
        hop, protocol = int(row[HOP_LIMIT]), int(row[PROTOCOL])
        low = [int(row[at]).to_bytes(4, "big") for at in (SOURCE_LOW, DESTINATION_LOW)]
        return start + bytes((hop, protocol)) + bytes(2) + b"".join(low)
    start = b"\x60\0\0\0" + length.to_bytes(2, "big")
    halves = (SOURCE_HIGH, SOURCE_LOW, DESTINATION_HIGH, DESTINATION_LOW)
    addresses = b"".join(int(row[at]).to_bytes(8, "big", signed=True) for at in halves)
    return start + bytes((int(row[PROTOCOL]), int(row[HOP_LIMIT]))) + addresses
