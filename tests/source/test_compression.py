"""What gzip and zstd made smaller: whole, in pieces, cut off, damaged, and made to burst."""

import gzip
import io
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import octets
from fourtuple.errors import CaptureDamaged, CaptureUnknown
from fourtuple.event.timeline import Timeline
from fourtuple.source import Capture, read
from fourtuple.source.compression import decompressed
from packed import zstd
from recordings import FRAME

Compress = Callable[[bytes], bytes]

RECORDS = [octets.pcap_record(random.Random(n).randbytes(400), n, n) for n in range(1000)]
PCAP = octets.pcap() + b"".join(RECORDS)
PCAPNG = octets.section() + octets.interface() + octets.enhanced(FRAME, 1)
BOTH = pytest.mark.parametrize("compress", [gzip.compress, zstd], ids=["gzip", "zstd"])


def told(data: bytes) -> tuple[Timeline, str]:
    """What can be read, and the message if that is not all."""
    try:
        return read(io.BytesIO(data)), ""
    except CaptureDamaged as damage:
        return damage.timeline, str(damage)


@BOTH
@pytest.mark.parametrize("data", [PCAP, PCAPNG], ids=["pcap", "pcapng"])
def test_it_is_read_as_if_it_had_not_been_compressed(compress: Compress, data: bytes) -> None:
    assert told(compress(data))[0].frames == told(data)[0].frames
    blocks = list(Capture.of(io.BytesIO(compress(data))).blocks())
    assert sum(map(len, blocks)) == len(told(data)[0].frames)


@BOTH
def test_several_streams_in_a_file_are_one(compress: Compress) -> None:
    """As `cat a.gz b.gz` makes it, and tools that compress in blocks."""
    pieces = [PCAP[at : at + 9000] for at in range(0, len(PCAP), 9000)]
    assert told(b"".join(map(compress, pieces)))[0].frames == told(PCAP)[0].frames


def test_zeros_that_pad_a_gzip_file_are_no_data() -> None:
    assert told(gzip.compress(PCAP) + bytes(1000)) == told(PCAP)


@BOTH
def test_cut_off_it_gives_what_came_before_and_says_so(compress: Compress) -> None:
    packed = compress(PCAP)
    for end in (len(packed) // 3, len(packed) // 2, len(packed) - 1):
        timeline, message = told(packed[:end])
        count = len(timeline.frames)
        assert list(timeline.frames) == list(told(PCAP)[0].frames)[:count]
        assert "ends in the middle of its" in message
        assert message.endswith(f"Frames read: {count}.")
    assert count > 600


@BOTH
def test_damaged_it_gives_what_came_before_and_says_so(compress: Compress) -> None:
    damaged = compress(PCAP[:40_000]) + b"junk" * 1000
    timeline, message = told(damaged)
    assert "cannot be decompressed to the end" in message
    assert 90 < len(timeline.frames) < 100


@pytest.mark.parametrize("compress", [gzip.compress, lambda data: gzip.compress(data, 0)])
def test_an_error_costs_nothing_of_what_is_before_it(compress: Compress) -> None:
    """zlib gives nothing of the input that it errs in, which may be all of a small file."""
    packed = compress(PCAP)
    timeline, message = told(packed[:-8] + bytes(8))
    assert timeline.frames == told(PCAP)[0].frames
    assert message.endswith("Frames read: 1000.")
    half = len(packed) // 2
    timeline, message = told(packed[:half] + bytes([packed[half] ^ 255] * 9) + packed[half + 9 :])
    assert list(timeline.frames)[:400] == list(told(PCAP)[0].frames)[:400]
    assert "is damaged" in message


def test_much_from_little_is_given_before_the_error() -> None:
    """Ten times as much as is taken out at once."""
    size = 10 * 1024 * 1024
    packed = gzip.compress(bytes(size))[:-8] + bytes(8)
    stream = decompressed(io.BytesIO(packed).readinto)
    room, count = memoryview(bytearray(1024 * 1024)), 0
    while found := stream.read(room):
        count += found
    assert (count, stream.flaw is not None) == (size, True)


def test_a_zstd_file_may_begin_with_a_frame_to_be_skipped() -> None:
    skipped = b"\x5a\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"pzst"
    assert told(skipped + zstd(PCAP)) == told(PCAP)


@BOTH
def test_something_else_inside_is_named(compress: Compress) -> None:
    with pytest.raises(CaptureUnknown, match="is a text file"):
        told(compress(b"no capture, but words\n" * 5))
    with pytest.raises(CaptureUnknown, match="holds nothing"):
        told(compress(b""))


@BOTH
def test_a_bomb_does_not_burst(compress: Compress) -> None:
    """A gigabyte of one frame, over and over, in a file of a megabyte: never held as a whole."""
    frame = octets.pcap_record(bytes(65_000), 1, 1)
    packed = compress(octets.pcap()) + compress(frame * 64) * 16
    largest, count = 0, 0
    for block in Capture.of(io.BytesIO(packed)).blocks():
        largest, count = max(largest, block.buffer.nbytes), count + len(block)
    assert count == 1024
    assert largest < 4 * 1024 * 1024


def test_what_comes_out_at_once_is_bounded() -> None:
    room = memoryview(bytearray(1000))
    stream = decompressed(reader(zstd(bytes(10**8))))
    assert [stream.read(room) for _ in range(3)] == [1000, 1000, 1000]
    assert stream.taken < 20_000


def reader(data: bytes) -> Callable[[memoryview], int]:
    return io.BytesIO(data).readinto


def test_how_much_of_the_file_is_done_is_told_in_its_own_bytes(tmp_path: Path) -> None:
    path, told_of = tmp_path / "x.pcap.gz", list[tuple[int, int]]()
    path.write_bytes(gzip.compress(PCAP))
    for _ in Capture.of(path, lambda done, whole: told_of.append((done, whole))).blocks():
        pass
    size = path.stat().st_size
    assert told_of[-1] == (size, size)
    assert all(done <= whole for done, whole in told_of)


@pytest.mark.oracle("gzip", "zstd")
@pytest.mark.parametrize("program", ["gzip", "zstd"])
def test_what_the_programs_write_is_read(program: str, tmp_path: Path) -> None:
    packed = subprocess.run([program, "-c"], input=PCAP, capture_output=True, check=True).stdout
    (tmp_path / "x").write_bytes(packed)
    assert len(read(tmp_path / "x").frames) == 1000
