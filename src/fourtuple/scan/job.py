"""A scan as a whole: some methods, one after another, over the same targets, with one result."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from fourtuple.scan.model import (
    Batch,
    BatchSink,
    Progress,
    ProgressSink,
    ResultSink,
    ScanOptions,
    ScanSummary,
)
from fourtuple.scan.results import Results
from fourtuple.scan.targets import Target
from fourtuple.scan.verdicts import Table

__all__ = ["Engine", "Job", "run_job"]

#: (addresses, ports, options, on_batch, on_progress, done) -> summary; `done` is a byte a cell,
#: other than 0 where there is a verdict already
Engine = Callable[
    [Sequence[str], Sequence[int], ScanOptions, BatchSink, ProgressSink, bytes], ScanSummary
]


class Job(Struct, frozen=True):
    """What is to be done: `ports` by method, in the order in which the methods are used.

    `complete`: each port's result is told of as it comes, not only those of open ports.
    """

    targets: Sequence[Target]
    ports: Mapping[str, list[int]]
    options: ScanOptions
    complete: bool = True


def _quiet(method: str) -> ProgressSink:
    def nobody_watches(progress: Progress) -> None: ...

    return nobody_watches


def run_job(
    job: Job,
    results: Results,
    on_result: ResultSink,
    on_progress: Callable[[str], ProgressSink] = _quiet,
    raw: Engine | None = None,
) -> None:
    """Do what `results` does not know yet. An interruption ends it: methods that did not begin
    then have a summary of nothing.

    `raw` is the engine of the raw methods where it is to be another than `scan.raw.engine`.
    """
    addresses = [one.address for one in job.targets]
    interrupted = False
    for method, ports in job.ports.items():
        if interrupted:
            summary = ScanSummary(method, 0, 0, 0.0, interrupted=True)
        else:
            table = results.tables[method]
            done = bytes(table.codes) if any(table.codes) else b""
            summary = _engine(method, raw)(
                addresses,
                ports,
                replace(job.options, method=method),
                _taker(table, job.complete, on_result),
                on_progress(method),
                done,
            )
        interrupted |= summary.interrupted
        results.summaries[method] = summary


def _taker(table: Table, complete: bool, on_result: ResultSink) -> BatchSink:
    def take(batch: Batch) -> None:
        table.take(batch)
        for result in table.told(batch, complete):
            on_result(result)

    return take


def _engine(method: str, raw: Engine | None) -> Engine:
    if method == "connect":
        from fourtuple.scan.connect import engine as connect

        return connect.scan
    if raw is not None:
        return raw
    from fourtuple.scan.raw import engine as raw_engine

    return raw_engine.scan
