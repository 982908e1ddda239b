"""Many frames at once: their headers as numpy columns, one row a frame.

Nothing is summed: whether checksums are right, only the views say. The rules for odd frames are
those of the views, which are this module's slow twin in the tests.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from fourtuple.compiled import Kernel
from fourtuple.wire import _kernels as kernels
from fourtuple.wire._row import (
    ARP,
    FRAGMENT,
    ICMP,
    ICMP6,
    OTHER,
    QUOTED_PROTOCOL,
    SACK_EDGES,
    TCP,
    UDP,
    WIDTH,
)
from fourtuple.wire.address import ip_text
from fourtuple.wire.reassembly import Reassembly, Seen

__all__ = [
    "ARP",
    "FRAGMENT",
    "ICMP",
    "ICMP6",
    "OTHER",
    "PROBLEM_NAMES",
    "TCP",
    "UDP",
    "Columns",
    "Quoted",
    "Seen",
    "decode_columns",
]

Int64s = npt.NDArray[np.int64]

#: the problem codes of the views, by bit of `Columns.problems`
PROBLEM_NAMES = (
    "too-short",
    "cut",
    "bad-version",
    "bad-header-length",
    "length-too-small",
    "length-beyond-frame",
    "length-beyond-packet",
    "bad-option",
    "unknown-link-type",
    "too-deep",
    "fragment-overlap",
    "fragment-misfit",
    "unfinished-checksum",
)


class Quoted(msgspec.Struct, frozen=True):
    """The packet that an ICMP error quotes: who sent it to whom. Ports are 0 where they are not
    quoted, and other than TCP and UDP; `sequence` is TCP's number, None where it is not quoted."""

    protocol: int
    source: tuple[str, int]
    destination: tuple[str, int]
    sequence: int | None


class Columns(msgspec.Struct, frozen=True):
    """Headers of n frames; int64[n] unless said. What a frame does not have is 0.

    kind              OTHER, TCP, UDP, ICMP, ICMP6, ARP or FRAGMENT. TCP and UDP only where a kernel
                      would take the header for one. The first fragment of a datagram or of an ICMP
                      message has their kind, every other fragment is FRAGMENT (see
                      `wire.reassembly`)
    family            4 or 6 of the innermost IP packet whose header is sound, which all the rest
                      is about; 0 without one
    source_high, source_low, destination_high, destination_low
                      the addresses as two 64-bit halves in two's complement; IPv4's is all in low
    source_port, destination_port
    ip_length         bytes of the IP packet by its header
    ip_id             IPv4's identification; IPv6's from the fragment header
    hop_limit         or time to live
    fragment_offset   in units of 8 bytes
    more_fragments    0 or 1
    sequence, acknowledgment, flags, window, urgent_pointer
                      TCP's fields as they are in the header, the window unscaled
    payload_length    bytes of TCP or UDP payload, or of a fragment, by the IP header: captured or
                      not. The first fragment of a datagram tells the length of all its payload
    payload_start     where that payload begins in the buffer
    mss, window_scale, ts_value, ts_echo
                      -1 where the option is absent
    sack_permitted    0 or 1
    fast_open         bytes of the cookie, 0 for a request, -1 where the option is absent
    sack_count        how many blocks
    sack_edges        int64[n, 8]: left and right edge of each block
    problems          bit mask, see PROBLEM_NAMES
    protocol          the number of what the IP packet carries, behind extension headers; of a
                      fragment, that of what its share begins with in the first one
    fragment_start, fragment_length
                      of a fragment: where its share begins in the buffer, and how long it is
    tunnel            a number for the tunnel that the packet is in, the same in both directions;
                      0 outside of tunnels
    icmp_type, icmp_code
    icmp_mtu          of "fragmentation needed" and "packet too big"; else 0
    multipath_join    1 where it asks to join a Multipath TCP connection (RFC 8684, section 3.2)

    An ICMP error has in `sack_edges` what it quotes; `quoted` reads it.
    """

    kind: Int64s
    family: Int64s
    source_high: Int64s
    source_low: Int64s
    destination_high: Int64s
    destination_low: Int64s
    source_port: Int64s
    destination_port: Int64s
    ip_length: Int64s
    ip_id: Int64s
    hop_limit: Int64s
    fragment_offset: Int64s
    more_fragments: Int64s
    sequence: Int64s
    acknowledgment: Int64s
    flags: Int64s
    window: Int64s
    urgent_pointer: Int64s
    payload_length: Int64s
    payload_start: Int64s
    mss: Int64s
    window_scale: Int64s
    sack_permitted: Int64s
    ts_value: Int64s
    ts_echo: Int64s
    fast_open: Int64s
    sack_count: Int64s
    problems: Int64s
    protocol: Int64s
    fragment_start: Int64s
    fragment_length: Int64s
    tunnel: Int64s
    icmp_type: Int64s
    icmp_code: Int64s
    icmp_mtu: Int64s
    multipath_join: Int64s
    sack_edges: Int64s

    def __len__(self) -> int:
        return len(self.kind)

    def source(self, row: int) -> tuple[str, int]:
        """Address and port of the sender; ("", 0) without an IP header."""
        return self._endpoint(row, self.source_high, self.source_low, self.source_port)

    def destination(self, row: int) -> tuple[str, int]:
        """Address and port of the receiver; ("", 0) without an IP header."""
        high, low = self.destination_high, self.destination_low
        return self._endpoint(row, high, low, self.destination_port)

    def quoted(self, row: int) -> Quoted | None:
        """What an ICMP error is about, as far as it is quoted; None of anything else."""
        kind = int(self.kind[row])
        cells = self.sack_edges[row].tolist()
        protocol = cells[QUOTED_PROTOCOL - SACK_EDGES]
        if kind not in (ICMP, ICMP6) or not protocol:
            return None
        family = int(self.family[row])
        source, destination = (_address(family, *cells[at : at + 2]) for at in (0, 2))
        sequence = None if cells[7] < 0 else cells[7]
        return Quoted(protocol, (source, cells[4]), (destination, cells[5]), sequence)

    def _endpoint(self, row: int, high: Int64s, low: Int64s, port: Int64s) -> tuple[str, int]:
        family = int(self.family[row])
        if family == 0:
            return "", 0
        return _address(family, int(high[row]), int(low[row])), int(port[row])


def _address(family: int, high: int, low: int) -> str:
    halves = (half.to_bytes(8, "big", signed=True) for half in (high, low))
    return ip_text(b"".join(halves)[12 if family == 4 else 0 :])


def decode_columns(
    buffer: npt.NDArray[np.uint8],
    start: Int64s,
    captured: Int64s,
    original: Int64s,
    link_types: Sequence[int] | Int64s,
    seen: Seen | None = None,
    decode: Kernel | None = None,
) -> Columns:
    """Decode n frames that lie in one buffer, and put fragments together where it is known when
    they were `seen`.

    buffer      uint8[bytes]
    start       int64[n]  where each frame begins in it
    captured    int64[n]  how many of its bytes are there
    original    int64[n]  how many it had on the wire
    link_types  n LINKTYPE_ numbers of the capture formats
    decode      the kernel `decode_rows`, where it has been compiled
    """
    link = np.asarray(link_types, dtype=np.int64)
    # Stored by column, so that each column is one piece of memory.
    table = np.zeros((WIDTH, len(start)), dtype=np.int64)
    if decode:
        rows = np.zeros((len(start), WIDTH), dtype=np.int64)
        decode(buffer, start, captured, original, link, rows)
        table[:] = rows.T
    else:
        arrays = (buffer, start, captured, original, link, table.T)
        kernels.decode_rows(*(array.data for array in arrays))
    if seen:
        Reassembly().step(buffer, table.T, seen)
    single, edges = np.split(table, [SACK_EDGES])
    return Columns(*[*single, edges.T])
