"""Captures that tcpdump made of real programs, explained."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fourtuple.lab.hosts.host import Host, RunningProgram
from fourtuple.lab.script import Lab
from lab.running import held, run_script

pytestmark = [pytest.mark.kernel, pytest.mark.oracle("tcpdump", "curl", "tshark")]

PAGE = "<p>Hello, world!</p>\n" * 400  # several segments


def tcpdump(host: Host, interface: str, file: Path) -> RunningProgram:
    # root would become the user tcpdump, who may not write here; others stay who they are
    staying = ["-Z", "root"] if os.geteuid() == 0 else []
    command = ["tcpdump", *staying, "-U", "--immediate-mode", "-i", interface, "-w", str(file)]
    program = host.run(command)
    while "listening on" not in program.output:
        assert program.running, program.output
    return program


def serve(lab: Lab, host: Host, address: str, directory: Path) -> RunningProgram:
    command = [sys.executable, "-m", "http.server", "8000", "--bind", address]
    server = host.run([*command, "--directory", str(directory)])
    while not lab.sockets(host, listening=True):
        pass
    return server


def fetch(host: Host, address: str) -> str:
    name = f"[{address}]" if ":" in address else address
    curl = host.run(["curl", "--silent", "--max-time", "10", f"http://{name}:8000/page.html"])
    assert curl.wait() == 0
    return curl.output


def explained(*arguments: str) -> str:
    command = [sys.executable, "-m", "fourtuple", "read", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def only_connection(file: Path) -> dict[str, Any]:
    (line,) = explained(str(file), "--json").splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "page.html").write_text(PAGE)
    return tmp_path


@pytest.mark.parametrize(("family", "address"), [(4, "127.0.0.1"), (6, "::1")])
def test_curl_and_a_web_server_on_loopback(directory: Path, family: int, address: str) -> None:
    file = directory / "loopback.pcap"

    def script(lab: Lab) -> None:
        _, host = lab.pair()
        serve(lab, host, address, directory)
        capture = tcpdump(host, "lo", file)
        lab.expect(fetch(host, address), PAGE, "the page")
        lab.settle()
        capture.kill(2)
        capture.wait()

    held(run_script(script, family=family))
    connection = only_connection(file)
    assert connection["client"]["address"] == connection["server"]["address"] == address
    assert connection["server"]["port"] == 8000
    assert connection["handshake"] == "complete"
    # the server closes after its answer, curl when it has it: their FINs may cross
    assert connection["close"] in ("four-segment", "three-segment", "simultaneous")
    assert connection["payload_bytes"]["server"] > len(PAGE)
    assert connection["completeness"] == 31
    assert connection["resets"] == []
    severities = {finding["severity"] for finding in connection["findings"]}
    assert severities <= {"chat", "note"}, "nothing is wrong with it, whatever offloads did"
    same_as_tshark(file)


@pytest.mark.parametrize("family", [4, 6])
def test_curl_and_a_web_server_between_two_namespaces(directory: Path, family: int) -> None:
    file = directory / "between.pcap"
    address = ""

    def script(lab: Lab) -> None:
        client, server = lab.pair()
        serve(lab, server, server.address, directory)
        capture = tcpdump(client, "eth0", file)
        lab.expect(fetch(client, server.address), PAGE, "the page")
        lab.settle()
        capture.kill(2)
        capture.wait()

    held(run_script(script, family=family))
    connection = only_connection(file)
    address = "10.77.0." if family == 4 else "fd77::"
    assert connection["client"]["address"] == f"{address}1"
    assert connection["server"] == {"address": f"{address}2", "port": 8000}
    assert connection["handshake"] == "complete"
    assert connection["completeness"] == 31
    assert connection["payload_bytes"]["server"] > len(PAGE)
    same_as_tshark(file)


def same_as_tshark(file: Path) -> None:
    """Frame by frame: number, relative numbers and length."""
    fields = ["frame.number", "tcp.seq", "tcp.ack", "tcp.len"]
    command = ["tshark", "-r", str(file), "-Y", "tcp", "-T", "fields"]
    for field in fields:
        command += ["-e", field]
    theirs = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    ours = [json.loads(line) for line in explained(str(file), "--frames", "--json").splitlines()]
    rows = [
        [frame["frame"], frame["seq"], frame["ack"] or 0, frame["len"]]
        for frame in ours
        if frame["connection"] is not None
    ]
    assert rows == [[int(value) for value in line.split("\t")] for line in theirs.splitlines()]


def test_a_recording_opens_in_tshark_without_complaint(tmp_path: Path) -> None:
    file = tmp_path / "close.pcapng"
    command = [sys.executable, "-m", "fourtuple", "lab", "run", "close", "--save", str(file)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert explained(str(file)) == printed
    same_as_tshark(file)
    command = ["tshark", "-r", str(file), "-Y", "_ws.malformed or frame.comment", "-T", "fields"]
    done = subprocess.run(
        [*command, "-e", "_ws.malformed", "-e", "frame.comment"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == 7, "each segment has its sentence"
    assert all(line.startswith("\t") for line in lines), "and none is malformed"
