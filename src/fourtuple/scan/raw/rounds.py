"""What the raw engine does: ask everything, look who answered, ask the others again.

Every cell is asked once in random order; those without an answer again, as often as the options
say, and on while repeating brings answers: then something loses or limits them. Each answer is
checked against the cookie of its probe, so nothing needs to be remembered to believe it.
"""

import time
from array import array
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from fourtuple.scan.board import Board
from fourtuple.scan.interrupt import Interrupt
from fourtuple.scan.model import (
    Batch,
    BatchSink,
    Progress,
    ProgressSink,
    ScanOptions,
    ScanSummary,
    State,
    verdict_code,
)
from fourtuple.scan.raw.answers import read_answers
from fourtuple.scan.raw.lanes import Plan
from fourtuple.scan.raw.own_ports import OWN_PORTS
from fourtuple.scan.raw.pace import FAR, NEAR, LimitedPace, Pace
from fourtuple.scan.raw.receiver import Receiver
from fourtuple.scan.raw.slices import Round, Slices
from fourtuple.scan.raw.timer import RoundTripTimer
from fourtuple.scan.strategy import silence

__all__ = ["Rounds", "Sinks"]

Int64s = npt.NDArray[np.int64]

#: how often a probe is repeated at most, however many answers repeating brings
_MOST_ROUNDS = 16
_PROGRESS_EVERY_S = 0.2
#: a round of repetitions answered less than this share, but answered, may have met a limit
_SUSPECT_SHARE = 0.5
#: packets that are worth reading at once while more are coming: few cost as much as many
_MANY = 2048
_TRIAL, _UDP_TRIAL = 16, 2
#: a trial takes seconds, and where most ports are silent for good it meets none of the others
_MOST_TRIALS = 2
#: answers from which a rate can be told; UDP's come one a second (icmp_ratelimit)
_ENOUGH = 3
#: how long to let a target recover that may limit its answers, before it is asked again: as nmap,
#: a second at most. Where so many are left to ask that asking takes as long, no rest is needed
_FIRST_REST_S, _MOST_REST_S = 0.4, 1.0
_FEW = 2048


class Sinks(Struct, frozen=True):
    """Who is told, and who says when to stop."""

    on_batch: BatchSink
    on_progress: ProgressSink
    stop: Interrupt


class Rounds:
    """One scan under way."""

    def __init__(
        self, board: Board, plan: Plan, receiver: Receiver, options: ScanOptions, sinks: Sinks
    ) -> None:
        self._board = board
        self._plan = plan
        self._receiver = receiver
        self._options = options
        self._sinks = sinks
        self._begin_s = time.monotonic()
        self._timer = RoundTripTimer(options.timeout_s)
        for rtt_s in plan.rtts_s:
            self._timer.sample(rtt_s)
        self._pace = Pace(NEAR if plan.near else FAR, options.rate)
        self._slices = Slices(board, self._timer)
        self._round = Round()
        self._attempt = 0
        self._sent = self._received = self._foreign = self._late = self._dropped = 0
        self._progressed_s = time.monotonic()
        self._progress_sent = 0

    def carry_out(self) -> ScanSummary:
        """Give every cell a verdict, unless asked to stop."""
        self._settle_unreachable()
        self._ask_on()
        if not self._stopped():
            self._settle_silent()
        self._dropped += self._receiver.drops()
        return ScanSummary(
            method=self._options.method,
            sent=self._sent,
            received=self._received,
            seconds=time.monotonic() - self._begin_s,
            foreign=self._foreign,
            late=self._late,
            dropped=self._dropped,
            interrupted=not self._everything_answered(),
        )

    def _stopped(self) -> bool:
        return self._sinks.stop.asked

    def _everything_answered(self) -> bool:
        return self._board.answered >= self._board.total

    def _over(self) -> bool:
        return self._everything_answered() or self._stopped()

    # rounds

    def _ask_on(self) -> None:
        first = last = self._ask(self._board.cells(), 0)
        repeats = Round()
        limited, trials, vain, rest_s = False, 0, 1, _FIRST_REST_S
        for number in range(1, _MOST_ROUNDS):
            if self._over():
                return
            before = first if number == 1 else repeats
            if not limited and trials < _MOST_TRIALS and self._suspicious(number, last, before):
                trials += 1
                limited = self._try_slowly(number, before)
                vain = 0 if limited else vain
            # one vain round proves little where others were not
            if number > self._options.retries and vain > (limited or repeats.answered > 0):
                break
            few = self._board.total - self._board.answered <= _FEW
            rests = few and first.answered > 0 and not limited
            last = self._ask(self._board.cells(), number, rest_s if rests else 0.0)
            rest_s = min(_MOST_REST_S, 1.5 * rest_s)
            vain = 0 if last.answered else vain + 1
            repeats = repeats.plus(last)
        self._wait(self._options.timeout_s)

    def _suspicious(self, number: int, last: Round, before: Round) -> bool:
        """Whether the target may limit how many answers it gives. UDP's closed ports are known to
        be answered so, by any Linux; of others it is told by what repeating brings."""
        if self._options.rate is not None or before.share >= _SUSPECT_SHARE:
            return False
        if self._options.method == "udp":
            return last.answered > 0
        return number > 1 and before.answered >= _ENOUGH

    def _try_slowly(self, number: int, before: Round) -> bool:
        """Ask a few as slowly as answers came. Where a clearly greater share answers now, there is
        a limit, and all that follows keeps to it."""
        udp = self._options.method == "udp"
        rate = 0.8 * before.answered / max(before.seconds, 0.01)
        rate = min(rate, 0.8) if udp else rate
        few = next(chunk for chunk in self._board.cells() if len(chunk))
        usual, self._pace = self._pace, Pace(FAR, rate)
        trial = self._ask([few[: _UDP_TRIAL if udp else _TRIAL]], number)
        confirmed = trial.share >= min(_SUSPECT_SHARE, 3 * before.share + 0.1)
        self._slices.small = confirmed
        self._pace = LimitedPace(rate) if confirmed else usual
        return confirmed

    def _ask(self, chunks: Iterable[Int64s], number: int, rest_s: float = 0.0) -> Round:
        """Rest; then ask every cell that has no verdict when its turn comes; wait for answers."""
        begin_s = time.monotonic()
        if rest_s:
            self._wait(rest_s)
        self._round = Round()
        self._attempt = number % OWN_PORTS
        self._pace.restart()
        self._slices.clear()
        for batch in self._batches(chunks):
            self._send(batch)
            self._receive()
        for lane in self._plan.lanes:
            lane.sender.finish()
        self._wait(self._timer.timeout_s)
        self._round.seconds = time.monotonic() - begin_s
        return self._round

    def _batches(self, chunks: Iterable[Int64s]) -> Iterator[Int64s]:
        """As many cells at a time as the pace allows."""
        for chunk in chunks:
            at = 0
            while at < len(chunk) and not self._stopped():
                allowed = self._pace.allowance(time.monotonic())
                if not allowed:
                    self._pause(self._pace.wait_s())
                    continue
                batch = chunk[at : at + allowed]
                at += len(batch)
                batch = batch[self._board.verdicts[batch] == 0]
                if len(batch):
                    yield batch

    def _pause(self, seconds: float) -> None:
        self._receiver.wait(max(0.001, min(seconds, _PROGRESS_EVERY_S)))
        self._receive()
        self._tell_progress()

    def _wait(self, seconds: float) -> None:
        """Until no answer has come for so long. On a busy machine this process may get its turn
        only when the time is over: the ring must have been found empty after that."""
        end_s = time.monotonic() + seconds
        while not self._over():
            now_s, answered = time.monotonic(), self._board.answered
            self._pause(end_s - now_s)
            if self._board.answered > answered:
                end_s = time.monotonic() + seconds
            elif now_s >= end_s:
                return

    # sending

    def _send(self, cells: Int64s) -> None:
        targets, ports = self._board.split(cells)
        source_ports = np.full_like(cells, self._board.own_ports[self._attempt])
        cookies = self._board.cookies(targets, ports, source_ports)
        lanes = self._plan.lane_of[targets]
        begin_s = time.monotonic()
        for number, lane in enumerate(self._plan.lanes):
            rows = np.flatnonzero(lanes == number) if len(self._plan.lanes) > 1 else slice(None)
            of_lane = self._plan.row_of[targets[rows]]
            frames = lane.crafter.frames(of_lane, ports[rows], source_ports[rows], cookies[rows])
            if len(frames):
                self._board.asked(cells[rows], self._attempt, lane.sender.send(frames))
        self._pace.sent(len(cells))
        self._round.sent += len(cells)
        self._sent += len(cells)
        self._slices.add(cells, begin_s, time.monotonic())
        self._tell_progress()

    # receiving

    def _receive(self) -> None:
        while (received := self._receiver.read()) is not None:
            last = len(received.captured) < _MANY
            answers = read_answers(received.data, received.captured)
            matched, foreign = self._board.match(answers, received.t_ns)
            self._foreign += foreign
            rows = self._board.settle(matched.cells, matched.codes)
            self._received += len(matched.cells)
            self._late += len(matched.cells) - len(rows)
            if len(rows):
                self._learn(matched.cells[rows], matched.codes[rows], matched.rtts_ns[rows])
                of_this_round = matched.attempts[rows] == self._attempt
                self._round.answered += int(np.count_nonzero(of_this_round))
            if last:
                break
        self._slices.judge(self._pace)

    def _learn(self, cells: Int64s, codes: Int64s, rtts_ns: Int64s) -> None:
        known = rtts_ns[rtts_ns >= 0]
        if known.size:
            self._timer.sample(float(known.max()) / 1e9)
        self._deliver(cells, codes, rtts_ns / 1e9)

    def _deliver(self, cells: Int64s, codes: Int64s, rtts_s: npt.NDArray[np.float64]) -> None:
        numbers, times = array("q"), array("d")
        numbers.frombytes(cells.tobytes())
        times.frombytes(rtts_s.tobytes())
        self._sinks.on_batch(Batch(numbers, codes.astype(np.uint8).tobytes(), times))

    # what nobody answers

    def _settle_unreachable(self) -> None:
        for number, reason in self._plan.unreachable.items():
            code = verdict_code(State.FILTERED, reason)
            for chunk in self._board.cells():
                self._settle(chunk[self._board.split(chunk)[0] == number], code)

    def _settle_silent(self) -> None:
        code = verdict_code(*silence(self._options.method))
        for chunk in self._board.cells():
            self._settle(chunk, code)

    def _settle(self, cells: Int64s, code: int) -> None:
        codes = np.full_like(cells, code)
        self._board.settle(cells, codes)
        self._deliver(cells, codes, np.full(len(cells), -1.0))

    # progress

    def _tell_progress(self) -> None:
        now_s = time.monotonic()
        passed_s = now_s - self._progressed_s
        if passed_s < _PROGRESS_EVERY_S:
            return
        rate = (self._sent - self._progress_sent) / passed_s
        self._progressed_s, self._progress_sent = now_s, self._sent
        board = self._board
        open_cells = board.total - board.answered
        remaining_s = open_cells / self._pace.rate + self._options.timeout_s
        self._sinks.on_progress(
            Progress(board.answered, board.total, self._sent, rate, remaining_s)
        )
