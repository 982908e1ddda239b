"""The raw engine in a process of its own, begun before it is known what it is to scan.

Loading numpy and the engine takes as long as reading the command line does: so both go on side by
side, on two processors. What the process finds comes back in batches, and what it holds is closed
while we print.
"""

import os
import traceback
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from msgspec.structs import asdict

from fourtuple.errors import CapabilityMissing
from fourtuple.scan.interrupt import Interrupt
from fourtuple.scan.model import (
    RAW_METHODS,
    Batch,
    BatchSink,
    Progress,
    ProgressSink,
    ScanOptions,
    ScanSummary,
)
from fourtuple.scan.process import Emit, Worker, read_message, write_message

__all__ = ["RawEngine", "ready_engine", "starting_ahead"]

#: the kinds of message that end a scan
_LAST = ("summary", "missing", "refused", "broken")
_READY: "ContextVar[RawEngine | None]" = ContextVar("ready", default=None)


@contextmanager
def starting_ahead(arguments: Sequence[str]) -> Iterator[None]:
    """Begin to load the engine where a command line names a method that needs it, and there is a
    processor for that. `ready_engine` then has it."""
    words = {word for text in arguments for word in text.rpartition("=")[2].split(",")}
    if not words & RAW_METHODS or len(os.sched_getaffinity(0)) == 1:
        yield
        return
    engine = RawEngine()
    token = _READY.set(engine)
    try:
        yield
    finally:
        _READY.reset(token)
        engine.close()


def ready_engine() -> "RawEngine | None":
    """The engine that was begun ahead; None where none was."""
    return _READY.get()


class RawEngine:
    """Scans as `scan.raw.engine.scan` does, one scan at a time, in a process of its own."""

    def __init__(self) -> None:
        requests, self._requests = os.pipe()
        self._worker = Worker(lambda emit, stop: _serve(requests, emit), (self._requests,))
        os.close(requests)

    def scan(
        self,
        targets: Sequence[str],
        ports: Sequence[int],
        options: ScanOptions,
        on_batch: BatchSink,
        on_progress: ProgressSink,
        done: bytes = b"",
    ) -> ScanSummary:
        """See `scan.raw.engine.scan`."""
        request = (list(targets), array("H", ports).tobytes(), asdict(options), done)
        write_message(self._requests, request)
        with Interrupt() as stop:
            for kind, *rest in self._worker.until(_LAST, stop):
                if kind == "batch":
                    on_batch(_batch(*rest))
                elif kind == "progress":
                    on_progress(Progress(*rest))
        if kind == "missing":
            raise CapabilityMissing(*rest)
        if kind == "refused":
            raise OSError(*rest)
        if kind == "broken":
            raise RuntimeError(*rest)
        return ScanSummary(**rest[0])

    def close(self) -> None:
        """Have the process end. Nobody waits for it: what it holds takes the kernel a while."""
        os.close(self._requests)
        self._worker.leave()


def _batch(cells: bytes, codes: bytes, rtts_s: bytes) -> Batch:
    numbers, times = array("q"), array("d")
    numbers.frombytes(cells)
    times.frombytes(rtts_s)
    return Batch(numbers, codes, times)


def _serve(requests: int, emit: Emit) -> None:
    _let_go_of_standard_streams()
    from fourtuple.scan.raw import engine as raw

    def tell(batch: Batch) -> None:
        emit(("batch", batch.cells.tobytes(), batch.codes, batch.rtts_s.tobytes()))

    def tell_progress(now: Progress) -> None:
        emit(("progress", now.finished, now.total, now.sent, now.rate, now.remaining_s))

    while (request := read_message(requests)) is not None:
        targets, numbers, options, done = request
        how, ports = ScanOptions(**options), array("H")
        ports.frombytes(numbers)
        try:
            with raw.prepared(targets, ports, how, tell, tell_progress, done) as rounds:
                emit(("summary", asdict(rounds.carry_out())))
        except CapabilityMissing as missing:
            emit(("missing", missing.what, missing.remedy, dict(missing.params)))
        except OSError as error:
            emit(("refused", error.errno, error.strerror))
        except Exception:
            emit(("broken", traceback.format_exc()))


def _let_go_of_standard_streams() -> None:
    """Who reads them is not to wait for this process, which may end a little after its parent."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    os.close(nothing)
