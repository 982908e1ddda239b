"""What is wrong with a capture, and where: the reason why no more of it is read.

The texts are message ids: English, with fields. `file`, `offset` (of the record that is wrong, in
bytes), `count` (of frames read) and `frame` (the number that comes next) are filled in by the
source; a flaw brings the other fields along.
"""

from collections.abc import Mapping

import msgspec

from fourtuple.errors import N_

__all__ = [
    "BLOCK_CUT",
    "BLOCK_LENGTH",
    "BLOCK_LENGTHS_DIFFER",
    "BYTE_ORDER_UNKNOWN",
    "FRAME_CUT",
    "FRAME_OVERRUNS",
    "FRAME_TOO_LONG",
    "HEADER_CUT",
    "INTERFACES_TOO_MANY",
    "INTERFACE_UNKNOWN",
    "VERSION_UNKNOWN",
    "Flaw",
]

HEADER_CUT = N_("{file} ends in the middle of its file header. Frames read: {count}.")
FRAME_CUT = N_(
    "{file} ends in the middle of frame {frame}, which begins at byte {offset}."
    " Frames read: {count}."
)
BLOCK_CUT = N_(
    "{file} ends in the middle of a block that begins at byte {offset}. Frames read: {count}."
)
FRAME_TOO_LONG = N_(
    "{file} is damaged at byte {offset}: frame {frame} claims to have {length} bytes, more than the"
    " {limit} that a frame can have. Frames read: {count}."
)
FRAME_OVERRUNS = N_(
    "{file} is damaged at byte {offset}: frame {frame} claims to have {length} bytes, more than the"
    " {room} that its block has room for. Frames read: {count}."
)
INTERFACE_UNKNOWN = N_(
    "{file} is damaged at byte {offset}: frame {frame} names interface {interface}, which no block"
    " before it describes. Frames read: {count}."
)
INTERFACES_TOO_MANY = N_(
    "{file} is damaged at byte {offset}: it describes more than {limit} interfaces."
    " Frames read: {count}."
)
BLOCK_LENGTH = N_(
    "{file} is damaged at byte {offset}: a block claims a length of {length} bytes, which must be"
    " from {least} to {limit}. Frames read: {count}."
)
BLOCK_LENGTHS_DIFFER = N_(
    "{file} is damaged at byte {offset}: a block gives its length as {length} bytes where it begins"
    " and as {other} where it ends. Frames read: {count}."
)
BYTE_ORDER_UNKNOWN = N_(
    "{file} is damaged at byte {offset}: the section that begins there is in no known byte order."
    " Frames read: {count}."
)
VERSION_UNKNOWN = N_(
    "{file} has, at byte {offset}, a section in version {version} of pcapng; only version 1 is"
    " known. Frames read: {count}."
)


class Flaw(msgspec.Struct, frozen=True):
    """Reading ended at byte `offset`; `text` says why, `params` fill its own fields."""

    offset: int
    text: str
    params: Mapping[str, object] = msgspec.field(default_factory=dict)
