"""What was seen of connections that are over, on disk until the recording is written.

Frames and events go into one file without a name, beside the recording, in the order in which
connections end; memory holds where each lies and when it was, some 50 bytes. At the end they are
put in order of time: the frames of the timeline are the file's bytes, its events are read from it
one by one.
"""

import mmap
import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, overload

import numpy as np
import numpy.typing as npt

from fourtuple.errors import N_, FourtupleError
from fourtuple.event.frames import FrameTable
from fourtuple.event.looks import Look, decode_written, encode_written
from fourtuple.event.model import Event, Verdict
from fourtuple.system.packet import WallClock
from fourtuple.system.tapping import Tapped

__all__ = ["Spool", "SpooledEvents"]

NO_ROOM = N_("What is seen cannot be kept for the recording: {reason}.")

Int64s = npt.NDArray[np.int64]


class Spool:
    """`add_frames()` and `add_events()` in any order; then `frames()` and `events()`, once each.

    folder   where there is room: that of the recording, None: that of temporary files
    places   (interface, LINKTYPE_ number) of the frames' vantage points, in their order
    """

    def __init__(self, folder: str | None = None) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - see close()
        self._end = 0
        self._frames = array("q")  # start, captured, original, t_ns, vantage of each
        self._events = array("q")  # t_ns, start, length of each
        self.places: dict[tuple[int, int], int] = {}

    def close(self) -> None:
        """Nothing more is added; what was taken from it stays as long as it is looked at."""
        self._file.close()

    def add_frames(self, frames: Iterable[Tapped], clock: WallClock) -> None:
        for frame in frames:
            place = self.places.setdefault((frame.interface, frame.link_type), len(self.places))
            t_ns = clock.monotonic(frame.t_ns)
            row = (self._end, len(frame.data), frame.original, t_ns, place)
            self._frames.extend(row)
            self._write(frame.data)

    def add_events(self, events: Iterable[Event]) -> None:
        for event in events:
            data = encode_written(event)
            self._events.extend((event.t_ns, self._end, len(data)))
            self._write(data)

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            about = {"reason": os.strerror(error.errno or 0)}
            raise FourtupleError(NO_ROOM, about) from None
        self._end += len(data)

    def _memory(self) -> mmap.mmap | bytes:
        self._file.flush()
        if not self._end:
            return b""
        return mmap.mmap(self._file.fileno(), self._end, access=mmap.ACCESS_READ)

    def frames(self) -> FrameTable:
        """All frames in order of time; their bytes stay on disk."""
        rows = np.frombuffer(self._frames, np.int64).reshape(-1, 5)
        rows = rows[np.argsort(rows[:, 3], kind="stable")]
        start, captured, original, t_ns, vantage = np.ascontiguousarray(rows.T)
        buffer = np.frombuffer(self._memory(), np.uint8)
        verdict = np.full(len(rows), Verdict.CAPTURED, np.int64)
        return FrameTable(buffer, start, captured, original, t_ns, t_ns.copy(), vantage, verdict)

    def events(self) -> "SpooledEvents":
        """All events in order of time; they stay on disk until somebody looks at them."""
        rows = np.frombuffer(self._events, np.int64).reshape(-1, 3)
        return SpooledEvents(self._memory(), rows[np.argsort(rows[:, 0], kind="stable")])


class SpooledEvents(Sequence[Event]):
    """Events that are read each time one looks at them."""

    def __init__(self, memory: mmap.mmap | bytes, rows: Int64s) -> None:
        self._memory, self._rows = memory, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Event: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Event, ...]: ...
    def __getitem__(self, place: int | slice) -> Event | tuple[Event, ...]:
        if isinstance(place, slice):
            return tuple(self[one] for one in range(len(self))[place])
        _, start, length = self._rows[place].tolist()
        event = decode_written(bytes(self._memory[start : start + length]))
        assert not isinstance(event, Look)
        return event

    def __iter__(self) -> Iterator[Event]:
        return (self[place] for place in range(len(self)))
