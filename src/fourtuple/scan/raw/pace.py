"""How fast to send: as fast as answers keep coming. Pure: the clock is an argument.

Probes go out in random order, so each slice of them should be answered in the same share. A slice
answered clearly less was sent too fast: something on the way, or the target's own limit on RST or
ICMP, dropped part of it. Ports that never answer change the share of every slice alike, and so slow
nothing down. A change of rate is judged by slices sent after it only.
"""

import math

from msgspec import Struct

__all__ = ["FAR", "NEAR", "LimitedPace", "Pace", "Range"]


class Range(Struct, frozen=True):
    """Probes a second: at first, at least and at most."""

    first: float
    least: float
    most: float


#: targets on this machine or its own links
NEAR = Range(100_000, 20, 2_000_000)
#: targets behind a router: the way is shared with others
FAR = Range(2_000, 20, 50_000)

_MOST_AT_ONCE = 4096
#: how long a burst lasts at most, in seconds of the rate
_BURST_S = 0.01
_DEVIATIONS = 4


class Pace:
    """Tells how many probes may go out; `fixed` rates are kept whatever happens."""

    def __init__(self, limits: Range, fixed: float | None = None) -> None:
        self.rate = fixed or limits.first
        self._limits = limits
        self._fixed = fixed is not None
        self._starting = True
        self._share: float | None = None
        self._budget = 1.0
        self._filled_s = -math.inf
        self._changed_s = -math.inf

    def allowance(self, now_s: float) -> int:
        """How many probes may be sent now."""
        most = min(_MOST_AT_ONCE, max(1.0, self.rate * _BURST_S))
        if self._filled_s > -math.inf:
            self._budget = min(most, self._budget + (now_s - self._filled_s) * self.rate)
        self._filled_s = now_s
        return max(0, int(self._budget))

    def sent(self, count: int) -> None:
        self._budget -= count

    def wait_s(self) -> float:
        """How long until the next probe may be sent."""
        return max(0.0, (1 - self._budget) / self.rate)

    def restart(self) -> None:
        """Other probes follow: what share of them is answered is not known."""
        self._share = None

    def judge(self, sent: int, answered: int, sent_s: float, now_s: float) -> None:
        """A slice of `sent` probes, begun at `sent_s`, was answered or waited for long enough."""
        if self._fixed or sent == 0:
            return
        share = answered / sent
        if self._share is None:
            self._share = share
        fewer = self._clearly_fewer(sent, answered)
        if not fewer:
            self._share += (share - self._share) / 8
        if sent_s < self._changed_s:
            return
        if fewer:
            self._starting = False
            self._change(self.rate / 2, now_s)
        else:
            self._change(self.rate * (2 if self._starting else 1.1), now_s)

    def _clearly_fewer(self, sent: int, answered: int) -> bool:
        assert self._share is not None
        deviation = math.sqrt(sent * self._share * (1 - self._share))
        return answered < sent * self._share - _DEVIATIONS * deviation - 2

    def _change(self, rate: float, now_s: float) -> None:
        self.rate = min(self._limits.most, max(self._limits.least, rate))
        self._changed_s = now_s


class LimitedPace(Pace):
    """For a target that limits its answers: begins at the rate at which it did answer.

    What share would be answered without the limit is not known, so it is judged by round numbers:
    all answered is well, less than three in four is too fast.
    """

    def __init__(self, rate: float) -> None:
        super().__init__(Range(rate, rate / 2, FAR.most))

    def restart(self) -> None:
        """Begin again at the rate that is known to serve, and let the target recover first."""
        super().restart()
        self._starting = True
        self.rate = self._limits.first
        self._budget = -2.0

    def judge(self, sent: int, answered: int, sent_s: float, now_s: float) -> None:
        if sent == 0 or sent_s < self._changed_s:
            return
        if answered == sent:
            self._change(self.rate * (2 if self._starting else 1.1), now_s)
        elif 4 * answered < 3 * sent:
            self._starting = False
            self._change(self.rate / 1.5, now_s)
