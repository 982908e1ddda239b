"""One sentence for each segment.

`sentence` says what the segment does in the connection's life, with its arithmetic in words. Rules:
what the wire did to it comes last, its role in handshake or close before data and acknowledgment;
nothing is said that the facts do not hold. `About` knows the segment's place in the connection.
"""

from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from fourtuple.analyze.model import Arithmetic, Connection, Reset, SegmentFact
from fourtuple.event.timeline import Timeline
from fourtuple.explain.headlines import headline
from fourtuple.explain.model import Message
from fourtuple.explain.phrases import a_side, join, side, summed
from fourtuple.wire import ACK, FIN, RST, SYN

__all__ = ["headline", "sentence"]


def sentence(connection: Connection, segment: SegmentFact, timeline: Timeline) -> Message:
    """What this segment does, in a sentence or a few.

    `timeline` is where calls and socket tables can be asked for.
    """
    about = About(connection, segment)
    return join([*_role(about), *_fate(about)])


class About:
    """A segment with what its sentence needs to know about its place in the connection."""

    def __init__(self, connection: Connection, segment: SegmentFact) -> None:
        self.connection, self.segment = connection, segment
        self.flags, self.notes = segment.flags, segment.notes
        sums = {one.kind: one for one in segment.arithmetic}
        self.ack: Arithmetic | None = sums.get("ack")
        self.seq: Arithmetic | None = sums.get("seq")
        states = (segment.client_state, segment.server_state)
        self.own_state, self.peer_state = states if segment.from_client else states[::-1]

    def says(self, text: str, **params: Any) -> Message:
        """A message; {Sender}, {sender}, {Receiver}, {receiver} and the numbers are filled in."""
        segment, client = self.segment, self.segment.from_client
        common = {
            "Sender": a_side(client),
            "sender": side(client),
            "Receiver": a_side(not client),
            "receiver": side(not client),
            "seq": segment.seq,
            "last": segment.seq + segment.length - 1,
            "ack": segment.ack,
            "length": segment.length,
            "window": segment.window,
        }
        return Message(text, common | params)

    def earlier(self, from_sender: bool) -> Iterator[SegmentFact]:
        """The segments before this one, of its sender or of its receiver, the latest first."""
        segments = self.connection.segments
        position = bisect_left(segments, self.segment.frame, key=lambda s: s.frame)
        wanted = self.segment.from_client is from_sender
        return (s for s in reversed(segments[:position]) if s.from_client is wanted)

    @cached_property
    def original(self) -> SegmentFact | None:
        """The segment that carried this one's first number before."""
        sent = (s for s in self.earlier(from_sender=True) if s.next_seq > s.seq)
        return next((s for s in sent if s.seq <= self.segment.seq < s.next_seq), None)

    @cached_property
    def reset(self) -> Reset | None:
        found = (r for r in self.connection.resets if r.frame == self.segment.frame)
        return next(found, None)

    @property
    def sum_holds(self) -> bool:
        return self.ack is not None and self.ack.holds


def _role(about: About) -> list[Message]:
    if about.segment.verdict == "injected":
        return [about.says("No host sent this segment: the wire made it, in the name of {sender}.")]
    if about.flags & RST:
        return [_reset(about)]
    if about.flags & SYN:
        return _opening(about)
    if "keep_alive" in about.notes:
        return [_probe(about)]
    if "handshake_ack" in about.notes:
        return [_third_step(about), *_data(about), *_fin(about)]
    return [*_data(about), *_fin(about), *_acknowledgment(about)]


def _opening(about: About) -> list[Message]:
    segment = about.segment
    if "retransmission" in about.notes:
        return [_again(about)]
    raw = segment.raw_seq
    if not about.flags & ACK:
        asked = (
            about.says(
                "{Sender} asks at the same time as {receiver} does (simultaneous open): its numbers "
                "begin at {raw}, shown as 0.",
                raw=raw,
            )
            if about.connection.handshake == "simultaneous" and _asked_before(about)
            else about.says(
                "The first step: {sender} asks for a connection. Its numbers begin at {raw}, "
                "shown as 0.",
                raw=raw,
            )
        )
        return [asked, *_offer(about)]
    if about.connection.handshake == "simultaneous":
        return [
            about.says("{Sender} confirms the SYN that crossed its own: {sum}.", sum=_sum(about))
        ]
    if about.ack is None or not about.ack.holds:
        return [about.says("The second step: {sender} agrees with ack {ack}.")]
    agreed = about.says(
        "The second step: {sender} agrees and confirms the number of {receiver}: {sum}. Its own "
        "numbers begin at {raw}, shown as 0.",
        sum=_sum(about),
        raw=raw,
    )
    return [agreed, *_offer(about)]


def _asked_before(about: About) -> bool:
    return any(s.flags & SYN for s in about.earlier(from_sender=False))


def _sum(about: About) -> Message | str:
    return summed(about.ack) if about.ack is not None else f"ack {about.segment.ack}"


def _offer(about: About) -> list[Message]:
    """What the options of a SYN promise."""
    mss = about.connection.mss[0 if about.segment.from_client else 1]
    if mss is None:
        return []
    return [about.says("It takes segments of up to {mss} bytes (MSS).", mss=mss)]


def _third_step(about: About) -> Message:
    if about.peer_state == "ESTABLISHED":
        return about.says(
            "The third step: {sender} confirms the number of {receiver}: {sum}. {Sender}'s kernel "
            "sends it by itself; {receiver}'s kernel has a connection now, whether or not its "
            "program has called accept().",
            sum=_sum(about),
        )
    return about.says(
        "The third step: {sender} confirms the number of {receiver}: {sum}.", sum=_sum(about)
    )


def _reset(about: About) -> Message:
    cause = about.reset.cause if about.reset else "undetermined"
    certain = about.reset is not None and about.reset.confidence == "certain"
    if cause == "port-closed":
        return about.says(
            "{Sender}'s kernel refuses: nothing accepts connections on port {port}. {sum} names the "
            "SYN that it refuses; connect() fails with ECONNREFUSED.",
            port=about.connection.server.port,
            sum=_sum(about),
        )
    if cause == "unread-data" and certain:
        return about.says(
            "{Sender}'s program closed the socket with bytes in its own receive buffer that it had "
            "not read. They are lost, and its kernel says so: RST instead of FIN."
        )
    if cause == "unread-data":
        return about.says(
            "{Sender} breaks the connection off, most likely because its program closed the socket "
            "without having read all that had arrived."
        )
    if cause == "data-after-close":
        return about.says(
            "Data came for a socket that {sender}'s program had closed: nobody can read it any "
            "more, so its kernel answers with RST."
        )
    if cause == "no-such-connection":
        return about.says(
            "{Sender}'s kernel knows of no such connection and answers with RST; the number is the "
            "one that {receiver} acknowledged."
        )
    if cause == "invalid-ack":
        return about.says("{Sender} never sent what {receiver} acknowledges: it answers with RST.")
    return about.says("{Sender} breaks the connection off; the frames do not tell why.")


def _probe(about: About) -> Message:
    if "probe" in about.notes:
        return about.says(
            "A probe: {receiver}'s window is 0, so {sender} repeats an old number to make it answer "
            "with its window of now."
        )
    return about.says(
        "A keepalive probe: {sender} repeats number {seq}, which was acknowledged long ago, to make "
        "{receiver} answer."
    )


def _data(about: About) -> list[Message]:
    segment = about.segment
    if "retransmission" in about.notes or "out_of_order" in about.notes:
        return [_again(about)]
    if not segment.length:
        return []
    sent = about.says(
        "Bytes {seq} to {last} of {sender}: {length} bytes, so its next number is {next} = {seq} + "
        "{length}.",
        next=segment.seq + segment.length,
    )
    if segment.length == 1:
        sent = about.says("Byte {seq} of {sender}.")
    full = [about.says("It fills the window of {receiver} to the last byte.")]
    return [sent, *full * ("window_full" in about.notes)]


def _again(about: About) -> Message:
    first = about.original.frame if about.original else 0
    if "out_of_order" in about.notes:
        return about.says("It comes late: numbers from {seq} on belong before what came already.")
    if not first:
        return about.says("{Sender} sends numbers from {seq} on once more.")
    if "spurious_retransmission" in about.notes:
        return about.says(
            "{Sender} sends frame {first} once more, although {receiver} had acknowledged it.",
            first=first,
        )
    if "fast_retransmission" in about.notes:
        return about.says(
            "{Sender} sends frame {first} once more: the repeated acknowledgments told it that "
            "number {seq} is missing.",
            first=first,
        )
    if about.flags & SYN and not about.flags & ACK:
        return about.says(
            "{Sender} asks once more: frame {first} had no answer in time.", first=first
        )
    return about.says(
        "{Sender} sends frame {first} once more: no acknowledgment came in time.", first=first
    )


def _fin(about: About) -> list[Message]:
    segment = about.segment
    if not about.flags & FIN or "retransmission" in about.notes:
        return []
    number = segment.next_seq - 1
    if about.own_state == "LAST_ACK":
        combined = about.ack is not None and about.ack.fin
        together = [about.says("It also confirms the FIN of {receiver}: {sum}.", sum=_sum(about))]
        closing = about.says(
            "{Sender} closes its direction too: its FIN takes number {number}. It waits for the last "
            "acknowledgment.",
            number=number,
        )
        return [closing, *together * bool(combined)]
    return [
        about.says(
            "{Sender} has no more to send: its FIN takes number {number}, as a byte would. The other "
            "direction stays open.",
            number=number,
        )
    ]


def _acknowledgment(about: About) -> list[Message]:
    """What the ACK says, where it says something new or is all that the segment is for."""
    segment, sum_ = about.segment, about.ack
    if segment.ack is None:
        return []
    if "wrong_ack" in about.notes:
        return [about.says("ack {ack} is wrong: not all of that has reached {sender}.")]
    if (
        sum_ is not None
        and sum_.holds
        and not (about.flags & FIN and about.own_state == "LAST_ACK")
    ):
        return [_confirmed(about, sum_)]
    bare = not segment.length and not about.flags & FIN
    return [_repeated(about)] if bare else []


def _confirmed(about: About, sum_: Arithmetic) -> Message:
    """A new acknowledgment that adds up."""
    words = _sum(about)
    if sum_.fin and about.own_state == "TIME_WAIT":
        return about.says(
            "{sum}. {Sender} was first to close, so {sender} waits: TIME_WAIT, 60 s on Linux.",
            sum=words,
        )
    if sum_.fin:
        return about.says(
            "{sum}: the FIN of {receiver} has arrived, and everything before it.", sum=words
        )
    return about.says(
        "{sum}: every byte up to {before} has arrived; {ack} is expected next.",
        sum=words,
        before=sum_.total - 1,
    )


def _repeated(about: About) -> Message:
    """An acknowledgment without news."""
    notes = about.notes
    if "zero_window" in notes:
        return about.says(
            "{Sender} can take no more: window 0. {Receiver} must wait until it opens again."
        )
    if "keep_alive_ack" in notes or "zero_window_probe_ack" in notes:
        return about.says("The answer to the probe: {sender} expects number {ack}.")
    if "window_update" in notes:
        return about.says("A new window: from {ack} on, {sender} can take {window} bytes.")
    if "duplicate_ack" in notes:
        return about.says(
            "ack {ack} once more: {sender} still waits for number {ack}, and something else has "
            "arrived."
        )
    return about.says("{Sender} expects number {ack} next.")


def _fate(about: About) -> list[Message]:
    """What the wire did to it, and what the numbers show to be missing."""
    verdict, notes = about.segment.verdict, about.notes
    found = []
    if verdict == "dropped":
        found.append(about.says("The wire dropped it: {receiver} never sees it."))
    elif verdict == "held":
        found.append(about.says("The wire still held it when the run ended."))
    elif verdict == "delayed":
        late_ms = (about.segment.left_ns - about.segment.t_ns) / 1e6
        found.append(about.says("The wire delivered it {ms} ms late.", ms=f"{late_ms:.1f}"))
    elif verdict == "duplicated":
        found.append(about.says("The wire delivered it more than once."))
    elif verdict == "rewritten":
        found.append(about.says("The wire delivered it with other bytes."))
    if "lost_segment" in notes and about.seq is not None:
        expected = about.seq.total
        found.append(
            about.says("Numbers from {expected} up to it were not seen.", expected=expected)
        )
    if "ack_lost_segment" in notes and "wrong_ack" not in notes:
        found.append(about.says("It acknowledges numbers that were not seen."))
    return found
