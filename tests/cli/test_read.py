"""`fourtuple read`, from the file to the text and the exit status."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import octets
from fourtuple.cli.app import run
from fourtuple.event.recording import encode_recording
from fourtuple.event.timeline import Timeline
from fourtuple.explain.text import Translator
from fourtuple.render.summary import report
from fourtuple.render.terminal import Terminal
from render.scene import Scene
from story import exchange

COMMAND = [sys.executable, "-c", "import sys; from fourtuple.cli import main; sys.exit(main())"]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "exchange.pcapng"
    path.write_bytes(encode_recording(Scene().exchange()))
    return path


@pytest.fixture
def several(tmp_path: Path) -> Path:
    story = exchange()
    story.datagram(story.client, 9)
    path = tmp_path / "several.pcapng"
    path.write_bytes(encode_recording(story.timeline()))
    return path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert run(["read", *arguments]) == status
    return capsys.readouterr().out


def test_a_recording_reads_as_its_run_did(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for width, language in ((120, "en"), (80, "zh")):
        text = printed(capsys, str(recording), "--width", str(width), "--lang", language)
        assert text == report(Scene().exchange(), Translator(language), Terminal(width))


def test_there_is_no_colour_without_a_terminal(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "\x1b" not in printed(capsys, str(recording))


def test_several_connections_are_listed_and_one_can_be_told(
    several: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "2 connections in 12 frames" in printed(capsys, str(several))
    assert "seq 0" in printed(capsys, str(several), "--connection", "0")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--connection", "2"], "There is no connection 2: the capture has 2, counted from 0."),
        (["--connection", "-1"], "There is no connection -1: the capture has 2, counted from 0."),
        (["--frame", "13"], "There is no frame 13: the capture has 12, counted from 1."),
        (["--frame", "0", "--json"], "There is no frame 0: the capture has 12, counted from 1."),
    ],
)
def test_what_is_not_there_cannot_be_shown(
    several: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["read", str(several), *arguments]) == 2
    assert capsys.readouterr().err == f"fourtuple: {message}\n"


def test_a_frame_is_shown_to_the_bit(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, str(recording), "--frame", "2")
    assert "Synchronize (SYN)" in text
    assert "2000000000" in text


def test_frames_are_listed(several: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(printed(capsys, str(several), "--frames").splitlines()) == 12


def test_raw_numbers_stand_below(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "raw seq 1000000000" in printed(capsys, str(recording), "--raw")


@pytest.mark.parametrize(
    ("arguments", "kinds"),
    [
        ([], ["connection", "connection"]),
        (["--connection", "1"], ["connection"]),
        (["--frames"], ["frame"] * 12),
        (["--frames", "--connection", "1"], ["frame"]),
        (["--frame", "3"], ["frame"]),
    ],
)
def test_json_is_one_object_a_line(
    several: Path, arguments: list[str], kinds: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(capsys, str(several), "--json", *arguments).splitlines()
    assert [json.loads(line)["kind"] for line in lines] == kinds


def test_json_names_the_file_as_it_was_given(
    several: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = printed(capsys, str(several), "--json", "--connection", "0")
    assert json.loads(line)["file"] == str(several)


def test_a_cut_file_is_told_as_far_as_it_goes(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = recording.read_bytes()
    recording.write_bytes(data[: len(data) // 2])
    assert run(["read", str(recording)]) == 2
    told = capsys.readouterr()
    assert "SYN" in told.out
    assert told.err.startswith("fourtuple: ")
    assert "exchange.pcapng" in told.err
    assert told.err.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"not a capture\n", b"\x00\x01\x02" * 100])
def test_what_is_no_capture_gets_one_message(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd"
    path.write_bytes(content)
    assert run(["read", str(path)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("fourtuple: ")
    assert told.err.count("\n") == 1


def test_a_name_that_drives_terminals_is_written_harmlessly(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["read", "/nowhere/\x1b[2J"]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_standard_input_is_a_file_too(recording: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "read", "-", "--json"],
        input=recording.read_bytes(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kind"] == "connection"


def test_an_output_that_knows_only_ascii_gets_ascii(recording: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "read", str(recording)],
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )
    assert done.returncode == 0, done.stderr
    assert b"---->" in done.stdout
    assert b"?" not in done.stdout.replace(b"like?", b"")


def test_a_reader_who_leaves_early_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "long.pcapng"
    story = exchange()
    for _ in range(3000):
        story.datagram(story.client, 9)
    path.write_bytes(encode_recording(story.timeline()))
    reading = subprocess.Popen(
        [*COMMAND, "read", str(path), "--frames"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert reading.stdout is not None
    assert reading.stderr is not None
    reading.stdout.readline()
    reading.stdout.close()
    assert (reading.wait(60), reading.stderr.read()) == (0, b"")


def test_an_empty_timeline_is_said_to_be_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "empty.pcapng"
    path.write_bytes(encode_recording(Timeline()))
    assert "0 connections in 0 frames" in printed(capsys, str(path))


def test_a_file_name_that_is_no_utf_8_has_a_place_in_json(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b.pcapng")
    recording.rename(odd)
    told = json.loads(printed(capsys, odd, "--json"))
    assert told["file"] == f"{tmp_path}/\ufffd\x1b.pcapng"


def test_several_files_are_one_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As tcpdump -C cuts them: the connection goes on from file to file."""
    data = exchange().timeline()
    frames = list(zip(data.frames, data.frames.t_ns.tolist(), strict=True))
    names = []
    for index, part in enumerate((frames[:4], frames[4:])):
        records = (octets.pcap_record(frame, *divmod(t_ns, 10**9)) for frame, t_ns in part)
        path = tmp_path / f"{index}.pcap"
        path.write_bytes(octets.pcap(magic=octets.PCAP_NANO) + b"".join(records))
        names.append(str(path))
    (connection,) = map(json.loads, printed(capsys, *reversed(names), "--json").splitlines())
    assert (connection["file"], connection["close"]) == (names[0], "four-segment")
    told = [json.loads(line) for line in printed(capsys, *names, "--json", "--frames").splitlines()]
    assert [frame["frame"] for frame in told] == list(range(1, len(frames) + 1))
    assert [(frame["file"], frame["file_frame"]) for frame in told[3:5]] == [
        *(("0.pcap", 4), ("1.pcap", 1))
    ]
    assert "FIN_WAIT2" in printed(capsys, *names, "--width", "120")
