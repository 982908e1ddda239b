"""What a capture is read from: a file, a stream, standard input; and why it cannot be.

A `Source` can be gone through more than once. What cannot be read again - a pipe - is kept while it
is read the first time: the beginning in memory, more in a file that has no name.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from fourtuple.errors import N_, InputError

if TYPE_CHECKING:
    from tempfile import SpooledTemporaryFile

__all__ = ["Reader", "Source", "source_of"]

#: fills a piece of memory from its beginning on; how many bytes: 0 where the stream has ended
Reader = Callable[[memoryview], int]

_IN_MEMORY = 4 * 1024 * 1024

NO_FILE = N_("There is no file {file}. Check its name, and which directory you are in (pwd).")
DIRECTORY = N_("{file} is a directory, not a capture. Name a file in it.")
FORBIDDEN = N_("You are not allowed to read {file}: ask its owner, or make it readable with chmod.")
NOT_READ = N_("{file} cannot be read: {reason}.")


def _spooled() -> "SpooledTemporaryFile[bytes]":
    from tempfile import SpooledTemporaryFile

    return SpooledTemporaryFile(_IN_MEMORY)


@dataclass(slots=True)
class _Spool:
    """A stream that cannot be read again, and what has been read of it."""

    stream: IO[bytes]
    kept: "SpooledTemporaryFile[bytes]" = field(default_factory=_spooled)

    def reader(self, keep: bool) -> Reader:
        """From the beginning: first what is kept, then the stream; `keep` what comes out of it."""
        at = 0

        def read(room: memoryview) -> int:
            nonlocal at
            self.kept.seek(at)
            data = self.kept.read(len(room))
            if not data:
                data = self.stream.read(len(room)) or b""
                self.kept.write(data if keep else b"")
            room[: len(data)] = data
            at += len(data)
            return len(data)

        return read


@dataclass(slots=True)
class Source:
    """What messages call it, and how many bytes it has (0 where that is not known)."""

    name: str
    path: Path | None = None
    stream: IO[bytes] | None = None
    size: int = 0
    _start: int = 0
    _spool: _Spool | None = None

    @contextmanager
    def opened(self, *, again: bool = True) -> Iterator[Reader]:
        """From the beginning; an OSError within becomes an InputError. `again`: it may be asked
        for once more."""
        try:
            if self.stream is None:
                self._open()
            if self._spool:
                yield self._spool.reader(again)
            elif self.path:
                with self.path.open("rb", buffering=0) as file:
                    yield lambda room: file.readinto(room) or 0
            elif self.stream:
                self.stream.seek(self._start)
                yield _filled_by(self.stream)
        except (OSError, ValueError) as error:
            raise _unreadable(error, self.name) from error

    def _open(self) -> None:
        """Find out what the path is: a pipe has one too, and can be read only once."""
        if self.path and not self._spool:
            opened = self.path.open("rb", buffering=0)
            self.size = os.fstat(opened.fileno()).st_size
            if opened.seekable():
                opened.close()
            else:
                self._spool = _Spool(opened)

    def close(self) -> None:
        """Give up what was kept."""
        if self._spool:
            self._spool.kept.close()
            if self.path:
                self._spool.stream.close()


def _filled_by(stream: IO[bytes]) -> Reader:
    def read(room: memoryview) -> int:
        data = stream.read(len(room)) or b""
        room[: len(data)] = data
        return len(data)

    return read


def source_of(path: str | os.PathLike[str] | BinaryIO) -> Source:
    """A path, "-" (standard input) or an open binary stream."""
    if isinstance(path, str | os.PathLike):
        name = os.fspath(path)
        if name != "-":
            return Source(name, path=Path(name))
        return _of_stream(sys.stdin.buffer, "stdin")
    return _of_stream(path, str(getattr(path, "name", "stream")))


def _of_stream(stream: IO[bytes], name: str) -> Source:
    source = Source(name, stream=stream)
    with suppress(OSError, ValueError, AttributeError):
        source._start = stream.tell()
        source.size = max(0, os.fstat(stream.fileno()).st_size - source._start)
    if not stream.seekable():
        source._spool = _Spool(stream)
    return source


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
