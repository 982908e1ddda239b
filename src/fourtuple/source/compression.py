"""Captures that gzip or zstd has made smaller, read as if it had not.

What is compressed is never held as a whole, however much comes out of it. A stream that is cut off
or damaged gives what could be decompressed; `flaw` then says what is wrong.
"""

import sys
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from fourtuple.errors import N_
from fourtuple.event.flaw import Flaw
from fourtuple.source.opening import Reader

__all__ = ["Decompressed", "decompressed"]

_INPUT_BYTES = 128 * 1024
_LONGEST_MAGIC = 4

COMPRESSED_CUT = N_(
    "{file} ends in the middle of its {format} data: it was cut off, or is still being written."
    " Frames read: {count}."
)
COMPRESSED_DAMAGED = N_(
    "{file} is damaged: its {format} data cannot be decompressed to the end. Frames read: {count}."
)


class _Decompressor(Protocol):
    """What bz2, lzma and zstd of the standard library have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """zlib's decompressor of one gzip member, in the same shape."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)
        self._left = b""
        self._error: zlib.error | None = None

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._left and self._error is None

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if self._error:
            raise self._error
        given, before = self._left + data, self._inner.copy()
        try:
            found = self._inner.decompress(given, max_length)
        except zlib.error as error:
            return self._up_to(error, given, before, max_length)
        self._left = self._inner.unconsumed_tail
        return found

    def _up_to(
        self, error: zlib.error, given: bytes, before: "zlib._Decompress", most: int
    ) -> bytes:
        """What comes before an error, which is raised by the next call: zlib itself gives nothing
        of the input that it errs in."""
        found, at = b"", 0
        self._error, self._left = error, b""
        with suppress(zlib.error):
            while at < len(given) and len(found) < most:
                found += before.decompress(given[at : at + 1], most - len(found))
                at += 1
            self._inner, self._error = before, None
            self._left = before.unconsumed_tail + given[at:]
        return found


#: a new decompressor, and what it raises
_New = Callable[[], tuple[_Decompressor, type[Exception]]]


def _gzip() -> tuple[_Decompressor, type[Exception]]:
    return _Gzip(), zlib.error


def _zstd() -> tuple[_Decompressor, type[Exception]]:
    # In the standard library since Python 3.14.
    if sys.version_info >= (3, 14):
        from compression.zstd import ZstdDecompressor, ZstdError
    else:
        from backports.zstd import ZstdDecompressor, ZstdError
    return ZstdDecompressor(), ZstdError


#: by its first bytes: what it is called, and what undoes it
_FORMATS: dict[bytes, tuple[str, _New]] = {
    b"\x1f\x8b": ("gzip", _gzip),
    b"\x28\xb5\x2f\xfd": ("zstd", _zstd),
    # a frame to be skipped (RFC 8878, section 3.1.2), as pzstd puts one first
    **{bytes((0x50 + number, 0x2A, 0x4D, 0x18)): ("zstd", _zstd) for number in range(16)},
}


@dataclass(slots=True)
class Decompressed:
    """What a stream holds; `taken` is how many of its own bytes have been read.

    `format` is "" where it is not compressed.
    """

    reader: Reader
    begun: bytes
    format: str = ""
    new: _New = _gzip
    flaw: Flaw | None = None
    taken: int = 0
    _inner: tuple[_Decompressor, type[Exception]] | None = None
    _room: bytearray = field(default_factory=lambda: bytearray(_INPUT_BYTES))

    def read(self, room: memoryview) -> int:
        """Fill memory from its beginning on; how many bytes: 0 where there are no more."""
        if not self.format:
            return self._taken(room)
        data = b""
        while not data and not self.flaw and self._goes_on():
            data = self._next(len(room))
        room[: len(data)] = data
        return len(data)

    def _taken(self, room: memoryview) -> int:
        """The stream's own bytes; those first that were looked at to tell its format."""
        count = min(len(self.begun), len(room))
        if count:
            room[:count] = self.begun[:count]
            self.begun = self.begun[count:]
        else:
            count = self.reader(room)
            self.taken += count
        return count

    def _input(self) -> bytes:
        return bytes(self._room[: self._taken(memoryview(self._room))])

    def _goes_on(self) -> bool:
        """Whether there is something to decompress: one file may hold several streams."""
        if self._inner is None or not self._inner[0].eof:
            return True
        self.begun = self._inner[0].unused_data + self.begun
        self._inner = None
        data = self._input()
        self.begun = data + self.begun
        # gzip files may be padded with zeros
        return bool(data.strip(b"\0"))

    def _next(self, most: int) -> bytes:
        inner, failure = self._inner = self._inner or self.new()
        data = self._input() if inner.needs_input else b""
        if not data and inner.needs_input:
            self.flaw = Flaw(self.taken, COMPRESSED_CUT, {"format": self.format})
            return b""
        try:
            return inner.decompress(data, most)
        except failure:
            self.flaw = Flaw(self.taken, COMPRESSED_DAMAGED, {"format": self.format})
            return b""


def decompressed(reader: Reader) -> Decompressed:
    """The stream's content, by what its first bytes say that it is."""
    begun = bytearray()
    room = memoryview(bytearray(_LONGEST_MAGIC))
    while len(begun) < _LONGEST_MAGIC and (count := reader(room[len(begun) :])):
        begun += room[len(begun) : len(begun) + count]
    for magic, (name, new) in _FORMATS.items():
        if begun.startswith(magic):
            return Decompressed(reader, bytes(begun), name, new, taken=len(begun))
    return Decompressed(reader, bytes(begun), taken=len(begun))
