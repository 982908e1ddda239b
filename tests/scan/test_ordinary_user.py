"""An ordinary user scans by syn too, within the lab, and compares with the lab host's sockets."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fourtuple.lab.experiment import Experiment
from fourtuple.lab.runner import run
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import segment

pytestmark = pytest.mark.kernel

_NOBODY = 65534
_SAME_PYTHON = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"


def as_somebody_else(*command: str) -> "subprocess.CompletedProcess[str]":
    """Root becomes nobody; who is not root is ordinary already."""
    who: dict[str, Any] = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
    env = {
        **os.environ,
        "HOME": "/",
        "PYTHONPATH": ":".join(path for path in sys.path if path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        command, capture_output=True, text=True, cwd="/", env=env,
        **(who if os.geteuid() == 0 else {}),
    )  # fmt: skip


def their_python() -> str:
    """An interpreter that an ordinary user may run, and that finds what fourtuple needs."""
    for candidate in (sys.executable, _SAME_PYTHON):
        try:
            if as_somebody_else(candidate, "-c", "import fourtuple, numpy, typer").returncode == 0:
                return candidate
        except PermissionError:
            continue
    pytest.skip("no Python here that an ordinary user may run")


@pytest.mark.parametrize("name", ["scan-syn", "scan-verified"])
def test_the_labs_scans_need_no_root(name: str) -> None:
    done = as_somebody_else(their_python(), "-m", "fourtuple", "lab", "run", name, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0])["verdict"] == "pass"


def test_outside_of_it_they_are_told_what_syn_needs() -> None:
    python = their_python()
    done = as_somebody_else(python, "-m", "fourtuple", "scan", "127.0.0.1", "--method", "syn")
    assert done.returncode == 3
    assert "CAP_NET_RAW" in done.stderr
    done = as_somebody_else(python, "-m", "fourtuple", "scan", "127.0.0.1", "-p", "1")
    assert done.returncode == 0
    assert "1/tcp" in done.stdout


def test_a_scan_from_a_host_of_the_lab_leaves_no_file_to_go_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its hosts end with the run: even where it is killed, nobody can go on."""
    monkeypatch.chdir(tmp_path)

    def script(lab: Lab) -> None:
        client, server = lab.pair()
        asked = lab.wire.drop(segment.to(server))
        command = [sys.executable, "-m", "fourtuple", "scan", server.address, "-p", "1-3"]
        program = client.run([*command, "--timeout", "1", "--retries", "2"])
        asked.wait(9)  # three ports, three times: files are written every second by now
        lab.expect(list(tmp_path.iterdir()), [], "files in the scan's directory")
        program.kill()
        program.wait()

    run(Experiment(name="scan", question="?", script=script))
    assert list(tmp_path.iterdir()) == []
