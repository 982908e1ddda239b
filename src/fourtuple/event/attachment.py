"""What a block of a recording carries beside its frame: an Attachment, as custom options and back.

An attachment is one MessagePack map, cut into chunks, each in a custom option of its own: the
enterprise number, "fourtuple", the format's version, a part of the map. Maps may gain keys within
a version; a reader passes over those it does not know. Whatever else changes takes a new version,
and a reader that does not know it says so.
"""

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec

from fourtuple.event.model import Verdict
from fourtuple.event.pcapng import CUSTOM_BINARY, option

__all__ = [
    "ENTERPRISE",
    "FORMAT",
    "PREFIXES",
    "SIGNATURE",
    "UNREADABLE",
    "Attachment",
    "FrameRecord",
    "Head",
    "check_depth",
    "pack",
    "parts",
    "unpack",
]

#: RFC 5612 reserves this private enterprise number for documentation; the word behind it is ours.
ENTERPRISE = 32473
FORMAT = 1

#: how the application of a section header begins that fourtuple wrote; a version follows
SIGNATURE = b"fourtuple "

_WORD = b"fourtuple"
#: how each of our options begins, little-endian and big-endian
PREFIXES = tuple(ENTERPRISE.to_bytes(4, order) + _WORD for order in ("little", "big"))
_LONGEST_OPTION = 60_000
_CHUNK = _LONGEST_OPTION - len(PREFIXES[0]) - 1

#: what decoding hostile MessagePack raises
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
#: what is nested deeper than this is hostile: Python could decode it, and not print it
_DEEPEST = 32

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
VerdictNumber = Annotated[int, msgspec.Meta(ge=0, lt=len(Verdict.NAMES))]


class Head(msgspec.Struct, frozen=True):
    """What the recording says of itself; `frames` and `events` are how many it was made of."""

    meta: dict[str, Any]
    epoch_ns: Int64
    complete: bool
    frames: Count
    events: Count


class FrameRecord(msgspec.Struct, frozen=True, array_like=True):
    """What a packet block cannot say of its frame; times are on the timeline's own clock."""

    number: Count
    t_ns: Int64
    left_ns: Int64
    verdict: VerdictNumber


class Attachment(msgspec.Struct, frozen=True, omit_defaults=True):
    """`head` is in the section header, `frame` in the block of the frame that it belongs to."""

    head: Head | None = None
    frame: FrameRecord | None = None
    events: tuple[msgspec.Raw, ...] = ()


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Attachment)


def pack(attachment: Attachment) -> bytes:
    """The attachment as options, one after another."""
    data = _encoder.encode(attachment)
    prefix = PREFIXES[0] + bytes([FORMAT])
    chunks = (data[begin : begin + _CHUNK] for begin in range(0, len(data), _CHUNK))
    return b"".join(option(CUSTOM_BINARY, prefix + chunk) for chunk in chunks)


def parts(options: Iterable[tuple[int, bytes]], order: str) -> list[tuple[int, bytes]]:
    """The options that are ours, in the byte order of their block: (format, part of a map)."""
    prefix = PREFIXES["<>".index(order)]
    return [
        (value[len(prefix)], value[len(prefix) + 1 :])
        for code, value in options
        if code == CUSTOM_BINARY and value.startswith(prefix) and len(value) > len(prefix)
    ]


def unpack(found: Iterable[tuple[int, bytes]]) -> Attachment:
    """The attachment that `pack` wrote, from its parts; an empty one where they are none."""
    try:
        data = b"".join(part for version, part in found if version == FORMAT)
        attachment = _decoder.decode(data)
        if attachment.head:
            check_depth(attachment.head.meta)
    except UNREADABLE:
        return Attachment()
    return attachment


def check_depth(value: object) -> None:
    """ValidationError where values are nested deeper than anybody means them to be."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for outer in level for inner in _contents(outer)]
        if not level:
            return
    raise msgspec.ValidationError(f"nested deeper than {_DEEPEST}")


def _contents(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return (*value, *value.values())
    return value if isinstance(value, (list, tuple)) else ()
