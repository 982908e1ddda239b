"""Options as kind, length, body: the walk that IPv4, TCP, IPv6 and Neighbor Discovery share.

They differ in four ways, told by `Style`: which kind is a single byte, which one ends the list,
and how the length byte is to be read.
"""

from collections.abc import Callable, Iterator, Mapping

import msgspec

from fourtuple.wire.field import FieldValue, bytes_text
from fourtuple.wire.view import View

__all__ = ["IPV6", "LABELS", "NEIGHBOR", "PLAIN", "Item", "Part", "Style", "items", "option_fields"]

LABELS = ("Option", "Options", "Kind", "Length", "Content", "Padding")


class Style(msgspec.Struct, frozen=True):
    """An option's size in bytes is its length byte times `unit` plus `extra`."""

    single: int | None
    end: int | None
    unit: int
    extra: int


PLAIN = Style(single=1, end=0, unit=1, extra=0)  # RFC 791, RFC 9293
IPV6 = Style(single=0, end=None, unit=1, extra=2)  # RFC 8200, section 4.2
NEIGHBOR = Style(single=None, end=None, unit=8, extra=0)  # RFC 4861, section 4.6


class Item(msgspec.Struct, frozen=True):
    """An option: `data` are all its bytes, from byte `start` of the list; the list's end takes
    the padding along. `whole` is False where its length is impossible or runs past the list."""

    data: bytes
    start: int
    whole: bool = True

    @property
    def kind(self) -> int:
        return self.data[0]

    @property
    def body(self) -> bytes:
        return self.data[2:]

    @property
    def stop(self) -> int:
        return self.start + len(self.data)


class Part(msgspec.Struct, frozen=True):
    """A piece of an option's body, `count` bytes wide: a number unless `show` is given."""

    name: str
    label: str
    count: int
    show: Callable[[bytes], str] | None = None

    def found(self, data: bytes, bit_offset: int) -> FieldValue:
        value = int.from_bytes(data, "big") if self.show is None else data
        text = str(value) if self.show is None else self.show(data)
        return FieldValue(self.name, self.label, bit_offset, len(data) * 8, value, text)


def _in_one_piece(item: Item) -> tuple[Part, ...]:
    """No parts: the body stays whole."""
    return ()


def items(data: bytes, style: Style) -> Iterator[Item]:
    """The options in `data`, in order. An impossible length ends the walk."""
    at = 0
    while at < len(data):
        item = _item(data, at, style)
        yield item
        at = item.stop


def _item(data: bytes, at: int, style: Style) -> Item:
    if data[at] == style.end:
        return Item(data[at:], at)
    if data[at] == style.single:
        return Item(data[at : at + 1], at)
    size = data[at + 1] * style.unit + style.extra if at + 1 < len(data) else 0
    if size < 2 or at + size > len(data):
        return Item(data[at:], at, whole=False)
    return Item(data[at : at + size], at)


def option_fields(
    view: View,
    start: int,
    style: Style,
    names: Mapping[int, str],
    parts: Callable[[Item], tuple[Part, ...]] = _in_one_piece,
) -> Iterator[FieldValue]:
    """The options from byte `start` of a header to its end: each a field, its parts children.

    `parts` says how an option's body divides.
    """
    data, room = view.header[start:], view.header_length - start
    at = 0
    for item in items(data, style):
        if len(data) < room and (not item.whole or item.kind == style.end):
            break  # by the capture, that is: what follows would belong to it
        label = names.get(item.kind, "Option")
        children = tuple(_children(item, (start + item.start) * 8, style, parts))
        text = " ".join(child.text for child in children if child.name not in ("kind", "length"))
        bits = len(item.data) * 8
        yield FieldValue("option", label, (start + at) * 8, bits, item.data, text, children)
        at = item.stop
    if at < room:
        yield FieldValue("options", "Options", (start + at) * 8, (room - at) * 8, None, "")


def _children(
    item: Item, bit_offset: int, style: Style, parts: Callable[[Item], tuple[Part, ...]]
) -> Iterator[FieldValue]:
    yield Part("kind", "Kind", 1).found(item.data[:1], bit_offset)
    at = 1
    for part in (*_length(item, style), *(parts(item) if item.whole else ())):
        piece = item.data[at : at + part.count]
        yield part.found(piece, bit_offset + at * 8)
        at += part.count
    if at < len(item.data):
        name = ("padding", "Padding") if item.kind == style.end else ("content", "Content")
        rest = item.data[at:]
        yield Part(*name, len(rest), bytes_text).found(rest, bit_offset + at * 8)


def _length(item: Item, style: Style) -> tuple[Part, ...]:
    """The length byte, where the option has one."""
    single = item.kind in (style.end, style.single) or len(item.data) < 2
    return () if single else (Part("length", "Length", 1),)
