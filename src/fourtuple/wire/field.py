"""The rows of a header's table: what a field is called, how wide it is, how it is shown.

A row is a descriptor too: read on a view it gives the field's value. Labels are English message
ids. A text is the number or address itself, with the name that a registry gives to it; such names
are terms and are not translated.
"""

from collections.abc import Callable, Mapping
from typing import Generic, Protocol, Self, TypeVar, overload

import msgspec

__all__ = [
    "Address",
    "Field",
    "FieldValue",
    "Flags",
    "Named",
    "Number",
    "Source",
    "bytes_text",
    "hexadecimal",
]

T = TypeVar("T")
SHOWN_BYTES = 16


class FieldValue(msgspec.Struct, frozen=True):
    """A field as found. `bit_offset` counts from the header's first bit; `value` is None where
    the field is cut off. `children` tile the same bits: flags, or the parts of an option."""

    name: str
    label: str
    bit_offset: int
    bits: int
    value: int | bytes | None
    text: str
    children: tuple["FieldValue", ...] = ()


def hexadecimal(digits: int) -> Callable[[int], str]:
    """A way to show a number: 0x and at least that many digits."""
    return f"0x{{:0{digits}x}}".format


def bytes_text(data: bytes) -> str:
    """Bytes in hexadecimal, the first 16 of them."""
    return data[:SHOWN_BYTES].hex(" ") + (" ..." if len(data) > SHOWN_BYTES else "")


class Source(Protocol):
    """What a field is read from: a view."""

    def number(self, bit_offset: int, bits: int) -> int | None:
        """The number in `bits` bits from `bit_offset`; None where they are not all there."""

    def raw_field(
        self, name: str, label: str, at: int, count: int, show: Callable[[bytes], str]
    ) -> FieldValue:
        """`count` whole bytes from byte `at`, as a field."""


class Field(Generic[T]):
    """A row of a header's table: `bits` wide, beginning where the row before it ended."""

    def __init__(self, bits: int, label: str) -> None:
        self.bits = bits
        self.label = label
        self.name = ""
        self.bit_offset = 0

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def placed(self, name: str, bit_offset: int) -> Self:
        """The field, outside of a table."""
        self.name, self.bit_offset = name, bit_offset
        return self

    @overload
    def __get__(self, view: None, owner: type) -> Self: ...
    @overload
    def __get__(self, view: Source, owner: type | None = None) -> T: ...
    def __get__(self, view: Source | None, owner: type | None = None) -> Self | T:
        return self if view is None else self.read(view)

    def read(self, view: Source) -> T:
        """The property's value; the empty one where the field is cut off."""
        raise NotImplementedError

    def found(self, view: Source) -> FieldValue:
        """The field with its value and text."""
        raise NotImplementedError


class Number(Field[int]):
    """A number, shown by `show`."""

    def __init__(self, bits: int, label: str, show: Callable[[int], str] = str) -> None:
        super().__init__(bits, label)
        self.show = show

    def read(self, view: Source) -> int:
        return view.number(self.bit_offset, self.bits) or 0

    def found(self, view: Source) -> FieldValue:
        value = view.number(self.bit_offset, self.bits)
        text = "" if value is None else self.show(value)
        return FieldValue(self.name, self.label, self.bit_offset, self.bits, value, text)


class Named(Number):
    """A number some of whose values have names: shown as "6 (TCP)"."""

    def __init__(
        self,
        bits: int,
        label: str,
        names: Mapping[int, str],
        show: Callable[[int], str] = str,
    ) -> None:
        super().__init__(bits, label, lambda value: _with_name(show(value), names.get(value)))


def _with_name(text: str, name: str | None) -> str:
    return f"{text} ({name})" if name else text


class Flags(Number):
    """Single bits, `names` from the most significant one; shown as "0x18 PSH ACK"."""

    def __init__(
        self,
        label: str,
        names: tuple[tuple[str, str], ...],
        show: Callable[[int], str] = hex,
    ) -> None:
        super().__init__(len(names), label, show)
        self.names = names

    def found(self, view: Source) -> FieldValue:
        whole = super().found(view)
        return FieldValue(
            *(whole.name, whole.label, whole.bit_offset, whole.bits, whole.value, whole.text),
            children=tuple(
                _flag(name, label, whole.bit_offset + index, view)
                for index, (name, label) in enumerate(self.names)
            ),
        )


def _flag(name: str, label: str, bit_offset: int, view: Source) -> FieldValue:
    value = view.number(bit_offset, 1)
    return FieldValue(name, label, bit_offset, 1, value, "" if value is None else str(value))


class Address(Field[str]):
    """Bytes with a text of their own: the property gives the text."""

    def __init__(self, bits: int, label: str, show: Callable[[bytes], str]) -> None:
        super().__init__(bits, label)
        self.show = show

    def read(self, view: Source) -> str:
        return self.found(view).text

    def found(self, view: Source) -> FieldValue:
        at, count = self.bit_offset // 8, self.bits // 8
        return view.raw_field(self.name, self.label, at, count, self.show)
