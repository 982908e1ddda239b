"""How long a user waits: `fourtuple --version` (below 0.1 s), doctor, one experiment.

The best of several runs, each a process of its own; python3 -c pass is there to compare with.
"""

import subprocess
import sys
import time
from pathlib import Path

FOURTUPLE = str(Path(sys.executable).with_name("fourtuple"))
COMMANDS = {
    "python3 -c pass": [sys.executable, "-c", "pass"],
    "fourtuple --version": [FOURTUPLE, "--version"],
    "fourtuple doctor": [FOURTUPLE, "doctor"],
    "fourtuple lab run handshake": [FOURTUPLE, "lab", "run", "handshake"],
}
RUNS = 10


def seconds(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begin


def main() -> int:
    for name, command in COMMANDS.items():
        best = min(seconds(command) for _ in range(RUNS))
        print(f"{name:30} {best * 1000:7.1f} ms")
        if name == "fourtuple --version" and best >= 0.1:
            print("slower than claimed: 100 ms")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
