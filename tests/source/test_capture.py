"""`read`: every kind of capture, from everywhere; and every way in which a file can be none."""

import io
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import octets
from fourtuple.errors import CaptureDamaged, CaptureUnknown, InputError
from fourtuple.event.frames import Vantage
from fourtuple.event.model import Verdict
from fourtuple.event.recording import encode_recording
from fourtuple.event.timeline import Timeline
from fourtuple.source import read
from recordings import FRAME, sample

PCAP = octets.pcap() + b"".join(octets.pcap_record(FRAME[:n], n, n) for n in (14, 60, 33))
PCAPNG = (
    octets.section()
    + octets.interface(options=[(2, b"eth0")])
    + octets.enhanced(FRAME[:14], 1)
    + octets.simple(FRAME[:20])
    + octets.section(">")
    + octets.interface(">", options=[(9, b"\x09")])
    + octets.enhanced(FRAME[:33], 3, order=">")
)
RECORDING = encode_recording(sample(), {1: "one"})
FILES = pytest.mark.parametrize("data", [PCAP, PCAPNG, RECORDING], ids=["pcap", "pcapng", "ours"])


def told(data: bytes) -> Timeline:
    return read(io.BytesIO(data))


def so_far(data: bytes) -> tuple[Timeline, InputError | None]:
    """What can be read, and the damage if there is one."""
    try:
        return told(data), None
    except CaptureDamaged as damage:
        return damage.timeline, damage


@pytest.fixture
def save(tmp_path: Path) -> Callable[[bytes], Path]:
    def saved(data: bytes) -> Path:
        path = tmp_path / "x.pcap"
        path.write_bytes(data)
        return path

    return saved


def test_the_capture_of_another_tool_is_a_timeline_on_its_own_clock(
    save: Callable[[bytes], Path],
) -> None:
    timeline = read(save(PCAP))
    assert timeline.vantages == (Vantage("capture", 1, snap_length=65535),)
    assert [len(frame) for frame in timeline.frames] == [14, 60, 33]
    assert timeline.frames.t_ns.tolist() == timeline.frames.left_ns.tolist()
    assert set(timeline.frames.verdict.tolist()) == {Verdict.CAPTURED}
    assert (timeline.epoch_ns, timeline.complete, timeline.events) == (0, False, ())
    assert timeline.meta == {"file": "x.pcap"}


def test_each_interface_is_a_vantage_point_with_a_name() -> None:
    described = octets.interface(options=[(3, b"the uplink")])
    timeline = told(
        octets.section() + octets.interface(options=[(2, b"eth0")]) + described + octets.interface()
    )
    assert [vantage.name for vantage in timeline.vantages] == ["eth0", "the uplink", "interface 2"]


def test_a_path_a_stream_and_standard_input_are_the_same(
    save: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(RECORDING)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(RECORDING)))
    with path.open("rb") as stream:
        assert read(stream) == read(path) == read(str(path)) == read("-") == sample()


def test_a_pipe_that_gives_a_byte_at_a_time_is_read() -> None:
    class Dripping(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            return super().read(1)

    for data in (PCAP, PCAPNG, RECORDING):
        assert read(Dripping(data)).frames == told(data).frames


@FILES
def test_cut_anywhere_it_gives_the_frames_so_far(data: bytes) -> None:
    whole = list(told(data).frames)
    clean = []
    for end in range(4, len(data)):
        timeline, damage = so_far(data[:end])
        count = len(timeline.frames)
        assert list(timeline.frames) == whole[:count]
        assert timeline.columns is not None
        if damage is None:
            clean.append(count)
        else:
            assert str(damage).endswith(f"Frames read: {count}.")
    assert {*clean, len(whole)} >= set(range(len(whole) + 1))


@FILES
@pytest.mark.parametrize("end", [1, 2, 3])
def test_less_than_a_magic_number_is_no_capture(data: bytes, end: int) -> None:
    with pytest.raises(CaptureUnknown):
        told(data[:end])


def test_a_damage_says_what_where_and_how_much_was_read(save: Callable[[bytes], Path]) -> None:
    path = save(PCAP[:-1])
    with pytest.raises(CaptureDamaged) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path} ends in the middle of frame 3, which begins at byte 130. Frames read: 2."
    )
    assert caught.value.message.format_map(caught.value.params) == str(caught.value)
    assert len(caught.value.timeline.frames) == 2
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (PCAP[:20], "ends in the middle of its file header. Frames read: 0."),
        (
            PCAP[:30],
            "ends in the middle of frame 1, which begins at byte 24. Frames read: 0.",
        ),
        (
            PCAP + octets.pcap_record(b"", 1, 2)[:8] + b"\xff" * 8,
            (
                "is damaged at byte 179: frame 4 claims to have 4294967295 bytes, more than the"
                " 262144 that a frame can have. Frames read: 3."
            ),
        ),
        (
            PCAPNG + octets.enhanced(b"x", 1, order=">", number=9),
            (
                "is damaged at byte 264: frame 4 names interface 9, which no block before it"
                " describes. Frames read: 3."
            ),
        ),
        (
            PCAPNG + octets.block(6, b"", ">"),
            (
                "is damaged at byte 264: a block claims a length of 12 bytes, which must be"
                " from 32 to 16777216. Frames read: 3."
            ),
        ),
        (
            octets.pcap(version=(2, 5)),
            (
                "is a pcap file of version 2.5; versions 2.0 to 2.4 are known, 2.4 in use since"
                " 1998. Frames read: 0."
            ),
        ),
    ],
)
def test_each_damage_has_its_sentence(data: bytes, message: str) -> None:
    with pytest.raises(CaptureDamaged) as caught:
        told(data)
    assert str(caught.value) == f"stream {message}"


def test_a_length_of_gigabytes_is_not_waited_for() -> None:
    """The claim is refused when it is read, not when memory runs out."""

    class Endless(io.RawIOBase):
        left = octets.section() + octets.block(7, b"", length=0x7FFFFFF0)
        given = 0

        def read(self, size: int = -1) -> bytes:
            data, self.left = self.left[:size], self.left[size:]
            self.given += len(data) or size
            assert self.given < 2**26
            return data or bytes(size)

    with pytest.raises(CaptureDamaged, match="a block claims a length of 2147483632 bytes"):
        read(Endless())  # type: ignore[arg-type]


def test_an_endless_stream_of_something_else_is_refused_at_once() -> None:
    with pytest.raises(CaptureUnknown, match="its first bytes are 00 00"):
        read("/dev/zero")


def test_a_cut_recording_keeps_the_evidence_up_to_there() -> None:
    timeline, damage = so_far(RECORDING[:-1])
    assert damage is not None
    assert len(timeline.frames) == 2
    assert timeline.meta == sample().meta
    assert timeline.events[0] == sample().events[0]
    assert not timeline.complete


def test_what_is_no_file_to_read_is_said_in_one_sentence(tmp_path: Path) -> None:
    gone = tmp_path / "gone.pcap"
    for path, message in (
        (gone, f"There is no file {gone}. Check its name, and which directory you are in (pwd)."),
        (tmp_path, f"{tmp_path} is a directory, not a capture. Name a file in it."),
        ("a\0b", "a\0b cannot be read: embedded null byte."),
        ("x" * 300, f"{'x' * 300} cannot be read: File name too long."),
    ):
        with pytest.raises(InputError) as caught:
            read(path)
        assert str(caught.value) == message
        assert caught.value.exit_status == 2


def test_a_file_that_may_not_be_read_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"You are not allowed to read secret\.pcap:"):
        read("secret.pcap")


def test_a_disk_that_fails_in_the_middle_is_an_input_error() -> None:
    class Failing(io.BytesIO):
        name = "x.pcap"

        def read(self, _size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(InputError, match=r"x\.pcap cannot be read: Input/output error\."):
        read(Failing())


def test_a_socket_of_the_file_system_is_an_input_error(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        with pytest.raises(InputError, match="cannot be read"):
            read(tmp_path / "s")


def mutated(data: bytes) -> st.SearchStrategy[bytes]:
    """The file with some bytes overwritten, a stretch taken out and something put in."""
    place = st.integers(0, len(data))
    value = st.binary(max_size=4) | st.sampled_from([bytes(4), b"\xff" * 4, b"\0\0\0\x80"])

    def changed(edits: list[tuple[int, bytes]], cut: tuple[int, int], new: bytes) -> bytes:
        result = bytearray(data)
        for at, octets_there in edits:
            result[at : at + len(octets_there)] = octets_there
        result[cut[0] : cut[0] + cut[1]] = new
        return bytes(result)

    return st.builds(
        changed,
        st.lists(st.tuples(place, value), max_size=4),
        st.tuples(place, st.integers(0, 40)),
        st.binary(max_size=8),
    )


@given(st.one_of(st.binary(max_size=80), mutated(PCAP), mutated(PCAPNG), mutated(RECORDING)))
@example(octets.section())
@example(octets.section() + octets.interface())
def test_any_bytes_are_a_timeline_or_an_input_error(data: bytes) -> None:
    try:
        timeline, _ = so_far(data)
    except InputError:
        return
    for number in range(1, len(timeline.frames) + 1):
        assert timeline.frame(number).number == number
    assert len(timeline.columns) == len(timeline.frames)
    assert len(list(timeline)) == len(timeline.frames) + len(timeline.events)
    read(io.BytesIO(encode_recording(timeline)))


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def as_tshark_sees(path: Path) -> list[tuple[int, int, int, int]]:
    """(number, t_ns, captured, original) of each frame, in tshark's own words."""
    fields = ("number", "time_epoch", "cap_len", "len")
    command = [word for name in fields for word in ("-e", f"frame.{name}")]
    lines = run("tshark", "-r", path, "-T", "fields", *command).splitlines()
    rows = [line.split("\t") for line in lines]
    return [(int(n), int(t.replace(".", "") or 0), int(c), int(o)) for n, t, c, o in rows]


def as_we_see(path: Path) -> list[tuple[int, int, int, int]]:
    timeline = read(path)
    frames = timeline.frames.shifted(timeline.epoch_ns)
    columns = (frames.t_ns.tolist(), frames.captured.tolist(), frames.original.tolist())
    return [(number, *row) for number, row in enumerate(zip(*columns, strict=True), 1)]


def of_resolution(resolution: int, order: str) -> bytes:
    """A pcapng file whose clock ticks in a unit of its own, times out of order."""
    described = octets.interface(order, options=[(9, bytes([resolution]))])
    ticks = (2**40 + 12345, 2**40 + 99999, 2**40 + 7)
    frames = [octets.enhanced(FRAME, each, order=order, original=2000) for each in ticks]
    return octets.section(order) + described + b"".join(frames)


@pytest.mark.oracle("tshark")
@pytest.mark.parametrize(
    "data",
    [
        PCAP,
        octets.pcap(">", octets.PCAP_NANO)
        + octets.pcap_record(FRAME, 1_700_000_000, 999_999_999, order=">")
        + octets.pcap_record(FRAME[:20], 1_600_000_000, 1, original=99, order=">"),
        of_resolution(6, "<"),
        of_resolution(9, ">"),
        of_resolution(3, "<"),
        of_resolution(0x80 | 10, ">"),
        of_resolution(0x80 | 20, "<"),
        RECORDING,
        PCAPNG.replace(octets.simple(FRAME[:20]), octets.obsolete(FRAME[:20], 2)),
    ],
    ids=["micro", "nano", "us", "ns", "ms", "2^-10", "2^-20", "ours", "obsolete"],
)
def test_numbers_times_and_lengths_are_tsharks(data: bytes, save: Callable[[bytes], Path]) -> None:
    path = save(data)
    assert as_we_see(path) == as_tshark_sees(path)


@pytest.mark.oracle("tshark", "editcap")
@pytest.mark.parametrize("form", ["pcap", "nsecpcap", "pcapng"])
def test_what_editcap_writes_is_read(
    form: str, save: Callable[[bytes], Path], tmp_path: Path
) -> None:
    path = tmp_path / "written"
    run("editcap", "-F", form, save(PCAP), path)
    assert as_we_see(path) == as_tshark_sees(path) == as_we_see(save(PCAP))
