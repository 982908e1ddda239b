"""Run every experiment many times beside busy processors, and kill runs at random moments.

    python scripts/soak.py [--runs 20] [--kills 50] [--ipv6] [NAME ...]

Each two runs have one seed, and must have one trace (analyze.trace), but for those in which a timer
of the kernel or a program's own pace has a part. Prints a line an experiment and ends with status 1
if any run failed, if two traces differ that must not, or if anything was left behind.
Experiments that wait for minutes are left out unless they are named.
"""

import argparse
import difflib
import multiprocessing
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fourtuple.analyze import connections
from fourtuple.analyze.trace import trace
from fourtuple.explain.text import Translator
from fourtuple.lab.experiment import Experiment, all_experiments, find_experiment
from fourtuple.lab.needs import lacking
from fourtuple.lab.runner import Options, run
from fourtuple.render.verdicts import failures_of, passed

#: whether the ACK of a FIN, or of the last request, is due (40 ms) before a program has answered
_DELAYED_ACK = "a delayed ACK"
#: by this in its environment a killed run's process is known
_MARK = "FOURTUPLE_SOAK"
#: the first comes after 200 ms, each further one after twice the time
_PROBES = "how many probes are sent before the program reads"
#: what decides between two traces of one seed
BY_TIME = {
    "concurrency-models": _DELAYED_ACK,
    "disconnected-with-data": "whether data comes before the program has closed",
    "full-buffer": "when a program reads, and so which segments are acknowledged together",
    "half-open-user-timeout": "how often a segment is sent again before the program gives up",
    "lost-window-update": _PROBES,
    "many-clients": _DELAYED_ACK,
    "polling-vs-websocket": _DELAYED_ACK,
    "read-write": _DELAYED_ACK,
    "rto-back-off": "how often a segment is sent again before the path is restored",
    "silly-window": _PROBES,
    "spinning-server": "how often its loop goes round",
    "write-write-read": _DELAYED_ACK,
    "zero-window": _PROBES,
}


def main() -> int:
    arguments = _arguments()
    failed = 0
    with _busy_processors():
        for experiment in _chosen(arguments.names, 6 if arguments.ipv6 else 4):
            failed += _run_often(experiment, arguments.runs, 6 if arguments.ipv6 else 4)
        failed += _kill_often(arguments.kills, arguments.seed)
    return 1 if failed else 0


def _chosen(names: list[str], family: int) -> Iterator[Experiment]:
    """Those that are named, else all fast ones; not those that this machine lacks something for."""
    for one in map(find_experiment, names) if names else all_experiments().values():
        if missing := next(lacking(one), None):
            print(f"{one.name}: left out. {missing}", flush=True)
        elif family in one.families and (names or not one.slow):
            yield one


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("names", nargs="*", help="experiments; all where none is named")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--ipv6", action="store_true")
    return parser.parse_args()


@contextmanager
def _busy_processors() -> Iterator[None]:
    """One endless loop for each processor, at the priority of everybody else."""
    loops = [multiprocessing.Process(target=_spin, daemon=True) for _ in os.sched_getaffinity(0)]
    for loop in loops:
        loop.start()
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()


def _spin() -> None:
    while True:
        pass


def _run_often(experiment: Experiment, runs: int, family: int) -> int:
    english = Translator("en")
    begin_s = time.monotonic()
    failures, differing = [], []
    traces: dict[int, str] = {}
    for number in range(runs):
        seed = number // 2
        limit_s = 300.0 if experiment.slow else 30.0
        timeline = run(experiment, Options(family=family, seed=seed, limit_s=limit_s))
        found = connections(timeline)
        told = str(trace(timeline, found))
        if traces.setdefault(seed, told) != told:
            differing.append(number)
            if experiment.name not in BY_TIME:
                print(f"  run {number}: not the trace that seed {seed} had before", flush=True)
                print(_difference(traces[seed], told), flush=True)
        if not passed(timeline, found):
            failures.append(number)
            for failure in failures_of(timeline, found):
                print(f"  run {number}: {english.text(failure)}", flush=True)
    each_s = (time.monotonic() - begin_s) / max(runs, 1)
    outcome = f"{runs} runs, {len(failures)} failed, {each_s:.2f} s each"
    if differing:
        outcome += f"; {len(differing)} other traces ({BY_TIME.get(experiment.name, 'why?')})"
    print(f"{experiment.name} (IPv{family}): {outcome}", flush=True)
    return len(failures) + (len(differing) if experiment.name not in BY_TIME else 0)


def _difference(one: str, other: str) -> str:
    lines = difflib.unified_diff(one.splitlines(), other.splitlines(), n=0, lineterm="")
    return "\n".join(f"    {line}" for line in list(lines)[3:12])


def _kill_often(kills: int, seed: int) -> int:
    moments = random.Random(seed)
    left_behind = 0
    links = _links()
    for number in range(kills):
        moment_s = moments.uniform(0, 1.5)
        mark = f"{_MARK}={os.getpid()}-{number}"
        command = ["env", mark, sys.executable, "-m", "fourtuple", "lab", "run", "close"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as lab:
            time.sleep(moment_s)
            lab.kill()
        if left := _left_after(links, mark):
            left_behind += 1
            print(f"  killed after {moment_s:.3f} s: left {sorted(left)}", flush=True)
    print(f"kill -9 (seed {seed}): {kills} runs killed, {left_behind} left something", flush=True)
    return left_behind


def _left_after(links: set[str], mark: str, patience_s: float = 10.0) -> set[str]:
    """What is there of a run, once the kernel has had time to clear it away."""
    end_s = time.monotonic() + patience_s
    while (left := (_links() - links) | _marked(mark)) and time.monotonic() < end_s:
        time.sleep(0.05)
    return left


def _links() -> set[str]:
    return {f"link {link.name}" for link in Path("/sys/class/net").iterdir()}


def _marked(mark: str) -> set[str]:
    """The processes that have the mark in their environment, which every child of a run inherits. A
    namespace that nobody names is gone with its last process."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found.add(f"process {process.name} {command}")
    return found


if __name__ == "__main__":
    sys.exit(main())
