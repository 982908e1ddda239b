"""The connect engine: probes shared out to a process a core, their verdicts brought together.

Python makes some 120,000 calls of connect() a second on one core, and the kernel's work is done in
the same call; so long scans are shared by as many processes as there are cores. Each is forked,
holds its own sockets, writes its verdicts to a pipe, and ends with this process.
"""

import contextlib
import os
import resource
import time
from array import array
from collections.abc import Iterator, Sequence
from functools import partial

from fourtuple.scan.connect.connector import Connector, Probe, Verdict
from fourtuple.scan.connect.order import Order
from fourtuple.scan.connect.ourselves import connects_alone
from fourtuple.scan.interrupt import Interrupt
from fourtuple.scan.model import (
    Batch,
    BatchSink,
    Progress,
    ProgressSink,
    ScanOptions,
    ScanSummary,
    verdict_code,
)
from fourtuple.scan.process import Emit, Message, Worker, gather

__all__ = ["Tally", "probes_of", "scan"]

#: fewer probes than this are sooner done than shared
_WORTH_SHARING = 4096
_BATCH = 1000
#: descriptors that are left to everything else
_SPARE_DESCRIPTORS = 64
#: each has a source port of its own, and there are 28,232 of them by default
_MOST_SOCKETS = 12_000


def scan(
    targets: Sequence[str],
    ports: Sequence[int],
    options: ScanOptions,
    on_batch: BatchSink,
    on_progress: ProgressSink,
    done: bytes = b"",
) -> ScanSummary:
    """Scan with connect(). Ctrl-C ends it early; what is known then has been told.

    `done` has a byte a cell (`model.Batch`), other than 0 where no scan is needed any more.
    """
    positions = options.positions(len(targets) * len(ports))
    total = len(positions)
    if done:
        total = sum(1 for _ in probes_of(targets, ports, options.seed, positions, done))
    tally = Tally(total, on_batch, on_progress)
    places = _Places(targets, ports)
    processes = _processes(total, options)
    share = max(1, _most_sockets() // processes)

    def work(number: int, emit: Emit, stop: Interrupt) -> None:
        mine = positions[number::processes]
        probes = probes_of(targets, ports, options.seed, mine, done)
        reporter = _Reporter(places, emit)
        connector = Connector(options, share, reporter.judged, reporter.tick, lambda: stop.asked)
        reporter.watch(connector)
        connector.run(probes)
        reporter.end()

    with Interrupt() as stop:
        if processes == 1:
            work(0, tally.take, stop)
        else:
            workers = [Worker(partial(work, number)) for number in range(processes)]
            gather(workers, tally.take, stop)
        if tally.doubtful:
            alone = _Reporter(places, tally.take)
            for probe in tally.doubtful:
                alone.judged(connects_alone(probe, options.timeout_s))
            alone.tick()
    return tally.summary(options.method, stop.asked)


def probes_of(
    targets: Sequence[str], ports: Sequence[int], seed: int, positions: range, done: bytes = b""
) -> Iterator[Probe]:
    """The (address, port) at some positions of the seed's order."""
    order, width = Order(len(targets) * len(ports), seed), len(ports)
    for position in positions:
        cell = order.at(position)
        if not done or not done[cell]:
            yield targets[cell // width], ports[cell % width]


def _processes(probes: int, options: ScanOptions) -> int:
    if options.workers is not None or options.rate is not None or probes < _WORTH_SHARING:
        return 1
    return len(os.sched_getaffinity(0))


def _most_sockets() -> int:
    """How many sockets may be open at once: the soft limit is raised to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_SOCKETS if hard == resource.RLIM_INFINITY else min(hard, _MOST_SOCKETS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    limit = wanted if soft == resource.RLIM_INFINITY else min(soft, wanted)
    return max(1, limit - len(os.listdir("/proc/self/fd")) - _SPARE_DESCRIPTORS)


class _Places:
    """The cells of probes."""

    def __init__(self, targets: Sequence[str], ports: Sequence[int]) -> None:
        self._first = {address: number * len(ports) for number, address in enumerate(targets)}
        self._place = {port: number for number, port in enumerate(ports)}

    def cell(self, address: str, port: int) -> int:
        return self._first[address] + self._place[port]


class _Reporter:
    """Tells what a connector finds, in messages: ("verdicts", cells, codes, rtts_s, probes sent
    since the last one) and, last, ("end", received, doubtful). An open port is told at once."""

    def __init__(self, places: _Places, emit: Emit) -> None:
        self._cell, self._emit = places.cell, emit
        self._connector: Connector | None = None
        self._codes: dict[tuple[str, str], int] = {}
        self._sent = 0
        self._begin()

    def _begin(self) -> None:
        self._cells, self._rtts_s = array("q"), array("d")
        self._judged = bytearray()

    def watch(self, connector: Connector) -> None:
        """Whose counts are to be told."""
        self._connector = connector

    def judged(self, verdict: Verdict) -> None:
        address, port, state, reason, rtt_s = verdict
        code = self._codes.get((state, reason))
        if code is None:
            code = self._codes[state, reason] = verdict_code(state, reason)
        self._cells.append(self._cell(address, port))
        self._judged.append(code)
        self._rtts_s.append(-1.0 if rtt_s is None else rtt_s)
        if state == "open" or len(self._judged) >= _BATCH:
            self.tick()

    def tick(self) -> None:
        sent, told = self._connector.sent if self._connector else 0, self._sent
        self._sent = sent
        cells, rtts_s = self._cells.tobytes(), self._rtts_s.tobytes()
        self._emit(("verdicts", cells, bytes(self._judged), rtts_s, sent - told))
        self._begin()

    def end(self) -> None:
        self.tick()
        assert self._connector is not None
        self._emit(("end", self._connector.received, self._connector.doubtful))


class Tally:
    """Puts together what the processes say, and tells the sinks.

    Progress goes out five times a second; it counts a port once, however often it was probed.
    """

    _EVERY_S = 0.2

    def __init__(self, total: int, on_batch: BatchSink, on_progress: ProgressSink) -> None:
        self._total = total
        self._on_batch, self._on_progress = on_batch, on_progress
        self._begin_s = self._next_s = time.perf_counter()
        self._finished = self._sent = self._received = 0
        self._last = (self._begin_s, 0)
        self.doubtful: list[Probe] = []

    def take(self, message: Message) -> None:
        """A message of a `_Reporter`."""
        if message[0] == "end":
            _, received, doubtful = message
            self._received += received
            self.doubtful += [(address, port) for address, port in doubtful]
            return
        cells, rtts_s = array("q"), array("d")
        cells.frombytes(message[1])
        rtts_s.frombytes(message[3])
        self._sent += message[4]
        self._finished += len(cells)
        if cells:
            self._on_batch(Batch(cells, message[2], rtts_s))
        self._tell()

    def _tell(self) -> None:
        now_s = time.perf_counter()
        if now_s < self._next_s:
            return
        self._next_s = now_s + self._EVERY_S
        then_s, finished = self._last
        rate = (self._finished - finished) / max(now_s - then_s, 1e-6)
        self._last = (now_s, self._finished)
        pace = self._finished / max(now_s - self._begin_s, 1e-6)
        remaining_s = (self._total - self._finished) / pace if self._finished else None
        self._on_progress(Progress(self._finished, self._total, self._sent, rate, remaining_s))

    def summary(self, method: str, interrupted: bool) -> ScanSummary:
        """What it came to."""
        return ScanSummary(
            method=method,
            sent=self._sent,
            received=self._received,
            seconds=time.perf_counter() - self._begin_s,
            interrupted=interrupted and self._finished < self._total,
        )
