"""A timeline written is the timeline read; and other tools read the same file."""

import io
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import octets
from fourtuple.errors import ValueNotLegal
from fourtuple.event import recording
from fourtuple.event._kernels import MAX_FRAME
from fourtuple.event.frames import FrameTableBuilder, Vantage, table_of
from fourtuple.event.model import Call, Note, Snapshot
from fourtuple.event.recording import encode_recording, write_recording
from fourtuple.event.restore import EVENTS_GONE, FRAMES_GONE, ONLY_FRAMES_LEFT
from fourtuple.event.timeline import Timeline
from fourtuple.source import read
from recordings import FRAME, sample, timelines

comments = st.dictionaries(st.integers(1, 5), st.text(max_size=30), max_size=3)


def told(data: bytes) -> Timeline:
    return read(io.BytesIO(data))


def notes(count: int, size: int, t_ns: int = 0) -> tuple[Note, ...]:
    """So many events of about `size` bytes."""
    return tuple(
        Note(t_ns=t_ns, kind="text", params={"n": n, "pad": "x" * size}) for n in range(count)
    )


def blocks_of(data: bytes) -> list[tuple[int, int]]:
    """Type and length of each block, by following the lengths."""
    found, at = [], 0
    while at < len(data):
        kind, length = (int.from_bytes(data[at + n : at + n + 4], "little") for n in (0, 4))
        found.append((kind, length))
        at += length
    return found


@given(timelines(), comments)
def test_what_is_read_is_what_was_written(timeline: Timeline, texts: dict[int, str]) -> None:
    data = encode_recording(timeline, texts)
    assert told(data) == timeline
    assert encode_recording(told(data), texts) == data


def test_writing_to_a_stream_gives_the_same_bytes() -> None:
    stream = io.BytesIO()
    write_recording(sample(), stream, {1: "one"})
    assert stream.getvalue() == encode_recording(sample(), {1: "one"})


def test_a_recording_without_frames_is_one_section_header_and_its_interfaces() -> None:
    timeline = replace(sample(), frames=FrameTableBuilder().table(), events=notes(40, 5_000))
    data = encode_recording(timeline)
    assert [kind for kind, _ in blocks_of(data)] == [0x0A0D0D0A, 1, 1]
    assert told(data) == timeline


def test_no_option_exceeds_60_kB_however_much_happens_between_two_frames() -> None:
    frames = table_of([(FRAME, 1), (FRAME, 1_000)])
    timeline = Timeline(frames=frames, events=notes(100, 10_000, t_ns=500))
    data = encode_recording(timeline)
    assert told(data) == timeline
    lengths = [at for at in range(len(data)) if data.startswith(b"\xd9\x7e\0\0fourtuple", at)]
    sizes = [int.from_bytes(data[at - 2 : at], "little") for at in lengths]
    assert len(sizes) > 15
    assert max(sizes) == 60_000


def test_an_event_travels_with_the_first_frame_after_it() -> None:
    sizes = [length for kind, length in blocks_of(encode_recording(sample())) if kind == 6]
    early = replace(sample(), events=(*notes(1, 1_000, t_ns=0), *sample().events))
    grown = [length for kind, length in blocks_of(encode_recording(early)) if kind == 6]
    assert [after > before + 1_000 for before, after in zip(sizes, grown, strict=True)] == [
        True,
        False,
        False,
    ]


def test_what_no_block_can_hold_comes_after_the_last_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recording, "_EVENT_BYTES_A_BLOCK", 2_000)
    timeline = Timeline(frames=table_of([(FRAME, 1), (FRAME, 2)]), events=notes(10, 1_000, 5))
    data = encode_recording(timeline)
    kinds = [kind for kind, _ in blocks_of(data)]
    assert kinds == [0x0A0D0D0A, 1, 6, 6, 0xBAD, 0xBAD, 0xBAD, 0xBAD]
    assert told(data) == timeline


def test_times_that_no_packet_block_can_hold_come_back_all_the_same() -> None:
    for t_ns, epoch_ns in ((-5, 0), (2**63 - 1, 2**63 - 1), (-(2**63), 0)):
        timeline = Timeline(frames=table_of([(FRAME, t_ns)]), epoch_ns=epoch_ns)
        assert told(encode_recording(timeline)) == timeline


def test_a_long_comment_is_cut_into_several() -> None:
    text = "汉字" * 20_000
    data = encode_recording(sample(), {2: text})
    assert told(data) == sample()
    parts = [octets.option(1, part.encode()) for part in (text[:16_000], text[16_000:32_000])]
    assert parts[0] + parts[1] in data


@pytest.mark.parametrize(
    ("frame", "vantage"),
    [
        (bytes(MAX_FRAME + 1), Vantage("a")),
        (FRAME, Vantage("a", 65536)),
        (FRAME, Vantage("a" * 65536)),
    ],
)
def test_what_the_format_cannot_hold_is_refused(frame: bytes, vantage: Vantage) -> None:
    with pytest.raises(ValueNotLegal):
        encode_recording(Timeline((vantage,), table_of([(frame, 1)])))


def test_format_1_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The golden file was written once: it is read for ever, and written again byte for byte."""
    golden = (Path(__file__).parent / "sample.pcapng").read_bytes()
    monkeypatch.setattr(recording, "__version__", "0.1.0")
    assert told(golden) == sample()
    assert encode_recording(sample(), {1: "SYN: 一 one", 3: "三"}) == golden


def test_recordings_with_whole_snapshots_are_still_read() -> None:
    """As they were written before there were looks."""
    assert told((Path(__file__).parent / "sample-snapshots.pcapng").read_bytes()) == sample()


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "saved.pcapng"
    path.write_bytes(encode_recording(sample(), {1: "SYN: 一 one", 3: "三"}))
    return path


@pytest.mark.oracle("tshark")
def test_tshark_sees_the_same_frames_numbers_times_and_comments(saved: Path) -> None:
    columns = ("number", "time_epoch", "cap_len", "len", "interface_name", "comment")
    fields = [word for name in columns for word in ("-e", f"frame.{name}")]
    lines = run("tshark", "-r", saved, "-T", "fields", *fields).splitlines()
    assert [line.split("\t") for line in lines] == [
        ["1", "1700000000.000002000", "60", "60", "client", "SYN: 一 one"],
        ["2", "1700000000.000003000", "40", "1500", "wire", ""],
        ["3", "1700000000.000004000", "33", "33", "client", "三"],
    ]


@pytest.mark.oracle("tshark")
@pytest.mark.parametrize("frames", [0, 1, 300])
def test_tshark_counts_the_frames_that_we_count(tmp_path: Path, frames: int) -> None:
    path = tmp_path / "some.pcapng"
    table = table_of([(FRAME, number * 10) for number in range(frames)])
    path.write_bytes(encode_recording(Timeline(frames=table, events=notes(50, 4_000, 1_505))))
    assert len(run("tshark", "-r", path).splitlines()) == frames
    assert run("tshark", "-r", path, "-Y", "_ws.malformed") == ""


@pytest.mark.oracle("capinfos")
def test_capinfos_describes_it(saved: Path) -> None:
    told = run("capinfos", saved)
    for line in (
        r"Number of packets: +3",
        r"File timestamp precision: +nanoseconds \(9\)",
        r"Strict time order: +True",
        r"Capture oper-sys: +Linux 6.18",
        r"Capture application: +fourtuple ",
        r"Number of interfaces in file: 2",
        r"Description = as it left",
    ):
        assert re.search(line, told), line


@pytest.mark.oracle("editcap")
def test_editcap_keeps_everything(saved: Path, tmp_path: Path) -> None:
    edited = tmp_path / "edited.pcapng"
    run("editcap", saved, edited)
    assert read(edited) == sample()


@pytest.mark.oracle("editcap")
def test_a_shift_of_the_packet_times_does_not_tear_frames_from_events(
    saved: Path, tmp_path: Path
) -> None:
    edited = tmp_path / "edited.pcapng"
    run("editcap", "-t", "3600", saved, edited)
    assert read(edited) == sample()


@pytest.mark.oracle("editcap")
def test_when_editcap_takes_frames_out_the_evidence_follows(saved: Path, tmp_path: Path) -> None:
    edited = tmp_path / "edited.pcapng"
    run("editcap", saved, edited, "1")
    rest = read(edited)
    assert list(rest.frames) == list(sample().frames)[1:]
    assert not rest.complete
    assert rest.of(Snapshot)[0].frame == 2  # was 3
    assert [note.frames for note in rest.of(Note) if note.kind == "check"] == [(2,)]  # was (1, 3)
    assert rest.of(Call) == []  # it had travelled with frame 1
    said = [(note.message, note.params) for note in rest.of(Note) if note.kind == "degraded"]
    assert said == [
        (FRAMES_GONE, {"promised": 3, "kept": 2}),
        (EVENTS_GONE, {"promised": 4, "kept": 3}),
    ]


@pytest.mark.oracle("mergecap")
def test_two_merged_recordings_are_read_as_frames_and_it_is_said(
    saved: Path, tmp_path: Path
) -> None:
    other, merged = tmp_path / "other.pcapng", tmp_path / "merged.pcapng"
    other.write_bytes(encode_recording(replace(sample(), epoch_ns=0)))
    run("mergecap", "-w", merged, saved, other)
    timeline = read(merged)
    assert len(timeline.frames) == 6
    assert [event.message for event in timeline.of(Note)] == [ONLY_FRAMES_LEFT]
