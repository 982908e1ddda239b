"""The interfaces of a pcapng capture, and what their clocks say in nanoseconds since 1970.

Any resolution is read: powers of ten (microseconds where nothing is said) and of two, with or
without an offset in seconds. Results are exact, rounded down, and within 64 bits.
"""

import struct
from dataclasses import dataclass
from math import gcd

import numpy as np
import numpy.typing as npt

from fourtuple.event.frames import Vantage
from fourtuple.event.pcapng import IF_DESCRIPTION, IF_NAME, IF_TSOFFSET, IF_TSRESOL, options

__all__ = ["Interface", "clamped", "times"]

Int64s = npt.NDArray[np.int64]

_LATEST, _EARLIEST = 2**63 - 1, -(2**63)
_SECOND_NS = 10**9
_MICROSECONDS = b"\x06"


def clamped(t_ns: int) -> int:
    """The nearest time that 64 bits hold: hostile captures name times far beyond the year 2262."""
    return max(_EARLIEST, min(t_ns, _LATEST))


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface, and what turns its ticks into nanoseconds since 1970."""

    vantage: Vantage
    numerator: int
    denominator: int
    offset_ns: int

    @classmethod
    def of(cls, buffer: bytearray, begin: int, end: int, order: str) -> "Interface":
        """From the body of its description block, which has 8 bytes or more."""
        link_type, _, snap = struct.unpack_from(order + "HHI", buffer, begin)
        found = dict(options(buffer, begin + 8, end, order))
        name, description = (_text(found.get(code, b"")) for code in (IF_NAME, IF_DESCRIPTION))
        resolution = found.get(IF_TSRESOL, b"")[:1] or _MICROSECONDS
        exponent = resolution[0] & 0x7F
        per_second = 2**exponent if resolution[0] & 0x80 else 10**exponent
        shrink = gcd(_SECOND_NS, per_second)
        (offset,) = struct.unpack(order + "q", found.get(IF_TSOFFSET, b"")[:8].ljust(8, b"\0"))
        vantage = Vantage(name, link_type, description, snap)
        return cls(vantage, _SECOND_NS // shrink, per_second // shrink, offset * _SECOND_NS)

    @property
    def plain(self) -> bool:
        """A multiplication is enough."""
        return self.denominator == 1 and self.offset_ns == 0

    def t_ns(self, ticks: int) -> int:
        return clamped(ticks * self.numerator // self.denominator + self.offset_ns)


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "replace")


def times(
    ticks: npt.NDArray[np.uint64],
    interface: Int64s,
    timed: npt.NDArray[np.bool_],
    interfaces: list[Interface],
    before_ns: int = 0,
) -> Int64s:
    """Nanoseconds since 1970: `ticks` of the clock that `interface` (an index) names.

    What is not `timed` (a simple packet block) gets the time of what is before it; the first,
    `before_ns`.
    """
    if not len(ticks):
        return np.zeros(0, np.int64)
    t_ns = _of_clocks(ticks, interface, interfaces)
    if timed.all():
        return t_ns
    latest = np.maximum.accumulate(np.where(timed, np.arange(len(ticks)), -1))
    return np.where(latest < 0, before_ns, t_ns[latest])


def _of_clocks(
    ticks: npt.NDArray[np.uint64], interface: Int64s, interfaces: list[Interface]
) -> Int64s:
    clocks = {(each.numerator, each.plain) for each in interfaces}
    factor: npt.NDArray[np.uint64] | np.uint64 = np.uint64(interfaces[0].numerator)
    if len(clocks) > 1:
        factor = np.array([each.numerator for each in interfaces], np.uint64)[interface]
    limit = np.uint64(_LATEST) // factor
    t_ns = np.where(ticks > limit, np.uint64(_LATEST), ticks * factor).view(np.int64)
    if any(not plain for _, plain in clocks):
        bent = ~np.array([each.plain for each in interfaces])[interface]
        for row in np.flatnonzero(bent).tolist():
            t_ns[row] = interfaces[interface[row]].t_ns(int(ticks[row]))
    return t_ns
