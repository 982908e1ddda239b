"""Link types have the names that capture tools give them."""

import re
import struct
import subprocess
from pathlib import Path

import pytest

from fourtuple.wire import dissect
from fourtuple.wire.link_types import LINK_TYPES, link_name


def test_names() -> None:
    assert [link_name(number) for number in (1, 127, 147, 162, 9999)] == [
        *("ETHERNET", "IEEE802_11_RADIOTAP", "USER0", "USER15", "9999")
    ]


def test_every_link_type_that_is_decoded_has_a_name() -> None:
    decoded = [n for n in range(65536) if not dissect(b"", n).problems()]
    decoded += [n for n in range(400) if "unknown-link-type" not in dissect(b"", n).problems()]
    # 12 and 14 stand for 101 in captures of some systems, and for other things elsewhere.
    assert {*decoded} - {12, 14} <= {*LINK_TYPES}


@pytest.mark.oracle("tcpdump")
@pytest.mark.parametrize("number", [104, 105, 229, 249, 253])
def test_tcpdump_gives_the_same_names(number: int, tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, number))
    done = subprocess.run(["tcpdump", "-r", path], capture_output=True, text=True, check=False)
    (name,) = re.findall(r"link-type (\w+)", done.stderr)
    assert name == link_name(number)
