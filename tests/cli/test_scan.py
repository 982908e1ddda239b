"""`fourtuple scan` from its command line, on this machine's loopback."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fourtuple.cli import app
from fourtuple.scan.targets import parse_ports
from fourtuple.scan.verify import compare, socket_table
from fourtuple.source import read
from fourtuple.system.links import add_address, bring_up, make_veth
from fourtuple.system.namespaces import inside, new_network_namespace
from fourtuple.system.sniffer import may_sniff
from fourtuple.wire import ACK, RST, SYN
from scan.ground import in_namespaces

COMMAND = [sys.executable, "-m", "fourtuple", "scan"]
SILENT = "10.9.9.9"


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@pytest.fixture
def port(server: socket.socket) -> int:
    return int(server.getsockname()[1])


def run(*arguments: str) -> int:
    return app.run(["scan", *arguments])


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_an_open_port_is_said_to_be_open(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("127.0.0.1", "-p", f"1,{port}", "--workers", "8", "--timeout", "0.5") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"127.0.0.1:{port} IS OPEN"
    assert any(line.split()[:3] == [f"{port}/tcp", "open", "syn-ack"] for line in lines)
    assert lines[-1].startswith("connect: 1 closed, 1 open; 2 probes, 2 answers")


def test_json_has_one_object_a_port_and_then_a_summary(
    port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("127.0.0.1", "-p", f"1,{port}", "--json") == 0
    *ports, summary = objects(capsys.readouterr().out)
    by_port = {one.pop("port"): one for one in ports}
    assert by_port[port].pop("rtt_s") > 0
    assert by_port[port] == {
        "kind": "port", "address": "127.0.0.1", "protocol": "tcp", "state": "open",
        "reason": "syn-ack", "method": "connect",
    }  # fmt: skip
    assert (by_port[1]["state"], by_port[1]["reason"]) == ("closed", "conn-refused")
    assert summary["kind"] == "summary"
    assert summary["states"] == {"open": 1, "closed": 1}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["8.8.8.8"], "8.8.8.8 is neither loopback nor private"),
        ([], "no target"),
        (["127.0.0.1", "-p", "22,0"], "port 0 is reserved"),
        (["127.0.0.1", "-p", "0-9"], "0-9 is not within 1 to 65535"),
        (["127.0.0.1", "-p", "1" * 5000], "is no port"),
        (["127.0.0.1", "-p", "[60010-60020]"], "no service of tcp"),
        (["127.0.0.1", "--method", "connect,psychic"], "--method psychic"),
        (["127.0.0.1", "--shard", "3/2"], "--shard 3/2"),
        (["127.0.0.1", "--shard", "1/"], "--shard 1/"),
        (["127.0.0.1", "--timeout", "0"], "--timeout takes a number of seconds above 0; '0'"),
        (["127.0.0.1", "--timeout", "nan"], "--timeout takes a number of seconds"),
        (["127.0.0.1", "--rate", "-1"], "--rate takes a number of probes above 0; '-1' is none"),
        (["127.0.0.1", "--rate", "inf"], "--rate takes"),
        (["127.0.0.1", "--workers", "0"], "--workers takes a whole number from 1"),
        (["127.0.0.1", "--retries", "x"], "--retries takes a whole number from 0"),
        (["127.0.0.1", "--seed", "1.5"], "--seed takes a whole number"),
        (["127.0.0.1", "--explain", "70000"], "--explain takes a whole number from 1 to 65535"),
        (["127.0.0.1", "--xml", "/nonexistent/x.xml"], "no directory"),
        (["127.0.0.1", "--xml", "-", "--method", "connect,syn"], "one method for TCP"),
        (["no such host"], "no such host"),
    ],
)
def test_what_is_wrong_is_said_before_a_packet_is_sent(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert complaint in printed.err


def test_scan_and_socket_table_agree(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("127.0.0.1", "-p", f"{port}", "--verify", "--lang", "en") == 0
    assert f"agree on the open ports: {port}" in capsys.readouterr().out


def test_what_is_no_network_namespace_is_named(
    port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for file, reason in (("/nowhere", "No such file"), ("/proc/version", "Invalid argument")):
        assert run("127.0.0.1", "-p", f"{port}", "--netns", file) == 2
        printed = capsys.readouterr()
        assert f"{file}: not a network namespace: {reason}" in printed.err
        assert printed.out == ""


@pytest.mark.kernel
def test_the_sockets_of_another_network_namespace_are_compared_with() -> None:
    """As one has it with a container: the scanner is here, the server there."""

    def work() -> None:
        there = new_network_namespace()
        make_veth("eth0", "eth0", there)
        add_address("eth0", "10.9.9.1", 24)
        bring_up("lo", "eth0")
        with inside(there):
            add_address("eth0", "10.9.9.2", 24)
            bring_up("lo", "eth0")
            held = [socket.create_server(("10.9.9.2", port)) for port in (80, 81)]
        file = f"/proc/{os.readlink('/proc/self')}/fd/{there}"
        command = [*COMMAND, "10.9.9.2", "-p", "79-81", "--netns", file, "--json"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert objects(done.stdout)[-1] == {
            "kind": "comparison", "address": "10.9.9.2", "agreed": [80, 81],
            "only_listening": [], "only_found": [], "holds": True,
        }  # fmt: skip
        for one in held:
            one.close()

    in_namespaces(work)


def test_a_disagreement_is_told_from_both_sides(port: int) -> None:
    outcome = compare("127.0.0.1", [port, 1, 2], [1], socket_table())
    assert (outcome.agreed, outcome.only_listening, outcome.only_found) == ((), (port,), (1,))
    assert not outcome.holds


def test_the_greeting_of_a_server_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    script = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1],"
        " flush=True)\n"
        "while True:\n"
        "    c = s.accept()[0]\n"
        "    try: c.sendall(b'220 hello\\x1b[31m\\r\\n')\n"
        "    except OSError: pass\n"
        "    c.close()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        port = program.stdout.readline().decode().strip()
        assert run("127.0.0.1", "-p", port, "--banner") == 0
        program.kill()
    shown = capsys.readouterr().out
    assert f"{port}: 220 hello" in shown
    assert "\x1b" not in shown


def test_shards_share_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    parts = []
    for number in (1, 2, 3):
        assert run("127.0.0.1", "-p", "1-100", "--json", "--shard", f"{number}/3") == 0
        found = objects(capsys.readouterr().out)
        parts.append([one["port"] for one in found if one["kind"] == "port"])
    assert sorted(port for part in parts for port in part) == list(range(1, 101))


def test_a_shard_counts_no_port_of_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("127.0.0.1-2", "-p", "100-199", "--shard", "1/2") == 0
    shown = capsys.readouterr().out
    counts = [int(line.split()[0]) for line in shown.splitlines() if "tcp ports: closed" in line]
    assert sum(counts) == 100
    assert "connect: 100 closed" in shown


def interrupted(number: signal.Signals, directory: Path) -> tuple[str, str, int]:
    """A scan of an open port and of silent ones, ended by a signal once the first is told."""
    command = [*COMMAND, "127.0.0.1", SILENT, "-p", "80", "--timeout", "20"]
    with subprocess.Popen(
        command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        first = program.stdout.readline()
        program.send_signal(number)
        out, err = program.communicate(timeout=100)
        return first + out, err, program.returncode


def beside_silence(work: Callable[[], None]) -> None:
    """Carry out `work` where 127.0.0.1:80 is open, and `SILENT` an address that nobody has."""

    def prepared() -> None:
        neighbour = new_network_namespace()
        make_veth("eth0", "eth0", neighbour)
        add_address("eth0", "10.9.9.1", 24)
        bring_up("lo", "eth0")
        with inside(neighbour):
            bring_up("eth0")
        with socket.create_server(("127.0.0.1", 80)):
            work()

    in_namespaces(prepared)


@pytest.mark.kernel
def test_ctrl_c_prints_what_is_known_and_resume_goes_on(tmp_path: Path) -> None:
    def work() -> None:
        out, err, status = interrupted(signal.SIGINT, tmp_path)
        assert status == 130, err
        assert out.startswith("127.0.0.1:80 IS OPEN")
        assert "80/tcp" in out
        (file,) = tmp_path.glob("*.resume")
        assert f"fourtuple scan --resume {file.name}" in err
        saved = json.loads(file.read_text())
        assert saved["verdicts"]["connect"] == {"127.0.0.1": {"open syn-ack": "80"}}
        saved["options"]["timeout_s"] = 0.2
        file.write_text(json.dumps(saved))
        done = subprocess.run(
            [*COMMAND, "--resume", file.name], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert "80/tcp" in done.stdout
        assert "filtered" in done.stdout
        assert "IS OPEN" not in done.stdout  # it was not probed again

    beside_silence(work)


def scan_of_600_ports(method: str, directory: Path) -> "subprocess.Popen[str]":
    """A scan that takes three seconds, and prints into the file `out`."""
    command = [*COMMAND, "127.0.0.1", "-p", "1-600", "--method", method, "--rate", "200", "--json"]
    directory.mkdir()
    with (directory / "out").open("w") as out:
        return subprocess.Popen(command, cwd=directory, stdout=out, text=True)


def found_open(printed: str) -> set[int]:
    """What whole lines say."""
    whole = printed[: printed.rfind("\n") + 1]
    return {one["port"] for one in objects(whole) if one.get("state") == "open"}


def resumed(file: Path) -> tuple[set[int], set[int], dict[str, int]]:
    """The open ports that a file knows of, those found when the scan goes on, and all states."""
    known: set[int] = set()
    for of_method in json.loads(file.read_text())["verdicts"].values():
        known.update(parse_ports(of_method["127.0.0.1"]["open syn-ack"]))
    command = [*COMMAND, "--resume", str(file), "--json"]
    done = subprocess.run(command, cwd=file.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return known, found_open(done.stdout), objects(done.stdout)[-1]["states"]


@pytest.mark.kernel
@pytest.mark.parametrize("method", ["connect", "syn"])
def test_a_scan_that_is_killed_at_any_moment_loses_nothing_that_it_found(
    method: str, tmp_path: Path
) -> None:
    """What was printed is true and stays printed; with the file that was kept, the rest is found
    too. Two scans are killed as soon as there is a file, the others at some moment."""

    def work() -> None:
        truth = set(range(20, 600, 30))
        held = [socket.create_server(("127.0.0.1", port)) for port in truth - {80}]
        directories = [tmp_path / str(number) for number in range(6)]
        scans = [scan_of_600_ports(method, directory) for directory in directories]
        for scan in scans[2:]:
            time.sleep(random.uniform(0, 0.8))
            scan.kill()
        for directory, scan in zip(directories[:2], scans[:2], strict=True):
            while not list(directory.glob("*.resume")):
                assert scan.poll() is None
                time.sleep(0.01)
            scan.kill()
        for directory, scan in zip(directories, scans, strict=True):
            scan.wait()
            printed = found_open((directory / "out").read_text())
            assert printed <= truth
            for file in directory.glob("*.resume"):
                known, found, states = resumed(file)
                assert states == {"open": len(truth), "closed": 600 - len(truth)}
                assert known <= printed  # it is kept after it was printed
                assert known | found == truth
        for one in held:
            one.close()

    beside_silence(work)


@pytest.mark.kernel
def test_a_scan_that_was_carried_out_leaves_no_file(tmp_path: Path) -> None:
    def work() -> None:
        scan = scan_of_600_ports("connect", tmp_path / "scan")
        assert scan.wait() == 0
        assert [file.name for file in (tmp_path / "scan").iterdir()] == ["out"]

    beside_silence(work)


def test_a_file_that_is_no_resume_file_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x"
    file.write_text("{}")
    assert run("--resume", str(file)) == 2
    assert "x: not a file of an interrupted scan" in capsys.readouterr().err


@pytest.mark.skipif(not may_sniff(), reason="packet sockets need CAP_NET_RAW")
def test_a_recording_has_probes_answers_and_verdicts(port: int, tmp_path: Path) -> None:
    file = tmp_path / "scan.pcapng"
    assert run("127.0.0.1", "-p", f"1,{port}", "--save", str(file)) == 0
    timeline = read(str(file))
    ports = {
        frame.packet.tcp.destination_port
        for frame in (timeline.frame(n) for n in range(1, len(timeline.frames) + 1))
        if frame.packet.tcp
    }
    assert {1, port} <= ports
    told = {event.params["state"] for event in timeline.events if event.kind == "text"}  # type: ignore[union-attr]
    assert told == {"open", "closed"}


@pytest.mark.kernel
def test_a_recording_over_a_link_has_each_probe_and_each_answer(tmp_path: Path) -> None:
    """Raw probes take a way past whoever records, unless they are to be recorded. All of them have
    room in what an ordinary user's socket holds (net.core.rmem_max), though nobody reads it yet."""
    file = tmp_path / "scan.pcapng"
    arguments = ["-p", "1-200", "--method", "syn", "--retries", "0", "--explain", "7"]

    def work() -> str:
        there = new_network_namespace()
        make_veth("eth0", "eth0", there)
        add_address("eth0", "10.9.9.1", 24)
        bring_up("lo", "eth0")
        with inside(there):
            add_address("eth0", "10.9.9.2", 24)
            bring_up("lo", "eth0")
        command = [*COMMAND, "10.9.9.2", *arguments, "--save", str(file), "--lang", "en"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    shown = in_namespaces(work)
    timeline = read(str(file))
    sent, answered = [], []
    for number in range(1, len(timeline.frames) + 1):
        segment = timeline.frame(number).packet.tcp
        assert segment is not None
        if segment.flags == SYN:
            sent.append(segment.destination_port)
        else:
            assert segment.flags == RST | ACK
            answered.append(segment.source_port)
    assert sorted(sent) == sorted(answered) == list(range(1, 201))
    explained = shown.partition("7/tcp, syn: closed")[2]
    assert "SYN" in explained.partition("A SYN was sent")[0]
    assert "RST ACK" in explained


@pytest.mark.skipif(not may_sniff(), reason="packet sockets need CAP_NET_RAW")
def test_one_port_is_explained_with_its_frames(
    port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("127.0.0.1", "-p", "1", "--explain", str(port), "--method", "connect,fin") == 0
    shown = capsys.readouterr().out
    assert "SYN ACK" in shown
    assert "A FIN was sent that belongs to no connection" in " ".join(shown.split())


def test_who_has_no_choice_of_method_is_told_what_the_others_need(
    port: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fourtuple.cli.scanning.may_sniff", lambda: False)
    assert run("127.0.0.1", "-p", f"{port}") == 0
    assert "need CAP_NET_RAW" in capsys.readouterr().err
    assert run("127.0.0.1", "-p", f"{port}", "--method", "connect") == 0
    assert capsys.readouterr().err == ""


def test_the_number_of_open_files_is_left_as_it_was(port: int) -> None:
    before = len(os.listdir("/proc/self/fd"))
    run("127.0.0.1", "-p", f"1-2000,{port}")
    assert len(os.listdir("/proc/self/fd")) == before
