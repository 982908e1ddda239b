"""Where the frames of a capture file are: the walk over its bytes, as plain functions over arrays.

The rules are those of `wire._kernels`, so that a compiler may take these functions as they are.
`buffer` holds a stretch of the file, whose bytes end at `end`. The walk goes on at `state[AT]` with
the frame `state[ROW]` of the `frames` that `out` has room for, a column each, and gives back why it
stopped; it never goes past what it stopped at. What a flaw means is put into words by
`event.blocks` and `source.pcap`.
"""

from __future__ import annotations

Bytes = memoryview  # uint8[bytes]
Column = memoryview  # int64[STATES]
Table = memoryview  # int64[WIDTH, frames]

# What `state` holds: where the walk stands, the next frame, and the numbers of a flaw: what was
# found, and what it should have been.
AT, ROW, FOUND, DUE = range(4)
STATES = 4

(
    START,  # of the frame in `buffer`
    CAPTURED,
    ORIGINAL,
    INTERFACE,  # counted from the first one of its section
    HIGH,  # of the time: seconds, or the upper 32 bits of ticks
    LOW,  # a fraction, or the lower 32 bits
    TIMED,  # 0 where the record has no time
    END,  # of what follows the frame in its block: the options
    BIG,  # 1 where these are big-endian
) = range(9)
WIDTH = 9

# Why a walk stopped.
SOUND = -1  # it did not
MORE = 0  # the next record is not all there
FULL = 1  # `out` is
TOLD = 2  # a block that the caller reads: a section header, an interface, a custom block
WRONG_LENGTH = 3
LENGTHS_DIFFER = 4
UNDESCRIBED = 5
TOO_LONG = 6
OVERRUNS = 7

# Whether a pcap record gives the original length before the captured one.
NEVER, WHERE_LONGER, ALWAYS = range(3)

#: The longest frame, in bytes: libpcap's MAXIMUM_SNAPLEN. A longer one is a corrupt length.
MAX_FRAME = 262_144
#: The longest block, in bytes: Wireshark's limit. A longer one is a corrupt length.
MAX_BLOCK = 16 * 1024 * 1024

INTERFACE_BLOCK = 1
OBSOLETE_BLOCK = 2
SIMPLE_BLOCK = 3
ENHANCED_BLOCK = 6
CUSTOM_BLOCK = 0x00000BAD
SECTION_BLOCK = 0x0A0D0D0A


#: no buffer has so many bytes: a compiler that knows it makes one load of several
_FARTHEST = 1 << 48


def _u32(buffer: Bytes, at: int, big: int) -> int:
    if not 0 <= at < _FARTHEST or at > len(buffer) - 4:
        return buffer[len(buffer)] + 0
    return _unchecked_u32(buffer, at, big)


def _unchecked_u32(buffer: Bytes, at: int, big: int) -> int:
    if big:
        upper = buffer[at] * 0x1000000 + buffer[at + 1] * 0x10000
        return upper + buffer[at + 2] * 0x100 + buffer[at + 3]
    upper = buffer[at + 3] * 0x1000000 + buffer[at + 2] * 0x10000
    return upper + buffer[at + 1] * 0x100 + buffer[at]


def walk_pcap(
    buffer: Bytes,
    end: int,
    big: int,
    head: int,
    swapped: int,
    state: Column,
    out: Table,
    frames: int,
) -> int:
    """Records of a pcap file: a header of `head` bytes, a frame."""
    at, row = state[AT] + 0, state[ROW] + 0
    outcome = MORE
    while end - at >= head:
        captured, original = _u32(buffer, at + 8, big), _u32(buffer, at + 12, big)
        if swapped == ALWAYS or (swapped == WHERE_LONGER and captured > original):
            captured, original = original, captured
        following = at + head + captured
        if captured > MAX_FRAME:
            outcome = TOO_LONG
            state[FOUND] = captured
            break
        if following > end:
            break
        if row >= frames:
            outcome = FULL
            break
        out[START, row] = at + head
        out[CAPTURED, row] = captured
        out[ORIGINAL, row] = original
        out[INTERFACE, row] = 0
        out[HIGH, row] = _u32(buffer, at, big)
        out[LOW, row] = _u32(buffer, at + 4, big)
        out[TIMED, row] = 1
        out[END, row] = following
        out[BIG, row] = big
        row += 1
        at = following
    state[AT] = at
    state[ROW] = row
    return outcome


def walk_pcapng(
    buffer: Bytes,
    end: int,
    big: int,
    described: int,
    snap: int,
    state: Column,
    out: Table,
    frames: int,
) -> int:
    """Blocks of a section with `described` interfaces, the first of which cuts frames at `snap`."""
    at = state[AT] + 0
    outcome = MORE
    while end - at >= 12:
        kind, length = _u32(buffer, at, big), _u32(buffer, at + 4, big)
        outcome = _check_block(buffer, at, end, kind, length, big, state)
        if outcome != SOUND:
            break
        # The format wants multiples of 4; some writers leave the last padding out of the count.
        following = at + (length + 3) // 4 * 4
        if kind in (ENHANCED_BLOCK, SIMPLE_BLOCK, OBSOLETE_BLOCK):
            if state[ROW] >= frames:
                outcome = FULL
                break
            outcome = _packet(buffer, at, following, kind, big, described, snap, state, out)
            if outcome != SOUND:
                break
        at = following
        outcome = MORE
    state[AT] = at
    return outcome


def _check_block(
    buffer: Bytes, at: int, end: int, kind: int, length: int, big: int, state: Column
) -> int:
    """Whether the block is all there and is not for the caller to read: SOUND, or why not."""
    if kind == SECTION_BLOCK:
        return TOLD
    state[FOUND] = length
    state[DUE] = _shortest(kind)
    if length < state[DUE] or length > MAX_BLOCK:
        return WRONG_LENGTH
    following = at + (length + 3) // 4 * 4
    if following > end:
        return MORE
    state[DUE] = _u32(buffer, following - 4, big)
    if length != state[DUE]:
        return LENGTHS_DIFFER
    return TOLD if kind in (INTERFACE_BLOCK, CUSTOM_BLOCK) else SOUND


def _shortest(kind: int) -> int:
    """The fewest bytes that a block of a type has."""
    if kind in (ENHANCED_BLOCK, OBSOLETE_BLOCK):
        return 32
    if kind == INTERFACE_BLOCK:
        return 20
    if kind in (SIMPLE_BLOCK, CUSTOM_BLOCK):
        return 16
    return 12


def _interface(buffer: Bytes, at: int, kind: int, big: int) -> int:
    """The interface that a packet block names. An obsolete one has 16 bits for it, then 16 of
    drops; a simple one is of the first."""
    if kind == SIMPLE_BLOCK:
        return 0
    number = _u32(buffer, at + 8, big)
    if kind == OBSOLETE_BLOCK:
        return number // 0x10000 if big else number % 0x10000
    return number


def _packet(
    buffer: Bytes,
    at: int,
    following: int,
    kind: int,
    big: int,
    described: int,
    snap: int,
    state: Column,
    out: Table,
) -> int:
    """Note the frame of a packet block, if it can be what it says: SOUND, or why not."""
    simple, row = kind == SIMPLE_BLOCK, state[ROW] + 0
    head = 12 if simple else 28
    interface, room = _interface(buffer, at, kind, big), following - at - head - 4
    original = _u32(buffer, at + head - 4, big)
    if simple:
        # It does not say how much was captured: all, or what the interface allows.
        captured = min(original, room, snap) if snap > 0 else min(original, room)
    else:
        captured = _u32(buffer, at + 20, big)
    state[FOUND] = captured
    state[DUE] = room
    if interface >= described:
        state[FOUND] = interface
        return UNDESCRIBED
    if captured > MAX_FRAME:
        return TOO_LONG
    if captured > room:
        return OVERRUNS
    out[START, row] = at + head
    out[CAPTURED, row] = captured
    out[ORIGINAL, row] = original
    out[INTERFACE, row] = interface
    out[HIGH, row] = 0 if simple else _u32(buffer, at + 12, big)
    out[LOW, row] = 0 if simple else _u32(buffer, at + 16, big)
    out[TIMED, row] = 0 if simple else 1
    out[END, row] = following - 4
    out[BIG, row] = big
    state[ROW] = row + 1
    return SOUND
