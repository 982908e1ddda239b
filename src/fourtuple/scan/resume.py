"""A scan that was interrupted, as a file: what was asked, what is known, what is left."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from fourtuple.errors import N_, InputError
from fourtuple.scan.model import PortResult, ScanSummary
from fourtuple.scan.results import Results
from fourtuple.scan.targets import Target, parse_ports, port_text

__all__ = ["Left", "Saved", "load", "save"]


class Left:
    """The (address, port) that need no scan any more: all but those left."""

    def __init__(self, left: Mapping[str, str]) -> None:
        self._left = {address: frozenset(parse_ports(text)) for address, text in left.items()}

    def __contains__(self, probe: object) -> bool:
        assert isinstance(probe, tuple)
        return probe[1] not in self._left.get(probe[0], ())


class Saved(msgspec.Struct, frozen=True):
    """The file. `options` are the command's; `left` is method -> address -> ports; a method that
    is in `options` and not in `left` was not begun."""

    format: int
    options: dict[str, Any]
    targets: list[tuple[str, str]]
    ports: dict[str, str]
    left: dict[str, dict[str, str]]
    results: list[tuple[str, int, str, str, str, float | None, str]]
    counts: dict[str, list[tuple[str, str, int]]]

    def results_so_far(self) -> Results:
        """What was known when it was written."""
        ports = {method: parse_ports(text) for method, text in self.ports.items()}
        results = Results([Target(*one) for one in self.targets], ports)
        for one in self.results:
            results.add(PortResult(*one))
        return results


_FORMAT = 1


def save(results: Results, options: Mapping[str, Any], directory: Path) -> Path:
    """Write the file into a directory and return its path; OSError where that fails."""
    summaries = results.summaries
    saved = Saved(
        format=_FORMAT,
        options=dict(options),
        targets=[(one.address, one.name) for one in results.targets],
        ports={method: port_text(ports) for method, ports in results.ports.items()},
        left={
            method: {address: port_text(ports) for address, ports in one.left.items()}
            for method, one in summaries.items()
        },
        results=[
            (r.address, r.port, r.protocol, r.state, r.reason, r.rtt_s, r.method)
            for r in results.all()
        ],
        counts={method: _counts(one) for method, one in summaries.items()},
    )
    path = directory / time.strftime("fourtuple-scan-%Y%m%d-%H%M%S.resume")
    path.write_bytes(msgspec.json.format(msgspec.json.encode(saved), indent=1) + b"\n")
    return path


def _counts(summary: ScanSummary) -> list[tuple[str, str, int]]:
    return [(state, reason, count) for (state, reason), count in summary.counts.items()]


def load(path: Path) -> Saved:
    """Read the file. InputError where it is none of ours."""
    try:
        saved = msgspec.json.decode(path.read_bytes(), type=Saved)
    except OSError as error:
        params = {"file": path, "reason": error.strerror}
        raise InputError(N_("{file}: cannot read it: {reason}"), params) from None
    except msgspec.MsgspecError as error:
        params = {"file": path, "reason": str(error)}
        raise InputError(
            N_("{file}: not a file of an interrupted scan: {reason}"), params
        ) from None
    if saved.format != _FORMAT:
        raise InputError(N_("{file}: written by another version of fourtuple"), {"file": path})
    return saved
