"""How long to wait for an answer: RFC 6298. Pure: samples come in, times go out.

The RFC's least time-out of one second (section 2.4) protects a network from needless
retransmissions of data. A scan repeats a probe once or twice, and still counts the answer to the
first: `FLOOR_S` is a tenth of that.
"""

from msgspec import Struct

__all__ = ["FLOOR_S", "RoundTripTimer"]

FLOOR_S = 0.1
_ALPHA, _BETA, _K = 1 / 8, 1 / 4, 4


class RoundTripTimer(Struct):
    """`timeout_s` after the samples so far; `ceiling_s` before the first one, and at most."""

    ceiling_s: float
    smoothed_s: float | None = None
    variation_s: float = 0.0

    def sample(self, rtt_s: float) -> None:
        """One measured round trip, of a probe that was known to be the one answered (Karn)."""
        if self.smoothed_s is None:
            self.smoothed_s, self.variation_s = rtt_s, rtt_s / 2  # 2.2
            return
        away_s = abs(self.smoothed_s - rtt_s)
        self.variation_s = (1 - _BETA) * self.variation_s + _BETA * away_s  # 2.3
        self.smoothed_s = (1 - _ALPHA) * self.smoothed_s + _ALPHA * rtt_s

    @property
    def timeout_s(self) -> float:
        if self.smoothed_s is None:
            return self.ceiling_s
        return min(self.ceiling_s, max(FLOOR_S, self.smoothed_s + _K * self.variation_s))
