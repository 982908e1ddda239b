"""A keyed random order of 0..size-1, any part of which can be computed by itself.

A Feistel network of four rounds over the smallest even number of bits that holds `size`, walked
until it falls inside (cycle walking: Black and Rogaway, "Ciphers with Arbitrary Finite Domains",
2002). Nothing is stored, so a shard or a resumed scan needs no more than size and seed.
"""

import numpy as np
import numpy.typing as npt

__all__ = ["Permutation"]

Uint64s = npt.NDArray[np.uint64]
Int64s = npt.NDArray[np.int64]

_ROUNDS = 4


class Permutation:
    """The order that `seed` gives to `size` things."""

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self._seed = seed & 0xFFFFFFFFFFFFFFFF
        self._half_bits = max(1, ((max(size, 2) - 1).bit_length() + 1) // 2)

    def at(self, positions: Int64s) -> Int64s:
        """Which of the things stand at these positions: int64[n] -> int64[n]."""
        values = self._shuffle(positions.astype(np.uint64))
        while (outside := np.flatnonzero(values >= self.size)).size:
            values[outside] = self._shuffle(values[outside])
        return values.astype(np.int64)

    def _shuffle(self, values: Uint64s) -> Uint64s:
        bits = np.uint64(self._half_bits)
        mask = np.uint64((1 << self._half_bits) - 1)
        left, right = values >> bits, values & mask
        for turn in range(_ROUNDS):
            left, right = right, left ^ (_mixed(right, self._seed, turn) & mask)
        return left << bits | right


def _mixed(values: Uint64s, seed: int, turn: int) -> Uint64s:
    """MurmurHash3's finalizer, which changes half of all bits for each bit that differs. The order
    keeps no secret: cookies do, and use SipHash."""
    key = (seed + (turn + 1) * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    values = values ^ np.uint64(key)
    values = (values ^ values >> np.uint64(33)) * np.uint64(0xFF51AFD7ED558CCD)
    values = (values ^ values >> np.uint64(33)) * np.uint64(0xC4CEB9FE1A85EC53)
    return values ^ values >> np.uint64(33)
