"""Runs an engine by itself, and gives what it found as results."""

from collections.abc import Callable, Sequence
from typing import Any

from fourtuple.scan.model import Batch, PortResult, Progress, ScanOptions, ScanSummary
from fourtuple.scan.verdicts import Table

Engine = Callable[..., ScanSummary]


def ignore(_: Progress) -> None:
    """Nobody looks at the progress here."""


def run_engine(
    engine: Engine,
    targets: Sequence[str],
    ports: Sequence[int],
    options: ScanOptions,
    on_result: Callable[[PortResult], None] = lambda _: None,
    on_progress: Callable[[Progress], None] = ignore,
    **more: Any,
) -> tuple[list[PortResult], ScanSummary]:
    """Every result in the order in which it was told, and the summary."""
    table = Table(options.method, targets, list(ports))
    results: list[PortResult] = []

    def take(batch: Batch) -> None:
        table.take(batch)
        for result in table.told(batch, complete=True):
            results.append(result)
            on_result(result)

    return results, engine(targets, ports, options, take, on_progress, **more)


def states_of(results: Sequence[PortResult]) -> dict[str, int]:
    """state -> ports"""
    found: dict[str, int] = {}
    for one in results:
        found[one.state] = found.get(one.state, 0) + 1
    return found


def done_mask(cells: int, *done: int) -> bytes:
    """The cells that need no scan any more."""
    return bytes(number in done for number in range(cells))
