"""The connect engine: probes shared out to a process a core, their verdicts brought together.

Python makes some 120,000 calls of connect() a second on one core, and the kernel's work is done in
the same call; so long scans are shared by as many processes as there are cores. Each is forked,
holds its own sockets, writes its verdicts to a pipe, and ends with this process.
"""

import contextlib
import marshal
import os
import resource
import select
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from fourtuple.scan.connector import Connector, Probe, Verdict, connects_alone
from fourtuple.scan.interrupt import Interrupt
from fourtuple.scan.model import (
    PortResult,
    Progress,
    ProgressSink,
    ResultSink,
    ScanOptions,
    ScanSummary,
)
from fourtuple.scan.order import Order
from fourtuple.system.namespaces import die_with_parent

__all__ = ["Tally", "probes_of", "scan"]

#: fewer probes than this are sooner done than shared
_WORTH_SHARING = 4096
_BATCH = 1000
#: descriptors that are left to everything else
_SPARE_DESCRIPTORS = 64
#: each has a source port of its own, and there are 28,232 of them by default
_MOST_SOCKETS = 12_000
_LENGTH = struct.Struct("=I")

Emit = Callable[[tuple[Any, ...]], None]


def scan(
    targets: Sequence[str],
    ports: Sequence[int],
    options: ScanOptions,
    on_result: ResultSink,
    on_progress: ProgressSink | None = None,
    done: Container[Probe] | None = None,
) -> ScanSummary:
    """Scan with connect(). Ctrl-C ends it early; the summary's `left` says what is missing.

    `done` are the (address, port) that need no scan any more.
    """
    size, first, step = len(targets) * len(ports), options.shard[0] - 1, options.shard[1]
    tally = Tally(options, max(0, -((first - size) // step)), on_result, on_progress)
    processes = _processes(size // step, options)
    share = max(1, _most_sockets() // processes)

    def connector_of(number: int, emit: Emit, stopped: Callable[[], bool]) -> None:
        positions = range(first + number * step, size, step * processes)
        _run(
            probes_of(targets, ports, options.seed, positions, done), options, share, emit, stopped
        )

    with Interrupt() as stop:
        if processes == 1:
            connector_of(0, tally.take, lambda: stop.asked)
        else:
            _share(connector_of, processes, tally.take, stop)
        for probe in tally.doubtful:
            tally.take(("results", [connects_alone(probe, options.timeout_s)], {}, 0))
    return tally.summary(stop.asked)


def probes_of(
    targets: Sequence[str],
    ports: Sequence[int],
    seed: int,
    positions: range,
    done: Container[Probe] | None = None,
) -> Iterator[Probe]:
    """The (address, port) at some positions of the seed's order."""
    order, width = Order(len(targets) * len(ports), seed), len(ports)
    for position in positions:
        index = order.at(position)
        probe = targets[index // width], ports[index % width]
        if done is None or probe not in done:
            yield probe


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


def _run(
    probes: Iterable[Probe],
    options: ScanOptions,
    most_sockets: int,
    emit: Emit,
    stopped: Callable[[], bool],
) -> None:
    """Run a connector; emit ("results", verdicts, counts, sent) and, last, ("end", ...)."""
    verdicts: list[Verdict] = []
    counts: dict[tuple[str, str], int] = {}

    def judged(verdict: Verdict) -> None:
        key = verdict[2], verdict[3]
        if options.deliver is None or verdict[2] in options.deliver:
            verdicts.append(verdict)
            if verdict[2] == "open" or len(verdicts) >= _BATCH:
                tick()
        else:
            counts[key] = counts.get(key, 0) + 1

    def tick() -> None:
        emit(("results", verdicts[:], counts.copy(), connector.sent))
        verdicts.clear()
        counts.clear()

    connector = Connector(options, most_sockets, judged, tick, stopped)
    connector.run(probes)
    tick()
    emit(("end", connector.sent, connector.received, connector.doubtful, connector.left))


class Tally:
    """Puts together what the processes say, and tells the sinks.

    Progress goes out five times a second; it counts a port once, however often it was probed.
    """

    _EVERY_S = 0.2

    def __init__(
        self,
        options: ScanOptions,
        total: int,
        on_result: ResultSink,
        on_progress: ProgressSink | None,
    ) -> None:
        self._options, self._total = options, total
        self._on_result, self._on_progress = on_result, on_progress
        self._begin_s = self._next_s = time.perf_counter()
        self._counts: dict[tuple[str, str], int] = {}
        self._finished = self._sent = self._received = 0
        self._left: dict[str, list[int]] = {}
        self._last = (self._begin_s, 0)
        self.doubtful: list[Probe] = []

    def take(self, message: tuple[Any, ...]) -> None:
        """A message of `_run`."""
        if message[0] == "end":
            _, sent, received, doubtful, left = message
            self._sent += sent
            self._received += received
            self.doubtful += [(address, port) for address, port in doubtful]
            for address, port in left:
                self._left.setdefault(address, []).append(port)
            return
        for address, port, state, reason, rtt_s in message[1]:
            self._count((state, reason), 1)
            if self._options.deliver is None or state in self._options.deliver:
                self._on_result(
                    PortResult(address, port, "tcp", state, reason, rtt_s, self._options.method)
                )
        for key, count in message[2].items():
            self._count(key, count)
        self._tell()

    def _count(self, key: tuple[str, str], count: int) -> None:
        self._counts[key] = self._counts.get(key, 0) + count
        self._finished += count

    def _tell(self) -> None:
        now_s = time.perf_counter()
        if self._on_progress is None or now_s < self._next_s:
            return
        self._next_s = now_s + self._EVERY_S
        then_s, finished = self._last
        rate = (self._finished - finished) / max(now_s - then_s, 1e-6)
        self._last = (now_s, self._finished)
        pace = self._finished / max(now_s - self._begin_s, 1e-6)
        remaining_s = (self._total - self._finished) / pace if self._finished else None
        self._on_progress(Progress(self._finished, self._total, self._sent, rate, remaining_s))

    def summary(self, interrupted: bool) -> ScanSummary:
        """What it came to."""
        return ScanSummary(
            method=self._options.method,
            sent=self._sent,
            received=self._received,
            seconds=time.perf_counter() - self._begin_s,
            counts=self._counts,
            left={address: sorted(ports) for address, ports in self._left.items()},
            interrupted=interrupted and bool(self._left),
        )


# several processes


def _share(
    work: Callable[[int, Emit, Callable[[], bool]], None],
    processes: int,
    take: Callable[[tuple[Any, ...]], None],
    stop: Interrupt,
) -> None:
    children = [_fork(partial(work, number)) for number in range(processes)]
    pids = {pipe: pid for pid, pipe in children}
    rests = dict.fromkeys(pids, b"")
    told = False
    try:
        while rests:
            for pipe in select.select([*rests], [], [], 0.1)[0]:
                data = os.read(pipe, 1 << 18)
                if not data:
                    del rests[pipe]
                    _reap(pids[pipe])
                    continue
                rests[pipe] = _messages(rests[pipe] + data, take)
            if stop.asked and not told:
                told = True
                for pipe in rests:
                    os.kill(pids[pipe], signal.SIGTERM)
    finally:
        for pipe, pid in pids.items():
            if pipe in rests:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            os.close(pipe)


def _reap(pid: int) -> None:
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != 0:
        raise RuntimeError(f"a process of the scan ended with status {status}")


def _messages(data: bytes, take: Callable[[tuple[Any, ...]], None]) -> bytes:
    """Take the whole messages; the rest is returned."""
    offset = 0
    while offset + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, offset)
        end = offset + _LENGTH.size + length
        if end > len(data):
            break
        take(marshal.loads(data[offset + _LENGTH.size : end]))
        offset = end
    return data[offset:]


def _fork(main: Callable[[Emit, Callable[[], bool]], None]) -> tuple[int, int]:
    """(pid, pipe): a process that carries out `main` and writes what it emits into the pipe."""
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid:
        os.close(theirs)
        return pid, ours
    status = 1
    try:
        os.close(ours)
        die_with_parent(parent)
        stop = Interrupt()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and passes it on
        signal.signal(signal.SIGTERM, stop.ask)

        def emit(message: tuple[Any, ...]) -> None:
            body = marshal.dumps(message)
            _write(theirs, _LENGTH.pack(len(body)) + body)

        main(emit, lambda: stop.asked)
        status = 0
    except BrokenPipeError:
        status = 0  # nobody listens any more
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _write(pipe: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(pipe, view) :]
