"""The socket filter of a scan, in classic BPF: nothing but possible answers costs us anything.

It lets through TCP or UDP (the protocol that is scanned) to our own source ports, and the ICMP
errors that may quote a probe. Packets begin at the IP header.
"""

from fourtuple.system.ring import Instruction

__all__ = ["answer_filter"]

# include/uapi/linux/bpf_common.h
_LOAD_BYTE, _LOAD_SHORT, _LOAD_SHORT_INDEXED = 0x30, 0x28, 0x48
_LOAD_BYTE_INDEXED = 0x50
_HEADER_LENGTH_TO_X = 0xB1  # X = 4 * (byte & 15)
_SHIFT_RIGHT = 0x74
_EQUAL, _GREATER_EQUAL, _GREATER, _ANY_BIT = 0x15, 0x35, 0x25, 0x45
_RETURN = 0x06
_KEEP, _DROP = "keep", "drop"

_Line = tuple[int, str, str, int]


def answer_filter(protocol: int, ports: range, keep_bytes: int) -> list[Instruction]:
    """The program for answers of `protocol` (6 or 17) to `ports`."""
    first, last = ports[0], ports[-1]
    program: list[tuple[str, _Line]] = [
        ("", (_LOAD_BYTE, "", "", 0)),
        ("", (_SHIFT_RIGHT, "", "", 4)),
        ("", (_EQUAL, "", "six?", 4)),
        ("", (_LOAD_SHORT, "", "", 6)),
        ("", (_ANY_BIT, _DROP, "", 0x1FFF)),  # a later fragment has no ports
        ("", (_HEADER_LENGTH_TO_X, "", "", 0)),
        ("", (_LOAD_BYTE, "", "", 9)),
        ("", (_EQUAL, "", "icmp?", protocol)),
        ("", (_LOAD_SHORT_INDEXED, "", "", 2)),
        ("", (_GREATER_EQUAL, "", _DROP, first)),
        ("", (_GREATER, _DROP, _KEEP, last)),
        ("icmp?", (_EQUAL, "", _DROP, 1)),
        ("", (_LOAD_BYTE_INDEXED, "", "", 0)),
        ("", (_EQUAL, _KEEP, "", 3)),
        ("", (_EQUAL, _KEEP, _DROP, 11)),
        ("six?", (_EQUAL, "", _DROP, 6)),
        ("", (_LOAD_BYTE, "", "", 6)),
        ("", (_EQUAL, "", "icmp6?", protocol)),
        ("", (_LOAD_SHORT, "", "", 42)),
        ("", (_GREATER_EQUAL, "", _DROP, first)),
        ("", (_GREATER, _DROP, _KEEP, last)),
        ("icmp6?", (_EQUAL, "", _DROP, 58)),
        ("", (_LOAD_BYTE, "", "", 40)),
        ("", (_EQUAL, _KEEP, "", 1)),
        ("", (_EQUAL, _KEEP, _DROP, 3)),
        (_KEEP, (_RETURN, "", "", keep_bytes)),
        (_DROP, (_RETURN, "", "", 0)),
    ]
    places = {label: at for at, (label, _) in enumerate(program) if label}
    return [
        (
            code,
            places[true] - at - 1 if true else 0,
            places[false] - at - 1 if false else 0,
            number,
        )
        for at, (_, (code, true, false, number)) in enumerate(program)
    ]
