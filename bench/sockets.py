"""What a table of 40,004 sockets costs: ss, netstat, lsof, psutil and fourtuple in one run.

    python bench/sockets.py [--rounds 7] [--connections 20000]

20,000 connections over loopback and their 4 listeners, in a network namespace of our own, held by
several processes. Each command is run in turn, round after round, so that noise meets all of them
alike; figures are medians of CPU seconds, start-up included, and multiples of the peer that does
the same: with owners ss -tanp, without them ss -tan. What a peer lacks on this machine is left out.
"""

import argparse
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from fourtuple.system.links import bring_up
from fourtuple.system.namespaces import CLONE_NEWNET, die_with_parent, unshare, unshare_user

FOURTUPLE = [str(Path(sys.executable).with_name("fourtuple")), "sockets", "-t"]
MEASURED = Path(__file__).resolve().parent / "support" / "measured.py"
PSUTIL = "import psutil\nfor one in psutil.net_connections('tcp'): print(one)"
LISTENERS = 4
#: what the issue asks for: 0.35 s where ss -tanp took 0.62, and twice what ss -tan takes
REACH = {"with owners": 0.35 / 0.62, "without owners": 2.0}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--connections", type=int, default=20_000)
    asked = parser.parse_args()
    if shutil.which("ss") is None:
        print("ss is not installed: nothing to compare with", file=sys.stderr)
        return 1
    try:
        unshare(CLONE_NEWNET)
    except PermissionError:
        unshare_user(CLONE_NEWNET)
    bring_up("lo")
    with crowd(asked.connections):
        sockets = 2 * asked.connections + LISTENERS
        load = os.getloadavg()[0]
        print(f"{sockets:,} sockets, load {load:.1f}", flush=True)
        held = compare("with owners", with_owners(), asked.rounds, sockets)
        return held + compare("without owners", without_owners(), asked.rounds, sockets)


def with_owners() -> dict[str, Sequence[str]]:
    found: dict[str, Sequence[str]] = {"ss -tanp": ["ss", "-tanp"]}
    if shutil.which("netstat"):
        found["netstat -natp"] = ["netstat", "-natp"]
    if shutil.which("lsof"):
        found["lsof -nP -iTCP"] = ["lsof", "-nP", "-iTCP"]
    if find_spec("psutil"):
        found["psutil"] = [sys.executable, "-c", PSUTIL]
    return {**found, "fourtuple": FOURTUPLE}


def without_owners() -> dict[str, Sequence[str]]:
    return {"ss -tan": ["ss", "-tan"], "fourtuple": [*FOURTUPLE, "--no-owners"]}


@contextmanager
def crowd(connections: int) -> Iterator[None]:
    """As many connections, held by processes that end with this one."""
    listeners = [
        socket.create_server(("127.0.0.1", 8000 + n), backlog=4096) for n in range(LISTENERS)
    ]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    parts = -(-connections // max(1, min(5000, most - 100)))
    pids = []
    for number in range(parts):
        share = connections // parts + (number < connections % parts)
        pids += _pair(listeners[number % LISTENERS], share)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, 9)
            os.waitpid(pid, 0)


def _pair(listener: socket.socket, count: int) -> list[int]:
    """One process that connects, one that accepts; both have done so when this returns."""
    address, pids = listener.getsockname(), []
    reading, writing = os.pipe()
    for connects in (True, False):
        pid = os.fork()
        if pid:
            pids.append(pid)
            continue
        die_with_parent()
        held = [
            socket.create_connection(address) if connects else listener.accept()[0]
            for _ in range(count)
        ]
        os.write(writing, b"+")
        while held:
            os.read(os.pipe()[0], 1)
    for _ in pids:
        os.read(reading, 1)
    os.close(reading)
    os.close(writing)
    return pids


def compare(what: str, commands: dict[str, Sequence[str]], rounds: int, sockets: int) -> int:
    """Print the median of each, and what ours is to reach; 1 if ours misses a socket."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    lines = {}
    for _ in range(rounds):
        for name, command in commands.items():
            taken, lines[name] = measure(command)
            seconds[name].append(taken)
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    peer = next(iter(medians))
    print(f"{what}, CPU seconds")
    for name, median in medians.items():
        spread = f"{min(seconds[name]):.3f} to {max(seconds[name]):.3f}"
        print(f"  {name:16} {median:.3f} s   ({spread}, {median / medians[peer]:.2f} x {peer})")
    reached = medians["fourtuple"] <= REACH[what] * medians[peer]
    print(f"  to reach: {REACH[what]:.2f} x {peer}: {'yes' if reached else 'no'}", flush=True)
    return int(lines["fourtuple"] < sockets)


def measure(command: Sequence[str]) -> tuple[float, int]:
    """CPU seconds, and how many lines were printed."""
    with tempfile.NamedTemporaryFile() as output:
        words = [sys.executable, "-S", str(MEASURED), output.name, *command]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        with open(output.name, "rb") as file:
            return float(found["cpu_s"]), sum(1 for _ in file)


if __name__ == "__main__":
    sys.exit(main())
