"""Which frames a conversation may need, as a classic BPF program: those of the server's ports, or
of a protocol where packets have none, ICMP messages, and fragments but the first. A busy machine's
other frames are left to the kernel.

Offsets are from the network header (SKF_NET_OFF), so that the kind of link does not matter.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

__all__ = ["frame_filter"]

_NET = 0xFFF00000  # SKF_NET_OFF (linux/filter.h)
_LDB, _LDH, _LDH_X = 0x30, 0x28, 0x48
_JEQ, _JSET, _AND, _LSH, _RSH, _TAX, _RET = 0x15, 0x45, 0x54, 0x64, 0x74, 0x07, 0x06
_ALL = 1 << 18  # longer than any frame
#: a jump is at most 255 lines long, and each port takes four
_MOST_PORTS = 50
_ICMP, _TCP, _UDP, _FRAGMENT, _ICMP6 = 1, 6, 17, 44, 58

Instruction = tuple[int, int, int, int]


class _Line(NamedTuple):
    """An instruction whose jumps are names; "" is the next line."""

    code: int
    k: int = 0
    then: str = ""
    otherwise: str = ""
    label: str = ""


def frame_filter(ports: Iterable[int], protocols: Iterable[int] = ()) -> list[Instruction]:
    """The program for TCP and UDP ports and for whole IP protocols, over IPv4 and IPv6; of no
    lines, which keeps every frame, where they are too many."""
    wanted, whole = sorted(set(ports)), sorted(set(protocols))
    if len(wanted) + len(whole) > _MOST_PORTS:
        return []
    lines = [
        _Line(_LDB, _NET),
        _Line(_RSH, 4),
        _Line(_JEQ, 6, then="v6"),
        _Line(_JEQ, 4, otherwise="drop"),
        _Line(_LDB, _NET + 9),
        _Line(_JEQ, _ICMP, then="keep"),
        *_keeping(whole),
        _Line(_JEQ, _TCP, then="v4 ports"),
        _Line(_JEQ, _UDP, otherwise="drop"),
        _Line(_LDH, _NET + 6, label="v4 ports"),
        _Line(_JSET, 0x1FFF, then="keep"),  # not the first fragment: no ports in it
        _Line(_LDB, _NET),
        _Line(_AND, 0x0F),
        _Line(_LSH, 2),
        _Line(_TAX),
        _Line(_LDH_X, _NET),
        *_keeping(wanted),
        _Line(_LDH_X, _NET + 2),
        *_keeping(wanted),
        _Line(_RET),
        _Line(_LDB, _NET + 6, label="v6"),
        _Line(_JEQ, _ICMP6, then="keep"),
        *_keeping(whole),
        _Line(_JEQ, _FRAGMENT, then="keep"),
        _Line(_JEQ, _TCP, then="v6 ports"),
        _Line(_JEQ, _UDP, otherwise="drop"),
        _Line(_LDH, _NET + 40, label="v6 ports"),
        *_keeping(wanted),
        _Line(_LDH, _NET + 42),
        *_keeping(wanted),
        _Line(_RET, label="drop"),
        _Line(_RET, _ALL, label="keep"),
    ]
    places = {line.label: at for at, line in enumerate(lines) if line.label}
    return [
        (line.code, _jump(places, line.then, at), _jump(places, line.otherwise, at), line.k)
        for at, line in enumerate(lines)
    ]


def _jump(places: dict[str, int], label: str, at: int) -> int:
    return places[label] - at - 1 if label else 0


def _keeping(numbers: Iterable[int]) -> Iterator[_Line]:
    return (_Line(_JEQ, number, then="keep") for number in numbers)
