"""RAW sockets from /proc/net/raw and raw6 (proc(5)), for kernels whose sock_diag knows none.

A kernel has them in sock_diag only where its module raw_diag is there. The files always are.
"""

import socket
import sys
from collections.abc import Iterator
from contextlib import suppress

from fourtuple.system.inet_dump import InetRow

__all__ = ["parse_raw", "raw_rows"]

_FILES = ((socket.AF_INET, "raw"), (socket.AF_INET6, "raw6"))


def raw_rows(families: tuple[int, ...]) -> list[InetRow]:
    """The RAW sockets of the caller's network namespace. The local port is the IP protocol."""
    rows: list[InetRow] = []
    for family, name in _FILES:
        with (
            suppress(FileNotFoundError),  # no IPv6
            open(f"/proc/thread-self/net/{name}", encoding="ascii", errors="replace") as file,
        ):
            rows += parse_raw(family, file.read()) if family in families else ()
    return rows


def parse_raw(family: int, text: str) -> Iterator[InetRow]:
    """The rows of such a file: a head, then sl local rem st tx:rx tr:when retransmits uid timeout
    inode ref pointer drops. A line that is none of this is left out."""
    for line in text.splitlines()[1:]:
        words = line.split()
        with suppress(ValueError, IndexError):
            local, remote = _end(words[1]), _end(words[2])
            send_q, _, recv_q = words[4].partition(":")
            yield InetRow(
                family=family, state=int(words[3], 16), timer=0, retransmits=0,
                local_port=local[1], remote_port=remote[1],
                local_address=local[0], remote_address=remote[0],
                interface=0, cookie=0, expires_ms=0,
                recv_q=int(recv_q, 16), send_q=int(send_q, 16),
                uid=int(words[7]), inode=int(words[9]), attributes=b"",
            )  # fmt: skip


def _end(text: str) -> tuple[bytes, bytes]:
    """Address and port in network order; the kernel prints an address as words of its own order."""
    address, _, port = text.partition(":")
    words = [int(address[at : at + 8], 16) for at in range(0, len(address), 8)]
    packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    return packed.ljust(16, b"\0"), int(port, 16).to_bytes(2, "big")
