"""Sequence numbers that only the true receiver of a probe can know.

SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012) over numpy columns.
A reply counts only where it acknowledges the cookie of its own (address, port, our port).
"""

import numpy as np
import numpy.typing as npt

__all__ = ["cookies", "siphash"]

Uint64s = npt.NDArray[np.uint64]

_START = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)


def siphash(key: tuple[int, int], *words: Uint64s) -> Uint64s:
    """SipHash-1-3 of one message a row: its 64-bit words, low byte first. All uint64[n]."""
    v0, v1, v2, v3 = (
        np.full(words[0].shape, start ^ key[i & 1], dtype=np.uint64)
        for i, start in enumerate(_START)
    )
    length = np.full(words[0].shape, (8 * len(words) & 0xFF) << 56, dtype=np.uint64)
    for word in (*words, length):
        v3 ^= word
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= word
    v2 ^= np.uint64(0xFF)
    for _ in range(3):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


def _round(
    v0: Uint64s, v1: Uint64s, v2: Uint64s, v3: Uint64s
) -> tuple[Uint64s, Uint64s, Uint64s, Uint64s]:
    v0 = v0 + v1
    v1 = _rotated(v1, 13) ^ v0
    v0 = _rotated(v0, 32)
    v2 = v2 + v3
    v3 = _rotated(v3, 16) ^ v2
    v0 = v0 + v3
    v3 = _rotated(v3, 21) ^ v0
    v2 = v2 + v1
    v1 = _rotated(v1, 17) ^ v2
    return v0, v1, _rotated(v2, 32), v3


def _rotated(values: Uint64s, bits: int) -> Uint64s:
    return values << np.uint64(bits) | values >> np.uint64(64 - bits)


def cookies(
    key: tuple[int, int], address_hash: Uint64s, ports: Uint64s, source_ports: Uint64s
) -> npt.NDArray[np.uint32]:
    """The sequence number of the probe from each source port to each (address, port)."""
    words = siphash(key, address_hash, ports << np.uint64(16) | source_ports)
    return words.astype(np.uint32)
