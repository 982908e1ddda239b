"""`fourtuple sockets`, as its user meets it."""

import csv
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fourtuple.cli.app import run
from fourtuple.render.text import width_of
from fourtuple.sockets.records import COLUMNS
from sockets.scenes import full_accept_queue, time_wait_at

pytestmark = pytest.mark.kernel

FOURTUPLE = [sys.executable, "-m", "fourtuple", "sockets"]


def told(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert run(["sockets", *map(str, words)]) == 0
    return capsys.readouterr().out


def objects(capsys: pytest.CaptureFixture[str], *words: object) -> list[dict[str, Any]]:
    return [json.loads(line) for line in told(capsys, *words, "--json").splitlines()]


def test_a_listener_its_queue_its_owner_and_what_the_numbers_mean(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with full_accept_queue() as queue:
        text = told(capsys, "--port", queue.port, "--lang", "en", "--width", 200)
        row = next(line for line in text.splitlines() if "LISTEN" in line)
        assert row.split()[:6] == [
            "tcp",
            "LISTEN",
            "2",
            "1",
            f"127.0.0.1:{queue.port}",
            "0.0.0.0:*",
        ]
        assert f"[{os.getpid()}]/{queue.listener.fileno()}" in row
    assert f"127.0.0.1:{queue.port}: the accept queue is full (2 wait, the limit is 1)" in text
    assert re.search("segments that this listener has dropped since it was made: [1-9]", text)
    assert "All listeners of this network namespace together" in text
    assert text.count("nobody has accepted it") == 2


def test_json_has_the_contract_s_fields(capsys: pytest.CaptureFixture[str]) -> None:
    with full_accept_queue() as queue:
        (found,) = objects(capsys, "--port", queue.port, "--state", "listen")
        assert found["kind"] == "socket"
        assert found["protocol"] == "tcp"
        assert found["local"] == {"address": "127.0.0.1", "port": queue.port}
        assert found["remote"] == {"address": "0.0.0.0", "port": 0}
        assert (found["state"], found["recv_q"], found["send_q"]) == ("LISTEN", 2, 1)
        assert found["inode"] == os.fstat(queue.listener.fileno()).st_ino
        assert found["uid"] == os.geteuid()
        (owner,) = found["owners"]
        assert owner["pid"] == os.getpid()
        assert owner["fd"] == queue.listener.fileno()
        assert found["timer"] is None
        assert found["drops"] >= 1


def test_csv_is_a_table_of_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    port = time_wait_at(reuse=True)
    (row,) = csv.DictReader(io.StringIO(told(capsys, "--port", port, "--csv")))
    assert list(row) == list(COLUMNS)
    assert (row["state"], row["local_port"], row["timer"]) == ("TIME_WAIT", str(port), "time-wait")
    assert row["without_owner"] == "time-wait"


def test_parquet_is_the_same_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    with full_accept_queue() as queue:
        told(capsys, "--port", queue.port, "--parquet", tmp_path / "new")
    rows = parquet.read_table(tmp_path / "new" / "sockets.parquet").to_pylist()
    assert list(rows[0]) == list(COLUMNS)
    assert {row["state"] for row in rows} == {"LISTEN", "ESTABLISHED", "SYN_SENT"}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["sockets.parquet"]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [40, 72, 120])
def test_the_table_fits_the_terminal(
    width: int, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with full_accept_queue(socket.AF_INET6) as queue:
        text = told(capsys, "--port", queue.port, "--width", width, "--lang", language)
        assert f"[::1]:{queue.port}" in text
        # no line can be shorter than the two ends of a connection, which are never cut
        assert max(map(width_of, text.splitlines())) <= max(width, 50)


def test_a_filter_that_matches_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "--process", "no such program", "--lang", "en") == "No socket matches.\n"
    assert objects(capsys, "--process", "no such program") == []


@pytest.mark.parametrize(
    "words",
    [
        ["--state", "open"], ["--state", ""], ["--port", ""],
        ["--host", ""], ["--port", "0"], ["--host", "localhost"], ["--pid", "x"],
        ["--options", "12"], ["--who", "70000"], ["--watch", "--every", "0"],
        ["--json", "--csv"], ["--who", "1", "--watch"], ["--netns", "/dev/null"],
    ],
)  # fmt: skip
def test_a_wrong_command_line_ends_with_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sockets", *words]) == 2
    assert capsys.readouterr().err.startswith("fourtuple: ")


def test_who_holds_a_port(capsys: pytest.CaptureFixture[str]) -> None:
    with full_accept_queue() as queue:
        text = told(capsys, "--who", queue.port, "--lang", "en")
        assert f"[{os.getpid()}]/{queue.listener.fileno()}" in text
        port, *rows = objects(capsys, "--who", queue.port, "-t")
    assert port["kind"] == "port"
    assert port["in_use"] is True
    assert port["bind"][0] == {"family": 4, "plain": "EADDRINUSE", "reuseaddr": "EADDRINUSE"}
    assert rows[0]["inode"] == port["holders"][0]


def test_options_of_a_descriptor(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        where = f"{os.getpid()}/{sock.fileno()}"
        (found,) = objects(capsys, "--options", where)
        nodelay = next(one for one in found["options"] if one["option"] == "TCP_NODELAY")
        assert (nodelay["value"], nodelay["default"], nodelay["differs"]) == ("1", "0", True)
        text = told(capsys, "--options", where, "--lang", "zh")
        assert any(line.startswith("* TCP_NODELAY") for line in text.splitlines())


def test_details_of_each_socket(capsys: pytest.CaptureFixture[str]) -> None:
    with full_accept_queue() as queue:
        text = told(capsys, "-o", "--port", queue.port, "--lang", "en")
        assert text.count("tcp_info\n") == 6
        assert text.count("Nobody who can be asked holds it") == 2
        (one,) = objects(capsys, "--details", "--state", "listen", "--port", queue.port)
    assert one["tcp_info"]["unacked"] == 2, "a listener's accept queue"


def test_names_of_programs_drive_no_terminal() -> None:
    script = (
        "import socket\nopen('/proc/self/comm', 'w').write('e\\x1b[31mvil')\n"
        "s = socket.create_server(('127.0.0.1', 0))\nprint(s.getsockname()[1], flush=True)\ninput()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    port = child.stdout.readline().strip()
    done = subprocess.run(
        [*FOURTUPLE, "--port", port], capture_output=True, text=True, encoding="utf-8", check=True
    )
    child.communicate()
    assert "e\\x1b[31mvil[" in done.stdout
    assert "\x1b" not in done.stdout


def test_watching_tells_what_opens_moves_and_closes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        watch = subprocess.Popen(
            [*FOURTUPLE, "--port", str(port), "--watch", "--every", "0.05", "--lang", "en"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert watch.stdout is not None
        assert watch.stdout.readline().startswith("Sockets: 1. Looking again every 0.05 s")
        client = socket.create_connection(("127.0.0.1", port))
        lines = [watch.stdout.readline() for _ in range(3)]
        ends = f"tcp ESTABLISHED 127.0.0.1:{client.getsockname()[1]} 127.0.0.1:{port}"
        assert any("opened: " + ends in line and f"[{os.getpid()}]/" in line for line in lines)
        assert any("recv-q 0 to 1: tcp LISTEN" in line for line in lines)
        accepted, _ = listener.accept()
        client.close()
        accepted.close()
        lines = []
        while not any("TIME_WAIT" in line for line in lines):
            lines.append(watch.stdout.readline())
        watch.send_signal(signal.SIGINT)
        assert watch.wait() == 130


@pytest.mark.root
def test_an_ordinary_user_is_told_once_what_is_missing() -> None:
    with full_accept_queue() as queue:
        text = as_nobody(["sockets", "--port", str(queue.port), "--lang", "en", "--width", "200"])
    assert text.count("owners are not visible here") == 1
    assert "(not visible)" in text
    assert f"[{os.getpid()}]" not in text


def as_nobody(words: list[str]) -> str:
    """What the command prints for an ordinary user. It is carried out once before, as root: where
    this package lies, another user may not be allowed to read."""
    reading, writing = os.pipe()
    if not (pid := os.fork()):
        status = 1
        try:
            with open(os.devnull, "w") as sys.stdout:
                run(words)
            os.closerange(3, writing)  # the listener's owner is to be another process
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            with open(writing, "w") as sys.stdout:
                status = run(words)
        finally:
            os._exit(status)
    os.close(writing)
    with open(reading) as said:
        text = said.read()
    assert os.waitpid(pid, 0)[1] == 0
    return " ".join(text.split())
