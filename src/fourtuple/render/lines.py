"""The output contract's connections as JSON Lines, straight from the columns of a survey.

render.jsonout makes an object of each connection and encodes it; tens of thousands of them take
seconds so. Here each line is a template filled from columns. Rules: what is said is the same, and
a test compares both. Connections that the columns do not tell of come from the second pass.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from fourtuple.analyze import _layout as at
from fourtuple.analyze.model import COUNT_NAMES
from fourtuple.analyze.seen import FrameKnown, Roles
from fourtuple.analyze.survey import Surveyed
from fourtuple.analyze.table import CLOSES, HANDSHAKES, ConnectionTable
from fourtuple.analyze.truth import TRUTHS
from fourtuple.event.model import Endpoint
from fourtuple.explain.catalog import findings
from fourtuple.explain.columns import Spotted, spotted, undecided
from fourtuple.explain.model import Message
from fourtuple.explain.overview import Detail, Overview
from fourtuple.explain.text import Translator
from fourtuple.render.jsonout import NO_CONNECTION, connection_objects, flag_letters
from fourtuple.source.passes import FrameBlock

__all__ = ["Kept", "connection_line", "connection_lines", "frame_lines"]

#: which frames of a block to tell of, given the connection that each is of
Kept = Callable[[FrameBlock, npt.NDArray[np.int64]], npt.NDArray[np.bool_]]

_CLOSERS = ("null", '"client"', '"server"')  # from -1 on
_FLAGS = ("false", "true")

_HEAD = (
    '{{"kind":"connection","connection":%d,"protocol":"{protocol}","file":%s,"client":%s,'
    '"server":%s,"client_known":%s,"tunnel":%s,"start":%s,"duration_s":%s,'
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


def connection_lines(
    overview: Overview, translator: Translator, files: Sequence[str]
) -> Iterator[str]:
    """The connections asked for, some thousand lines at a time. `files` are the names that the user
    gave."""
    lines = _Lines(translator, files, overview)
    whole = _looked_at(overview, translator, files)
    for table in overview.wanted():
        mask = undecided(table, overview.found.quoted).tolist()
        told = lines.of(table, overview.found)
        yield "".join(next(whole) if one else line for one, line in zip(mask, told, strict=True))


def connection_line(
    overview: Overview, index: int, translator: Translator, files: Sequence[str]
) -> str:
    """One connection. IndexError where there is none of that index."""
    for table in overview.tables():
        chosen = table["index"] == index
        if chosen.any():
            one = table.only(chosen)
            if undecided(one, overview.found.quoted)[0]:
                return next(_of_detail(overview.detail(index), translator, files))
            return next(_Lines(translator, files, overview).of(one, overview.found))
    raise IndexError(index)


def frame_lines(
    overview: Overview, kept: Kept | None = None, frame: int | None = None
) -> Iterator[str]:
    """All frames, those that are `kept`, or one frame, some thousand lines at a time."""
    roles = Roles(overview.tables())
    files = overview.names if len(overview.names) > 1 else ()
    for block, known in overview.seen():
        last = block.first_number + len(block) - 1
        if frame is None or block.first_number <= frame <= last:
            told = roles.told(known, block.first_number)
            keep = repeat(True) if kept is None else kept(block, known[:, at.F_ROW_INDEX]).tolist()
            yield "".join(
                msgspec.json.encode(item).decode() + "\n"
                for one, item in zip(keep, _frames(block, told, files), strict=False)
                if one and frame in (None, item["frame"])
            )
        if frame is not None and frame <= last:
            return


def _frames(
    block: FrameBlock, told: Iterable[FrameKnown | None], files: Sequence[str]
) -> Iterator[dict[str, Any]]:
    times = block.t_ns.tolist()
    for row, (t_ns, one) in enumerate(zip(times, told, strict=True)):
        head = {"kind": "frame", "frame": block.first_number + row, "t": t_ns / 10**9}
        if files and block.file is not None and block.place is not None:
            head |= {"file": files[int(block.file[row])], "file_frame": int(block.place[row])}
        yield head | (_frame(one) if one else NO_CONNECTION)


def _frame(one: FrameKnown) -> dict[str, Any]:
    whose = {"connection": one.connection, "from": "client" if one.from_client else "server"}
    if not one.tcp:
        return NO_CONNECTION | whose | {"len": one.length, "verdict": "captured"}
    return whose | {
        "flags": flag_letters(one.flags),
        "seq": one.seq,
        "ack": one.ack,
        "len": one.length,
        "raw_seq": one.raw_seq,
        "raw_ack": one.raw_ack,
        "window": one.window,
        "notes": one.notes,
        "client_state": one.states[0],
        "server_state": one.states[1],
        "verdict": "captured",
    }


def _looked_at(overview: Overview, translator: Translator, files: Sequence[str]) -> Iterator[str]:
    """The lines of the connections that columns do not tell of, in order."""
    for detail in overview.undecided():
        yield from _of_detail(detail, translator, files)


def _of_detail(detail: Detail, translator: Translator, files: Sequence[str]) -> Iterator[str]:
    for _, connection in sorted(detail.connections.items()):
        said = findings(detail.timeline, [connection])
        (item,) = connection_objects(detail.timeline, [connection], said, translator, files)
        yield msgspec.json.encode(item).decode() + "\n"


class _Lines:
    """Lines of tables, in one language."""

    def __init__(self, translator: Translator, files: Sequence[str], overview: Overview) -> None:
        self.translator, self.overview = translator, overview
        octets = [name.encode("utf-8", "surrogateescape") for name in files]
        names = [name.decode("utf-8", "replace") for name in octets]
        self.files = [msgspec.json.encode(name).decode() for name in names]
        self.tcp = (_HEAD + _TCP + _TAIL).format(protocol="tcp")
        self.udp = (_HEAD + _TAIL).format(protocol="udp")
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
        yield [self.files[file] for file in table["file"].tolist()]
        yield map(_endpoint, table.clients)
        yield map(_endpoint, table.servers)
        yield [_FLAGS[known] for known in table["client_known"].tolist()]
        yield self._tunnels(table)
        yield map(_seconds, table["start_ns"].tolist())
        yield map(_seconds, (table["end_ns"] - table["start_ns"]).tolist())
        for name in ("packets", "payload_bytes"):
            yield table[f"client_{name}"].tolist()
            yield table[f"server_{name}"].tolist()

    def _tunnels(self, table: ConnectionTable) -> Iterable[str]:
        if not table["tunnel"].any():
            return repeat("null", len(table))
        named = map(self.overview.tunnels.get, table["tunnel"].tolist())
        return [msgspec.json.encode(name).decode() for name in named]

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
            frames = one.frames(found.evidence)
            for row, evidence, text in zip(one.rows.tolist(), frames, texts, strict=True):
                listed = ",".join(map(str, evidence))
                said.setdefault(row, []).append((evidence[0], f'{head}{listed}],"text":{text}}}'))
        return said

    def _texts(self, table: ConnectionTable, one: Spotted) -> Iterator[str]:
        """What is said of each row, as JSON."""
        words = {name: value for name, value in one.params.items() if isinstance(value, Message)}
        numbers = {name: value for name, value in one.params.items() if name not in words}
        # fields without a value stay as they are: each row fills them in
        pattern = self.translator.text(Message(one.rule.what, words))
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
