"""A spread-out order of 0..size-1 that needs no table and no numpy: for scans with connect().

Position p stands for (offset + p * stride) mod size. The stride is prime to the size and near its
golden section, so that neighbours in time are far apart in ports. The seed chooses both.
"""

import math
import random

__all__ = ["Order"]

_GOLDEN = (math.sqrt(5) - 1) / 2


class Order:
    """The order that `seed` gives to `size` things."""

    def __init__(self, size: int, seed: int) -> None:
        chosen = random.Random(seed)
        self.size = size
        self._offset = chosen.randrange(max(1, size))
        stride = int(size * _GOLDEN) + chosen.randrange(max(1, size // 64))
        while math.gcd(stride, size) != 1:
            stride += 1
        self._stride = stride

    def at(self, position: int) -> int:
        """Which of the things stands at a position."""
        return (self._offset + position * self._stride) % self.size
