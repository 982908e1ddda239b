"""Many frames at once: their headers as numpy columns, one row a frame.

Nothing is summed: whether checksums are right, only the views say. The rules for odd frames are
those of the views, which are this module's slow twin in the tests.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fourtuple.wire import _kernels as kernels
from fourtuple.wire._kernels import ARP, FRAGMENT, ICMP, ICMP6, OTHER, TCP, UDP
from fourtuple.wire.address import ip_text

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
)


@dataclass(frozen=True, slots=True)
class Columns:
    """Headers of n frames; int64[n] unless said. What a frame does not have is 0.

    kind              OTHER, TCP, UDP, ICMP, ICMP6, ARP or FRAGMENT (one that is not the first).
                      TCP and UDP only where a kernel would take the header for one
    family            4 or 6; 0 without a sound IP header
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
    payload_length    bytes of TCP or UDP payload, or of a later fragment, by the IP header:
                      captured or not
    payload_start     where that payload begins in the buffer
    mss, window_scale, ts_value, ts_echo
                      -1 where the option is absent
    sack_permitted    0 or 1
    fast_open         bytes of the cookie, 0 for a request, -1 where the option is absent
    sack_count        how many blocks
    sack_edges        int64[n, 8]: left and right edge of each block
    problems          bit mask, see PROBLEM_NAMES
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

    def _endpoint(self, row: int, high: Int64s, low: Int64s, port: Int64s) -> tuple[str, int]:
        family = int(self.family[row])
        if family == 0:
            return "", 0
        halves = (int(half[row]).to_bytes(8, "big", signed=True) for half in (high, low))
        return ip_text(b"".join(halves)[12 if family == 4 else 0 :]), int(port[row])


def decode_columns(
    buffer: npt.NDArray[np.uint8],
    start: Int64s,
    captured: Int64s,
    original: Int64s,
    link_types: Sequence[int] | Int64s,
) -> Columns:
    """Decode n frames that lie in one buffer.

    buffer      uint8[bytes]
    start       int64[n]  where each frame begins in it
    captured    int64[n]  how many of its bytes are there
    original    int64[n]  how many it had on the wire
    link_types  n LINKTYPE_ numbers of the capture formats
    """
    link = np.asarray(link_types, dtype=np.int64)
    # Stored by column, so that each column is one piece of memory.
    table = np.zeros((kernels.WIDTH, len(start)), dtype=np.int64)
    arrays = (buffer, start, captured, original, link, table.T)
    kernels.decode_rows(*(array.data for array in arrays))
    single, edges = np.split(table, [kernels.SACK_EDGES])
    return Columns(*[*single, edges.T])
