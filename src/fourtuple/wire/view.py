"""Views: headers read from bytes that may be anything.

A view's class lists its header's fields in order, most significant bit first, one line a field:
the line is the row of the table (`FIELDS`) and the property that reads it, both. Reading never
raises: what is cut off reads as 0, b"" or "", `fields()` gives it the value None, and
`problems()` says so. Each level of `fields()` tiles its header (or its parent field) exactly.
"""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import msgspec

from fourtuple.wire.field import Field, FieldValue, bytes_text

__all__ = ["Envelope", "PayloadView", "View"]


class Envelope(msgspec.Struct, frozen=True):
    """What IP tells the transport header inside: the addresses that its checksum includes, and
    whether this packet holds all of it (no fragment; no routing header with a way still to go)."""

    source: bytes
    destination: bytes
    complete: bool = True


class View:
    """A header somewhere in a frame's bytes.

    data      the whole frame, as captured
    offset    where this header begins in it
    length    how many bytes this layer has on the wire, header included, as the layer around it
              says; more than were captured where the frame was cut. None: all that is there
    envelope  what the IP headers around it say, if there are any
    """

    name: ClassVar[str] = ""
    FIELDS: ClassVar[tuple[Field[Any], ...]] = ()
    MINIMUM: ClassVar[int] = 0  # bytes of the fixed part
    LABELS: ClassVar[tuple[str, ...]] = ()  # labels of fields outside the fixed part

    __slots__ = ("_end", "data", "envelope", "length", "offset")

    def __init_subclass__(cls) -> None:
        rows = [row for row in vars(cls).values() if isinstance(row, Field)]
        if not rows:
            return
        bit_offset = 0
        for row in rows:
            row.bit_offset = bit_offset
            bit_offset += row.bits
        cls.FIELDS = tuple(rows)
        cls.MINIMUM = bit_offset // 8

    def __init__(
        self,
        data: bytes,
        offset: int = 0,
        length: int | None = None,
        envelope: Envelope | None = None,
    ) -> None:
        rest = max(0, len(data) - offset)
        self.data = data
        self.offset = offset
        self.length = rest if length is None else max(0, length)
        self.envelope = envelope
        self._end = offset + min(rest, self.length)

    def __repr__(self) -> str:
        shown = (f"{f.name}={f.text}" for f in self.fields() if f.value is not None)
        return f"<{type(self).__name__} {' '.join(shown)}>"

    def raw(self, at: int, count: int) -> bytes | None:
        """`count` bytes from byte `at` of this layer; None where they are not all there."""
        begin = self.offset + at
        return self.data[begin : begin + count] if begin + count <= self._end else None

    def number(self, bit_offset: int, bits: int) -> int | None:
        """The number in `bits` bits from `bit_offset`; None where they are not all there."""
        first, last = bit_offset >> 3, (bit_offset + bits + 7) >> 3
        data = self.raw(first, last - first)
        if data is None:
            return None
        return int.from_bytes(data, "big") >> (last * 8 - bit_offset - bits) & ((1 << bits) - 1)

    def raw_field(
        self,
        name: str,
        label: str,
        at: int,
        count: int,
        show: Callable[[bytes], str] = bytes_text,
    ) -> FieldValue:
        """A field of whole bytes outside the table."""
        value = self.raw(at, count)
        text = "" if value is None else show(value)
        return FieldValue(name, label, at * 8, count * 8, value, text)

    @property
    def header_length(self) -> int:
        """Bytes of the header as it says itself, never less than its fixed part."""
        return self.MINIMUM

    @property
    def extent(self) -> int:
        """Bytes of header and payload on the wire, by the header's own claim where it has one."""
        return self.length

    @property
    def payload_length(self) -> int:
        """Bytes after the header on the wire, captured or not."""
        return max(0, self.extent - self.header_length)

    @property
    def header(self) -> bytes:
        """The bytes of the header that are there."""
        return self.data[self.offset : min(self.offset + self.header_length, self._end)]

    @property
    def payload(self) -> bytes:
        """The captured bytes after the header, no more than its length allows."""
        begin = self.offset + self.header_length
        return self.data[begin : max(begin, min(self.offset + self.extent, self._end))]

    @property
    def readable(self) -> bool:
        """Whether the fixed part of the header is all there."""
        return self.offset + self.MINIMUM <= self._end

    @property
    def whole(self) -> bool:
        """Whether every byte of header and payload was captured."""
        return self.offset + self.extent <= len(self.data)

    @property
    def inner(self) -> tuple[str, int] | None:
        """What the payload is: a registry ("ethertype", "udp", "ipv4", "ipv6": what a protocol
        number means depends on the version) and a number of it. None where that is unknown or the
        header is not to be trusted."""
        return None

    def inner_envelope(self) -> Envelope | None:
        """The envelope of what is inside: an IP header gives its own."""
        return self.envelope

    def fields(self) -> tuple[FieldValue, ...]:
        """The header, every bit of it, in order."""
        return (*(row.found(self) for row in self.FIELDS), *self.tail())

    def tail(self) -> Iterator[FieldValue]:
        """The fields after the fixed part."""
        return iter(())

    def problems(self) -> tuple[str, ...]:
        """What is wrong with the header, as stable codes."""
        return tuple(self.find_problems())

    def find_problems(self) -> Iterator[str]:
        """The codes, one by one; a protocol adds its own."""
        if self.length < self.header_length:
            yield "too-short"
        elif self.offset + self.header_length > self._end:
            yield "cut"


class PayloadView(View):
    """The bytes after the last header that is known."""

    name = "Data"
    LABELS = ("Data",)
    __slots__ = ()

    @property
    def header_length(self) -> int:
        return self._end - self.offset

    def tail(self) -> Iterator[FieldValue]:
        if self.header_length:
            yield self.raw_field("data", "Data", 0, self.header_length)
