"""How long a port scan takes: nmap and masscan and fourtuple in one run, start-up included.

    python bench/scan.py [--rounds 5]

Two hosts in namespaces, a veth pair between them; one has 20 open ports, and either answers for the
others (closed) or drops what is sent to them (filtered). Each command is run in turn, round after
round, so that noise meets all of them alike; figures are medians of wall-clock time, beside the
least and the most, as a multiple of the peer that does the same, and with what they are to reach.
Every run of ours must find exactly the 20 open ports: there are 20 of each kind, and one that
misses any, or calls another open, fails the benchmark. A busy machine shows in the figures: its
load is printed. All of it takes some four minutes.
"""

import argparse
import os
import random
import re
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fourtuple.system.links import add_address, bring_up, make_veth
from fourtuple.system.namespaces import (
    CLONE_NEWNET,
    inside,
    new_network_namespace,
    unshare,
    unshare_user,
)

FOURTUPLE = [sys.executable, "-m", "fourtuple", "scan"]
OURS, TARGET = "10.78.0.1", "10.78.0.2"
#: a /24 of addresses that are all the target's
NET = "10.78.1"
NET_PORTS = 1000
WELL_KNOWN = (22, 80, 443, 8080)
RULES = """table ip bench { chain input { type filter hook input priority 0;
 tcp flags & (syn|ack) == syn tcp dport != {{ {ports} }} drop; }}; }}
"""
BUSY = "while True: pass"
OUR_RUNS = 20
#: masscan at times waits for ever for its first packet
LIMIT_S = 20


@dataclass(slots=True)
class Command:
    """`open_ports` reads the open ports from what the command printed or wrote. `peer` names the
    command that does the same, `reach_s` is what is promised."""

    words: Sequence[str]
    open_ports: Callable[[str], set[int]]
    output: Path | None = None
    peer: str = ""
    reach_s: float | None = None
    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    unfinished: int = 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    missing = [tool for tool in ("nmap", "masscan", "nft") if shutil.which(tool) is None]
    if missing:
        print(f"not installed, so there is nothing to compare with: {missing}", file=sys.stderr)
        return 1
    try:
        unshare(CLONE_NEWNET)
    except PermissionError:
        unshare_user(CLONE_NEWNET)
    with tempfile.TemporaryDirectory() as directory:
        return measure(rounds, Path(directory))


def measure(rounds: int, directory: Path) -> int:
    chance = random.Random(7)
    ports = sorted({*chance.sample(range(1024, 65536), 16), *WELL_KNOWN})
    target = make_target(ports)
    loads = " ".join(f"{load:.2f}" for load in os.getloadavg())
    print(f"{len(os.sched_getaffinity(0))} processors, load {loads} at the beginning", flush=True)
    wrong = 0
    everything = peers(directory)
    wrong += compare("65,535 ports, closed, 20 open", everything, set(ports), rounds, OUR_RUNS)
    with busy():
        ours = {name: command for name, command in peers(directory).items() if "fourtuple" in name}
        title = "the same beside a processor that is kept busy"
        wrong += compare(title, ours, set(ports), rounds, OUR_RUNS)
    rules = RULES.replace("{{", "{").replace("}}", "}").replace("{ports}", comma(ports))
    with inside(target):
        subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    title = "65,535 ports, filtered (dropped), 20 open, asked twice"
    wrong += compare(title, filtered_peers(directory), set(ports), few(rounds), OUR_RUNS)
    with inside(target):
        subprocess.run(["nft", "delete", "table", "ip", "bench"], check=True)
    title = f"a /24 of addresses x {NET_PORTS} ports, closed, 3 open each"
    expected = {port for port in ports if port <= NET_PORTS}
    wrong += compare(title, net_peers(), expected, few(rounds), few(rounds))
    return 1 if wrong else 0


def few(rounds: int) -> int:
    """For what takes long."""
    return max(1, (rounds + 1) // 2)


def comma(ports: Sequence[int]) -> str:
    return ",".join(map(str, ports))


# the commands


def peers(directory: Path) -> dict[str, Command]:
    return {
        "nmap -sS -T5": nmap("-sS", "-T5"),
        "nmap -sT -T5": nmap("-sT", "-T5"),
        "masscan": masscan(directory),
        "fourtuple syn": ours("--method", "syn", peer="nmap -sS -T5", reach_s=0.5),
        "fourtuple connect": ours("--method", "connect", peer="nmap -sT -T5", reach_s=1.2),
    }


def filtered_peers(directory: Path) -> dict[str, Command]:
    return {
        "nmap -sS": nmap("-sS", "--min-rate", "50000", "--max-retries", "1"),
        "masscan": masscan(directory, "--retries", "1"),
        "fourtuple syn": ours("--method", "syn", "--retries", "1", peer="nmap -sS", reach_s=1.8),
    }


def net_peers() -> dict[str, Command]:
    ports = ("-p", f"1-{NET_PORTS}")
    return {
        "nmap -sS -T5": nmap("-sS", "-T5", *ports, target=f"{NET}.0/24"),
        "fourtuple syn": ours("--method", "syn", *ports, target=f"{NET}.0/24", peer="nmap -sS -T5"),
    }


def nmap(*options: str, target: str = TARGET) -> Command:
    ports = () if "-p" in options else ("-p-",)
    words = ["nmap", "--privileged", "-n", "-Pn", *options, *ports, target]
    return Command(words, lambda text: numbers(r"^(\d+)/tcp +open", text))


def ours(
    *options: str, target: str = TARGET, peer: str = "", reach_s: float | None = None
) -> Command:
    ports = () if "-p" in options else ("-p-",)
    words = [*FOURTUPLE, target, *options, *ports, "--lang", "en"]
    found = partial(numbers, r"^ +(\d+)/tcp .*\bopen\b")
    return Command(words, found, peer=peer, reach_s=reach_s)


def masscan(directory: Path, *options: str) -> Command:
    """It waits ten seconds for late answers unless told not to, and for ever where the first packet
    to reach its end is missing: the time limit of a run is for that."""
    output = directory / "masscan.txt"
    words = [
        *("masscan", TARGET, "-p1-65535", "--rate", "100000", "--wait", "1"),
        *("--adapter", "scan", "--adapter-ip", OURS, "--router-mac", "02:00:00:00:78:02"),
        *("-oL", str(output), *options),
    ]
    return Command(words, lambda text: numbers(r"^open tcp (\d+)", text), output)


def numbers(pattern: str, text: str) -> set[int]:
    return {int(number) for number in re.findall(pattern, text, re.MULTILINE)}


# the hosts


def make_target(ports: Sequence[int]) -> int:
    """The other host: its namespace, its addresses, and who accepts what is connected."""
    namespace = new_network_namespace()
    make_veth("scan", "target", namespace)
    bring_up("lo", "scan")
    add_address("scan", OURS, 16)
    with inside(namespace):
        set_hardware_address("target", "02:00:00:00:78:02")
        bring_up("lo", "target")
        add_address("target", TARGET, 16)
        for number in range(1, 255):
            add_address("target", f"{NET}.{number}", 32)
        listeners = [socket.create_server(("0.0.0.0", port), backlog=1024) for port in ports]
    threading.Thread(target=accept_all, args=(listeners,), daemon=True).start()
    return namespace


def set_hardware_address(name: str, address: str) -> None:
    subprocess.run(["ip", "link", "set", name, "address", address], check=True)


def accept_all(listeners: Sequence[socket.socket]) -> None:
    with selectors.DefaultSelector() as selector:
        for listener in listeners:
            listener.setblocking(False)
            selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                try:
                    while True:
                        key.fileobj.accept()[0].close()  # type: ignore[union-attr]
                except OSError:
                    pass


@contextmanager
def busy() -> Iterator[None]:
    """A program that never rests."""
    program = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        yield
    finally:
        program.kill()
        program.wait()


# measuring


def compare(
    what: str, commands: dict[str, Command], expected: set[int], rounds: int, our_rounds: int
) -> int:
    """Print the median of each command; how many of our runs found anything but the truth."""
    for number in range(max(rounds, our_rounds)):
        for name, command in commands.items():
            if number < (our_rounds if "fourtuple" in name else rounds):
                run(command, expected)
    print(what)
    for name, command in commands.items():
        if not command.seconds:
            print(f"  {name:18} never ended within {LIMIT_S} s")
            continue
        spread = f"{min(command.seconds):.2f} to {max(command.seconds):.2f}"
        runs = len(command.seconds)
        verdict = f", {command.wrong} of {runs} runs wrong" if command.wrong else f", {runs} runs"
        if command.unfinished:
            verdict += f", {command.unfinished} more never ended within {LIMIT_S} s"
        median = statistics.median(command.seconds)
        print(
            f"  {name:18} {median:.2f} s   ({spread}{verdict}){beside(command, commands)}",
            flush=True,
        )
    return sum(
        command.wrong + command.unfinished
        for name, command in commands.items()
        if "fourtuple" in name
    )


def beside(command: Command, commands: dict[str, Command]) -> str:
    """How a median compares with its peer's and with what it is to reach."""
    median, text = statistics.median(command.seconds), ""
    peer = commands.get(command.peer)
    if peer is not None and peer.seconds:
        text += f", {median / statistics.median(peer.seconds):.2f} x {command.peer}"
    if command.reach_s is not None:
        text += f", to reach: {command.reach_s} s"
    return text


def run(command: Command, expected: set[int]) -> None:
    if command.output is not None:
        command.output.unlink(missing_ok=True)
    begin_s = time.perf_counter()
    try:
        done = subprocess.run(
            command.words,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired:
        command.unfinished += 1
        return
    command.seconds.append(time.perf_counter() - begin_s)
    written = command.output is not None and command.output.exists()
    text = command.output.read_text() if written and command.output else done.stdout
    command.wrong += command.open_ports(text) != expected


if __name__ == "__main__":
    sys.exit(main())
