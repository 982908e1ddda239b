"""A scan as a file to go on from: what was asked, and every verdict so far; the rest is left.

The file is kept while the scan lasts, so that not even kill -9 costs more than the last seconds.
"""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import asdict

from fourtuple.errors import N_, InputError
from fourtuple.scan.model import ScanOptions, protocol_of, verdict_code
from fourtuple.scan.results import Results
from fourtuple.scan.targets import Target, parse_ports, port_text

__all__ = ["ResumeFile", "Saved", "load"]

_FORMAT = 2
_FITS_NO_SCAN = N_("the file to resume from fits no scan: {reason}")
_EVERY_S = 2.0
#: of the time that passes, no more goes into the file than one part in so many
_SHARE = 20


class Saved(msgspec.Struct, frozen=True):
    """The file. `options` are the command's; `verdicts` is method -> address -> "state reason" ->
    ports."""

    format: int
    options: dict[str, Any]
    targets: list[tuple[str, str]]
    ports: dict[str, str]
    verdicts: dict[str, dict[str, dict[str, str]]]

    def scan_options(self) -> ScanOptions:
        """How it was scanned."""
        try:
            return msgspec.convert(self.options, ScanOptions)
        except msgspec.ValidationError as error:
            raise InputError(_FITS_NO_SCAN, {"reason": error}) from None

    def results_so_far(self) -> Results:
        """What was known when it was written. InputError where it cannot have been."""
        try:
            return self._results()
        except (KeyError, ValueError) as error:
            raise InputError(_FITS_NO_SCAN, {"reason": error}) from None

    def _results(self) -> Results:
        ports = {
            method: parse_ports(text, protocol_of(method)) for method, text in self.ports.items()
        }
        results = Results([Target(*one) for one in self.targets], ports)
        for method, of_addresses in self.verdicts.items():
            for address, of_ports in of_addresses.items():
                for words, text in of_ports.items():
                    state, _, reason = words.partition(" ")
                    known = parse_ports(text), verdict_code(state, reason)
                    results.tables[method].know(address, *known)
        return results


class ResumeFile:
    """The file of one scan, in a directory."""

    def __init__(self, directory: Path, options: ScanOptions) -> None:
        name = time.strftime(f"fourtuple-scan-%Y%m%d-%H%M%S-{os.getpid()}.resume")
        self.path = directory / name
        self._options = asdict(options)
        self._due_s = 0.0
        self._written = False

    def keep_now_and_then(self, results: Results) -> None:
        """Write the file where it is time to. Where that fails nothing is said: it is when the file
        is needed (`keep`)."""
        begin_s = time.monotonic()
        if begin_s < self._due_s:
            return
        with suppress(OSError):
            self.keep(results)
        now_s = time.monotonic()
        self._due_s = now_s + max(_EVERY_S, _SHARE * (now_s - begin_s))

    def keep(self, results: Results) -> None:
        """Write the file, whole or not at all; OSError where that fails."""
        saved = Saved(
            format=_FORMAT,
            options=self._options,
            targets=[(one.address, one.name) for one in results.targets],
            ports={method: port_text(ports) for method, ports in results.ports.items()},
            verdicts={method: _verdicts(results, method) for method in results.ports},
        )
        new = self.path.with_suffix(".part")
        new.write_bytes(msgspec.json.format(msgspec.json.encode(saved), indent=1) + b"\n")
        new.replace(self.path)
        self._written = True

    def discard(self) -> None:
        """The scan is done: nobody needs to go on from here."""
        if self._written:
            with suppress(OSError):
                self.path.unlink()


def _verdicts(results: Results, method: str) -> dict[str, dict[str, str]]:
    found = {}
    for target in results.targets:
        known = results.tables[method].ports_of(target.address)
        if known:
            found[target.address] = {" ".join(key): port_text(p) for key, p in known.items()}
    return found


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
