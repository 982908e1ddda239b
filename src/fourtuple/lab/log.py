"""The log: one append-only file in memory, to which every process of a session writes.

A write is one system call (O_APPEND), so no process waits for another, records of a killed process
stay, and the order in the file is the order in which things were noted. Times, not file order, say
when they happened. A process that is killed in the middle of its write leaves half a record; each
record begins with a mark that stands nowhere else, so those behind it are found again.
"""

import fcntl
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from zlib import crc32

import msgspec

from fourtuple.errors import N_
from fourtuple.event.looks import Look
from fourtuple.event.model import WIRE, Call, Note, Snapshot

__all__ = ["ClockSampled", "FrameEntered", "FrameLeft", "Log", "Record"]


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


#: a Snapshot is a part of a table (`about`); whole ones are looks
Record = FrameEntered | FrameLeft | ClockSampled | Call | Look | Snapshot | Note

_MARK_BYTES = 8
_MOST_AT_ONCE = 1 << 26
#: behind the mark: the length of the body, and its checksum
_HEAD = struct.Struct("=II")

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
        self._mark = os.urandom(_MARK_BYTES)
        self._read = 0

    def write(self, record: Record) -> None:
        body = _encoder.encode(record)
        if isinstance(record, Note):
            _decoder.decode(body)  # a script's own: it is to hear of what could not be read back
        os.write(self._descriptor, self._mark + _HEAD.pack(len(body), crc32(body)) + body)

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

    def news(self, *, last: bool = False) -> list[Record]:
        """What was written since the last call.

        The last bytes may be those of a write that is still going on: they are left for the next
        call, unless this is the `last` one, after the end of all that write.
        """
        data = self._unread()
        records: list[Record] = []
        at = 0
        while at < len(data):
            body = self._body(data, at)
            if body is not None:
                records.append(_record(body))
                at += _MARK_BYTES + _HEAD.size + len(body)
                continue
            following = data.find(self._mark, at + 1)
            if following < 0 and not last:
                break
            records.append(_unreadable())
            at = following if following > 0 else len(data)
        self._read += at
        return records

    def _unread(self) -> bytes:
        """All bytes that have not been read."""
        parts: list[bytes] = []
        at = self._read
        while part := os.pread(self._descriptor, _MOST_AT_ONCE, at):
            parts.append(part)
            at += len(part)
        return b"".join(parts)

    def _body(self, data: bytes, at: int) -> bytes | None:
        """The body of the record that begins there; None where none does that is whole."""
        begin = at + _MARK_BYTES + _HEAD.size
        if data[at : at + _MARK_BYTES] != self._mark or begin > len(data):
            return None
        length, checksum = _HEAD.unpack_from(data, at + _MARK_BYTES)
        body = data[begin : begin + length]
        return body if len(body) == length and crc32(body) == checksum else None

    def close(self) -> None:
        os.close(self._descriptor)


def _record(body: bytes) -> Record:
    try:
        return _decoder.decode(body)
    except msgspec.MsgspecError:
        return _unreadable()


def _unreadable() -> Note:
    return Note(t_ns=time.monotonic_ns(), kind="failure", message=UNREADABLE)
