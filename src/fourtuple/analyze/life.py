"""One life of a TCP four-tuple, taken in segment by segment.

`Life.step` takes a segment as it enters the wire; segments that reach the other end later wait in
a queue until their time has come. Each moment becomes events for the tables in analyze.states. Who
is client, and the facts themselves, are made at the end (analyze.facts). Rules: an injected
segment was sent by no end, so it is not judged by what its alleged sender sent; a lost one reaches
nobody. What an end acknowledges has reached it.
"""

import sys
from heapq import heappop, heappush

import msgspec
from msgspec.structs import replace

from fourtuple.analyze.batch import Raw
from fourtuple.analyze.draft import Draft, Moment
from fourtuple.analyze.judgment import answered, judge
from fourtuple.analyze.numbers import Side, Taken, unwrapped
from fourtuple.analyze.truth import Trail, truth
from fourtuple.analyze.words import Past
from fourtuple.event.model import Endpoint
from fourtuple.wire import ACK, FIN, RST, SYN

__all__ = ["MAX_SCALE", "Life"]

#: a window scale beyond this counts as this (RFC 7323, section 2.3)
MAX_SCALE = 14


class Life(msgspec.Struct):
    """A connection in the making. `ends` are the endpoints of side 0 and side 1.

    Side 0 is the end that sorts first, whoever is client. `reused` says that the four-tuple had a
    life before; `over` that an RST was taken, and nothing but RSTs came since.
    """

    ends: tuple[Endpoint, Endpoint]
    complete: bool
    reused: bool = False
    sides: tuple[Side, Side] = msgspec.field(default_factory=lambda: (Side(), Side()))
    pasts: tuple[Past, Past] = msgspec.field(default_factory=lambda: (Past(), Past()))
    latest_ns: int = -sys.maxsize
    over: bool = False
    trails: tuple[Trail, Trail] = msgspec.field(default_factory=lambda: (Trail(), Trail()))
    drafts: list[Draft] = msgspec.field(default_factory=list)
    moments: list[Moment] = msgspec.field(default_factory=list)
    pending: list[tuple[int, int, Draft]] = msgspec.field(default_factory=list)
    unproven: tuple[list[tuple[int, int, Draft]], ...] = msgspec.field(
        default_factory=lambda: ([], [])
    )
    syn_ns: int | None = None
    rtt_ns: int = 0
    got_fin: list[bool] = msgspec.field(default_factory=lambda: [False, False])
    fin_seen: list[bool] = msgspec.field(default_factory=lambda: [False, False])
    probes: list[Draft | None] = msgspec.field(default_factory=lambda: [None, None])

    def __post_init__(self) -> None:
        if self.complete:
            for side in self.sides:
                side.gaps = sys.maxsize

    def step(self, raw: Raw) -> None:
        """A segment entered the wire."""
        self.latest_ns = max(self.latest_ns, raw.t_ns)
        draft = self._placed(raw)
        if raw.as_left and draft.arrives:
            draft.as_left = self._placed(raw.as_left)
        self._arrive_before(draft)
        if not draft.injected:
            self._judge(draft)
            self._enter(draft)
        self.drafts.append(draft)
        if draft.arrives and raw.left_ns <= raw.t_ns:
            self._arrive(draft, raw.t_ns)
        elif draft.arrives:
            heappush(self.pending, (raw.left_ns, raw.row, draft))
            if draft.end > draft.seq:
                heappush(self.unproven[draft.side], (draft.end, raw.row, draft))

    def finish(self) -> None:
        """No more segments come: what is under way arrives."""
        while self.pending:
            left_ns, _, draft = heappop(self.pending)
            self._arrive(draft, left_ns)

    def taken_back(self, answer: Raw) -> Raw | None:
        """The last segment, taken out again, where it is a SYN that the wire made and `answer`, a
        SYN ACK that begins a new life, answers it."""
        last = self.drafts[-1] if self.drafts else None
        if last is None or not last.injected or not answer.flags & SYN or not answer.flags & ACK:
            return None
        asks = last.raw.flags & (SYN | ACK) == SYN and last.raw.forward is not answer.forward
        taken = (answer.ack - last.raw.seq - 1) % (1 << 32)  # of its data (RFC 7413)
        if not asks or taken > last.raw.length:
            return None
        self.drafts.pop()
        self.pending = sorted(waiting for waiting in self.pending if waiting[2] is not last)
        self.moments = [moment for moment in self.moments if moment.draft is not last]
        return last.raw

    def _placed(self, raw: Raw) -> Draft:
        """The segment with relative numbers; the first on a side decides what they count from."""
        index = 0 if raw.forward else 1
        side, peer = self.sides[index], self.sides[1 - index]
        if raw.flags & SYN and side.isn is None:
            if side.base not in (None, raw.seq):
                side, peer = self._forget(index)
            side.isn = side.base = raw.seq
        if side.base is None:
            side.base = (raw.seq - 1) % (1 << 32)
        if raw.flags & ACK and peer.base is None:
            peer.base = (raw.ack - 1) % (1 << 32)
        ack = peer.place(raw.ack) if raw.flags & ACK else None
        scaled = not raw.flags & SYN and side.scale is not None and peer.scale is not None
        window = raw.window << (side.scale or 0) if scaled else raw.window
        return Draft(raw, index, side.place(raw.seq), ack, window)

    def _forget(self, index: int) -> tuple[Side, Side]:
        """A SYN starts a side's numbers anew: what was counted from elsewhere means nothing."""
        sides, pasts = list(self.sides), list(self.pasts)
        sides[index], pasts[index] = Side(gaps=self.sides[index].gaps), Past()
        peer, past = sides[1 - index], pasts[1 - index]
        sides[1 - index] = replace(peer, last_ack=None, highest_ack=None, received=None, beyond=[])
        pasts[1 - index] = replace(past, ack=None, duplicate_acks=0)
        self.trails[index].restart()
        self.sides, self.pasts = (sides[0], sides[1]), (pasts[0], pasts[1])
        return self.sides[index], self.sides[1 - index]

    def _arrive_before(self, draft: Draft) -> None:
        """Let arrive what left the wire before this segment, or is acknowledged by it."""
        while self.pending and self.pending[0][0] <= draft.raw.t_ns:
            left_ns, _, earlier = heappop(self.pending)
            self._arrive(earlier, left_ns)
        if draft.ack is None or draft.injected:
            return
        # both ends of a delivery are stamped by different readings of a clock: an acknowledgment
        # proves that what it covers had arrived, by one of its copies
        unproven, side = self.unproven[1 - draft.side], self.sides[draft.side]
        while unproven and unproven[0][0] <= draft.ack:
            end, _, earlier = heappop(unproven)
            if side.received is None or side.received < end:
                self._arrive(earlier, draft.raw.t_ns)

    def _judge(self, draft: Draft) -> None:
        side, peer = self.sides[draft.side], self.sides[1 - draft.side]
        pasts = (self.pasts[draft.side], self.pasts[1 - draft.side])
        advanced_ns, expected = pasts[0].advanced_ns, pasts[0].next
        judge(draft, side, peer, pasts, self.rtt_ns, self.complete)
        if self.reused and not self.drafts and draft.raw.flags & (SYN | ACK) == SYN:
            draft.notes += ("reused_ports",)
        self._pair_probes(draft)
        trails = self.trails[draft.side], self.trails[1 - draft.side]
        repeated = pasts[1].ack, pasts[1].duplicate_acks
        following = bool(self.drafts) and self.drafts[-1].side == draft.side
        draft.notes += truth(
            draft,
            trails,
            (side, peer),
            advanced_ns,
            *repeated,
            self.rtt_ns,
            self.complete,
            following,
        )
        if pasts[0].next != expected:
            trails[0].stamp = draft.raw.ts_value, draft.raw.ip_id

    def _pair_probes(self, draft: Draft) -> None:
        """A probe waits for its one answer until its sender says something else."""
        index = draft.side
        answer = answered(draft, self.probes[1 - index], self.sides[index])
        if answer is not None:
            draft.notes += (answer,)
            self.probes[1 - index] = None
        asks = {"keep_alive", "zero_window_probe"}.intersection(draft.notes)
        self.probes[index] = draft if asks and "resent" not in draft.notes else None

    def _enter(self, draft: Draft) -> None:
        """The sender sent it."""
        raw, index = draft.raw, draft.side
        side, peer = self.sides[index], self.sides[1 - index]
        if raw.flags & SYN:
            self._learn(side, raw)
        side.timestamps = side.timestamps or raw.ts_value >= 0
        end = draft.end
        if end > draft.seq and (side.sent is None or end > side.sent):
            self._take(side, draft)
        elif side.sent is None or draft.seq > side.sent:
            side.sent = draft.seq if not raw.flags & RST else side.sent
        crossed = self._crossed(draft)
        events = self._sent(raw.flags)
        if draft.ack is not None:
            events = self._acknowledge(draft, side, peer) + events
        self._note_moment(raw.t_ns, draft, index, False, events)
        if crossed is not None:
            self.moments.append(replace(crossed, t_ns=max(crossed.t_ns, raw.t_ns)))

    def _crossed(self, draft: Draft) -> Moment | None:
        """The arrival of the peer's FIN, where this first FIN shows that it was still to come.

        A FIN acknowledges all that its sender has got. One that does not acknowledge the peer's
        had been sent before that one was dealt with, whatever the clocks or the capture's order
        say: the two crossed. The arrival is taken back, for the caller to note it afterwards.
        """
        index, fin = draft.side, self.sides[1 - draft.side].fin
        first = draft.raw.flags & FIN and not self.fin_seen[index]
        self.fin_seen[index] |= bool(draft.raw.flags & FIN)
        if not first or not self.got_fin[index] or draft.ack is None:
            return None
        if fin is None or draft.ack > fin:
            return None
        for position in reversed(range(len(self.moments))):
            moment = self.moments[position]
            if moment.side == index and moment.arrived and "got FIN" in moment.events:
                before = tuple(event for event in moment.events if event != "got FIN")
                self.moments[position] = replace(moment, events=before)
                return replace(moment, events=("got FIN",))
        return None

    def _learn(self, side: Side, raw: Raw) -> None:
        side.mss = raw.mss if raw.mss >= 0 else None
        side.scale = min(raw.scale, MAX_SCALE) if raw.scale >= 0 else None
        side.sack = bool(raw.sack_permitted)
        if raw.ts_value >= 0:
            first = side.asked_at[0] if side.asked_at else raw.ts_value
            side.asked_at = first, raw.ts_value
        if not raw.flags & ACK:
            self.syn_ns = raw.t_ns

    def _take(self, side: Side, draft: Draft) -> None:
        """Only the numbers that are new count: a retransmission may carry more than before."""
        raw, begin = draft.raw, max(draft.seq, side.sent if side.sent is not None else draft.seq)
        syn = int(bool(raw.flags & SYN) and begin == draft.seq)
        fin = int(bool(raw.flags & FIN))
        self.trails[draft.side].take(draft, self.sides[1 - draft.side])
        side.take(Taken(begin, draft.end - begin - syn - fin, syn, fin, draft.frame))

    def _sent(self, flags: int) -> tuple[str, ...]:
        if flags & RST:
            return ("sent RST ACK",) if flags & ACK else ("sent RST",)
        if flags & SYN:
            return ("sent SYN ACK",) if flags & ACK else ("sent SYN",)
        return ("sent ACK",) * bool(flags & ACK) + ("sent FIN",) * bool(flags & FIN)

    def _acknowledge(self, draft: Draft, side: Side, peer: Side) -> tuple[str, ...]:
        """The sender acknowledged: what it had not been seen to receive has reached it too."""
        assert draft.ack is not None
        if "handshake_ack" in draft.notes and self.syn_ns is not None:
            self.rtt_ns = self.rtt_ns or draft.raw.t_ns - self.syn_ns
        self.trails[1 - draft.side].acknowledge(draft.ack, draft.raw.t_ns)
        side.last_ack = draft.ack
        side.highest_ack = max(draft.ack, side.highest_ack or 0)
        if not draft.raw.flags & RST and not self.complete:
            side.confirm(draft.ack)
        while peer.open and peer.open[0].end <= draft.ack:
            peer.open.popleft()
        return self._fin_received(draft.side)

    def _fin_received(self, index: int) -> tuple[str, ...]:
        side, peer = self.sides[index], self.sides[1 - index]
        fin = peer.fin if peer.forged_fin is None else peer.forged_fin
        got = fin is not None and side.received is not None and side.received > fin
        if not got or self.got_fin[index]:
            return ()
        self.got_fin[index] = True
        return ("got FIN",)

    def _arrive(self, draft: Draft, t_ns: int) -> None:
        """It reached the other end, if it has not before."""
        if draft.there:
            return
        draft.there = True
        index, seen = 1 - draft.side, draft.as_left or draft
        side = self.sides[index]
        events: tuple[str, ...]
        if seen.raw.flags & RST:
            events = self._reset(seen, index)
            self.over = self.over or bool(events)
        else:
            self.over = False
            events = self._greeted(seen, side) + self._confirmed(seen, side)
            if seen.end > seen.seq:
                side.receive(seen.seq, seen.end)
            elif side.received is None:
                side.received = seen.seq
            if seen.raw.flags & FIN and (seen is not draft or draft.injected):
                self.sides[draft.side].forged_fin = seen.end - 1
            events += self._fin_received(index)
        self._note_moment(t_ns, draft, index, True, events)

    def _reset(self, draft: Draft, index: int) -> tuple[str, ...]:
        side, seq = self.sides[index], draft.seq
        of_syn = draft.ack is not None and side.sent is not None and 0 < draft.ack <= side.sent
        events = ("got RST of SYN",) if of_syn else ()
        if self.got_fin[index] and seq == self.sides[1 - index].fin:
            return (*events, "got RST of FIN")
        # RFC 5961, section 3.2: only the exact number resets; a capture may have missed some
        exact = side.received is None or seq == side.received
        near = not self.complete and side.received is not None and seq > side.received
        return events + ("got RST",) * (exact or near)

    def _greeted(self, draft: Draft, side: Side) -> tuple[str, ...]:
        if not draft.raw.flags & SYN:
            return ()
        if draft.ack is None:
            return ("got SYN",)
        fits = side.sent is None or 0 < draft.ack <= side.sent
        return ("got SYN ACK",) * (fits and self._echoes(draft.raw, side))

    def _echoes(self, raw: Raw, side: Side) -> bool:
        """Whether a SYN ACK's timestamp echoes one of the SYNs that it answers; a capture may have
        missed some (RFC 7323, section 3.2; tcp_rcv_synsent_state_process)."""
        if not self.complete or side.asked_at is None or raw.ts_echo <= 0:
            return True
        first, last = side.asked_at
        return (raw.ts_echo - first) % (1 << 32) <= (last - first) % (1 << 32)

    def _confirmed(self, draft: Draft, side: Side) -> tuple[str, ...]:
        ack = draft.ack
        if ack is None or (side.sent is not None and ack > side.sent and self.complete):
            return ()
        of_fin = side.fin is not None and ack > side.fin
        return ("got ACK of SYN",) * (ack > 0) + ("got ACK of FIN",) * of_fin

    def _note_moment(
        self, t_ns: int, draft: Draft, side: int, arrived: bool, events: tuple[str, ...]
    ) -> None:
        self.moments.append(Moment(t_ns, draft, side, arrived, events))

    @property
    def ended(self) -> bool:
        """Whether an RST was taken and nothing but RSTs came since, or both FINs are confirmed."""
        return self.over or all(
            side.fin is not None and peer.highest_ack is not None and peer.highest_ack > side.fin
            for side, peer in (self.sides, self.sides[::-1])
        )

    @property
    def one_sided(self) -> bool:
        """Whether only one end ever spoke."""
        return len({draft.side for draft in self.drafts}) < 2

    def distance(self, raw: Raw) -> int:
        """How far the numbers of a segment are from those that this life would have next."""
        index = 0 if raw.forward else 1
        side, peer = self.sides[index], self.sides[1 - index]
        gaps = [_gap(raw.seq, side, peer)] if side.base is not None else []
        if raw.flags & ACK and peer.base is not None:
            gaps.append(_gap(raw.ack, peer, side))
        return max(gaps, default=1 << 31)


def _gap(number: int, side: Side, peer: Side) -> int:
    # a side that has sent nothing is known by what was acknowledged: its SYN, number 0, and what
    # that may have carried (RFC 7413)
    assert side.base is not None
    due = (peer.highest_ack or 1) if side.sent is None else side.sent
    return abs(unwrapped(number, side.base, due) - due)
