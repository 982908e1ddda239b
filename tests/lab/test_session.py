"""A session ends as one, whatever happens."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fourtuple.event.model import Note
from fourtuple.lab.log import Log
from fourtuple.lab.session import Session

pytestmark = pytest.mark.kernel


def texts(log: Log) -> list[str]:
    return [note.params["text"] for note in log.news() if isinstance(note, Note)]


def test_the_director_is_the_first_process_of_its_pid_namespace_and_who_the_user_is() -> None:
    log = Log()

    def main() -> int:
        log.write(Note(t_ns=0, kind="x", params={"text": f"{os.getpid()} {os.geteuid()}"}))
        return 0

    assert Session(main, log).wait(60)
    assert texts(log) == [f"1 {os.geteuid()}"]


def test_programs_that_are_executed_may_do_in_the_lab_what_root_may() -> None:
    log = Log()

    def main() -> None:
        status = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True)
        (effective,) = [line for line in status.stdout.splitlines() if line.startswith("CapEff")]
        log.write(Note(t_ns=0, kind="x", params={"text": effective.split()[1]}))

    assert Session(main, log).wait(60)
    (effective,) = texts(log)
    raw, admin = 1 << 13, 1 << 12  # CAP_NET_RAW, CAP_NET_ADMIN
    assert int(effective, 16) & (raw | admin) == raw | admin


def test_it_stands_in_a_network_namespace_of_its_own() -> None:
    log = Log()
    here = Path("/proc/self/ns/net").readlink()

    def main() -> None:
        there = os.readlink("/proc/self/ns/net")
        log.write(Note(t_ns=0, kind="x", params={"text": there}))

    assert Session(main, log).wait(60)
    assert texts(log) != [str(here)]


def test_an_exception_is_noted_as_a_failure_of_the_run() -> None:
    log = Log()

    def main() -> None:
        raise ValueError("the script is wrong")

    assert Session(main, log).wait(60)
    (text,) = texts(log)
    assert "ValueError: the script is wrong" in text


def test_a_session_that_outlives_its_limit_is_killed_with_all_its_children() -> None:
    log = Log()

    def main() -> None:
        for _ in range(3):
            if os.fork() == 0:
                signal.pause()
        note = {"text": os.readlink("/proc/self/ns/net")}
        log.write(Note(t_ns=0, kind="x", params=note))
        signal.pause()

    session = Session(main, log)
    namespace = ""
    while not namespace:
        namespace = "".join(texts(log))
    assert not session.wait(0.05)
    assert wait_until_nobody_is_in(namespace)


LAUNCHER = """
import signal, sys
from fourtuple.lab.log import Log
from fourtuple.lab.runner import run
from fourtuple.lab.experiment import find_experiment
from fourtuple.lab.experiment import Experiment
from fourtuple.lab.script import Lab

def script(lab: Lab) -> None:
    client, server = lab.pair()
    server.socket().listen(8888)
    client.socket().connect(server, 8888)
    server.run(["sleep", "1000"])
    print("ready", flush=True)
    signal.pause()

print("begun", flush=True)
run(Experiment(name="endless", question="?", script=script))
"""


@pytest.mark.parametrize("moment", [None, *range(6)])
def test_kill_9_of_the_launcher_leaves_nothing_behind(moment: int | None) -> None:
    """At a random moment after the start, or (None) when every process of the lab is there."""
    mark = f"lab-{os.getpid()}-{moment}"
    environment = {**os.environ, "FOURTUPLE_TEST_MARK": mark}
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER], stdout=subprocess.PIPE, text=True, env=environment
    ) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == "begun\n"
        if moment is None:
            assert launcher.stdout.readline() == "ready\n"
            # launcher, keeper, director, wire, two hosts, sleep
            assert wait_until(lambda: len(marked(mark)) == 7)
        else:
            time.sleep(random.Random(moment).uniform(0, 0.25))
        launcher.kill()
    assert wait_until(lambda: not marked(mark)), marked(mark)


def marked(mark: str) -> list[str]:
    """Processes that inherited a mark in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append(f"{process.name} {(process / 'cmdline').read_bytes()!r}")
        except OSError:
            continue
    return found


def wait_until_nobody_is_in(namespace: str) -> bool:
    def empty() -> bool:
        inhabited = set()
        for process in Path("/proc").glob("[0-9]*/ns/net"):
            try:
                inhabited.add(str(process.readlink()))
            except OSError:
                continue
        return namespace not in inhabited

    return wait_until(empty)


def wait_until(holds: object, patience_s: float = 60.0) -> bool:
    assert callable(holds)
    end_s = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.02)
    return True
