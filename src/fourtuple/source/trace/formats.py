"""The `format` files of trace events: where each field of a record lies.

Nothing is assumed of an event but what its file says (Documentation/trace/events.rst, "Event
formats"); a line that cannot be understood is left out. Records may end early: what a field then
lacks is zero, so that odd bytes never raise.
"""

import re
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

__all__ = ["Field", "Format", "Layout", "Value", "parse_format", "parse_layout"]

Value = int | bytes | str | tuple[int, ...]

_FIELD = re.compile(
    r"^\s*field:\s*(?P<declared>.+?);\s*offset:(?P<offset>\d+);\s*size:(?P<size>\d+);"
    r"(?:\s*signed:(?P<signed>[01]);)?"
)
_NAME = re.compile(r"(?P<name>\w+)\s*(?P<array>\[[^\]]*\])?$")
_SYMBOLS = re.compile(r"__print_symbolic\(REC->(\w+),((?:\s*\{[^{}]*\},?)+)")
_SYMBOL = re.compile(r'\{\s*(0x[0-9a-fA-F]+|\d+)U?L*,\s*"([^"]*)"\s*\}')
#: no record of the kernel is as long as a page is not
_MOST_BYTES = 1 << 16
_CODES = {1: "b", 2: "h", 4: "i", 8: "q"}


@dataclass(frozen=True, slots=True)
class Field:
    """A field: `size` bytes at `offset`; `text` for characters; `located` where the field only
    says where in the record its data lie (__data_loc), `relative` to the field's own end."""

    name: str
    kind: str
    offset: int
    size: int
    signed: bool
    array: bool
    located: bool = False
    relative: bool = False

    @property
    def text(self) -> bool:
        return "char" in self.kind and (self.array or self.located)

    def code(self) -> str:
        """How struct reads it."""
        plain = self.located or not self.array
        if plain and self.size in _CODES:
            code = _CODES[self.size]
            return code if self.signed and not self.located else code.upper()
        item = _item_bytes(self.kind)
        if item > 1 and self.size % item == 0:
            return f"{self.size // item}{_CODES[item].upper()}"
        return f"{self.size}s"


def _item_bytes(kind: str) -> int:
    """How long an element of an array is; 1 where the kind does not tell."""
    if "long" in kind or "64" in kind:
        return 8
    if "32" in kind or kind.endswith("int"):
        return 4
    return 2 if "short" in kind or "16" in kind else 1


class Format:
    """An event: `name` ("inet_sock_set_state"), its number `id`, its fields by name, and the names
    that its numbers have in its text (`symbols`: field -> number -> name)."""

    def __init__(self, name: str, number: int, fields: Mapping[str, Field], text: str) -> None:
        self.name = name
        self.id = number
        self.fields = fields
        self.symbols = _symbols(text)
        self._places: dict[str, slice] = {}
        self._some: dict[tuple[str, ...], tuple[struct.Struct, list[int]]] = {}
        self._parts: dict[tuple[str, ...], slice] = {}

    @cached_property
    def _reader(self) -> tuple[struct.Struct, list[tuple[Field, bool]]]:
        """What reads all fields at once, and in which order they come; True: an array of numbers,
        which takes several places."""
        code, at, order = "=", 0, []
        for field in sorted(self.fields.values(), key=lambda one: one.offset):
            if field.offset < at or field.offset + field.size > _MOST_BYTES:
                continue  # in a union with the field before, or out of reach
            part = field.code()
            code += f"{field.offset - at}x" + part
            at = field.offset + field.size
            order.append((field, part[0].isdigit() and not part.endswith("s")))
        return struct.Struct(code), order

    @cached_property
    def _plain(self) -> tuple[str, ...]:
        """The names of the fields in the order of `_reader`, where each is one number or bytes."""
        order = self._reader[1]
        plain = not any(several or field.located or field.text for field, several in order)
        return tuple(field.name for field, _ in order) if plain else ()

    def values(self, record: bytes) -> dict[str, Value]:
        """Every field of a record."""
        reader, order = self._reader
        if len(record) < reader.size:
            record = record.ljust(reader.size, b"\0")
        if self._plain:
            return dict(zip(self._plain, reader.unpack_from(record), strict=True))
        numbers = iter(reader.unpack_from(record))
        found: dict[str, Value] = {}
        for field, several in order:
            if several:
                size = field.size // _item_bytes(field.kind)
                found[field.name] = tuple(next(numbers) for _ in range(size))
            elif field.located:
                found[field.name] = _located(field, next(numbers), record)
            else:
                value = next(numbers)
                found[field.name] = _text(value) if field.text else value
        return found

    @cached_property
    def head(self) -> struct.Struct:
        """What reads a record's number, common_flags and common_pid, which begin every record."""
        flags, task = self.fields["common_flags"], self.fields["common_pid"]
        between = task.offset - flags.offset - flags.size
        return struct.Struct(f"=H{flags.offset - 2}xB{between}xi")

    def numbers(self, names: tuple[str, ...], record: bytes) -> Sequence[int]:
        """Some fields that are numbers, in that order; 0 where there is none of that name."""
        reader, order = self._some.get(names) or self._reader_of(names)
        if len(record) < reader.size:
            record = record.ljust(reader.size, b"\0")
        found = reader.unpack_from(record)
        return [found[place] if place >= 0 else 0 for place in order] if order else found

    def _reader_of(self, names: tuple[str, ...]) -> tuple[struct.Struct, list[int]]:
        """What reads these, and where each is then; no places: they are in order."""
        there = [self.fields[name] for name in names if self._is_number(name)]
        code, at, read = "=", 0, list[str]()
        for field in sorted(there, key=lambda one: one.offset):
            if field.offset >= at:
                code += f"{field.offset - at}x{field.code()}"
                at = field.offset + field.size
                read.append(field.name)
        order = [read.index(name) if name in read else -1 for name in names]
        in_order = order == list(range(len(names)))
        self._some[names] = struct.Struct(code), [] if in_order else order
        return self._some[names]

    def _is_number(self, name: str) -> bool:
        field = self.fields.get(name)
        return field is not None and field.offset < _MOST_BYTES and field.code().isalpha()

    def part(self, names: tuple[str, ...], record: bytes) -> bytes:
        """The bytes from the first of these fields to the last: where they are the same, so are
        the fields."""
        place = self._parts.get(names)
        if place is None:
            there = [self.fields[name] for name in names if name in self.fields]
            begin = min((field.offset for field in there), default=0)
            end = max((field.offset + field.size for field in there), default=0)
            place = self._parts[names] = slice(begin, end)
        return record[place]

    def number(self, name: str, record: bytes) -> int:
        """One field that is a C int, though the trace may hold it as a long; 0 where there is
        none."""
        place = self._places.get(name)
        if place is None:
            field = self.fields.get(name)
            begin = _MOST_BYTES if field is None else field.offset
            begin += field.size - 4 if field and sys.byteorder == "big" else 0
            place = self._places[name] = slice(begin, begin + 4)
        return int.from_bytes(record[place], sys.byteorder, signed=True)


def _located(field: Field, where: int, record: bytes) -> Value:
    begin = (where & 0xFFFF) + (field.offset + field.size if field.relative else 0)
    data = record[begin : begin + (where >> 16)]
    return _text(data) if field.text else data


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "replace")


def _symbols(text: str) -> dict[str, dict[int, str]]:
    found: dict[str, dict[int, str]] = {}
    for field, listed in _SYMBOLS.findall(text):
        pairs = {int(number, 0): name for number, name in _SYMBOL.findall(listed)}
        if pairs:
            found[field] = pairs
    return found


def parse_format(text: str) -> Format:
    """The format that a file's text describes. ValueError where it has no name or number."""
    head = dict(line.split(":", 1) for line in text.splitlines()[:2] if ":" in line)
    if "name" not in head or not head.get("ID", "").strip().isdigit():
        raise ValueError(f"not the format of a trace event: {text[:40]!r}")
    fields = {field.name: field for line in text.splitlines() if (field := _field(line))}
    return Format(head["name"].strip(), int(head["ID"]), fields, text.partition("print fmt:")[2])


def _field(line: str) -> Field | None:
    found = _FIELD.match(line)
    named = _NAME.search(found["declared"].strip()) if found else None
    if found is None or named is None:
        return None
    kind = found["declared"].strip()[: named.start()].strip()
    located = "__data_loc" in kind or "__rel_loc" in kind
    return Field(
        named["name"],
        kind,
        int(found["offset"]),
        int(found["size"]),
        found["signed"] == "1",
        named["array"] is not None,
        located,
        "__rel_loc" in kind,
    )


@dataclass(frozen=True, slots=True)
class Layout:
    """A page of the ring buffer, as events/header_page says: where its time stamp and the length
    of its data are, where the data begin, and how long a page is."""

    timestamp: Field
    commit: Field
    data: int
    page_bytes: int


def parse_layout(text: str) -> Layout:
    """The layout that events/header_page describes. ValueError where a field is missing."""
    fields = {field.name: field for line in text.splitlines() if (field := _field(line))}
    try:
        data = fields["data"]
        return Layout(fields["timestamp"], fields["commit"], data.offset, data.offset + data.size)
    except KeyError as error:
        raise ValueError(f"the page header lacks {error}") from None
