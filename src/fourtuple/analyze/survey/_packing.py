"""Facts of connections that are over, packed: most numbers are 0, and most others are small.

A packed row is four words of bits - which columns are not 0 (two words), and which of them take 64
bits (two words) -, then their values: those of 32 bits two to a word, the first one's word before
the second one's.
"""

from __future__ import annotations

from fourtuple.analyze.survey import _layout as at

Column = memoryview
Table = memoryview
Rows = list[memoryview]  # Columns

#: columns whose bits are in one word: half of them; words before the values
_PART, _HEAD = 52, 4
#: no row takes more words
MOST_WORDS = _HEAD + at.FACT
_SIGN, _LOW = 1 << 31, (1 << 32) - 1


def pack(facts: Rows, starts: Column, out: Column) -> int:
    """Pack rows into `out`; `starts` gets where each begins. How many words there are."""
    used = 0
    for n in range(len(facts)):
        starts[n] = used
        used = _pack_row(facts[n], out, used)
    return used


def _pack_row(fact: Column, out: Column, head: int) -> int:
    used, half_full = head + _HEAD, -1
    for part in range(2):
        some, wide = 0, 0
        for place in range(_PART):
            value = fact[part * _PART + place] + 0
            if value != 0:
                some |= 1 << place
                if not -_SIGN <= value < _SIGN:
                    wide |= 1 << place
                    out[used] = value
                    used += 1
                elif half_full >= 0:
                    out[half_full] |= value << 32
                    half_full = -1
                else:
                    out[used] = value & _LOW
                    half_full = used
                    used += 1
        out[head + part] = some
        out[head + 2 + part] = wide
    return used


def unpack(words: Column, starts: Column, places: Column, columns: Table) -> None:
    """Rows of facts again, from where each begins, as columns: int64[FACT, n]."""
    for n in range(len(starts)):
        _unpack_row(words, starts[n] + 0, places[n] + 0, columns)


def _unpack_row(words: Column, head: int, n: int, columns: Table) -> None:
    used, half_read = head + _HEAD, -1
    for part in range(2):
        some, wide = words[head + part] + 0, words[head + 2 + part] + 0
        for place in range(_PART):
            value = 0
            if some >> place & 1:
                if wide >> place & 1:
                    value = words[used] + 0
                    used += 1
                elif half_read >= 0:
                    value = words[half_read] >> 32
                    half_read = -1
                else:
                    value = ((words[used] & _LOW) ^ _SIGN) - _SIGN
                    half_read = used
                    used += 1
            columns[part * _PART + place, n] = value
