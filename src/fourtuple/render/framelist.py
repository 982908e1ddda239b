"""Every frame of a timeline, one a line: for people who look for something."""

from collections.abc import Iterator, Sequence

from fourtuple.analyze.model import Connection
from fourtuple.event.timeline import FrameSeen, Timeline
from fourtuple.explain.text import Translator
from fourtuple.render.cells import Line, Painter
from fourtuple.render.numbers import milliseconds
from fourtuple.render.terminal import Terminal
from fourtuple.render.view import WireCell
from fourtuple.render.wires import crossings
from fourtuple.wire import PayloadView

__all__ = ["frame_list"]


def frame_list(
    timeline: Timeline,
    connections: Sequence[Connection],
    translator: Translator,
    terminal: Terminal,
    *,
    connection: int | None = None,
    raw: bool = False,
) -> str:
    """Number, milliseconds from the first frame, connection, from and to, what it is."""
    painter = Painter(terminal, translator)
    cells = _cells(timeline, connections)
    first_ns = int(timeline.frames.t_ns.min()) if len(timeline.frames) else 0
    lines = []
    for number in range(1, len(timeline.frames) + 1):
        found = cells.get(number)
        if connection is None or (found and found[0].index == connection):
            line = _line(timeline.frame(number), first_ns, found, painter, raw)
            lines.append(painter.lay(line, terminal.width).rstrip() + "\n")
    return "".join(lines)


def _cells(
    timeline: Timeline, connections: Sequence[Connection]
) -> dict[int, tuple[Connection, WireCell]]:
    return {
        crossing.cell.frame: (connection, crossing.cell)
        for connection in connections
        for crossing in crossings(timeline, connection)
    }


def _line(
    frame: FrameSeen,
    first_ns: int,
    found: tuple[Connection, WireCell] | None,
    painter: Painter,
    raw: bool,
) -> Line:
    place = f"#{found[0].index}" if found else ""
    words = _segment(found[1], raw, painter) if found else _protocol(frame)
    return [
        ("bold", f"{frame.number:>6} "),
        ("dim", f"{milliseconds(frame.t_ns - first_ns):>10} {place:>4}  "),
        ("", painter.words(_ends(frame, painter)) + "  "),
        ("", "  ".join(words)),
    ]


def _ends(frame: FrameSeen, painter: Painter) -> str:
    packet = frame.packet
    if packet.ip is None:
        return ""
    ports = packet.tcp or packet.udp
    source, destination = packet.ip.source, packet.ip.destination
    if ports is not None:
        source = _endpoint(source, ports.source_port)
        destination = _endpoint(destination, ports.destination_port)
    return f"{source} {painter.glyphs.to} {destination}"


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _segment(cell: WireCell, raw: bool, painter: Painter) -> Iterator[str]:
    yield cell.flags
    numbers = {"seq": cell.seq, "ack": cell.ack}
    raws = {"seq": cell.raw_seq, "ack": cell.raw_ack}
    for name, value in numbers.items():
        if value is not None:
            yield f"{name} {value}" + (f" ({raws[name]})" if raw else "")
    yield f"len {cell.length}"
    yield from (painter.words(label) for label in cell.labels)


def _protocol(frame: FrameSeen) -> Iterator[str]:
    named = [view.name for view in frame.packet.layers if not isinstance(view, PayloadView)]
    yield named[-1] if named else ""
    yield f"{frame.packet.original_length} bytes"
