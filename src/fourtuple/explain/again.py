"""Why a segment is sent again, or comes late.

A timer, duplicate acknowledgments, one acknowledgment that leaves it out, or word of a path that
takes smaller packets: what is said goes by what came, and when.
"""

from fourtuple.analyze.icmp import IcmpError, icmp_errors
from fourtuple.analyze.model import SegmentFact
from fourtuple.explain.about import About
from fourtuple.explain.model import Message
from fourtuple.explain.selective import sack_blocks
from fourtuple.wire import ACK, RST, SYN

__all__ = ["again"]

#: what is sent so soon after an acknowledgment is sent because of it: as Wireshark has it, and a
#: tenth of the least time-out of Linux (TCP_RTO_MIN)
_AT_ONCE_NS = 20_000_000


def again(about: About) -> Message:
    """What was sent before, or comes late."""
    notes = about.notes
    if "out_of_order" in notes:
        return about.says("It comes late: number {seq} belongs before what has come already.")
    if about.original is None:
        return about.says("{Sender} sends numbers from {seq} on once more.")
    frame = about.original.frame
    if "spurious_retransmission" in notes:
        return about.says(
            "{Sender} sends frame {frame} once more, although {receiver} has acknowledged it.",
            frame=frame,
        )
    if "fast_retransmission" in notes:
        return about.says(
            "{Sender} sends frame {frame} once more: the repeated acknowledgments tell it that "
            "number {seq} is missing.",
            frame=frame,
        )
    if about.flags & SYN:
        return _opening(about, frame)
    if (error := _too_big(about, about.original)) is not None:
        return about.says(
            "{Sender} sends bytes {first} to {last} once more, cut anew: the ICMP message of frame "
            "{told_by} says how large a packet the path takes.",
            told_by=error.frame,
        )
    if (told_by := _just_told(about, about.original)) is not None:
        return about.says(
            "{Sender} sends frame {frame} once more: frame {told_by} shows that number {seq} is "
            "missing.",
            frame=frame,
            told_by=told_by.frame,
        )
    if 0 < about.segment.length < about.original.length:
        return about.says(
            "{Sender} sends bytes {first} to {last}, a part of frame {frame}, once more: they were "
            "not acknowledged in time.",
            frame=frame,
        )
    return about.says(
        "{Sender} sends frame {frame} once more: it was not acknowledged in time.", frame=frame
    )


def _opening(about: About, frame: int) -> Message:
    """A SYN or a SYN+ACK that repeats the one of `frame`."""
    before = next(about.earlier(from_sender=True), None)
    if about.flags & ACK:
        asked = next(about.earlier(from_sender=False), None)
        if (
            asked
            and asked.flags & SYN
            and "retransmission" in asked.notes
            and _at_once(asked, about)
        ):
            return about.says(
                "The SYN has come again (frame {asked}), so {sender} answers as before: its SYN "
                "ACK of frame {frame} once more.",
                asked=asked.frame,
                frame=frame,
            )
        return about.says(
            "{Sender} sends frame {frame} once more: it was not acknowledged in time.", frame=frame
        )
    if any("handshake_ack" in s.notes for s in about.earlier(from_sender=True)):
        return about.says(
            "This is frame {frame} once more, after the handshake: most likely a copy that was "
            "late on its way.",
            frame=frame,
        )
    if before and before.flags & RST:
        return about.says(
            "{Sender} asks once more, with frame {frame} again: the answer that it has refused "
            "does not end the attempt.",
            frame=frame,
        )
    return about.says("{Sender} asks once more: frame {frame} had no answer in time.", frame=frame)


def _at_once(segment: SegmentFact, about: About) -> bool:
    """Whether it was sent because of a segment that has just come."""
    return segment.arrived and 0 <= about.segment.t_ns - segment.left_ns < _AT_ONCE_NS


def _too_big(about: About, original: SegmentFact) -> IcmpError | None:
    """The ICMP message because of which a segment is sent in smaller ones, if one came."""
    if about.segment.length >= original.length:
        return None
    to_client = about.segment.from_client
    errors = icmp_errors(about.timeline, about.connection)
    came = [e for e in errors if e.too_big and e.to_client is to_client and e.left_ns]
    meanwhile = [e for e in came if original.t_ns <= e.left_ns <= about.segment.t_ns]
    return meanwhile[-1] if meanwhile else None


def _just_told(about: About, original: SegmentFact) -> SegmentFact | None:
    """The acknowledgment that has just come and leaves the segment out, if one has: a partial
    ACK (RFC 6582) or a SACK block (RFC 6675) is acted upon at once, a timer takes its time."""
    latest = next((s for s in about.earlier(from_sender=False) if s.arrived), None)
    if latest is None or latest.ack is None or latest.left_ns < original.t_ns:
        return None
    seq = about.segment.seq
    leaves_out = latest.ack == seq or any(left > seq for left, _ in sack_blocks(latest))
    return latest if leaves_out and _at_once(latest, about) else None
