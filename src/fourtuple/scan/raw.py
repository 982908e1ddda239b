"""The raw engine: probes sent by ourselves, answers read off a ring, no socket a port.

Rounds: every cell is asked once in random order; those without an answer again, as often as the
options say, and on while repeating brings answers (then something lost or limited them). Each
answer is checked against the cookie of its probe, so nothing needs to be remembered to believe it.
The answered kernel knows nothing of us: our own one answers a SYN+ACK by RST (see own_ports).
"""

import time
from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fourtuple.errors import N_, CapabilityMissing
from fourtuple.scan.answers import read_answers
from fourtuple.scan.board import Board
from fourtuple.scan.lanes import Plan, plan_lanes
from fourtuple.scan.model import (
    Progress,
    ProgressSink,
    ResultSink,
    ScanOptions,
    ScanSummary,
    State,
)
from fourtuple.scan.own_ports import OwnPorts
from fourtuple.scan.pace import FAR, NEAR, LimitedPace, Pace
from fourtuple.scan.payloads import PAYLOADS
from fourtuple.scan.receiver import Receiver
from fourtuple.scan.strategy import PROBES, silence
from fourtuple.scan.timer import RoundTripTimer

__all__ = ["scan"]

Int64s = npt.NDArray[np.int64]

#: how often a probe is repeated at most, however many answers repeating brings
_MOST_ROUNDS = 16
_PROGRESS_EVERY_S = 0.2
_SLICE, _LIMITED_SLICE = 16, 4
#: a round of repetitions answered less than this share, but answered, may have met a limit
_SUSPECT_SHARE = 0.5
_TRIAL = 16
_UDP_TRIAL = 2
#: answers from which a rate can be told; UDP's come one a second (icmp_ratelimit)
_ENOUGH = 3


def scan(
    targets: Sequence[str],
    ports: Sequence[int],
    options: ScanOptions,
    on_result: ResultSink,
    on_progress: ProgressSink,
    done: Container[tuple[str, int]] = (),
) -> ScanSummary:
    """Scan every port of every target (addresses as text) by one raw method.

    `done` has the (address, port) pairs that an earlier scan finished. An interrupt (Ctrl-C) ends
    the scan cleanly: what is known is delivered, and the summary says what is left.
    CapabilityMissing where the machine does not give us raw sockets.
    """
    start_s = time.monotonic()
    probe = PROBES[options.method]
    wanted = {port: PAYLOADS[port] for port in ports if port in PAYLOADS}
    payloads = wanted if options.method == "udp" else {}
    with OwnPorts(options.method) as own:
        protocol = 17 if options.method == "udp" else 6
        try:
            receiver = Receiver(protocol, own.ports)
        except PermissionError as error:
            raise _missing(options.method) from error
        try:
            board = Board(
                options.method, targets, ports, own.ports, options.seed, options.shard, done
            )
            plan = plan_lanes(targets, probe, payloads, min(0.3, options.timeout_s))
            try:
                run = _Run(board, plan, receiver, own.ports, options)
                run.sinks(on_result, on_progress)
                return run.carry_out(start_s)
            finally:
                plan.close()
        finally:
            receiver.close()


def _missing(method: str) -> CapabilityMissing:
    return CapabilityMissing(
        N_("{method} needs raw sockets, and this process may not open them (CAP_NET_RAW)"),
        N_(
            "Use --method connect, which needs no privilege; or run as root; or scan from a host of"
            " the lab, where an ordinary user may."
        ),
        {"method": method},
    )


@dataclass(slots=True)
class _Slice:
    """Probes sent together, whose answers are counted together."""

    cells: Int64s
    begin_s: float
    end_s: float


@dataclass(slots=True)
class _Round:
    """What one round came to, in `seconds`, its wait included."""

    sent: int = 0
    answered: int = 0
    seconds: float = 0.0

    @property
    def share(self) -> float:
        return self.answered / self.sent if self.sent else 0.0

    def plus(self, other: "_Round") -> "_Round":
        return _Round(
            self.sent + other.sent, self.answered + other.answered, self.seconds + other.seconds
        )


class _Run:
    """One scan under way."""

    def __init__(
        self,
        board: Board,
        plan: Plan,
        receiver: Receiver,
        own_ports: range,
        options: ScanOptions,
    ) -> None:
        self._board = board
        self._plan = plan
        self._receiver = receiver
        self._own_ports = own_ports
        self._options = options
        self._timer = RoundTripTimer(options.timeout_s)
        for rtt_s in plan.rtts_s:
            self._timer.sample(rtt_s)
        self._pace = Pace(NEAR if plan.near else FAR, options.rate)
        self._slices: deque[_Slice] = deque()
        self._slice = _SLICE
        self._round = _Round()
        self._sent = self._received = self._foreign = self._late = self._dropped = 0
        self._progressed_s = time.monotonic()
        self._progress_sent = 0

    def sinks(self, on_result: ResultSink, on_progress: ProgressSink) -> None:
        self._on_result = on_result
        self._on_progress = on_progress

    def carry_out(self, start_s: float) -> ScanSummary:
        interrupted = False
        try:
            self._settle_unreachable()
            self._rounds()
            self._settle_silent()
        except KeyboardInterrupt:
            interrupted = True
        self._dropped += self._receiver.drops()
        return ScanSummary(
            method=self._options.method,
            sent=self._sent,
            received=self._received,
            seconds=time.monotonic() - start_s,
            foreign=self._foreign,
            late=self._late,
            dropped=self._dropped,
            counts=self._board.counts(),
            left=self._board.left() if interrupted else {},
            interrupted=interrupted,
        )

    # rounds

    def _rounds(self) -> None:
        last = repeats = self._ask(self._board.cells(), 0)
        limited, vain = False, 0
        for number in range(1, _MOST_ROUNDS):
            if self._everything_answered():
                return
            if not limited and self._suspicious(number, last, repeats):
                limited = self._try_slowly(number, repeats)
            if number > self._options.retries and vain > limited:
                break
            last = self._ask(self._board.cells(), number)
            vain = 0 if last.answered else vain + 1
            repeats = last if number == 1 else repeats.plus(last)
        self._wait_until(time.monotonic() + self._options.timeout_s)

    def _suspicious(self, number: int, last: _Round, repeats: _Round) -> bool:
        """Whether the target may limit how many answers it gives. UDP's closed ports are known to
        be answered so, by any Linux; of others it is told by what repeating brings."""
        if self._options.rate is not None or repeats.share >= _SUSPECT_SHARE:
            return False
        if self._options.method == "udp":
            return last.answered > 0
        return number > 1 and repeats.answered >= _ENOUGH

    def _try_slowly(self, number: int, before: _Round) -> bool:
        """Ask a few as slowly as answers came. Where a clearly greater share answers now, there is
        a limit, and all that follows keeps to it."""
        udp = self._options.method == "udp"
        rate = 0.8 * before.answered / max(before.seconds, 0.01)
        rate = min(rate, 0.8) if udp else rate
        few = next(chunk for chunk in self._board.cells() if len(chunk))
        usual, self._pace = self._pace, Pace(FAR, rate)
        trial = self._ask([few[: _UDP_TRIAL if udp else _TRIAL]], number)
        confirmed = trial.share >= min(_SUSPECT_SHARE, 3 * before.share + 0.1)
        self._slice = _LIMITED_SLICE if confirmed else _SLICE
        self._pace = LimitedPace(rate) if confirmed else usual
        return confirmed

    def _ask(self, chunks: Iterable[Int64s], number: int) -> _Round:
        """Send to every cell that has no verdict when its turn comes, and wait for answers."""
        self._round = _Round()
        self._pace.restart()
        self._slices.clear()
        begin_s = time.monotonic()
        for batch in self._batches(chunks):
            self._send(batch, number % len(self._own_ports))
            self._receive()
            self._judge_slices()
        self._wait_until(time.monotonic() + self._timer.timeout_s)
        self._judge_slices()
        self._round.seconds = time.monotonic() - begin_s
        return self._round

    def _batches(self, chunks: Iterable[Int64s]) -> Iterator[Int64s]:
        """As many cells at a time as the pace allows."""
        for chunk in chunks:
            at = 0
            while at < len(chunk):
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
        self._judge_slices()
        self._tell_progress()

    def _wait_until(self, end_s: float) -> None:
        while not self._everything_answered() and (left_s := end_s - time.monotonic()) > 0:
            self._receiver.wait(max(0.001, min(left_s, _PROGRESS_EVERY_S)))
            self._receive()
            self._tell_progress()

    def _everything_answered(self) -> bool:
        return self._board.answered >= self._board.total

    # sending

    def _send(self, cells: Int64s, attempt: int) -> None:
        targets, ports = self._board.split(cells)
        source_ports = np.full(len(cells), self._own_ports[attempt], dtype=np.int64)
        cookies = self._board.cookies(targets, ports, source_ports)
        lanes = self._plan.lane_of[targets]
        begin_s = time.monotonic()
        for number, lane in enumerate(self._plan.lanes):
            rows = np.flatnonzero(lanes == number) if len(self._plan.lanes) > 1 else slice(None)
            of_lane = self._plan.row_of[targets[rows]]
            frames = lane.crafter.frames(of_lane, ports[rows], source_ports[rows], cookies[rows])
            if not len(frames):
                continue
            t_ns = lane.sender.send(frames)
            self._board.asked(cells[rows], attempt, t_ns)
        self._pace.sent(len(cells))
        self._round.sent += len(cells)
        self._sent += len(cells)
        self._add_slice(cells, begin_s)
        self._tell_progress()

    def _add_slice(self, cells: Int64s, begin_s: float) -> None:
        end_s = time.monotonic()
        last = self._slices[-1] if self._slices else None
        if last is not None and len(last.cells) < self._slice:
            last.cells = np.concatenate((last.cells, cells))
            last.end_s = end_s
        else:
            self._slices.append(_Slice(cells, begin_s, end_s))

    def _judge_slices(self) -> None:
        now_s = time.monotonic()
        while self._slices:
            oldest = self._slices[0]
            answered = int(np.count_nonzero(self._board.verdicts[oldest.cells]))
            waited = now_s > oldest.end_s + self._timer.timeout_s
            if not waited and (answered < len(oldest.cells) or answered < self._slice):
                return
            self._slices.popleft()
            self._pace.judge(len(oldest.cells), answered, oldest.begin_s, now_s)

    # receiving

    def _receive(self) -> None:
        while (received := self._receiver.read()) is not None:
            answers = read_answers(received.data, received.captured)
            (cells, codes, rtt_ns), foreign = self._board.match(answers, received.t_ns)
            self._foreign += foreign
            rows = self._board.settle(cells, codes)
            self._received += len(cells)
            self._late += len(cells) - len(rows)
            if not len(rows):
                continue
            self._round.answered += len(rows)
            known = rtt_ns[rows][rtt_ns[rows] >= 0]
            if known.size:
                self._timer.sample(float(known.max()) / 1e9)
            self._deliver(cells[rows], codes[rows], rtt_ns[rows])

    def _deliver(self, cells: Int64s, codes: Int64s, rtt_ns: Int64s) -> None:
        wanted = self._options.deliver
        if wanted is not None:
            codes_wanted = [
                code for code, (state, _) in enumerate(self._board.named) if state in wanted
            ]
            rows = np.flatnonzero(np.isin(codes, codes_wanted))
            cells, codes, rtt_ns = cells[rows], codes[rows], rtt_ns[rows]
        result = self._board.result
        for cell, code, rtt in zip(cells.tolist(), codes.tolist(), rtt_ns.tolist(), strict=True):
            self._on_result(result(cell, code, rtt))

    # what nobody answers

    def _settle_unreachable(self) -> None:
        for number, reason in self._plan.unreachable.items():
            code = self._board.code((State.FILTERED, reason))
            for chunk in self._board.cells():
                cells = chunk[self._board.split(chunk)[0] == number]
                self._settle(cells, code)

    def _settle_silent(self) -> None:
        code = self._board.code(silence(self._options.method))
        for chunk in self._board.cells():
            self._settle(chunk, code)

    def _settle(self, cells: Int64s, code: int) -> None:
        codes = np.full(len(cells), code, dtype=np.int64)
        self._board.settle(cells, codes)
        self._deliver(cells, codes, np.full(len(cells), -1, dtype=np.int64))

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
        self._on_progress(Progress(board.answered, board.total, self._sent, rate, remaining_s))
