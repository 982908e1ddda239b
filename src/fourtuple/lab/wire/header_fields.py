"""Header fields by name: what selectors ask for, and what rules change. Bytes to bytes, no I/O.

A name is looked for in TCP, UDP, ICMP, then IP, then Ethernet or ARP, and is that of the views in
`fourtuple.wire`: window, urgent_pointer, identification, dscp. With a layer before it, it is that
layer's: ip_flags, ip_checksum, ethernet_type. And these:

    len          how long the payload is (can only be asked for)
    payload      the payload (can only be changed)
    seq, ack     counted from the initial number, where the wire has seen it
    flags        TCP's, by name too: "SYN ACK"
    mss          TCP's option; a change adds the option where there is none
    options      all of TCP's options, as values of fourtuple.wire (can only be changed)
    ttl          IPv6's hop limit too

Changed lengths are always set right, checksums unless the caller does not want that.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from fourtuple.errors import N_, UsageError
from fourtuple.wire import (
    ArpView,
    EthernetView,
    Icmp6View,
    IcmpView,
    Ipv4View,
    Ipv6View,
    MaximumSegmentSize,
    Packet,
    TcpOption,
    TcpView,
    UdpView,
    View,
    checksum,
    dissect,
    ip_bytes,
    mac_bytes,
    pseudo_header,
)
from fourtuple.wire.tcp import SPOKEN
from fourtuple.wire.tcp_options import decode_options, encode_options

__all__ = [
    "Changes",
    "Numbers",
    "changed",
    "changes_of",
    "check_fields",
    "consistent",
    "field_of",
    "matches",
]

#: the initial sequence numbers of a segment's sender and of its receiver, as far as they are known
Numbers = tuple[int | None, int | None]


class Changes(msgspec.Struct, frozen=True):
    """New values of fields (numbers, addresses, names of flags), and contents: payload, options."""

    values: dict[str, int | str] = {}
    contents: dict[str, bytes] = {}


_LAYERS: tuple[tuple[str, tuple[type[View], ...]], ...] = (
    ("tcp", (TcpView,)),
    ("udp", (UdpView,)),
    ("icmp", (IcmpView, Icmp6View)),
    ("ip", (Ipv4View, Ipv6View)),
    ("ethernet", (EthernetView,)),
    ("arp", (ArpView,)),
)
_ALIASES = {"ttl": "hop_limit", "hop_limit": "ttl", "sequence": "seq", "acknowledgment": "ack"}
_RELATIVE = {"seq": "sequence", "ack": "acknowledgment"}
_ONLY_READ = ("len",)
_ONLY_CHANGED = ("payload", "options")
_MSS = MaximumSegmentSize.KIND
_FLAGS = {name: bit for bit, name in SPOKEN}
_TCP, _UDP, _ICMP6 = 6, 17, 58
#: of an IP packet with the largest headers
_LARGEST_PAYLOAD = 65535 - 120

NO_FIELD = N_("{name} is no header field. There are {known}.")
NO_FLAG = N_("{flag} is no TCP flag. There are {known}.")
TOO_LARGE = N_("{name} is {value}: the field has room for numbers from 0 to {most}.")
NO_VALUE = N_("{name} cannot be {value}: {reason}")
MISSING = N_("The frame that was to be changed has no field {name}.")


def check_fields(fields: Mapping[str, object], *, only_read: bool) -> None:
    """UsageError for a name that is no field's, or a value that a field cannot have."""
    special = (*_RELATIVE, "mss", *(_ONLY_READ if only_read else _ONLY_CHANGED))
    for name, value in fields.items():
        known = [*special, *dict.fromkeys(_names())]
        if name not in known:
            raise UsageError(NO_FIELD, {"name": name, "known": ", ".join(known)})
        for one in (value[0], value[-1]) if isinstance(value, range) and value else (value,):
            _check_value(name, one)


def changes_of(fields: Mapping[str, Any]) -> Changes:
    """The changes that keyword arguments ask for; UsageError as `check_fields` says."""
    check_fields(fields, only_read=False)
    plain = dict(fields)
    if "options" in plain:
        plain["options"] = encode_options(plain["options"])
    contents = {name: plain.pop(name) for name in _ONLY_CHANGED if name in plain}
    return Changes(plain, contents)


def _names() -> list[str]:
    plain = [f.name for _, views in _LAYERS for view in views for f in view.FIELDS]
    full = [f"{layer}_{f.name}" for layer, views in _LAYERS for v in views for f in v.FIELDS]
    return [*plain, *full]


def _check_value(name: str, value: object) -> None:
    if name in ("payload", "options"):
        kind = bytes if name == "payload" else tuple
        if not isinstance(value, kind):
            raise _no_value(name, value, f"{kind.__name__} wanted")
        if isinstance(value, bytes) and len(value) > _LARGEST_PAYLOAD:
            raise _no_value(name, len(value), f"{_LARGEST_PAYLOAD} bytes at most")
        if isinstance(value, tuple) and not all(isinstance(one, TcpOption) for one in value):
            raise _no_value(name, value, "TcpOption wanted")
    elif isinstance(value, str):
        _number_of(name, value)
    elif not isinstance(value, int):
        raise _no_value(name, value, "int wanted")
    elif not _RELATIVE.get(name) and not 0 <= value <= _most(name):
        raise UsageError(TOO_LARGE, {"name": name, "value": value, "most": _most(name)})


def _most(name: str) -> int:
    if name in ("len", "mss"):
        return 0xFFFF
    rows = [f for layer, views in _LAYERS for v in views for f in v.FIELDS
            if name in (f.name, f"{layer}_{f.name}")]  # fmt: skip
    return max((1 << row.bits for row in rows), default=1 << 32) - 1


def _no_value(name: str, value: object, reason: str) -> UsageError:
    return UsageError(NO_VALUE, {"name": name, "value": repr(value), "reason": reason})


def _number_of(name: str, value: str) -> int:
    """The number that a text stands for: flags, or an address."""
    if name.removeprefix("tcp_") == "flags":
        for flag in value.split():
            if flag not in _FLAGS:
                raise UsageError(NO_FLAG, {"flag": flag, "known": ", ".join(_FLAGS)})
        return sum({_FLAGS[flag] for flag in value.split()})
    try:
        return int.from_bytes((mac_bytes if value.count(":") == 5 else ip_bytes)(value), "big")
    except ValueError as error:
        raise _no_value(name, value, str(error)) from None


def field_of(packet: Packet, name: str, numbers: Numbers) -> int | None:
    """The value of a field as a number; None where the frame has no such field, or where a number
    is counted from an initial one that nobody knows."""
    tcp = packet.tcp
    if name == "len":
        transport = tcp or packet.udp
        return transport.payload_length if transport else len(packet.payload)
    if name == "mss":
        option = tcp.option(MaximumSegmentSize) if tcp else None
        return option.size if option else None
    base = _base(name, numbers)
    if name in _RELATIVE and base is None:
        return None
    place = _place(packet, _RELATIVE.get(name, name))
    if place is None:
        return None
    at, bits = place
    first, last = at >> 3, (at + bits + 7) >> 3
    value = int.from_bytes(packet.data[first:last], "big") >> (last * 8 - at - bits)
    value &= (1 << bits) - 1
    return (value - base) % (1 << 32) if base is not None else value


def matches(packet: Packet, name: str, wanted: Any, numbers: Numbers) -> bool:
    """Whether a field has the value, or one of those from the first to the last of a pair."""
    value = field_of(packet, name, numbers)
    if value is None:
        return False
    if isinstance(wanted, tuple | list):
        return bool(wanted[0] <= value <= wanted[1])
    return value == (_number_of(name, wanted) if isinstance(wanted, str) else wanted)


def changed(data: bytes, changes: Changes, numbers: Numbers, *, checksums: bool = True) -> bytes:
    """The frame with other values in some of its fields. UsageError where it lacks one."""
    plain, content = dict(changes.values), dict(changes.contents)
    if "mss" in plain:
        content["options"] = _with_mss(data, int(plain.pop("mss")), content.get("options"))
    if content:
        data = _refilled(data, content)
    made = bytearray(data)
    packet = dissect(data)
    for name, value in plain.items():
        _set(made, packet, name, value, numbers)
    if not checksums:
        return bytes(made)
    # who sets a checksum wants that one
    kept = {n for n in plain if n.endswith("checksum")}
    fixed = bytearray(consistent(bytes(made)))
    for name in kept:
        _set(fixed, dissect(bytes(fixed)), name, plain[name], numbers)
    return bytes(fixed)


def _set(made: bytearray, packet: Packet, name: str, value: int | str, numbers: Numbers) -> None:
    place = _place(packet, _RELATIVE.get(name, name))
    if place is None:
        raise UsageError(MISSING, {"name": name})
    at, bits = place
    number = _number_of(name, value) if isinstance(value, str) else value
    number = (number + (_base(name, numbers) or 0)) & ((1 << bits) - 1)
    first, last = at >> 3, (at + bits + 7) >> 3
    shift = last * 8 - at - bits
    whole = int.from_bytes(made[first:last], "big") & ~(((1 << bits) - 1) << shift)
    made[first:last] = (whole | number << shift).to_bytes(last - first, "big")


def _base(name: str, numbers: Numbers) -> int | None:
    return {"seq": numbers[0], "ack": numbers[1]}.get(name)


def _place(packet: Packet, name: str) -> tuple[int, int] | None:
    """(first bit in the frame, bits) of a field; the innermost layer that has it counts."""
    for wanted in (name, _ALIASES.get(name, "")):
        for layer, kinds in _LAYERS:
            for view in packet.layers:
                if not isinstance(view, kinds) or not view.readable:
                    continue
                for row in view.FIELDS:
                    if wanted in (row.name, f"{layer}_{row.name}"):
                        return view.offset * 8 + row.bit_offset, row.bits
    return None


def _with_mss(data: bytes, size: int, options: bytes | None) -> bytes:
    """The TCP options with an MSS of that size in the place of the one that is there."""
    tcp = dissect(data).tcp
    if tcp is None:
        raise UsageError(MISSING, {"name": "mss"})
    present = decode_options(tcp.header[tcp.MINIMUM :] if options is None else options)[0]
    others = tuple(one for one in present if one.kind != _MSS)
    return encode_options((MaximumSegmentSize(size), *others))


def _refilled(data: bytes, content: Mapping[str, bytes]) -> bytes:
    """The frame with another payload or other TCP options, its lengths made to fit."""
    packet = dissect(data)
    transport = packet.tcp or packet.udp or packet.icmp
    if "options" in content and packet.tcp is None:
        transport = None
    if transport is None or not transport.readable:
        raise UsageError(MISSING, {"name": next(iter(content))})
    header = bytearray(transport.header)
    if "options" in content:
        header[20:] = content["options"]
        header[12] = (len(header) // 4) << 4 | header[12] & 0xF
    payload = content.get("payload", transport.payload)
    return _with_lengths(data[: transport.offset] + bytes(header) + payload)


def _with_lengths(data: bytes) -> bytes:
    """The frame with IP's and UDP's lengths as they are."""
    made, packet = bytearray(data), dissect(data)
    ip = packet.ip
    if isinstance(ip, Ipv4View):
        made[ip.offset + 2 : ip.offset + 4] = (len(data) - ip.offset).to_bytes(2, "big")
    elif isinstance(ip, Ipv6View):
        made[ip.offset + 4 : ip.offset + 6] = (len(data) - ip.offset - 40).to_bytes(2, "big")
    if packet.udp:
        at = packet.udp.offset
        made[at + 4 : at + 6] = (len(data) - at).to_bytes(2, "big")
    return bytes(made)


def consistent(data: bytes) -> bytes:
    """The frame with right checksums: IPv4's, and that of the transport header where the packet
    is no fragment."""
    made, packet = bytearray(data), dissect(data)
    ip = packet.ip
    if isinstance(ip, Ipv4View) and ip.sound:
        _put_checksum(made, ip.offset, ip.header_length, 10, b"")
    view = packet.tcp or packet.udp or packet.icmp
    envelope = view.envelope if view else None
    if view is None or envelope is None or not envelope.complete or not view.readable:
        return bytes(made)
    length = len(view.header) + len(view.payload)
    protocol = {TcpView: _TCP, UdpView: _UDP, Icmp6View: _ICMP6}.get(type(view))
    pseudo = pseudo_header(envelope.source, envelope.destination, protocol or 0, length)
    at = {TcpView: 16, UdpView: 6}.get(type(view), 2)
    _put_checksum(made, view.offset, length, at, pseudo if protocol else b"")
    if isinstance(view, UdpView) and made[view.offset + 6 : view.offset + 8] == b"\0\0":
        made[view.offset + 6 : view.offset + 8] = b"\xff\xff"  # RFC 768: 0 means "none"
    return bytes(made)


def _put_checksum(made: bytearray, begin: int, length: int, at: int, pseudo: bytes) -> None:
    place = slice(begin + at, begin + at + 2)
    made[place] = b"\0\0"
    made[place] = checksum(pseudo + made[begin : begin + length]).to_bytes(2, "big")
