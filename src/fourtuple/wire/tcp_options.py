"""TCP options (RFC 9293, section 3.2; IANA's registry of kinds).

An option whose length its RFC does not allow is kept as an `UnknownOption` and is a finding; the
walk goes on. MPTCP (RFC 8684), MD5 (RFC 2385) and AO (RFC 5925) have names and are kept as bytes.
"""

from collections.abc import Iterator
from typing import ClassVar

import msgspec

from fourtuple.errors import ValueNotLegal
from fourtuple.wire.tlv import PLAIN, Item, Part, items
from fourtuple.wire.value import check_bits

__all__ = [
    "OPTION_LABELS",
    "FastOpen",
    "MaximumSegmentSize",
    "NoOperation",
    "Sack",
    "SackPermitted",
    "TcpOption",
    "Timestamps",
    "UnknownOption",
    "WindowScale",
    "decode_options",
    "encode_options",
    "option_parts",
]

OPTION_LABELS = {
    0: "End of options",
    1: "No operation",
    2: "Maximum segment size",
    3: "Window scale",
    4: "SACK permitted",
    5: "Selective acknowledgment",
    8: "Timestamps",
    19: "MD5 signature",
    28: "User timeout",
    29: "Authentication (TCP-AO)",
    30: "Multipath TCP",
    34: "Fast open cookie",
    172: "Accurate ECN, order 0",
    174: "Accurate ECN, order 1",
    253: "Experiment 1",
    254: "Experiment 2",
}
LARGEST_SHIFT = 14  # RFC 7323, section 2.3
COOKIE_LENGTHS = (0, 4, 6, 8, 10, 12, 14, 16)  # RFC 7413, section 4.1.1; 0 asks for a cookie


class TcpOption(msgspec.Struct, frozen=True):
    """An option of a TCP header; `str()` is a short form for people."""

    KIND: ClassVar[int] = -1

    @property
    def kind(self) -> int:
        return self.KIND

    def body(self) -> bytes:
        """What follows kind and length."""
        return b""

    def encode(self) -> bytes:
        """The option as bytes."""
        body = self.body()
        return bytes((self.kind, len(body) + 2)) + body


class NoOperation(TcpOption, frozen=True):
    """A byte that only fills (RFC 9293)."""

    KIND: ClassVar[int] = 1

    def encode(self) -> bytes:
        return b"\x01"

    def __str__(self) -> str:
        return "nop"


class MaximumSegmentSize(TcpOption, frozen=True):
    """The largest payload that the sender accepts, in bytes (RFC 9293, section 3.7.1)."""

    KIND: ClassVar[int] = 2
    size: int

    def __post_init__(self) -> None:
        check_bits(size=(self.size, 16))

    def body(self) -> bytes:
        return self.size.to_bytes(2, "big")

    def __str__(self) -> str:
        return f"MSS {self.size}"


class WindowScale(TcpOption, frozen=True):
    """How many bits the window is to be shifted (RFC 7323, section 2)."""

    KIND: ClassVar[int] = 3
    shift: int

    def __post_init__(self) -> None:
        if not 0 <= self.shift <= LARGEST_SHIFT:
            raise ValueNotLegal(f"window scale is {self.shift}: it must be from 0 to 14")

    def body(self) -> bytes:
        return bytes((self.shift,))

    def __str__(self) -> str:
        return f"window scale {self.shift}"


class SackPermitted(TcpOption, frozen=True):
    """The sender understands selective acknowledgments (RFC 2018, section 2)."""

    KIND: ClassVar[int] = 4

    def __str__(self) -> str:
        return "SACK permitted"


class Sack(TcpOption, frozen=True):
    """Blocks that have arrived: pairs of first number and number after (RFC 2018, section 3)."""

    KIND: ClassVar[int] = 5
    blocks: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.blocks) <= 4:
            raise ValueNotLegal(f"{len(self.blocks)} SACK blocks: there must be from 1 to 4")
        for left, right in self.blocks:
            check_bits(left=(left, 32), right=(right, 32))

    def body(self) -> bytes:
        return b"".join(edge.to_bytes(4, "big") for block in self.blocks for edge in block)

    def __str__(self) -> str:
        return "SACK " + " ".join(f"{left}-{right}" for left, right in self.blocks)


class Timestamps(TcpOption, frozen=True):
    """The sender's clock, and the peer's clock given back (RFC 7323, section 3)."""

    KIND: ClassVar[int] = 8
    value: int
    echo: int = 0

    def __post_init__(self) -> None:
        check_bits(value=(self.value, 32), echo=(self.echo, 32))

    def body(self) -> bytes:
        return self.value.to_bytes(4, "big") + self.echo.to_bytes(4, "big")

    def __str__(self) -> str:
        return f"timestamps {self.value} {self.echo}"


class FastOpen(TcpOption, frozen=True):
    """A fast open cookie; an empty one asks for a cookie (RFC 7413)."""

    KIND: ClassVar[int] = 34
    cookie: bytes = b""

    def __post_init__(self) -> None:
        if len(self.cookie) not in COOKIE_LENGTHS:
            raise ValueNotLegal("a fast open cookie has 4 to 16 bytes, an even number; or none")

    def body(self) -> bytes:
        return self.cookie

    def __str__(self) -> str:
        return f"fast open {self.cookie.hex() or 'request'}"


class UnknownOption(TcpOption, frozen=True):
    """Any other option, or one that its RFC does not allow, kept as bytes."""

    number: int
    data: bytes = b""

    def __post_init__(self) -> None:
        if not 2 <= self.number <= 255 or len(self.data) > 38:
            raise ValueNotLegal("an option has a kind from 2 to 255 and at most 38 bytes")

    @property
    def kind(self) -> int:
        return self.number

    def body(self) -> bytes:
        return self.data

    def __str__(self) -> str:
        return " ".join(filter(None, (f"option {self.number}", self.data.hex())))


def decode_options(data: bytes) -> tuple[tuple[TcpOption, ...], bool]:
    """The options in `data`, without the end and its padding; and whether all are legal."""
    found: list[TcpOption] = []
    legal = True
    for item in items(data, PLAIN):
        if item.kind == 0:
            break
        if not item.whole:
            return tuple(found), False
        option, fits = _decode(item)
        found.append(option)
        legal = legal and fits
    return tuple(found), legal


def _decode(item: Item) -> tuple[TcpOption, bool]:
    kind, body = item.kind, item.body
    match kind, len(body):
        case 1, _:
            return NoOperation(), True
        case 2, 2:
            return MaximumSegmentSize(int.from_bytes(body, "big")), True
        case 3, 1:
            return WindowScale(min(body[0], LARGEST_SHIFT)), body[0] <= LARGEST_SHIFT
        case 4, 0:
            return SackPermitted(), True
        case 5, (8 | 16 | 24 | 32):
            return Sack(tuple(_pairs(body))), True
        case 8, 8:
            return Timestamps(*_numbers(body)), True
        case 34, size if size in COOKIE_LENGTHS:
            return FastOpen(body), True
    return UnknownOption(kind, body), kind not in (2, 3, 4, 5, 8, 34)


def _numbers(body: bytes) -> list[int]:
    return [int.from_bytes(body[at : at + 4], "big") for at in range(0, len(body), 4)]


def _pairs(body: bytes) -> Iterator[tuple[int, int]]:
    numbers = _numbers(body)
    return zip(numbers[::2], numbers[1::2], strict=True)


def encode_options(options: tuple[TcpOption, ...]) -> bytes:
    """The options as bytes, filled with zeros to whole words. ValueNotLegal above 40 bytes."""
    data = b"".join(option.encode() for option in options)
    if len(data) > 40:
        raise ValueNotLegal(f"the options take {len(data)} bytes: a header has room for 40")
    return data + bytes(-len(data) % 4)


def option_parts(item: Item) -> tuple[Part, ...]:
    """How an option's body divides, for the header view."""
    match item.kind, len(item.body):
        case 2, 2:
            return (Part("size", "Bytes", 2),)
        case 3, 1:
            return (Part("shift", "Shift count", 1),)
        case 5, (8 | 16 | 24 | 32) as size:
            edges = (Part("left", "Left edge", 4), Part("right", "Right edge", 4))
            return edges * (size // 8)
        case 8, 8:
            return (Part("value", "Sender's clock", 4), Part("echo", "Peer's clock", 4))
    return ()


PART_LABELS = ("Bytes", "Shift count", "Left edge", "Right edge", "Sender's clock", "Peer's clock")
