"""Wireshark's tcp.analysis words for a segment, one after another.

The rules are those of the Wireshark User's Guide, "TCP Analysis", in the order in which tshark 4.0
was found to apply them; they judge by the order of the frames alone, as a capture must. Where the
wire saw every frame (`complete`) segments cannot have overtaken each other before they were
recorded, so an old number is always a retransmission. Linux probes a zero window with an old
number: that is keep_alive here.
"""

import msgspec

from fourtuple.wire import FIN, RST, SYN

__all__ = ["Past", "Seen", "words"]

#: Wireshark's bounds for "soon after": a duplicate ACK before a fast retransmission, and a segment
#: that overtook another where the round trip is not known
_FAST_NS, _OVERTAKEN_NS = 20_000_000, 3_000_000


class Seen(msgspec.Struct, frozen=True):
    """A segment as the rules need it: relative numbers, the window as in the header and in bytes.

    `limit` is the window in bytes where its scale is known, else None.
    """

    t_ns: int
    flags: int
    seq: int
    ack: int | None
    length: int
    window: int
    limit: int | None

    @property
    def end(self) -> int:
        return self.seq + self.length + bool(self.flags & SYN) + bool(self.flags & FIN)

    @property
    def plain(self) -> bool:
        return not self.flags & (SYN | FIN | RST)


class Past(msgspec.Struct):
    """What one side's earlier segments leave behind for the rules.

    next       the number after the highest one sent, probes of a zero window left out
    reachable  the highest acknowledgment that needs no segment that was not seen; as in tshark a
               segment that fills the first gap is taken to fill all, and an acknowledgment beyond
               the numbers sent is told again and again
    probed     the number after its latest segment where that was a probe of a zero window, else 0
    """

    next: int | None = None
    reachable: int | None = None
    probed: int = 0
    ack: int | None = None
    ack_ns: int = 0
    window: int | None = None
    limit: int | None = None
    duplicate_acks: int = 0
    advanced_ns: int = 0
    previous: tuple[str, ...] = ()


def words(seen: Seen, past: Past, other: Past, rtt_ns: int, complete: bool) -> tuple[str, ...]:
    """The words for a segment; `past` is its sender's, `other` its receiver's. Updates both."""
    found = [*_of_probes(seen, past, other), *_of_gaps(seen, past, other)]
    if seen.plain:
        found += _of_windows(seen, other, found)
        found += _of_repeated_ack(seen, past, other)
    if seen.end > seen.seq and not {"keep_alive", "zero_window_probe"}.intersection(found):
        found += _of_repeated_data(seen, past, other, rtt_ns, complete)
    _remember(seen, past, other, tuple(found))
    return tuple(found)


def _of_probes(seen: Seen, past: Past, other: Past) -> list[str]:
    if not seen.plain or past.next is None:
        return []
    if seen.length == 1 and seen.seq == past.next and other.window == 0:
        return ["zero_window_probe"]
    return ["keep_alive"] * (seen.length <= 1 and seen.seq == past.next - 1)


def _of_gaps(seen: Seen, past: Past, other: Past) -> list[str]:
    found = []
    if past.next is not None and seen.seq > past.next and not seen.flags & RST:
        found.append("lost_segment")
    if seen.ack is not None and other.reachable is not None:
        found += ["ack_lost_segment"] * (seen.ack > max(other.reachable, other.probed))
    return found


def _of_windows(seen: Seen, other: Past, probes: list[str]) -> list[str]:
    found = ["zero_window"] * (seen.window == 0 and "zero_window_probe" not in probes)
    if seen.length and other.limit is not None and other.ack is not None:
        found += ["window_full"] * (seen.end == other.ack + other.limit)
    return found


def _of_repeated_ack(seen: Seen, past: Past, other: Past) -> list[str]:
    """Words for an empty segment whose numbers are those of the one before it."""
    if seen.length or seen.seq != past.next or seen.ack is None or seen.ack != past.ack:
        return []
    same = seen.window == past.window
    if seen.window == 0:
        return ["zero_window_probe_ack"] * (same and "zero_window_probe" in other.previous)
    if same and "keep_alive" in other.previous:
        return ["keep_alive_ack"]
    return ["duplicate_ack"] if same else ["window_update"]


def _of_repeated_data(
    seen: Seen, past: Past, other: Past, rtt_ns: int, complete: bool
) -> list[str]:
    """Words for a segment whose numbers were sent before."""
    if seen.length and other.ack is not None and seen.seq + seen.length <= other.ack:
        return ["spurious_retransmission", "retransmission"]
    if past.next is None or seen.seq >= past.next:
        return []
    soon = seen.t_ns - other.ack_ns < _FAST_NS
    if other.duplicate_acks >= 2 and other.ack == seen.seq and soon:
        return ["fast_retransmission", "retransmission"]
    overtaken = seen.t_ns - past.advanced_ns < (rtt_ns or _OVERTAKEN_NS)
    if complete or not overtaken or seen.end == past.next:
        return ["retransmission"]
    return ["out_of_order"]


def _remember(seen: Seen, past: Past, other: Past, found: tuple[str, ...]) -> None:
    past.previous, past.window, past.limit = found, seen.window, seen.limit
    if "duplicate_ack" in found:
        past.duplicate_acks += 1
    elif seen.ack is not None and seen.ack != past.ack:
        past.duplicate_acks = 0
    if seen.ack is not None:
        past.ack, past.ack_ns = seen.ack, seen.t_ns
    if "ack_lost_segment" in found:
        other.reachable = other.next
    past.probed = seen.end if "zero_window_probe" in found else 0
    if not past.probed:
        _advance(seen, past)


def _advance(seen: Seen, past: Past) -> None:
    if past.next is None or seen.end > past.next:
        past.next, past.advanced_ns = seen.end, seen.t_ns
    if past.reachable is None or seen.seq == past.reachable:
        past.reachable = past.next
