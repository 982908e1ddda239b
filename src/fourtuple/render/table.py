"""Many connections as a table: one a line, what went wrong in the last column.

Where a terminal is too narrow for the columns, each connection is a paragraph. Nothing is cut.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from fourtuple.analyze.model import Connection
from fourtuple.explain.model import Finding, Message
from fourtuple.explain.phrases import listed
from fourtuple.explain.text import N_
from fourtuple.render.cells import Painter
from fourtuple.render.text import width_of, wrap

__all__ = ["CLOSE_WORDS", "HANDSHAKE_WORDS", "connection_table"]

_GAP = 2
_SERIOUS = ("error", "warning")

HANDSHAKE_WORDS = {
    "complete": N_("complete"),
    "simultaneous": N_("simultaneous"),
    "fast-open": N_("fast open"),
    "syn-only": N_("SYN only"),
    "syn-ack-unanswered": N_("SYN ACK unanswered"),
    "refused": N_("refused"),
    "none": N_("not captured"),
}
CLOSE_WORDS = {
    "four-segment": N_("four segments"),
    "three-segment": N_("three segments"),
    "simultaneous": N_("simultaneous"),
    "half-closed": N_("half closed"),
    "reset": N_("reset"),
    "timed-out": N_("timed out"),
    "open": N_("open"),
}
_HEADS = (
    "#",
    N_("client"),
    N_("server"),
    N_("packets"),
    N_("payload bytes"),
    N_("handshake"),
    N_("close"),
    N_("findings"),
)
#: columns that are numbers
_RIGHT = frozenset((0, 3, 4))
#: before the findings, which are filled
_TUNNEL_AT = -1
#: the last column is filled, and no narrower than this
_LEAST_FINDINGS = 16
#: stands where TCP has its handshake
_DATAGRAMS = "UDP"


def connection_table(
    connections: Sequence[Connection],
    findings: Sequence[Finding],
    painter: Painter,
    tunnels: Mapping[int, str] = MappingProxyType({}),
) -> list[str]:
    """The table's lines, the first is its head. `tunnels` names those that connections are in, by
    first frame: where there is one, they have a column."""
    serious = Counter(f.connection for f in findings if f.severity in _SERIOUS)
    head = ["#", *(painter.words(Message(name)) for name in _HEADS[1:])]
    found: dict[int, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.connection, []).append(finding)
    rows = [_row(one, found.get(one.index, ()), painter) for one in connections]
    if any(one.frames[0] in tunnels for one in connections):
        for one, row in zip(connections, rows, strict=True):
            row.insert(_TUNNEL_AT, tunnels.get(one.frames[0], ""))
        head.insert(_TUNNEL_AT, painter.words(Message("tunnel")))
    widths = [max(width_of(row[column]) for row in (head, *rows)) for column in range(len(head))]
    room = painter.terminal.width - sum(widths[:-1]) - _GAP * (len(widths) - 1)
    if room >= min(widths[-1], _LEAST_FINDINGS):
        widths[-1] = room
        lines = list(_lines(head, widths, painter, "bold"))
        for connection, row in zip(connections, rows, strict=True):
            lines += _lines(row, widths, painter, _style(connection, serious))
    else:
        lines = []
        for connection, row in zip(connections, rows, strict=True):
            lines += _paragraph(row, head, painter, _style(connection, serious))
    return lines + (wrap(painter.legend(), painter.terminal.width) if connections else [])


def _style(connection: Connection, serious: Counter[int]) -> str:
    return "yellow" if serious[connection.index] else ""


def _row(connection: Connection, findings: Sequence[Finding], painter: Painter) -> list[str]:
    udp = connection.protocol != "tcp"
    handshake = HANDSHAKE_WORDS.get(connection.handshake, connection.handshake)
    close = CLOSE_WORDS.get(connection.close, connection.close)
    return [
        str(connection.index),
        str(connection.client),
        str(connection.server),
        _both_ways(connection.packets, painter),
        _both_ways(connection.payload_bytes, painter),
        _DATAGRAMS if udp else painter.words(Message(handshake)),
        "" if udp else painter.words(Message(close)),
        _titles(findings, painter),
    ]


def _titles(findings: Sequence[Finding], painter: Painter) -> str:
    """The most serious findings' titles, each once."""
    weight = {"error": 0, "warning": 1, "note": 2, "chat": 3}
    worst = sorted(findings, key=lambda finding: weight.get(finding.severity, 4))
    titles = [
        painter.words(Message(finding.rule.title, finding.params))
        for finding in worst
        if finding.severity != "chat"
    ]
    return painter.words(listed(dict.fromkeys(titles)))


def _both_ways(values: tuple[int, int], painter: Painter) -> str:
    return f"{painter.glyphs.right}{values[0]} {painter.glyphs.left}{values[1]}"


def _lines(
    row: Sequence[str], widths: Sequence[int], painter: Painter, style: str
) -> Iterator[str]:
    """The row; its findings on as many lines as they need."""
    *cells, findings = (
        painter.terminal.pad(text, width, right=column in _RIGHT) if column < len(row) - 1 else text
        for column, (text, width) in enumerate(zip(row, widths, strict=True))
    )
    head = "".join(cell + " " * _GAP for cell in cells)
    for line in wrap(findings, widths[-1]):
        yield painter.terminal.paint(style, (head + line).rstrip())
        head = " " * width_of(head)


def _paragraph(
    row: Sequence[str], head: Sequence[str], painter: Painter, style: str
) -> Iterator[str]:
    """Who talked to whom; below it the rest, by name."""
    number, client, server, *rest, findings = row
    named = [
        text if text == _DATAGRAMS else f"{name} {text}"
        for name, text in zip(head[3:-1], rest, strict=True)
        if text
    ]
    texts = [
        f"{client} {painter.glyphs.to} {server}",
        painter.glyphs.separator.join(named),
        findings,
    ]
    start = number + " " * _GAP
    for text in filter(None, texts):
        for line in wrap(text, painter.terminal.width - width_of(start)):
            yield painter.terminal.paint(style, start + line)
            start = " " * width_of(start)
