"""The output contract's connections as JSON Lines, straight from the columns of a survey.

render.jsonout makes an object of each connection and encodes it; tens of thousands of them take
seconds so. Here each line is a template filled from columns. Rules: what is said is the same, and
a test compares both. Connections that the columns do not tell of come from the second pass.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import repeat
from typing import Any

import msgspec
import numpy as np

from fourtuple.analyze.model import COUNT_NAMES
from fourtuple.analyze.survey import Surveyed
from fourtuple.analyze.table import CLOSES, HANDSHAKES, ConnectionTable
from fourtuple.analyze.truth import TRUTHS
from fourtuple.event.model import Endpoint
from fourtuple.explain.catalog import findings
from fourtuple.explain.columns import Spotted, spotted, undecided
from fourtuple.explain.model import Message
from fourtuple.explain.overview import Detail, Overview
from fourtuple.explain.text import Translator
from fourtuple.render.jsonout import connection_objects

__all__ = ["connection_lines"]

_CLOSERS = ("null", '"client"', '"server"')  # from -1 on
_FLAGS = ("false", "true")

_HEAD = (
    '{{"kind":"connection","connection":%d,"protocol":"{protocol}","file":{file},"client":%s,'
    '"server":%s,"client_known":%s,"start":%s,"duration_s":%s,'
    '"packets":{{"client":%d,"server":%d}},"payload_bytes":{{"client":%d,"server":%d}},'
)
_PAIR = '{{"client":%s,"server":%s}}'
_TCP = (
    '"handshake":"%s","close":"%s","first_closer":%s,"completeness":%d,'
    f'"initial_seq":{_PAIR},"mss":{_PAIR},"window_scale":{_PAIR},"timestamps":%s,"sack":%s,'
    f'"handshake_rtt_s":%s,"rtt_s":{_PAIR},"bytes_in_flight_max":{_PAIR},'
    f'"counts":%s,"repeats":{_PAIR},"resets":[],'
)
_TAIL = '"findings":[%s]}}\n'

_COMMON = (
    ("client_known", _FLAGS),
    ("client_packets", None),
    ("server_packets", None),
    ("client_payload_bytes", None),
    ("server_payload_bytes", None),
)


def connection_lines(overview: Overview, translator: Translator, file: str) -> Iterator[str]:
    """All connections, some thousand lines at a time."""
    name = file.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    lines = _Lines(translator, msgspec.json.encode(name).decode())
    whole = _looked_at(overview, translator, file)
    for table in overview.tables():
        open_ = undecided(table, overview.found.quoted).tolist()
        told = lines.of(table, overview.found)
        yield "".join(next(whole) if one else line for one, line in zip(open_, told, strict=True))


def _looked_at(overview: Overview, translator: Translator, file: str) -> Iterator[str]:
    """The lines of the connections that columns do not tell of, in order."""
    for detail in overview.undecided():
        yield from _of_detail(overview, detail, translator, file)


def _of_detail(
    overview: Overview, detail: Detail, translator: Translator, file: str
) -> Iterator[str]:
    for index, found in sorted(detail.connections.items()):
        connection = replace(found, index=index)
        said = findings(detail.timeline, [connection])
        (item,) = connection_objects(detail.timeline, [connection], said, translator, file)
        yield msgspec.json.encode(item).decode() + "\n"


class _Lines:
    """Lines of tables, in one language. `file` is JSON already."""

    def __init__(self, translator: Translator, file: str) -> None:
        self.translator = translator
        self.tcp = (_HEAD + _TCP + _TAIL).format(protocol="tcp", file=file.replace("%", "%%"))
        self.udp = (_HEAD + _TAIL).format(protocol="udp", file=file.replace("%", "%%"))
        self.zero = _counts([0] * len(COUNT_NAMES))
        self.never = _repeats([0] * len(TRUTHS))

    def of(self, table: ConnectionTable, found: Surveyed) -> Iterator[str]:
        said = self._findings(table, found)
        heads = zip(*self._heads(table), strict=True)
        bodies = zip(*self._bodies(table), strict=True)
        protocols = table["protocol"].tolist()
        for row, (protocol, head, body) in enumerate(zip(protocols, heads, bodies, strict=True)):
            mine = said.get(row)
            text = ",".join([text for _, text in sorted(mine, key=_first)]) if mine else ""
            if protocol == 6:
                yield self.tcp % (*head, *body, text)
            else:
                yield self.udp % (*head, text)

    def _heads(self, table: ConnectionTable) -> Iterator[Iterable[object]]:
        yield table["index"].tolist()
        yield map(_endpoint, table.clients)
        yield map(_endpoint, table.servers)
        yield [_FLAGS[known] for known in table["client_known"].tolist()]
        yield map(_seconds, table["start_ns"].tolist())
        yield map(_seconds, (table["end_ns"] - table["start_ns"]).tolist())
        for name in ("packets", "payload_bytes"):
            yield table[f"client_{name}"].tolist()
            yield table[f"server_{name}"].tolist()

    def _bodies(self, table: ConnectionTable) -> Iterator[Iterable[object]]:
        yield [HANDSHAKES[code] for code in table["handshake"].tolist()]
        yield [CLOSES[code] for code in table["close"].tolist()]
        yield [_CLOSERS[code + 1] for code in table["first_closer"].tolist()]
        yield table["completeness"].tolist()
        for name in ("initial_seq", "mss", "window_scale"):
            for role in ("client", "server"):
                yield ["null" if v < 0 else v for v in table[f"{role}_{name}"].tolist()]
        for name in ("timestamps", "sack"):
            yield [_FLAGS[flag] for flag in table[name].tolist()]
        yield ["null" if v == 0 else _seconds(v) for v in table["handshake_rtt_ns"].tolist()]
        for role in ("client", "server"):
            parts = ("count", "least_ns", "sum_ns", "most_ns")
            yield map(_round_trips, *(table[f"{role}_rtt_{part}"].tolist() for part in parts))
        for role in ("client", "server"):
            yield table[f"{role}_flight_bytes"].tolist()
        yield _rare(table, COUNT_NAMES, self.zero, _counts)
        for role in ("client", "server"):
            yield _rare(table, [f"{role}_{name}" for name in TRUTHS], self.never, _repeats)

    def _findings(
        self, table: ConnectionTable, found: Surveyed
    ) -> dict[int, list[tuple[int, str]]]:
        """Of each row its findings as JSON, each with its first frame."""
        said: dict[int, list[tuple[int, str]]] = {}
        for one in spotted(table, found.evidence, found.quoted):
            head = f'{{"code":"{one.rule.code}","severity":"{one.rule.severity}","frames":['
            texts = self._texts(table, one)
            frames = one.frames(found.evidence.frames)
            for row, evidence, text in zip(one.rows.tolist(), frames, texts, strict=True):
                listed = ",".join(map(str, evidence))
                said.setdefault(row, []).append((evidence[0], f'{head}{listed}],"text":{text}}}'))
        return said

    def _texts(self, table: ConnectionTable, one: Spotted) -> Iterator[str]:
        """What is said of each row, as JSON."""
        words = {name: value for name, value in one.params.items() if isinstance(value, Message)}
        numbers = {name: value for name, value in one.params.items() if name not in words}
        kept = {name: Message("{" + name + "}") for name in (*numbers, "client", "server")}
        pattern = self.translator.text(Message(one.rule.what, {**words, **kept}))
        pieces = re.split(r"\{(\w+)\}", msgspec.json.encode(pattern).decode())
        if len(pieces) == 1:
            return repeat(pieces[0], len(one.rows))
        columns = [self._values(table, one, numbers, name) for name in pieces[1::2]]
        shape = "%s".join(piece.replace("%", "%%") for piece in pieces[::2])
        return (shape % values for values in zip(*columns, strict=True))

    def _values(
        self, table: ConnectionTable, one: Spotted, numbers: Mapping[str, Any], name: str
    ) -> list[Any]:
        if name in numbers:
            values: list[Any] = numbers[name][one.rows].tolist()
            return values
        ends = table.clients if name == "client" else table.servers
        return [ends[row] for row in one.rows.tolist()]


def _first(found: tuple[int, str]) -> int:
    return found[0]


def _rare(table: ConnectionTable, names: Iterable[str], usual: str, text: Any) -> Iterator[str]:
    """An object of counts that are mostly 0."""
    columns = [table[name] for name in names]
    busy = np.sum(columns, axis=0).tolist()
    for row, some in enumerate(busy):
        yield text([int(column[row]) for column in columns]) if some else usual


def _counts(values: list[int]) -> str:
    return msgspec.json.encode(dict(zip(COUNT_NAMES, values, strict=True))).decode()


def _repeats(values: list[int]) -> str:
    return msgspec.json.encode(dict(zip(TRUTHS, values, strict=True))).decode()


def _endpoint(endpoint: Endpoint) -> str:
    return f'{{"address":"{endpoint.address}","port":{endpoint.port}}}'


def _seconds(t_ns: int) -> str:
    """Exact, with as few digits as that takes."""
    if t_ns < 0:
        return f"-{_seconds(-t_ns)}"
    whole, part = divmod(t_ns, 1_000_000_000)
    return f"{whole}.{part:09d}".rstrip("0") if part else f"{whole}.0"


def _round_trips(count: int, least: int, total: int, most: int) -> str:
    if not count:
        return "null"
    mean = _seconds(total // count)
    return f'{{"count":{count},"min":{_seconds(least)},"mean":{mean},"max":{_seconds(most)}}}'
