"""The internet checksum (RFC 1071) and the pseudo headers that TCP, UDP and ICMPv6 add to it.

The one's complement sum of 16-bit words is their sum modulo 65535, and 2**16 is 1 modulo 65535:
so the bytes read as one large number, modulo 65535, are that sum. 0 and 65535 are both zero in
one's complement; a sum of words that are not all zero is written 65535.
"""

__all__ = ["checksum", "pseudo_header"]


def checksum(data: bytes) -> int:
    """The checksum of `data`, an odd last byte padded with zero; 0 over data that includes a
    correct checksum."""
    number = int.from_bytes(data, "big") << 8 * (len(data) & 1)
    return 0xFFFF - (number % 0xFFFF or 0xFFFF) if number else 0xFFFF


def pseudo_header(source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
    """What is summed before a segment of `length` bytes: RFC 9293, section 3.1 (addresses of 4
    bytes); RFC 8200, section 8.1 (16 bytes)."""
    if len(source) == 4:
        tail = bytes((0, protocol)) + length.to_bytes(2, "big")
    else:
        tail = length.to_bytes(4, "big") + bytes((0, 0, 0, protocol))
    return source + destination + tail
