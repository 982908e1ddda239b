"""How long a user waits before anything happens: peers and fourtuple in one run, wall-clock time.

    python bench/startup.py [--rounds 15]

Each command is run in turn, round after round, so that noise meets all of them alike; the figures
are medians, and the ratio is to the peer named.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

FOURTUPLE = [sys.executable, "-m", "fourtuple"]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    if shutil.which("tshark") is None:
        print("tshark is not installed: nothing to compare with", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as directory:
        capture = str(Path(directory) / "close.pcapng")
        command = [*FOURTUPLE, "lab", "run", "close", "--save", capture]
        subprocess.run(command, check=True, capture_output=True)
        compare(
            "say the version",
            {"tshark": ["tshark", "--version"], "fourtuple": [*FOURTUPLE, "--version"]},
            rounds,
        )
        compare(
            "explain a capture of 9 frames",
            {"tshark": ["tshark", "-r", capture, "-V"], "fourtuple": [*FOURTUPLE, "read", capture]},
            rounds,
        )
        compare(
            "set up two hosts and a wire, run an experiment, explain it",
            {
                "bare Python": [sys.executable, "-c", "pass"],
                "fourtuple": [*FOURTUPLE, "lab", "run", "handshake"],
            },
            rounds,
        )
    return 0


def compare(what: str, commands: dict[str, Sequence[str]], rounds: int) -> None:
    """Print the median of each command, and ours as a multiple of the first, its peer."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            begin_s = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - begin_s)
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    peer = next(iter(medians))
    print(what)
    for name, median in medians.items():
        spread = f"{min(seconds[name]):.3f} to {max(seconds[name]):.3f}"
        print(f"  {name:12} {median:.3f} s   ({spread}, {median / medians[peer]:.2f} x {peer})")


if __name__ == "__main__":
    sys.exit(main())
