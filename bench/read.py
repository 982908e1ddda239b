"""How fast captures are read: tshark, tcptrace, nfstream, dpkt and fourtuple in one run.

    python bench/read.py [--runs 3] [--ten-gigabytes]

The capture is made in namespaces (bench/support/capture.py) and kept: a million packets, many short
HTTP connections and bulk flows, one packet in a hundred lost, ports used again. Figures are medians
of CPU seconds of the whole process, start-up included, and the largest resident memory: wall-clock
time says more of a machine's other work. How many packets a second of ten million are read is told
by the clock as well, since two processors share that work. The targets are those of the project; a
figure beyond its target, or a number of connections that differs from tshark's, fails the
benchmark.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from support.capture import Missing, first_frames, million, repeated

MEASURED = str(Path(__file__).parent / "support" / "measured.py")
OURS = [sys.executable, "-m", "fourtuple", "read"]
FIELDS = [
    *("frame.number", "tcp.stream", "tcp.seq", "tcp.ack", "tcp.len", "tcp.window_size"),
    *("tcp.analysis.retransmission", "tcp.analysis.duplicate_ack", "tcp.analysis.lost_segment"),
    *("tcp.analysis.out_of_order", "tcp.analysis.zero_window", "tcp.analysis.bytes_in_flight"),
]
NFSTREAM = """
import sys
from nfstream import NFStreamer
flows = NFStreamer(sys.argv[1], statistical_analysis=False, n_dissections=0, n_meters=1)
print(sum(1 for _ in flows), "flows")
"""
DPKT = """
import sys
import dpkt
flows = {}
with open(sys.argv[1], "rb") as file:
    for t, data in dpkt.pcap.Reader(file):
        ip = dpkt.ethernet.Ethernet(data).data
        tcp = ip.data
        if isinstance(tcp, dpkt.tcp.TCP):
            ends = tuple(sorted(((ip.src, tcp.sport), (ip.dst, tcp.dport))))
            flows[ends] = flows.get(ends, 0) + 1
print(len(flows), "flows")
"""
#: CPU seconds, and MiB; of ten million packets seconds by the clock
SUMMARY_S, JSON_MORE_S, MEMORY_MIB, SMALL_S, TEN_MILLION_S = 0.6, 0.3, 250, 0.17, 2.5
#: of a capture of 10 GB, which has five million connections
LARGE_MIB = 1024


@dataclass(slots=True)
class Tool:
    """A command that reads a capture; `count` finds the number of connections in what it prints."""

    name: str
    words: Sequence[str]
    count: Callable[[str], int] | None = None
    needs: str = ""
    cpu_s: list[float] = field(default_factory=list)
    memory_mib: float = 0
    connections: int | None = None

    @property
    def median_s(self) -> float:
        return statistics.median(self.cpu_s)

    def run(self) -> None:
        with tempfile.NamedTemporaryFile("r") as output:
            words = [sys.executable, "-S", MEASURED, output.name, *self.words]
            printed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
            used = json.loads(printed)
            if used["status"]:
                raise SystemExit(f"{self.name} ended with status {used['status']}")
            self.cpu_s.append(used["cpu_s"])
            self.memory_mib = max(self.memory_mib, used["memory_mib"])
            if self.count and self.connections is None:
                self.connections = self.count(output.read())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--ten-gigabytes", action="store_true", help="a capture of 10 GB, too")
    asked = parser.parse_args()
    try:
        capture = million()
    except Missing as missing:
        print(f"The capture cannot be made, these are not installed: {missing}", file=sys.stderr)
        return 1
    prepare(str(capture))
    failed = compare(str(capture), asked.runs) + small(capture, asked.runs)
    failed += larger(capture, 10, asked.runs)
    if asked.ten_gigabytes:
        failed += larger(capture, 106, 1)
    for failure in failed:
        print(f"missed: {failure}")
    return 1 if failed else 0


def prepare(capture: str) -> None:
    """Have ours compile what it compiles once: kernels, and its modules' byte code, which an
    installed program has, too, and which a developer's environment may forbid to keep."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    for words in ([], ["--json"]):
        command = [*OURS, capture, *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=kept)


def tools(capture: str) -> list[Tool]:
    """All that are compared, ours first."""
    python = [sys.executable, "-c"]
    tshark = ["tshark", "-n", "-r", capture]
    fields = [word for name in FIELDS for word in ("-e", name)]
    return [
        Tool("fourtuple read", [*OURS, capture], _ours),
        Tool("fourtuple read --json", [*OURS, capture, "--json"], lambda text: text.count("\n")),
        Tool("tcptrace", ["tcptrace", "-n", capture], _tcptrace, "tcptrace"),
        Tool("tcptrace -l", ["tcptrace", "-n", "-l", "-r", capture], _tcptrace, "tcptrace"),
        Tool("tshark -z conv,tcp", [*tshark, "-q", "-z", "conv,tcp"], _conversations, "tshark"),
        Tool("tshark -T fields", [*tshark, "-T", "fields", *fields], _streams, "tshark"),
        Tool("nfstream", [*python, NFSTREAM, capture], None, "nfstream"),
        Tool("dpkt, a loop", [*python, DPKT, capture], None, "dpkt"),
    ]


def _ours(text: str) -> int:
    found = re.search(r"(\d+) connections", text)
    return int(found[1]) if found else 0


def _tcptrace(text: str) -> int:
    found = re.search(r"TCP connection info:|(\d+) TCP connections traced", text)
    traced = re.search(r"(\d+) TCP connections traced", text)
    lines = re.findall(r"^ *(\d+): ", text, re.MULTILINE)
    return int(traced[1]) if traced else int(lines[-1]) if found and lines else 0


def _conversations(text: str) -> int:
    return text.count("<->")


def _streams(text: str) -> int:
    return len({line.split("\t", 2)[1] for line in text.splitlines()})


def compare(capture: str, runs: int) -> list[str]:
    """All tools on a million packets, in turn, so that noise meets all alike."""
    every = tools(capture)
    present = [tool for tool in every if not tool.needs or _installed(tool.needs)]
    for tool in every:
        if tool not in present:
            print(f"not compared, for it is not installed: {tool.name}")
    for _ in range(runs):
        for tool in present:
            tool.run()
    _print(f"1,000,000 packets, medians of {runs} runs", present)
    return list(_judged(present))


def _installed(name: str) -> bool:
    return shutil.which(name) is not None or find_spec(name) is not None


def _print(title: str, every: Sequence[Tool]) -> None:
    print(title)
    ours = every[0].median_s
    for tool in every:
        found = "" if tool.connections is None else f"{tool.connections:>9,} connections"
        times = f"{tool.median_s:7.2f} s CPU {tool.median_s / ours:6.1f} x"
        print(f"  {tool.name:24} {times} {tool.memory_mib:7.0f} MiB {found}")


def _judged(present: Sequence[Tool]) -> list[str]:
    ours, lines, *peers = present
    failed = []
    if ours.median_s > SUMMARY_S:
        failed.append(f"the summary took {ours.median_s:.2f} s, more than {SUMMARY_S}")
    if lines.median_s - ours.median_s > JSON_MORE_S:
        more = lines.median_s - ours.median_s
        failed.append(f"--json took {more:.2f} s more, the limit is {JSON_MORE_S}")
    if ours.memory_mib > MEMORY_MIB:
        failed.append(f"the summary took {ours.memory_mib:.0f} MiB, more than {MEMORY_MIB}")
    counts = {t.name: t.connections for t in (ours, lines, *peers) if t.connections is not None}
    if len(set(counts.values())) > 1:
        failed.append(f"the numbers of connections differ: {counts}")
    return failed


def small(capture: Path, runs: int) -> list[str]:
    """Twenty packets: nothing but start-up counts."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "twenty.pcap"
        path.write_bytes(first_frames(capture, 20))
        both = [Tool("fourtuple read", [*OURS, str(path)])]
        if _installed("tshark"):
            both.append(Tool("tshark -V", ["tshark", "-n", "-r", str(path), "-V"]))
        for _ in range(max(runs, 5)):
            for tool in both:
                tool.run()
    _print("20 packets", both)
    limit = max([SMALL_S, *(tool.median_s for tool in both[1:])])
    slow = both[0].median_s > limit
    return [f"20 packets took {both[0].median_s:.2f} s, more than {limit:.2f}"] * slow


def larger(capture: Path, times: int, runs: int) -> list[str]:
    """The same capture again and again, so many times as long: made, read, deleted."""
    with tempfile.TemporaryDirectory(dir=capture.parent) as directory:
        path = repeated(capture, Path(directory) / "large.pcap", times)
        size = path.stat().st_size / 1e9
        tool = Tool("fourtuple read", [*OURS, str(path)], _ours)
        clock_s = []
        for _ in range(runs):
            begun_s = time.monotonic()
            tool.run()
            clock_s.append(time.monotonic() - begun_s)
    wall_s = statistics.median(clock_s)
    _print(f"{times},000,000 packets, {size:.1f} GB, {wall_s:.2f} s on the clock", [tool])
    failed = []
    if times == 10 and wall_s > TEN_MILLION_S:
        failed.append(f"10 million packets took {wall_s:.2f} s, more than {TEN_MILLION_S}")
    if tool.memory_mib > LARGE_MIB:
        failed.append(f"{size:.1f} GB took {tool.memory_mib:.0f} MiB, more than {LARGE_MIB}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
