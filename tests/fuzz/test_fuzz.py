"""A short while of fuzzing in every run of the tests; `make soak` takes longer."""

import subprocess
import sys
from pathlib import Path

import pytest

from fourtuple.event.recording import encode_recording
from fuzz.harness import any_file, any_segments
from octets import PCAP_NANO, pcap, pcap_record
from recordings import sample
from story import exchange, refused

RUN = Path(__file__).parent / "run.py"
SECONDS = 12


def seeds() -> list[bytes]:
    """Files of each kind, small ones, for a fuzzer to begin with."""
    timeline = exchange(complete=False).timeline()
    records = [
        pcap_record(data, *divmod(t_ns, 10**9))
        for data, t_ns in zip(timeline.frames, timeline.frames.t_ns.tolist(), strict=True)
    ]
    plain = pcap(magic=PCAP_NANO) + b"".join(records)
    recordings = [encode_recording(one) for one in (sample(), refused().timeline())]
    return [plain, plain[:-7], *recordings, b""]


def test_the_harness_holds_of_what_the_fuzzer_begins_with():
    for data in seeds():
        any_file(data)
        any_segments(data)


@pytest.mark.parametrize("name", ["any_file", "any_segments"])
def test_no_bytes_break_it(name: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, data in enumerate(seeds()):
        (corpus / str(number)).write_bytes(data)
    command = [sys.executable, str(RUN), name, str(SECONDS), str(corpus)]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-4000:]
