"""Addresses as bytes and as text: IPv4, IPv6 and Ethernet.

IPv6 text is RFC 5952's, with the last 32 bits dotted where inet_ntop writes them so (IPv4-mapped
and IPv4-compatible addresses): the text then equals what the kernel's tools print. No name is
looked up here, and no scope ("%eth0") is accepted: it is no part of an address on the wire.
"""

import ipaddress

from fourtuple.errors import ValueNotLegal

__all__ = [
    "ip_bytes",
    "ip_text",
    "ipv4_bytes",
    "ipv4_text",
    "ipv6_bytes",
    "ipv6_text",
    "mac_bytes",
    "mac_text",
]


def ipv4_text(address: bytes) -> str:
    """The dotted text of 4 bytes."""
    return ".".join(map(str, address))


def ipv6_text(address: bytes) -> str:
    """The text of 16 bytes (RFC 5952, section 4; section 5 for a dotted end)."""
    groups = [address[at] << 8 | address[at + 1] for at in range(0, 16, 2)]
    start, count = _longest_zeros(groups)
    if start == 0 and (count == 6 or (count == 5 and groups[5] == 0xFFFF)):
        return ("::ffff:" if count == 5 else "::") + ipv4_text(address[12:])
    words = [f"{group:x}" for group in groups]
    if count < 2:
        return ":".join(words)
    return ":".join(words[:start]) + "::" + ":".join(words[start + count :])


def _longest_zeros(groups: list[int]) -> tuple[int, int]:
    """Where the longest run of zero groups begins, and its length: the first one, if several."""
    best = run = 0
    start = -1
    for index, group in enumerate(groups):
        run = 0 if group else run + 1
        if run > best:
            best, start = run, index - run + 1
    return start, best


def mac_text(address: bytes) -> str:
    """Bytes of a hardware address as 02:00:00:00:00:01 (any length)."""
    return address.hex(":")


def ip_text(address: bytes) -> str:
    """The text of 4 bytes (IPv4) or 16 bytes (IPv6)."""
    return ipv4_text(address) if len(address) == 4 else ipv6_text(address)


def ip_bytes(text: str) -> bytes:
    """The 4 or 16 bytes of an address. ValueNotLegal where the text is none."""
    return ipv6_bytes(text) if ":" in text else ipv4_bytes(text)


def ipv4_bytes(text: str) -> bytes:
    """The 4 bytes of a dotted address. ValueNotLegal where the text is no such address."""
    try:
        return ipaddress.IPv4Address(text).packed
    except ValueError:
        raise ValueNotLegal(f"not an IPv4 address: {text!r}") from None


def ipv6_bytes(text: str) -> bytes:
    """The 16 bytes of an IPv6 address. ValueNotLegal where the text is no such address."""
    try:
        if "%" not in text:
            return ipaddress.IPv6Address(text).packed
    except ValueError:
        pass
    raise ValueNotLegal(f"not an IPv6 address: {text!r}")


def mac_bytes(text: str) -> bytes:
    """The 6 bytes of 02:00:00:00:00:01. ValueNotLegal where the text is no such address."""
    parts = text.split(":")
    try:
        if len(parts) == 6 and all(len(part) == 2 for part in parts):
            return bytes.fromhex("".join(parts))
    except ValueError:
        pass
    raise ValueNotLegal(f"not an Ethernet address: {text!r}")
