"""Capture files: pcap, pcapng, and our own recordings, as a Timeline that has all of their frames.

`read` takes a path, "-" (standard input) or an open binary stream, or several of them. The bytes
may be hostile: whatever they are, the answer is a Timeline or an InputError with one clear message;
what came before a damage is in the error's `timeline`. Frames keep the order of the file, so their
numbers equal tshark's. For captures that are larger than memory there is `source.blocks`.
"""

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fourtuple.errors import N_, CaptureDamaged, InputError, UsageError
from fourtuple.event._kernels import INTERFACE
from fourtuple.event.attachment import FORMAT
from fourtuple.event.blocks import BlockWalk
from fourtuple.event.flaw import Flaw
from fourtuple.event.frames import Vantage, captured_table
from fourtuple.event.packets import packets
from fourtuple.event.restore import remains, restore, unknown_format
from fourtuple.event.timeline import Timeline
from fourtuple.event.walk import PLAIN, Int64s, Walk, Window, walk_all
from fourtuple.source.blocks import Capture, Input, Progress
from fourtuple.source.collect import Collected
from fourtuple.source.compression import decompressed
from fourtuple.source.opening import Source
from fourtuple.source.passes import damaged, fill, walk_for

__all__ = ["named", "read", "whole"]

_STEP_BYTES = 4 * 1024 * 1024
_LARGEST_HINT = 1 << 32

FORMAT_UNKNOWN = N_(
    "{file} is a recording in format {format}; this version of fourtuple reads format {known}. Use"
    " the version that wrote it, or a newer one."
)
NO_FILES = N_("No file is named: name one or more, or - for standard input.")


def read(
    files: Input | list[Input] | tuple[Input, ...], progress: Progress | None = None
) -> Timeline:
    """The timeline of a capture file; of a recording, the one that was written.

    Several files are one capture, in order of time (`source.merge`). CaptureUnknown where one is no
    capture, InputError where it cannot be read; CaptureDamaged, with what could be read in
    `timeline`, where it ends early or is corrupt. In the capture of another tool t_ns counts from
    1970, each interface is a vantage point and each verdict is "captured".
    """
    with Capture.of(files, progress) as capture:
        return whole(capture)


def whole(capture: Capture) -> Timeline:
    """The same of a capture that is open."""
    if not capture.sources:
        raise UsageError(NO_FILES)
    if len(capture.sources) > 1:
        return _together(capture)
    return _alone(capture.sources[0], capture.progress)


def _together(capture: Capture) -> Timeline:
    """Frames alone: what a recording holds beside them is left out."""
    collected, damage = Collected(), None
    try:
        for block in capture.blocks():
            collected.add(block, np.arange(len(block)))
    except CaptureDamaged as error:
        damage = error
    files = [os.path.basename(name) for name in capture.files]
    meta = {"file": ", ".join(files), "files": files}
    timeline = Timeline(tuple(named(capture.vantages)), collected.table(), meta=meta)
    if damage:
        raise CaptureDamaged(damage.message, damage.params, timeline)
    return timeline


def _alone(source: Source, progress: Progress | None) -> Timeline:
    try:
        window, walk, table, flaw = _load(source, progress)
    except CaptureDamaged as error:
        raise CaptureDamaged(error.message, error.params, Timeline()) from error
    timeline, within = _timeline(window, walk, table, source.name)
    if flaw or within:
        raise damaged(flaw or within or Flaw(0, ""), source.name, len(timeline.frames), timeline)
    return timeline


def _load(source: Source, progress: Progress | None) -> tuple[Window, Walk, Int64s, Flaw | None]:
    """The bytes up to the first flaw of structure, the frames in them, and what the compression
    of the file is to blame for."""
    tables = []
    with source.opened(again=False) as reader:
        stream = decompressed(reader)
        hint = 0 if stream.format else min(source.size, _LARGEST_HINT)
        window = Window(bytearray(hint + _STEP_BYTES))
        walk = walk_for(window, stream, source.name, PLAIN, keep=True)
        tables.append(walk_all(walk, window))
        while not walk.flaw and fill(window, stream, _STEP_BYTES):
            tables.append(walk_all(walk, window))
            if progress:
                progress(stream.taken, source.size)
    walk.finish(window)
    return window, walk, np.concatenate(tables, axis=1), stream.flaw


def _timeline(window: Window, walk: Walk, table: Int64s, file: str) -> tuple[Timeline, Flaw | None]:
    meta = {"file": os.path.basename(file)}
    if not isinstance(walk, BlockWalk):
        frames = captured_table(window.octets, table, walk.times(table), table[INTERFACE])
        points = tuple(walk.vantages) or (Vantage("capture"),)
        return Timeline(points, frames, meta=meta), walk.flaw
    found = packets(window, walk, table)
    version = unknown_format(found)
    if version is not None:
        raise InputError(FORMAT_UNKNOWN, {"file": file, "format": version, "known": FORMAT})
    foreign = Timeline(tuple(named(found.vantages)), found.frames, remains(found), meta)
    return restore(found) or foreign, found.flaw


def named(interfaces: Sequence[Vantage]) -> list[Vantage]:
    """The interfaces with names: capture tools may leave them out."""
    return [
        replace(each, name=each.name or each.description or f"interface {number}")
        for number, each in enumerate(interfaces)
    ]
