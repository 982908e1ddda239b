"""Captures block by block: the same frames as `read`, in bounded memory, as often as one likes."""

import io
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import octets
from fourtuple import compiled
from fourtuple.errors import CaptureDamaged, CaptureUnknown, InputError
from fourtuple.event.frames import FrameTable, Vantage
from fourtuple.event.recording import encode_recording
from fourtuple.source import Capture, Collected, FrameBlock, read
from packed import zstd
from recordings import FRAME, sample

PCAP = octets.pcap(link=101) + b"".join(
    octets.pcap_record(FRAME[: n % 60], n, n, original=99) for n in range(300)
)
PCAPNG = (
    octets.section()
    + octets.interface(options=[(2, b"eth0")])
    + b"".join(octets.enhanced(FRAME[: n % 60], n) for n in range(150))
    + octets.section(">")
    + octets.interface(">", link=101, options=[(9, b"\x09")])
    + b"".join(octets.enhanced(FRAME[: n % 60], n, order=">") for n in range(150))
    + octets.simple(FRAME[:7], order=">")
)
FILES = pytest.mark.parametrize("data", [PCAP, PCAPNG], ids=["pcap", "pcapng"])


def collected(capture: Capture) -> FrameTable:
    kept = Collected()
    for block in capture.blocks():
        kept.add(block, np.arange(len(block)))
    return kept.table()


@FILES
def test_the_blocks_hold_what_read_gives(data: bytes) -> None:
    capture = Capture.of(io.BytesIO(data))
    assert collected(capture) == read(io.BytesIO(data)).frames
    assert [vantage.link_type for vantage in capture.vantages][-1] == 101


@FILES
def test_compiled_walks_find_the_same(data: bytes) -> None:
    kernels = compiled.kernels("fourtuple.event._kernels")
    for end in range(24, len(data), 97):
        plain, fast = Capture.of(io.BytesIO(data[:end])), Capture.of(io.BytesIO(data[:end]))
        fast.kernels = kernels
        assert outcome(plain) == outcome(fast)


def outcome(capture: Capture) -> tuple[list[tuple[bytes, int, int]], str]:
    found: list[tuple[bytes, int, int]] = []
    try:
        for block in capture.blocks():
            found += frames_of(block)
    except InputError as error:
        return found, str(error)
    return found, ""


def frames_of(block: FrameBlock) -> list[tuple[bytes, int, int]]:
    rows = zip(
        block.start.tolist(),
        block.captured.tolist(),
        block.t_ns.tolist(),
        block.link_type.tolist(),
        strict=True,
    )
    return [
        (block.buffer[start : start + size].tobytes(), t_ns, link)
        for start, size, t_ns, link in rows
    ]


def test_frames_are_numbered_through() -> None:
    data = octets.pcap() + octets.pcap_record(bytes(60_000), 1, 1) * 100
    numbers = [(block.first_number, len(block)) for block in Capture.of(io.BytesIO(data)).blocks()]
    assert len(numbers) > 3
    assert [first for first, _ in numbers] == [
        1 + sum(count for _, count in numbers[:index]) for index in range(len(numbers))
    ]


def test_the_buffer_is_used_again() -> None:
    data = octets.pcap() + octets.pcap_record(bytes(60_000), 1, 1) * 100
    buffers = {id(block.buffer) for block in Capture.of(io.BytesIO(data)).blocks()}
    assert len(buffers) == 1


def test_a_block_of_nothing_but_options_may_be_longer_than_the_buffer() -> None:
    long = octets.block(0x8000_0001, bytes(3_000_000))
    data = octets.section() + octets.interface() + octets.enhanced(b"a", 1) + long
    found = collected(Capture.of(io.BytesIO(data + octets.enhanced(b"b", 2))))
    assert list(found) == [b"a", b"b"]


def test_damage_is_told_after_the_last_good_frame() -> None:
    capture, count = Capture.of(io.BytesIO(PCAP[:-1])), 0
    with pytest.raises(CaptureDamaged, match=r"in the middle of frame 300.*Frames read: 299"):
        for block in capture.blocks():
            count += len(block)
    assert count == 299


def test_what_is_no_capture_gives_no_block() -> None:
    with pytest.raises(CaptureUnknown):
        next(Capture.of(io.BytesIO(b"words")).blocks())


def test_a_stream_is_gone_through_again_from_where_it_stood() -> None:
    stream = io.BytesIO(b"before" + PCAP)
    stream.seek(6)
    capture = Capture.of(stream)
    assert collected(capture) == collected(capture) == read(io.BytesIO(PCAP)).frames


def test_a_pipe_is_kept_for_the_second_pass(tmp_path: Path) -> None:
    """However it is named: `tcpdump -w - |`, a FIFO, or a shell's <(...)."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(PCAP,))
    writer.start()
    with Capture.of(fifo) as capture:
        first = next(capture.blocks())  # a pass that is given up
        assert len(first) > 0
        assert collected(capture) == collected(capture) == read(io.BytesIO(PCAP)).frames
    writer.join()


def test_chosen_frames_keep_their_numbers() -> None:
    kept = Collected()
    for block in Capture.of(io.BytesIO(PCAP)).blocks():
        kept.add(block, np.flatnonzero((block.first_number + np.arange(len(block))) % 7 == 0))
    table = kept.table()
    assert [table.number(row) for row in range(3)] == [7, 14, 21]
    assert table.data(table.row(14)) == read(io.BytesIO(PCAP)).frames.data(13)
    for missing in (0, 6, 15, 301):
        with pytest.raises(IndexError):
            table.row(missing)


def test_nothing_chosen_is_an_empty_table() -> None:
    assert len(Collected().table()) == 0


def test_progress_is_told_in_bytes(tmp_path: Path) -> None:
    path, told = tmp_path / "x.pcap", list[tuple[int, int]]()
    path.write_bytes(octets.pcap() + octets.pcap_record(bytes(60_000), 1, 1) * 100)
    for _ in Capture.of(path, lambda done, whole: told.append((done, whole))).blocks():
        pass
    assert told == sorted(told)
    assert told[-1] == (path.stat().st_size, path.stat().st_size)


def test_of_a_stream_without_end_nobody_knows_how_much_there_is() -> None:
    told = list[tuple[int, int]]()
    for _ in Capture.of(io.BytesIO(PCAP), lambda *both: told.append(both)).blocks():
        pass
    assert {whole for _, whole in told} == {0}


@given(st.binary(max_size=60), st.sampled_from((PCAP[:200], PCAPNG[:400])), st.integers(0, 400))
def test_any_bytes_are_blocks_or_an_input_error(junk: bytes, data: bytes, at: int) -> None:
    """And the same frames whether they are read whole or in blocks."""
    mutated = data[:at] + junk + data[at + len(junk) :]
    found, message = outcome(Capture.of(io.BytesIO(mutated)))
    try:
        whole, said = list(read(io.BytesIO(mutated)).frames), ""
    except CaptureDamaged as damage:
        whole, said = list(damage.timeline.frames), str(damage)
    except InputError as error:
        whole, said = [], str(error)
    assert ([frame for frame, _, _ in found], message) == (whole, said)


def test_a_vantage_is_known_when_its_first_frame_is() -> None:
    capture = Capture.of(io.BytesIO(PCAPNG))
    for block in capture.blocks():
        assert block.vantage.max() < len(capture.vantages)
    assert capture.vantages[0] == Vantage("eth0", 1)


def test_a_recording_is_known_by_its_first_bytes() -> None:
    recording = encode_recording(sample())
    assert Capture.of(io.BytesIO(recording)).is_recording()
    assert not Capture.of([io.BytesIO(recording)] * 2).is_recording()
    for data in (PCAP, PCAPNG):
        capture = Capture.of(io.BytesIO(data))
        assert not capture.is_recording()
        assert len(collected(capture)) >= 300


LARGE = octets.pcap() + octets.pcap_record(bytes(60_000), 1, 1) * 100  # 6 MB


@pytest.mark.parametrize(
    ("files", "frames", "size", "larger"),
    [
        (1, 99, 10**9, True),
        (1, 100, 10**9, False),
        (1, 100, 3 * 10**6, True),
        (1, 100, 10**7, False),
        (2, 199, 10**9, True),
        (2, 200, 10**9, False),
        (2, 200, 8 * 10**6, True),
    ],
)
def test_how_large_it_is_can_be_asked(files: int, frames: int, size: int, larger: bool) -> None:
    capture = Capture.of([io.BytesIO(LARGE) for _ in range(files)])
    assert capture.exceeds(frames, size) == larger
    assert len(collected(capture)) == 100 * files


def test_a_bomb_without_frames_is_large_too() -> None:
    """A gigabyte of blocks that nobody knows, in a file of some 100 kB."""
    block = octets.block(0x8000_0001, bytes(1_000_000))
    bomb = zstd(octets.section()) + zstd(block) * 1000
    assert len(bomb) < 200_000
    assert Capture.of(io.BytesIO(bomb)).exceeds(20_000, 8_000_000)
