"""Capture files: pcap, pcapng, and our own recordings, as a Timeline.

`read` takes a path, "-" (standard input) or an open binary stream. The bytes may be hostile:
whatever they are, the answer is a Timeline or an InputError with one clear message; what came
before a damage is in the error's `timeline`. Frames keep the order of the file, so their numbers
equal tshark's.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from fourtuple.errors import N_, CaptureDamaged, InputError
from fourtuple.event.attachment import FORMAT
from fourtuple.event.blocks import BlockWalk
from fourtuple.event.flaw import Flaw
from fourtuple.event.frames import Vantage
from fourtuple.event.packets import packets
from fourtuple.event.pcapng import SECTION
from fourtuple.event.restore import remains, restore, unknown_format
from fourtuple.event.timeline import Timeline
from fourtuple.source.pcap import MAGICS, PcapWalk, frame_table, vantage
from fourtuple.source.unknown import unknown

__all__ = ["read"]

_STEP_BYTES = 16 * 1024 * 1024
_LONGEST_MAGIC = 8

NO_FILE = N_("There is no file {file}. Check its name, and which directory you are in (pwd).")
DIRECTORY = N_("{file} is a directory, not a capture. Name a file in it.")
FORBIDDEN = N_("You are not allowed to read {file}: ask its owner, or make it readable with chmod.")
NOT_READ = N_("{file} cannot be read: {reason}.")
FORMAT_UNKNOWN = N_(
    "{file} is a recording in format {format}; this version of fourtuple reads format {known}. Use"
    " the version that wrote it, or a newer one."
)


def read(path: str | os.PathLike[str] | BinaryIO) -> Timeline:
    """The timeline of a capture file; of a recording, the one that was written.

    CaptureUnknown where it is no capture, InputError where it cannot be read; CaptureDamaged, with
    what could be read in `timeline`, where it ends early or is corrupt. In the capture of another
    tool t_ns counts from 1970, each interface is a vantage point and each verdict is "captured".
    """
    with _opened(path) as (stream, file):
        buffer, walk = _load(stream, file)
    timeline, flaw = _timeline(buffer, walk, file)
    if flaw:
        raise _damaged(flaw, file, timeline)
    return timeline


@contextmanager
def _opened(path: str | os.PathLike[str] | BinaryIO) -> Iterator[tuple[BinaryIO, str]]:
    """The stream, and what messages call it; an OSError within becomes an InputError."""
    if not isinstance(path, str | os.PathLike):
        file, opened = str(getattr(path, "name", "stream")), path
    elif os.fspath(path) == "-":
        file, opened = "stdin", sys.stdin.buffer
    else:
        file, opened = os.fspath(path), None
    try:
        if opened:
            yield opened, file
        else:
            with Path(file).open("rb") as stream:
                yield stream, file
    except (OSError, ValueError) as error:
        raise _unreadable(error, file) from error


def _unreadable(error: OSError | ValueError, file: str) -> InputError:
    match error:
        case FileNotFoundError():
            return InputError(NO_FILE, {"file": file})
        case IsADirectoryError():
            return InputError(DIRECTORY, {"file": file})
        case PermissionError():
            return InputError(FORBIDDEN, {"file": file})
        case OSError(strerror=str(reason)):
            return InputError(NOT_READ, {"file": file, "reason": reason})
    return InputError(NOT_READ, {"file": file, "reason": error})


def _load(stream: BinaryIO, file: str) -> tuple[bytearray, BlockWalk | PcapWalk]:
    """The bytes up to the first flaw of structure, and where the records in them begin."""
    buffer = bytearray()
    while len(buffer) < _LONGEST_MAGIC and (more := stream.read(_STEP_BYTES)):
        buffer += more
    walk = _walk_for(buffer, file)
    walk.step(buffer)
    while not walk.flaw and (more := stream.read(_STEP_BYTES)):
        buffer += more
        walk.step(buffer)
    walk.finish(buffer)
    return buffer, walk


def _walk_for(buffer: bytearray, file: str) -> BlockWalk | PcapWalk:
    magic = bytes(buffer[:4])
    if magic == SECTION.to_bytes(4, "big"):
        return BlockWalk()
    if magic in MAGICS:
        return PcapWalk(MAGICS[magic][0])
    raise unknown(buffer, file)


def _timeline(
    buffer: bytearray, walk: BlockWalk | PcapWalk, file: str
) -> tuple[Timeline, Flaw | None]:
    meta = {"file": os.path.basename(file)}
    if isinstance(walk, PcapWalk):
        frames = frame_table(buffer, walk)
        return Timeline((vantage(buffer, walk.order),), frames, meta=meta), walk.flaw
    found = packets(buffer, walk)
    version = unknown_format(found)
    if version is not None:
        raise InputError(FORMAT_UNKNOWN, {"file": file, "format": version, "known": FORMAT})
    vantages = tuple(_named(each, number) for number, each in enumerate(found.vantages))
    foreign = Timeline(vantages, found.frames, remains(found), meta)
    return restore(found) or foreign, found.flaw


def _named(interface: Vantage, number: int) -> Vantage:
    """The interface with a name: capture tools may leave it out."""
    name = interface.name or interface.description or f"interface {number}"
    return replace(interface, name=name)


def _damaged(flaw: Flaw, file: str, timeline: Timeline) -> CaptureDamaged:
    count = len(timeline.frames)
    place = {"file": file, "offset": flaw.offset, "count": count, "frame": count + 1}
    return CaptureDamaged(flaw.text, {**place, **flaw.params}, timeline)
