"""Cookies: SipHash over columns is SipHash, and no part of a probe can be changed unseen."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.scan.raw.cookie import cookies, siphash

words = st.integers(0, 2**64 - 1)
ports = st.integers(0, 65535)
MASK = 2**64 - 1


def slow_siphash(key: tuple[int, int], message: bytes, finish: int = 3) -> int:
    """SipHash-1-3 as its paper has it, a byte string at a time: the slow twin."""

    def rotated(value: int, bits: int) -> int:
        return (value << bits | value >> (64 - bits)) & MASK

    def turn(v: list[int]) -> None:
        v[0] = (v[0] + v[1]) & MASK
        v[2] = (v[2] + v[3]) & MASK
        v[1], v[3] = rotated(v[1], 13) ^ v[0], rotated(v[3], 16) ^ v[2]
        v[0] = rotated(v[0], 32)
        v[2] = (v[2] + v[1]) & MASK
        v[0] = (v[0] + v[3]) & MASK
        v[1], v[3] = rotated(v[1], 17) ^ v[2], rotated(v[3], 21) ^ v[0]
        v[2] = rotated(v[2], 32)

    text = b"somepseudorandomlygeneratedbytes"
    v = [int.from_bytes(text[i : i + 8], "big") ^ key[i // 8 & 1] for i in range(0, 32, 8)]
    padded = message + bytes(-(len(message) + 1) % 8) + bytes([len(message) & 0xFF])
    for i in range(0, len(padded), 8):
        word = int.from_bytes(padded[i : i + 8], "little")
        v[3] ^= word
        turn(v)
        v[0] ^= word
    v[2] ^= 0xFF
    for _ in range(finish):
        turn(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


@given(st.tuples(words, words), st.lists(st.tuples(words, words), min_size=1, max_size=5))
def test_columns_are_hashed_as_bytes_are(key: tuple[int, int], rows: list[tuple[int, int]]) -> None:
    columns = np.array(rows, dtype=np.uint64).T
    expected = [
        slow_siphash(key, a.to_bytes(8, "little") + b.to_bytes(8, "little")) for a, b in rows
    ]
    assert siphash(key, *columns).tolist() == expected


@given(words, ports, ports)
def test_another_address_port_or_source_port_has_another_cookie(
    address: int, port: int, source_port: int
) -> None:
    key = (1, 2)
    addresses = np.array([address, address ^ 1, address, address], dtype=np.uint64)
    to = np.array([port, port, port ^ 1, port], dtype=np.uint64)
    source = np.array([source_port, source_port, source_port, source_port ^ 1], dtype=np.uint64)
    assert len(set(cookies(key, addresses, to, source).tolist())) == 4


def test_another_key_has_other_cookies() -> None:
    row = np.arange(1000, dtype=np.uint64)
    one, other = cookies((1, 2), row, row, row), cookies((1, 3), row, row, row)
    assert np.count_nonzero(one == other) == 0
