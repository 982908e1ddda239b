"""A scan as a whole: some methods, one after another, over the same targets, with one result."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fourtuple.scan.connector import Probe
from fourtuple.scan.model import Progress, ProgressSink, ResultSink, ScanOptions, ScanSummary
from fourtuple.scan.results import Results
from fourtuple.scan.resume import Left, Saved
from fourtuple.scan.targets import Target

__all__ = ["Job", "run_job"]


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done: `ports` by method, in the order in which the methods are used."""

    targets: Sequence[Target]
    ports: Mapping[str, list[int]]
    options: ScanOptions
    before: Saved | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


def run_job(
    job: Job, on_result: ResultSink, on_progress: Callable[[str], ProgressSink] | None = None
) -> Results:
    """Do it. An interruption ends it: methods that did not begin have all their ports left."""
    results = Results(job.targets, job.ports)
    if job.before is not None:
        results = job.before.results_so_far()
    addresses = [one.address for one in job.targets]

    def keep(result: Any) -> None:
        results.add(result)
        on_result(result)

    interrupted = False
    for method, ports in job.ports.items():
        earlier = job.before.counts.get(method, []) if job.before else []
        done: Container[Probe] = (
            Left(job.before.left.get(method, {})) if job.before else frozenset()
        )
        if interrupted:
            rest = {
                address: [port for port in ports if (address, port) not in done]
                for address in addresses
            }
            summary = ScanSummary(method, 0, 0, 0.0, left=rest, interrupted=True)
        else:
            options = replace(job.options, method=method)
            summary = _engine(method)(
                addresses,
                ports,
                options,
                keep,
                on_progress(method) if on_progress else _quiet,
                done,
            )
        interrupted |= summary.interrupted
        results.summaries[method] = _with_earlier(summary, earlier)
    return results


def _quiet(progress: Progress) -> None:
    """Nobody watches."""


def _engine(method: str) -> Callable[..., ScanSummary]:
    if method == "connect":
        from fourtuple.scan import connect

        return connect.scan
    from fourtuple.scan import raw

    return raw.scan


def _with_earlier(summary: ScanSummary, earlier: Sequence[tuple[str, str, int]]) -> ScanSummary:
    counts = dict(summary.counts)
    for state, reason, count in earlier:
        counts[state, reason] = counts.get((state, reason), 0) + count
    return replace(summary, counts=counts)
