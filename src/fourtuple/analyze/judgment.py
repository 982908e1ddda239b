"""What a segment's numbers say, judged by what came before it: its sums, words and notes.

Rules: judged before the segment changes anything. Where the wire saw every frame (`complete`), a
number that does not follow is wrong; in a capture it only shows a gap. Wireshark's keep_alive also
covers a lone byte that is sent again before it was acknowledged: the note "resent" tells. What
answers a probe need not have the same window as before, which Wireshark asks for: a scaled window
is rounded, so the notes "keepalive_answer" and "probe_answer" go by the numbers and the order.
"""

from fourtuple.analyze.draft import Draft
from fourtuple.analyze.model import Arithmetic
from fourtuple.analyze.numbers import Side, acknowledgment, continuation
from fourtuple.analyze.words import Past, Seen, words
from fourtuple.event.model import Verdict
from fourtuple.wire import FIN, RST, SYN

__all__ = ["answered", "judge"]


def judge(
    draft: Draft,
    side: Side,
    peer: Side,
    pasts: tuple[Past, Past],
    rtt_ns: int,
    complete: bool,
) -> None:
    """Fill in the draft's arithmetic, `acked` and notes; `side` sent it, `peer` is to get it."""
    sums = [_sequence(draft, side)]
    if draft.ack is not None:
        sums.append(acknowledgment(side, peer, draft.ack))
        draft.acked = max(0, draft.ack - (side.highest_ack or 0)) if sums[-1] else 0
    draft.arithmetic = tuple(one for one in sums if one is not None)
    shut = pasts[1].window == 0
    found = words(_seen(draft, side), *pasts, rtt_ns, complete)
    notes = [*_probing(draft, peer, shut)] if "keep_alive" in found else []
    notes += ["handshake_ack"] * _is_third_step(draft, side, peer)
    if complete and not draft.raw.flags & RST:
        notes += _wrong(draft, side)
    draft.notes = (*found, *notes)


def answered(draft: Draft, probe: Draft | None, side: Side) -> str | None:
    """The note for a segment that answers the peer's latest segment, if that is a `probe`."""
    if probe is None or not (probe.there or probe.raw.verdict == Verdict.DELIVERED):
        return None
    bare = not draft.raw.length and not draft.raw.flags & (SYN | FIN | RST)
    if not bare or draft.ack is None or draft.acked or draft.seq != side.sent:
        return None
    if "keep_alive" in probe.notes and "probe" not in probe.notes:
        return "keepalive_answer"
    # a window that opens is told of without being asked, and Linux answers only some of the probes
    # (net.ipv4.tcp_invalid_ratelimit)
    return "probe_answer" if draft.raw.window == 0 else None


def _sequence(draft: Draft, side: Side) -> Arithmetic | None:
    """The sum for the sequence number; a repeated number, or an RST's, follows from nothing."""
    again = side.sent is not None and draft.seq < side.sent
    return None if again or draft.raw.flags & RST else continuation(side, draft.seq)


def _seen(draft: Draft, side: Side) -> Seen:
    raw = draft.raw
    known = side.isn is not None or bool(raw.flags & SYN)
    return Seen(
        raw.t_ns,
        raw.flags,
        draft.seq,
        draft.ack,
        raw.length,
        raw.window,
        draft.window if known else None,
    )


def _probing(draft: Draft, peer: Side, shut: bool) -> list[str]:
    if peer.highest_ack is not None and peer.highest_ack <= draft.seq:
        return ["resent"]
    return ["probe"] * shut


def _is_third_step(draft: Draft, side: Side, peer: Side) -> bool:
    """Whether it is the first segment with which a side confirms the SYN+ACK."""
    agreed = side.isn is not None and peer.isn is not None and peer.last_ack is not None
    first = side.highest_ack is None and draft.ack is not None and draft.ack > 0
    return agreed and first and not draft.raw.flags & (SYN | RST)


def _wrong(draft: Draft, side: Side) -> list[str]:
    reached = -1 if side.received is None else side.received
    found = ["wrong_ack"] * (draft.ack is not None and draft.ack > reached)
    return found + ["wrong_seq"] * (side.sent is not None and draft.seq > side.sent)
