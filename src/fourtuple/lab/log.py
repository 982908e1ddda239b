"""The log: one append-only file in memory, to which every process of a session writes.

A write is one system call and atomic (O_APPEND), so no process waits for another, records of a
killed process stay, and the order in the file is the order in which things were noted. Times, not
file order, say when they happened.
"""

import fcntl
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from fourtuple.errors import N_
from fourtuple.event.model import Call, Note, Snapshot

__all__ = ["AS_LEFT", "WIRE", "ClockSampled", "FrameEntered", "FrameLeft", "Log", "Record"]


#: vantage points: the wire as frames enter it, and as they left it where that differs
WIRE, AS_LEFT = "wire", "wire, as left"


class FrameEntered(msgspec.Struct, frozen=True, tag="entered"):
    """Frame `number` (from 1) of the run was seen at `t_ns`; `sender` is a host ("": the wire).

    `vantage` is where: on the wire when it entered, when it left with other bytes, or at a host.
    """

    number: int
    t_ns: int
    sender: str
    data: bytes
    vantage: str = WIRE


class FrameLeft(msgspec.Struct, frozen=True, tag="left"):
    """The wire was done with frame `number` at `left_ns`: a number of event.model.Verdict."""

    number: int
    left_ns: int
    verdict: int


class ClockSampled(msgspec.Struct, frozen=True, tag="clock"):
    """What to add to a t_ns for nanoseconds since 1970, and the bound of its error."""

    epoch_ns: int
    error_ns: int


Record = FrameEntered | FrameLeft | ClockSampled | Call | Snapshot | Note

_LENGTH = struct.Struct("=I")

UNREADABLE = N_("A record of the run cannot be read: what it says may be missing.")


def _plain(value: object) -> object:
    """The number, text or list that an observed value is."""
    match value:
        case int():
            return int(value)
        case str():
            return str(value)
        case list():
            return list(value)
    raise TypeError(f"a record cannot hold {type(value).__name__}")


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


class Log:
    """Shared by inheriting its descriptor over fork()."""

    def __init__(self) -> None:
        self._descriptor = os.memfd_create("fourtuple-log", os.MFD_CLOEXEC)
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
        fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags | os.O_APPEND)
        self._thread_lock = threading.Lock()
        self._read = 0

    def write(self, record: Record) -> None:
        body = _encoder.encode(record)
        if isinstance(record, Note):
            _decoder.decode(body)  # a script's own: it is to hear of what could not be read back
        os.write(self._descriptor, _LENGTH.pack(len(body)) + body)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Exclude the other processes and threads: who looks at a socket table and notes what it
        saw does both in one turn, so that the order of the notes is the order of the looks."""
        with self._thread_lock:
            # POSIX locks belong to the process and go with it; flock's would be shared over fork
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    def news(self) -> list[Record]:
        """What was written since the last call."""
        records: list[Record] = []
        while head := os.pread(self._descriptor, _LENGTH.size, self._read):
            (length,) = _LENGTH.unpack(head)
            body = os.pread(self._descriptor, length, self._read + _LENGTH.size)
            try:
                records.append(_decoder.decode(body))
            except msgspec.MsgspecError:
                # written by halves, by a process that was killed or had no memory left
                records.append(Note(t_ns=time.monotonic_ns(), kind="failure", message=UNREADABLE))
            self._read += _LENGTH.size + length
        return records

    def close(self) -> None:
        os.close(self._descriptor)
