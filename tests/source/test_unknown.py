"""What people hand in by mistake: each gets one message that names it."""

import pytest

from fourtuple.errors import CaptureUnknown
from fourtuple.source.unknown import unknown

TEXT = (
    "x is a text file, not a capture. Have the capture tool write packets, not text:"
    " tcpdump -w new.pcap"
)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b"",
            (
                "x is empty: it has no bytes, not even a file header. Capture again, and end the"
                " tool with Ctrl-C, so that it writes what it has."
            ),
        ),
        (b"\xfd7zXZ\0", "x is compressed. Decompress it first: xz -d x"),
        (
            b"snoop\0\0\0\0\0\0\2",
            "x is a capture in another format: snoop. Convert it first: editcap x new.pcapng",
        ),
        (b"GET / HTTP/1.1\r\n", TEXT),
        ("三次握手\n".encode(), TEXT),
        (
            b"\x7fELF\x02\x01\x01\0",
            (
                "x is no capture that fourtuple knows (pcap or pcapng): its first bytes are"
                " 7f 45 4c 46 02 01 01 00. If Wireshark opens it, save it there as pcapng."
            ),
        ),
    ],
)
def test_it_says_what_it_is_and_what_to_do(data: bytes, message: str) -> None:
    error = unknown(bytearray(data), "x")
    assert isinstance(error, CaptureUnknown)
    assert str(error) == message
    assert error.message.format_map(error.params) == message


def test_nothing_may_come_out_of_a_compressed_file() -> None:
    assert str(unknown(bytearray(), "x", "gzip")) == (
        "x holds nothing: its gzip data decompress to no bytes, not even a file header."
    )


@pytest.mark.parametrize("shift", range(4))
def test_a_long_text_is_text_wherever_the_sample_ends(shift: int) -> None:
    text = b"x" * shift + "汉😀".encode() * 500
    assert "text file" in str(unknown(bytearray(text), "x"))
