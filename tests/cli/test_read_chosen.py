"""`fourtuple read` with what is asked for, and as tables: whole and surveyed captures alike."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import octets
from analyze.crowds import crowd, merged
from fourtuple.cli.app import run
from fourtuple.reading import extras, opening
from fourtuple.render.flat import COLUMNS
from reading.kept import kept
from reading.test_ways import two
from story import exchange

COMMAND = [sys.executable, "-c", "import sys; from fourtuple.cli import main; sys.exit(main())"]
WAYS = pytest.mark.parametrize("few", [0, 20_000], ids=["surveyed", "whole"])


@pytest.fixture
def page(tmp_path: Path) -> str:
    return str(kept(two(), tmp_path / "page.pcap"))


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert run(["read", *arguments, "--width", "120"]) == status
    return capsys.readouterr().out


@WAYS
@pytest.mark.parametrize(
    ("arguments", "indices"),
    [
        (["--host", "10.77.0.2"], [0, 1]),
        (["--host", "192.0.2.0/24"], []),
        (["--port", "81"], [1]),
        (["--port", "81,8888"], [0, 1]),
        (["--connection", "1"], [1]),
        (["--connection", "1", "--port", "8888"], []),
        (["--findings", "connection-refused"], [1]),
        (["--findings", "connection-refused,time-wait-at-client"], [0, 1]),
        (["--findings", "connection-refused", "--until", "1s"], []),
        (["--since", "1"], [1]),
        (["--until", "1970-01-01T00:00:02Z"], [0]),
        (["--since", "@2.5", "--until", "@100"], [1]),
    ],
)
def test_connections_are_chosen(
    few: int,
    arguments: list[str],
    indices: list[int],
    page: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opening, "_FEW_FRAMES", few)
    lines = printed(capsys, page, *arguments, "--json").splitlines()
    assert [json.loads(line)["connection"] for line in lines] == indices
    frames = printed(capsys, page, *arguments, "--json", "--frames").splitlines()
    assert {json.loads(line)["connection"] for line in frames} == set(indices)
    rows = list(csv.DictReader(io.StringIO(printed(capsys, page, *arguments, "--csv"))))
    assert [int(row["connection"]) for row in rows] == indices
    text = printed(capsys, page, *arguments)
    if not indices:
        assert "None of the 2 connections of the capture is one that was asked for." in text
    elif len(indices) == 1:
        assert text.count("four-tuple  ") == 1
    else:
        assert text.splitlines()[0].startswith("page.pcap  2 connections in 13 frames")


@WAYS
def test_frames_are_those_of_the_time_asked_for(
    few: int, page: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_FEW_FRAMES", few)
    lines = printed(capsys, page, "--since", "2ms", "--until", "4ms", "--frames", "--json")
    assert [json.loads(line)["frame"] for line in lines.splitlines()] == [3, 4, 5]
    listed = printed(capsys, page, "--since", "2ms", "--until", "4ms", "--frames")
    assert [line.split()[0] for line in listed.splitlines()] == ["3", "4", "5"]


@WAYS
def test_one_connection_is_told_as_it_would_be_in_full(
    few: int, page: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_FEW_FRAMES", few)
    for arguments in (
        ["--port", "81"],
        ["--connection", "1"],
        ["--findings", "connection-refused"],
    ):
        text = printed(capsys, page, *arguments)
        assert "12 SYN" in text
        assert "frames: 2 of the 13 in the capture" in text
        assert len(printed(capsys, page, *arguments, "--frames").splitlines()) == 2


@WAYS
def test_many_connections_are_summed_up(
    few: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_FEW_FRAMES", few)
    stories = [
        exchange(complete=False, ports=(40000 + n, 8888), begin_ns=10**9 + n).timeline()
        for n in range(61)
    ]
    path = str(kept(merged(stories), tmp_path / "many.pcap"))
    text = printed(capsys, path)
    assert "61 connections in 671 frames" in text
    assert "handshake  complete 61" in text
    assert "10.77.0.2:8888  61 connections, 0 with RST, 1.71 kB" in text
    assert "(--connection 0)" in text
    chosen = printed(capsys, path, "--port", "40001,40002")
    assert "2 of 61 connections" in chosen
    assert "10.77.0.1:40002" in chosen
    assert "61 of 61" not in chosen


@WAYS
def test_frames_that_cannot_be_decoded_are_counted(
    few: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "_FEW_FRAMES", few)
    known = kept(two(), tmp_path / "page.pcap")
    odd = tmp_path / "odd.pcap"
    odd.write_bytes(octets.pcap(link=147) + octets.pcap_record(b"x" * 60, 5, 0) * 2)
    text = printed(capsys, str(known), str(odd))
    assert "2 frames have link type USER0 (147), which is not decoded" in text


def test_a_row_of_csv_has_every_column(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    head, row, *_ = csv.reader(io.StringIO(printed(capsys, page, "--csv", "--connection", "1")))
    assert head == [*COLUMNS]
    found = dict(zip(head, row, strict=True))
    assert found["reset_cause"] == "port-closed"
    assert found["findings"] == "connection-refused"
    assert (found["client_known"], found["mss_server"], found["tunnel"]) == ("true", "", "")


def test_tables_are_written_and_counted(
    page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyarrow")
    text = printed(capsys, page, "--port", "81", "--parquet", str(tmp_path / "out"))
    assert "connections.parquet: 1 row\n" in text
    assert "packets.parquet: 2 rows\n" in text


def test_one_connection_is_drawn(
    page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "a.svg"
    assert run(["read", page, "--plot", str(path)]) == 2
    assert "--plot draws one connection, and 2 are asked for" in capsys.readouterr().err
    assert not path.exists()
    assert printed(capsys, page, "--port", "8888", "--plot", str(path)) == ""
    assert path.stat().st_size > 1000


@pytest.mark.parametrize(
    ("option", "name"), [("--parquet", "fourtuple[parquet]"), ("--plot", "fourtuple[plots]")]
)
def test_what_is_not_installed_is_status_3_and_a_remedy(
    option: str,
    name: str,
    page: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(module: str) -> None:
        raise ImportError(module)

    monkeypatch.setattr(extras, "import_module", missing)
    assert run(["read", page, "--port", "81", option, "x.png"]) == 3
    told = capsys.readouterr().err
    assert name in told
    assert told.startswith("fourtuple: ")
    assert "Traceback" not in told


def test_a_place_that_cannot_be_written_is_one_message(
    page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyarrow")
    assert run(["read", page, "--parquet", f"{page}/out"]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "page.pcap/out cannot be written: " in told


@pytest.mark.parametrize("form", ["--csv", "--json"])
def test_a_full_disk_is_one_message(form: str, page: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "read", page, form], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr == (
        "fourtuple: Standard output cannot be written: No space left on device.\n"
    )


def test_a_reader_of_csv_who_leaves_early_is_no_error(tmp_path: Path) -> None:
    path = kept(merged([crowd(1), crowd(2), crowd(3)]), tmp_path / "x.pcap")
    reading = subprocess.Popen(
        [*COMMAND, "read", *[str(path)] * 40, "--frames", "--csv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert reading.stdout is not None
    assert reading.stderr is not None
    reading.stdout.readline()
    reading.stdout.close()
    assert (reading.wait(60), reading.stderr.read()) == (0, b"")


def test_an_interrupted_run_leaves_no_file_half_written(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    # the pipe is never written to: reading waits for it when the interrupt comes
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = subprocess.Popen(
        [*COMMAND, "read", str(pipe), "--parquet", str(tmp_path / "out")], stderr=subprocess.PIPE
    )
    with pipe.open("wb"):
        reading.send_signal(signal.SIGINT)
        assert reading.stderr is not None
        assert (reading.wait(60), reading.stderr.read()) == (130, b"")
    assert not (tmp_path / "out").exists()
