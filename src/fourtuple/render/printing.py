"""Connections of a survey as JSON Lines, printed by a kernel straight from the columns.

`render.jsonout` says what a connection's object is; a test holds that each line here decodes to the
same. What is put together here once, as steps for `render._kernels`, is the text around the values.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from fourtuple.analyze.model import COUNT_NAMES
from fourtuple.analyze.survey import _layout as at
from fourtuple.analyze.survey.passing import Surveyed
from fourtuple.analyze.survey.table import CLOSES, FACTS, HANDSHAKES, ConnectionTable
from fourtuple.analyze.truth import TRUTHS
from fourtuple.compiled import kernels
from fourtuple.explain.columns import Spotted, spotted
from fourtuple.explain.model import Message
from fourtuple.explain.text import Translator
from fourtuple.render import _kernels as steps_of

__all__ = ["Printer"]

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Step = tuple[int, int, int, int]

_OUTPUT_BYTES = 2 * 1024 * 1024
_LATER = (1 << 63) - 1
#: columns that are made for printing, behind those of a table
_MADE = (
    *("duration_ns", "client_rtt_mean_ns", "server_rtt_mean_ns"),
    *("refused", "client_word", "server_word", "tunnel_word"),
)
_COLUMNS = {name: place for place, name in enumerate((*FACTS, *_MADE))}
_END = (steps_of.SKIP, 0, 0, 0)
#: the one RST that columns tell of
_REFUSAL = (
    '{"frame":<last_frame>,"from":"server","cause":"port-closed","confidence":"likely",'
    '"kernel_reason":null}'
)


class Printer:
    """Prints tables in one language. `tunnels` names those by number; `files` are the users'."""

    def __init__(
        self, translator: Translator, files: Sequence[str], tunnels: Mapping[int, str]
    ) -> None:
        self._translator = translator
        self._text, self._words = bytearray(), list[tuple[int, int]]()
        self._steps: list[Step] = []
        self._known: dict[tuple[object, ...], tuple[int, int]] = {}
        octets = [name.encode("utf-8", "surrogateescape") for name in files]
        self._files = self._listed([_json(name.decode("utf-8", "replace")) for name in octets])
        self._null = self._listed(["null"])
        self._tunnels = {number: self._listed([_json(name)]) for number, name in tunnels.items()}
        self._addresses: dict[str, int] = {}
        self._tcp = self._program(list(self._head("tcp")) + list(self._body()))
        self._udp = self._program(list(self._head("udp")))
        self._out = np.zeros(_OUTPUT_BYTES, np.uint8)
        self._room = np.zeros(0, np.int64)

    def lines(self, table: ConnectionTable, found: Surveyed, stops: Bools) -> Iterator[bytes]:
        """The lines of a table, in pieces; where a row is one of `stops`, an empty piece stands for
        it."""
        printing = kernels("fourtuple.render._kernels")["print_rows"]
        findings = self._findings(table, found)
        columns = self._columns(table)
        starts = np.where(table["protocol"] == 6, self._tcp, self._udp)
        given = (
            stops.astype(np.int64),
            starts,
            np.array(self._steps, np.int64),
            np.frombuffer(bytes(self._text), np.uint8),
            np.array(self._words, np.int64),
            columns,
            findings,
            found.evidence.frames,
            np.zeros(64, np.int64),
        )
        state = np.zeros(2, np.int64)
        while state[0] < len(table):
            if stops[state[0]]:
                state[0] += 1
                yield b""
                continue
            size = printing(state, *given, self._out)
            yield self._out[:size].tobytes()

    def _columns(self, table: ConnectionTable) -> Int64s:
        made = [table["end_ns"] - table["start_ns"]]
        for role in ("client", "server"):
            count = table[f"{role}_rtt_count"]
            made.append(table[f"{role}_rtt_sum_ns"] // np.maximum(count, 1))
        made.append(table.flagged(at.S_REFUSED).astype(np.int64))
        for role in ("client", "server"):
            made.append(self._address_words(table, role))
        tunnels, rows = np.unique(table["tunnel"], return_inverse=True)
        words = [self._tunnels.get(number, self._null) for number in tunnels.tolist()]
        made.append(np.array(words, np.int64)[rows])
        return self._gathered([*table.facts, *made])

    def _gathered(self, columns: Sequence[Int64s]) -> Int64s:
        """The columns as one table, in the same place each time: fresh memory is slow."""
        size = len(columns) * len(columns[0])
        if len(self._room) < size:
            self._room = np.zeros(size, np.int64)
        table = self._room[:size].reshape(len(columns), -1)
        for place, column in enumerate(columns):
            table[place] = column
        return table

    def _address_words(self, table: ConnectionTable, role: str) -> Int64s:
        """Of each row the word that is its address; IPv4's are printed as numbers."""
        words = np.zeros(len(table), np.int64)
        for row in np.flatnonzero(table["family"] == 6).tolist():
            address = (table.client(row) if role == "client" else table.server(row)).address
            if address not in self._addresses:
                self._addresses[address] = self._listed([address])
            words[row] = self._addresses[address]
        return words

    # What is printed of a row

    def _head(self, protocol: str) -> Iterator[Step]:
        yield from self._fields(
            '{"kind":"connection","connection":<index>,"protocol":"' + protocol + '","file":<file>,'
            '"client":{"address":"<client>","port":<client_port>},'
            '"server":{"address":"<server>","port":<server_port>},"client_known":<client_known>,'
            '"tunnel":<tunnel>,"start":<start_ns>,"duration_s":<duration_ns>,'
            '"packets":{"client":<client_packets>,"server":<server_packets>},'
            '"payload_bytes":{"client":<client_payload_bytes>,"server":<server_payload_bytes>},'
        )
        if protocol == "udp":
            yield from self._tail()

    def _body(self) -> Iterator[Step]:
        pairs = "".join(
            f'"{name}":{{"client":<client_{name}>,"server":<server_{name}>}},'
            for name in ("initial_seq", "mss", "window_scale")
        )
        yield from self._fields(
            '"handshake":<handshake>,"close":<close>,"first_closer":<first_closer>,'
            f'"completeness":<completeness>,{pairs}"timestamps":<timestamps>,"sack":<sack>,'
            '"handshake_rtt_s":<handshake_rtt_ns>,"rtt_s":{"client":'
        )
        yield from self._round_trips("client")
        yield from self._fields(',"server":')
        yield from self._round_trips("server")
        yield from self._fields(
            '},"bytes_in_flight_max":'
            '{"client":<client_flight_bytes>,"server":<server_flight_bytes>},"counts":'
        )
        yield from self._counts({name: name for name in COUNT_NAMES})
        yield from self._fields(',"repeats":{"client":')
        yield from self._counts({name: f"client_{name}" for name in TRUTHS})
        yield from self._fields(',"server":')
        yield from self._counts({name: f"server_{name}" for name in TRUTHS})
        yield from self._fields('},"resets":[')
        yield from self._either(_COLUMNS["refused"], 1, list(self._fields(_REFUSAL)), "")
        yield from self._fields("],")
        yield from self._tail()

    def _tail(self) -> Iterator[Step]:
        yield from self._fields('"findings":[')
        yield steps_of.FINDINGS, 0, 0, 0
        yield from self._fields("]}\n")

    def _round_trips(self, role: str) -> Iterator[Step]:
        some = self._fields(
            f'{{"count":<{role}_rtt_count>,"min":<{role}_rtt_least_ns>,'
            f'"mean":<{role}_rtt_mean_ns>,"max":<{role}_rtt_most_ns>}}'
        )
        yield from self._either(_COLUMNS[f"{role}_rtt_count"], 1, list(some), "null")

    def _counts(self, columns: Mapping[str, str]) -> Iterator[Step]:
        """An object of counts. They are mostly 0: then it is one piece of text."""
        places = [_COLUMNS[column] for column in columns.values()]
        some = "{" + ",".join(f'"{name}":<{column}>' for name, column in columns.items()) + "}"
        none = "{" + ",".join(f'"{name}":0' for name in columns) + "}"
        steps = list(self._fields(some))
        # columns of the other end that stand between them may not be 0: that is only slower
        yield from self._either(min(places), max(places) - min(places) + 1, steps, none)

    def _either(self, first: int, count: int, steps: list[Step], otherwise: str) -> Iterator[Step]:
        """The steps where one of the columns is not 0, else the text."""
        yield steps_of.UNLESS_ANY, first, count, len(steps) + 1
        yield from steps
        yield steps_of.SKIP, 0, 0, 1
        yield steps_of.TEXT, *self._piece(otherwise), 0

    def _fields(self, template: str) -> Iterator[Step]:
        """Text with values where <column> stands."""
        for place, part in enumerate(re.split("<([a-z_]+)>", template)):
            if place % 2:
                yield self._value(part)
            elif part:
                yield steps_of.TEXT, *self._piece(part), 0

    def _value(self, name: str) -> Step:
        if name in ("client", "server"):
            low, word = _COLUMNS[f"{name}_low"], _COLUMNS[f"{name}_word"]
            return steps_of.ADDRESS, _COLUMNS["family"], low, word
        if name == "file":
            return steps_of.WORD, _COLUMNS[name], self._files, 0
        if name == "tunnel":
            return steps_of.WORD, _COLUMNS["tunnel_word"], 0, 0
        if words := _WORDS.get(name):
            return steps_of.WORD, _COLUMNS[name], self._word_list(name, words), 0
        if name == "handshake_rtt_ns":
            return steps_of.SECONDS_OR_NULL, _COLUMNS[name], 0, 0
        if name.endswith("_ns"):
            return steps_of.SECONDS, _COLUMNS[name], 0, 0
        nullable = name.endswith(("initial_seq", "mss", "window_scale"))
        return steps_of.NUMBER_OR_NULL if nullable else steps_of.NUMBER, _COLUMNS[name], 0, 0

    def _word_list(self, name: str, words: Sequence[str]) -> int:
        first = self._listed(words)
        return first + 1 if name == "first_closer" else first  # -1 is the first one

    # Findings

    def _findings(self, table: ConnectionTable, found: Surveyed) -> Int64s:
        rows = [np.zeros((0, steps_of.FINDING), np.int64)]
        for order, one in enumerate(spotted(table, found.evidence, found.quoted)):
            rows.append(self._of_rule(one, found, order))
        every = np.concatenate(rows)
        # by row, first frame, order: rules come in that order, so a stable sort keeps it
        firsts = every[:, steps_of.FIRST_FRAME]
        by_frame = np.argsort(firsts, kind="stable")
        by_row = np.argsort(every[by_frame, steps_of.OF_ROW], kind="stable")
        return np.ascontiguousarray(every[by_frame[by_row]])

    def _of_rule(self, one: Spotted, found: Surveyed, order: int) -> Int64s:
        rows = np.zeros((len(one.rows), steps_of.FINDING), np.int64)
        rows[:, steps_of.OF_ROW], rows[:, steps_of.ORDER] = one.rows, order
        numbers = [name for name, value in one.params.items() if not isinstance(value, Message)]
        rows[:, steps_of.BEGIN], rows[:, steps_of.END] = self._rule(one, tuple(numbers))
        for place, name in enumerate(numbers):
            column: Any = one.params[name]
            rows[:, steps_of.NUMBERS + place] = column[one.rows]
        for place, first in enumerate(one.firsts):
            rows[:, steps_of.FRAME + place] = first[one.rows]
        firsts = np.where(rows[:, steps_of.FRAME] > 0, rows[:, steps_of.FRAME], _LATER)
        other = rows[:, steps_of.OTHER_FRAME]
        firsts = np.minimum(firsts, np.where(other > 0, other, _LATER))
        rows[:, steps_of.BEFORE] = _LATER if one.before is None else one.before[one.rows]
        if one.keys is not None and len(found.evidence.keys):
            begin = np.searchsorted(found.evidence.keys, one.keys[one.rows], "left")
            end = np.searchsorted(found.evidence.keys, one.keys[one.rows], "right")
            rows[:, steps_of.KEPT], rows[:, steps_of.KEPT_END] = begin, end
            kept = found.evidence.frames[np.minimum(begin, len(found.evidence.keys) - 1)]
            firsts = np.minimum(firsts, np.where(begin < end, kept, _LATER))
        rows[:, steps_of.FIRST_FRAME] = firsts
        return rows

    def _rule(self, one: Spotted, numbers: tuple[str, ...]) -> tuple[int, int]:
        """Where the steps of a finding begin and end."""
        words = {name: value for name, value in one.params.items() if isinstance(value, Message)}
        key = (one.rule.code, tuple(value.text for value in words.values()))
        if key not in self._known:
            # fields without a value stay as they are: each row fills them in
            said = msgspec.json.encode(self._translator.text(Message(one.rule.what, words)))
            head = f'{{"code":"{one.rule.code}","severity":"{one.rule.severity}","frames":['
            steps: list[Step] = [*self._fields(head), (steps_of.FRAMES, 0, 0, 0)]
            steps += self._fields('],"text":')
            for place, part in enumerate(re.split(r"\{(\w+)\}", said.decode())):
                steps += self._field(part, numbers) if place % 2 else self._plain(part)
            steps += self._fields("}")
            begin = len(self._steps)
            self._steps += steps
            self._known[key] = begin, len(self._steps)
        return self._known[key]

    def _plain(self, text: str) -> list[Step]:
        return [(steps_of.TEXT, *self._piece(text), 0)] if text else []

    def _field(self, name: str, numbers: tuple[str, ...]) -> list[Step]:
        if name in numbers:
            return [(steps_of.PARAMETER, numbers.index(name), 0, 0)]
        columns = ("family", f"{name}_low", f"{name}_word")
        family, low, word = (_COLUMNS[column] for column in columns)
        return [
            self._bracket(family, "["),
            (steps_of.ADDRESS, family, low, word),
            self._bracket(family, "]"),
            *self._fields(f":<{name}_port>"),
        ]

    def _bracket(self, family: int, text: str) -> Step:
        """The text where the family is 6, nothing where it is 4."""
        return steps_of.WORD, family, self._listed(["", "", text]) - 4, 0

    # Text that is kept

    def _piece(self, text: str) -> tuple[int, int]:
        begin = len(self._text)
        self._text += text.encode()
        return begin, len(self._text)

    def _listed(self, texts: Sequence[str]) -> int:
        """Words with numbers one after another; the first one's."""
        first = len(self._words)
        self._words += [self._piece(text) for text in texts]
        return first

    def _program(self, steps: list[Step]) -> int:
        begin = len(self._steps)
        self._steps += [*steps, _END]
        return begin


_TRUTH = ("false", "true")
_WORDS: Mapping[str, Sequence[str]] = {
    "client_known": _TRUTH,
    "timestamps": _TRUTH,
    "sack": _TRUTH,
    "handshake": [f'"{word}"' for word in HANDSHAKES],
    "close": [f'"{word}"' for word in CLOSES],
    "first_closer": ("null", '"client"', '"server"'),
}


@cache
def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()
