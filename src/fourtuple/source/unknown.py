"""What a file is that is no capture of ours, and what to do about it: one clear message."""

from fourtuple.errors import N_, CaptureUnknown

__all__ = ["unknown"]

_TEXT_SAMPLE = 1024

#: files that another program turns into a capture, by their first bytes
_COMPRESSED = {
    b"\xfd7zXZ\0": "xz",
    b"BZh": "bzip2",
    b"\x04\x22\x4d\x18": "lz4",
}
_OTHER_CAPTURES = {
    b"snoop\0\0\0": "snoop",
    b"GMBU": "Microsoft Network Monitor",
    b"RTSS": "Microsoft Network Monitor",
}

EMPTY = N_(
    "{file} is empty: it has no bytes, not even a file header. Capture again, and end the tool "
    "with Ctrl-C, so that it writes what it has."
)
NOTHING_INSIDE = N_(
    "{file} holds nothing: its {format} data decompress to no bytes, not even a file header."
)
COMPRESSED = N_("{file} is compressed. Decompress it first: {program} -d {file}")
OTHER_CAPTURE = N_(
    "{file} is a capture in another format: {format}. Convert it first: editcap {file} new.pcapng"
)
TEXT = N_(
    "{file} is a text file, not a capture. Have the capture tool write packets, not text: "
    "tcpdump -w new.pcap"
)
UNKNOWN = N_(
    "{file} is no capture that fourtuple knows (pcap or pcapng): its first bytes are {octets}. If "
    "Wireshark opens it, save it there as pcapng."
)


def unknown(buffer: bytearray, file: str, compression: str = "") -> CaptureUnknown:
    """The error that says what the bytes seem to be; `compression` is what held them."""
    for magic, program in _COMPRESSED.items():
        if buffer.startswith(magic):
            return CaptureUnknown(COMPRESSED, {"file": file, "program": program})
    for magic, name in _OTHER_CAPTURES.items():
        if buffer.startswith(magic):
            return CaptureUnknown(OTHER_CAPTURE, {"file": file, "format": name})
    if not buffer and compression:
        return CaptureUnknown(NOTHING_INSIDE, {"file": file, "format": compression})
    if not buffer:
        return CaptureUnknown(EMPTY, {"file": file})
    if _is_text(bytes(buffer[:_TEXT_SAMPLE])):
        return CaptureUnknown(TEXT, {"file": file})
    return CaptureUnknown(UNKNOWN, {"file": file, "octets": buffer[:8].hex(" ")})


def _is_text(sample: bytes) -> bool:
    # A sample may end within a character: its last three bytes may be wrong.
    text = sample.decode("utf-8", "replace")
    whole = text[:-3] if len(sample) == _TEXT_SAMPLE else text
    return all((c.isprintable() and c != "\ufffd") or c in "\t\r\n\f\x1b" for c in whole)
