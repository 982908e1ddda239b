"""Runs an experiment in a session of its own and returns its Timeline."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fourtuple import __version__
from fourtuple.errors import N_, CapabilityMissing, FourtupleError
from fourtuple.event.model import Note
from fourtuple.lab.experiment import Experiment, Mutation
from fourtuple.lab.log import Log
from fourtuple.lab.network import Network
from fourtuple.lab.own import line_in
from fourtuple.lab.script import Lab
from fourtuple.lab.session import Session, failure, open_standard_streams, scarce
from fourtuple.system.capabilities import require_lab

if TYPE_CHECKING:
    from fourtuple.event.timeline import Timeline

__all__ = ["Options", "run"]

#: how much later than the script's own limit the launcher ends the session
_GRACE_S = 3.0
#: a year: beyond some number of seconds select() has no room for more
_LONGEST_S = 365 * 86400.0
STOPPED = N_("The run was stopped after {seconds} s.")
ENDED = N_("The lab ended before the script did.")
FORKED = N_(
    "The script forked, and both processes went on with it. Give a function that is to run beside "
    "the script to a host: client.run(function)"
)
_VIEWS = {"calls": "wrapped", "states": "sock_diag", "frames": "wire"}


@dataclass(frozen=True, slots=True)
class Options:
    """`family` is 4 or 6, `seed` feeds the lab's random numbers, `limit_s` is wall-clock time;
    `mutated`: under the experiment's mutation, where it has one."""

    family: int = 4
    seed: int = 0
    limit_s: float = 30.0
    mutated: bool = False


def run(
    experiment: Experiment,
    options: Options | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> "Timeline":
    """Run it and return everything that was seen; whether it passed is for others to say.

    A script that fails leaves a note of kind "failure". `meanwhile` is carried out while the
    session runs. CapabilityMissing where this machine cannot have a lab.
    """
    require_lab()
    options = options or Options()
    options = replace(options, limit_s=min(options.limit_s, _LONGEST_S))
    open_standard_streams()
    log = Log()
    try:
        session = Session(_director(experiment, options, log), log)
        try:
            # numpy is slow to load, and no fork should meet its threads
            from fourtuple.lab.merge import merge

            if meanwhile is not None:
                meanwhile()
            ended = session.wait(options.limit_s + _GRACE_S)
        finally:
            session.end()
        if not ended:
            log.write(failure(STOPPED, "OutOfTime", {"seconds": f"{options.limit_s:g}"}))
        records = log.news(last=True)
        if not any(isinstance(r, Note) and r.kind in ("failure", "end") for r in records):
            records.append(failure(ENDED, "HostLost"))
        return merge(records)
    finally:
        log.close()


def _director(experiment: Experiment, options: Options, log: Log) -> Callable[[], int]:
    def main() -> int:
        begin_s = time.monotonic()
        mutation = experiment.mutation if options.mutated else None
        chosen = {"family": options.family, "seed": options.seed}
        _note_meta(log, _about(experiment) | chosen | _changed(mutation))
        fixed = mutation.sysctls if mutation else {}
        network = Network(log, options.family, begin_s + options.limit_s, fixed, options.seed)
        try:
            lab = Lab(log, network, options.seed, mutation)
            _carry_out(experiment, lab, log)
            lab.wire.check()
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            if scarce(error):
                raise
            log.write(_why_it_failed(experiment, error))
        finally:
            network.end()
        _note_meta(log, {"seconds": round(time.monotonic() - begin_s, 3)})
        log.write(Note(t_ns=time.monotonic_ns(), kind="end"))
        return 0

    return main


def _carry_out(experiment: Experiment, lab: Lab, log: Log) -> None:
    """Run the script. A process that it forked does not come back from it: two of them would talk
    to the wire and the programs, and neither would know whose answer it gets."""
    director = os.getpid()
    try:
        experiment.script(lab)
    finally:
        if os.getpid() != director:
            log.write(failure(FORKED, "Forked"))
            os._exit(1)


def _about(experiment: Experiment) -> dict[str, object]:
    return {
        "experiment": experiment.name,
        "question": experiment.question,
        "background": experiment.background,
        "covers": list(experiment.covers),
        "try_next": list(experiment.try_next),
        "views": _VIEWS,
        "kernel": os.uname().release,
        "version": __version__,
    }


def _why_it_failed(experiment: Experiment, error: BaseException) -> Note:
    """What ended the script, and at which line of its file."""
    file = experiment.script.__code__.co_filename
    line = line_in(Path(file), error)
    place: dict[str, object] = {"file": os.path.basename(file), "line": line} if line else {}
    name = type(error).__name__
    match error:
        case CapabilityMissing():
            return failure(error.what, name, {**error.params, "remedy": error.remedy, **place})
        case FourtupleError():
            return failure(error.message, name, {**error.params, **place})
    return failure("{text}", name, {"text": f"{name}: {error}".removesuffix(": "), **place})


def _changed(mutation: Mutation | None) -> dict[str, object]:
    return {"mutation": mutation.what} if mutation else {}


def _note_meta(log: Log, params: dict[str, object]) -> None:
    log.write(Note(t_ns=time.monotonic_ns(), kind="meta", params=params))
