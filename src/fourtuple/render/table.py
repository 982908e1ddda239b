"""Many connections as a table: one a line, what went wrong in the last column."""

from collections import Counter
from collections.abc import Sequence

from fourtuple.analyze.model import Connection
from fourtuple.explain.model import Finding, Message
from fourtuple.explain.text import N_
from fourtuple.render.cells import Painter
from fourtuple.render.text import width_of

__all__ = ["connection_table"]

#: more lines than this are no overview
_MOST_LINES = 60
_GAP = 2
_SERIOUS = ("error", "warning")

_HANDSHAKES = {
    "complete": N_("complete"),
    "simultaneous": N_("simultaneous"),
    "fast-open": N_("fast open"),
    "syn-only": N_("SYN only"),
    "syn-ack-unanswered": N_("SYN ACK unanswered"),
    "refused": N_("refused"),
    "none": N_("not captured"),
}
_CLOSES = {
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
#: columns that are numbers, and those that a narrow terminal does without, the first ones first
_RIGHT = frozenset((0, 3, 4))
_LESS = (4, 3, 5)


def connection_table(
    connections: Sequence[Connection], findings: Sequence[Finding], painter: Painter
) -> list[str]:
    """The table's lines, the first is its head."""
    serious = Counter(f.connection for f in findings if f.severity in _SERIOUS)
    shown = connections[:_MOST_LINES]
    head = ["#", *(painter.words(Message(name)) for name in _HEADS[1:])]
    found = {c.index: [f for f in findings if f.connection == c.index] for c in shown}
    rows = [_row(connection, found[connection.index], painter) for connection in shown]
    columns = _columns([head, *rows], painter.terminal.width)
    lines = [_line(head, columns, painter, "bold")]
    for connection, row in zip(shown, rows, strict=True):
        lines.append(_line(row, columns, painter, "yellow" if serious[connection.index] else ""))
    return lines + _rest(len(connections) - len(shown), painter)


def _row(connection: Connection, findings: Sequence[Finding], painter: Painter) -> list[str]:
    udp = connection.protocol != "tcp"
    handshake = _HANDSHAKES.get(connection.handshake, connection.handshake)
    close = _CLOSES.get(connection.close, connection.close)
    return [
        str(connection.index),
        str(connection.client),
        str(connection.server),
        "{}+{}".format(*connection.packets),
        "{}+{}".format(*connection.payload_bytes),
        "UDP" if udp else painter.words(Message(handshake)),
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
    return ", ".join(dict.fromkeys(titles))


def _columns(rows: Sequence[Sequence[str]], width: int) -> dict[int, int]:
    """Column -> width. Columns go until the rest leaves the findings some room; what then is
    still too wide is cut."""
    asked = {column: max(width_of(row[column]) for row in rows) for column in range(len(_HEADS))}
    last = len(_HEADS) - 1
    asked[last] = min(asked[last], max(width // 3, 8))
    for column in _LESS:
        if _total(asked) > width:
            del asked[column]
    while _total(asked) > width:
        widest = max(asked, key=lambda column: asked[column])
        asked[widest] -= 1
    asked[last] += width - _total(asked)
    return asked


def _total(columns: dict[int, int]) -> int:
    return sum(columns.values()) + _GAP * (len(columns) - 1)


def _line(row: Sequence[str], columns: dict[int, int], painter: Painter, style: str) -> str:
    cells = [
        painter.terminal.pad(row[column], width, right=column in _RIGHT)
        for column, width in columns.items()
    ]
    return painter.terminal.paint(style, (" " * _GAP).join(cells).rstrip())


def _rest(count: int, painter: Painter) -> list[str]:
    if not count:
        return []
    rest = Message(
        "and {count} more connection: --json lists it",
        {"count": count},
        "and {count} more connections: --json lists them",
        count,
    )
    return [painter.words(rest)]
