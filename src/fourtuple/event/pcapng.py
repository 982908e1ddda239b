"""pcapng, block by block: how each is written, and how the options of one are read.

The format is draft-ietf-opsawg-pcapng. Blocks are written little-endian; options are read in
either byte order and from any bytes: a list of options that breaks off simply ends there. Where
the blocks of a capture are is found out by `event.blocks`; what fourtuple puts into them is said
by `event.recording`. Nothing here knows of events or of files.
"""

import struct
from collections.abc import Iterator

import msgspec

from fourtuple.errors import ValueNotLegal
from fourtuple.event._kernels import (
    CUSTOM_BLOCK,
    ENHANCED_BLOCK,
    INTERFACE_BLOCK,
    SECTION_BLOCK,
)

__all__ = [
    "BYTE_ORDER_MAGIC",
    "COMMENT",
    "CUSTOM_BINARY",
    "IF_DESCRIPTION",
    "IF_NAME",
    "IF_TSOFFSET",
    "IF_TSRESOL",
    "SECTION_APPLICATION",
    "SECTION_OS",
    "OptionList",
    "custom_block",
    "enhanced_packet",
    "interface_description",
    "option",
    "options",
    "section_header",
    "text_option",
]

BYTE_ORDER_MAGIC = 0x1A2B3C4D

# Option codes: of any block, of a section header, of an interface description.
_END = 0
COMMENT = 1
CUSTOM_BINARY = 2989  # one that a rewriting tool may copy
SECTION_OS = 3
SECTION_APPLICATION = 4
IF_NAME = 2
IF_DESCRIPTION = 3
IF_TSRESOL = 9
IF_TSOFFSET = 14

_LARGEST_OPTION = 0xFFFF
_LENGTH_UNKNOWN = -1
_NANOSECONDS = b"\x09"


class OptionList(msgspec.Struct, frozen=True):
    """Where the options of a block are, and their byte order as struct writes it."""

    begin: int
    end: int
    order: str


def option(code: int, value: bytes) -> bytes:
    """One option, padded to 32 bits. ValueNotLegal where the value exceeds 65,535 bytes."""
    if len(value) > _LARGEST_OPTION:
        raise ValueNotLegal(f"a pcapng option holds at most 65535 bytes, not {len(value)}")
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def text_option(code: int, text: str) -> bytes:
    """An option that holds text; nothing where there is no text."""
    return option(code, text.encode("utf-8", "replace")) if text else b""


def _block(kind: int, body: bytes, chosen: bytes) -> bytes:
    tail = chosen + option(_END, b"") if chosen else b""
    length = 12 + len(body) + len(tail)
    return struct.pack("<II", kind, length) + body + tail + struct.pack("<I", length)


def section_header(chosen: bytes) -> bytes:
    """The block that opens a file; `chosen` are its options, one after another."""
    return _block(
        SECTION_BLOCK, struct.pack("<IHHq", BYTE_ORDER_MAGIC, 1, 0, _LENGTH_UNKNOWN), chosen
    )


def interface_description(name: str, description: str, link_type: int, snap_length: int) -> bytes:
    """The block that describes an interface whose times are nanoseconds."""
    if not (0 <= link_type <= 0xFFFF and 0 <= snap_length <= 0xFFFFFFFF):
        raise ValueNotLegal(f"link type {link_type} or snap length {snap_length} is out of range")
    chosen = text_option(IF_NAME, name) + text_option(IF_DESCRIPTION, description)
    chosen += option(IF_TSRESOL, _NANOSECONDS)
    return _block(INTERFACE_BLOCK, struct.pack("<HHI", link_type, 0, snap_length), chosen)


def enhanced_packet(
    data: bytes, original: int, interface: int, since_1970_ns: int, chosen: bytes
) -> bytes:
    """The block that carries a frame."""
    high, low = divmod(since_1970_ns, 1 << 32)
    body = struct.pack("<IIIII", interface, high, low, len(data), original)
    return _block(ENHANCED_BLOCK, body + data + bytes(-len(data) % 4), chosen)


def custom_block(enterprise: int, chosen: bytes) -> bytes:
    """A block of our own without data: whoever knows the enterprise number reads its options."""
    return _block(CUSTOM_BLOCK, struct.pack("<I", enterprise), chosen)


def options(
    buffer: bytes | bytearray, begin: int, end: int, order: str
) -> Iterator[tuple[int, bytes]]:
    """The (code, value) pairs between two offsets of `buffer`, as far as they are whole.

    `order` is "<" or ">", as for struct.
    """
    view = memoryview(buffer)
    head = struct.Struct(order + "HH")
    while end - begin >= head.size:
        code, length = head.unpack_from(view, begin)
        begin += head.size
        if code == _END or length > end - begin:
            return
        yield code, bytes(view[begin : begin + length])
        begin += (length + 3) & ~3
