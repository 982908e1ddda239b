"""tshark beside us on every capture that the lab and the benchmark make: what it says of each
connection, every property of the output contract, and a short list of explained differences."""

import subprocess
import sys
from pathlib import Path

import pytest

from fourtuple.lab.experiment import all_experiments
from fourtuple.lab.needs import lacking
from fourtuple.source import read
from oracle.captures import APART_S, BEGIN_S, Frames, places, together
from oracle.comparison import Comparison, Pair, compare

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from support.capture import NEEDS, record  # noqa: E402

#: what most experiments do is wait: so many at a time
JOBS = "6"


def recorded(kept: Path, folder: Path, family: int) -> list[Path]:
    """The recordings of all experiments that do not wait for minutes: those of runs that other
    tests have made already, and the rest."""
    fast = [one for one in all_experiments().values() if not one.slow and family in one.families]
    paths = {one.name: kept / f"{one.name}-{family}.pcapng" for one in fast if not [*lacking(one)]}
    found = [path for path in paths.values() if path.exists()]
    missing = [name for name, path in paths.items() if path not in found]
    if missing:
        folder.mkdir()
        words = [sys.executable, "-m", "fourtuple", "lab", "run", *missing, "--jobs", JOBS]
        words += ["--save", str(folder), "--limit", "200", *(["--ipv6"] * (family == 6))]
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode in (0, 1), done.stderr  # whether they hold is for others to say
    return sorted([*found, *folder.glob("*.pcapng")])


def told(found: Comparison, names: list[str] | None = None) -> str:
    """The table, and what is not explained."""
    lines = [found.table()]
    for pair in found.unexplained[:20]:
        lines.append(f"{named(pair, names or [])}: {pair.differ}")
    return "\n".join(lines)


def named(pair: Pair, names: list[str]) -> str:
    place = int((pair.any["start"] - BEGIN_S) // APART_S)
    return names[place] if 0 <= place < len(names) else str(pair.any["client"])


def captures(recordings: list[Path]) -> dict[str, Frames]:
    """What could have been captured in the runs, wherever anything was."""
    found = {}
    for path in recordings:
        for place, frames in places(read(path)):
            if frames:
                found[f"{path.stem}, {place}"] = frames
    return found


@pytest.mark.kernel
@pytest.mark.oracle("tshark")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("family", [4, 6])
def test_of_every_experiment_tshark_says_the_same(
    family: int, tmp_path: Path, kept_runs: Path
) -> None:
    recordings = recorded(kept_runs, tmp_path / "runs", family)
    assert len(recordings) > 100
    found = captures(recordings)
    compared = compare(together(found.values(), tmp_path / "together.pcap"))
    print(told(compared, list(found)))
    assert compared.unexplained == [], told(compared, list(found))
    assert compared.connections > 1000
    odd = {named(pair, list(found)).split(",")[0] for pair in compared.differing}
    assert len(odd) <= 10, odd  # experiments, of more than a hundred


@pytest.mark.root
@pytest.mark.oracle("tshark", *NEEDS)
def test_of_the_benchmarks_traffic_tshark_says_the_same(tmp_path: Path) -> None:
    capture = tmp_path / "small.pcap"
    record(capture, seconds=4)
    compared = compare(capture)
    print(told(compared))
    assert compared.connections > 1000 and compared.lossy > 100
    assert compared.unexplained == [], told(compared)
    assert compared.agreement[0] >= 0.995 and compared.agreement[1] >= 0.97
