"""Every frame of a timeline, one a line: for people who look for something.

What a narrow terminal has no room for goes on below, indented.
"""

from collections.abc import Container, Iterator, Sequence

from fourtuple.analyze.model import Connection
from fourtuple.event.timeline import FrameSeen, Timeline
from fourtuple.explain.text import Translator
from fourtuple.render.cells import Painter
from fourtuple.render.numbers import milliseconds
from fourtuple.render.terminal import Terminal
from fourtuple.render.text import width_of, wrap
from fourtuple.render.view import WireCell
from fourtuple.render.wires import crossings
from fourtuple.wire import PayloadView

__all__ = ["frame_list"]

_GAP = "  "
#: what goes on below begins under the time
_INDENT = " " * 9
_UNBROKEN = "\xa0"


def frame_list(
    timeline: Timeline,
    connections: Sequence[Connection],
    translator: Translator,
    terminal: Terminal,
    *,
    numbers: Container[int] | None = None,
    raw: bool = False,
) -> str:
    """Number, milliseconds from the first frame, connection, from and to, what it is: of all frames
    of the timeline, or those whose `numbers` are given."""
    painter = Painter(terminal, translator)
    cells = _cells(timeline, connections)
    first_ns = int(timeline.frames.t_ns.min()) if len(timeline.frames) else 0
    lines: list[str] = []
    for number in map(timeline.frames.number, range(len(timeline.frames))):
        if numbers is None or number in numbers:
            lines += _lines(timeline.frame(number), first_ns, cells.get(number), painter, raw)
    return "".join(f"{line}\n" for line in lines)


def _cells(
    timeline: Timeline, connections: Sequence[Connection]
) -> dict[int, tuple[Connection, WireCell]]:
    return {
        crossing.cell.frame: (connection, crossing.cell)
        for connection in connections
        for crossing in crossings(timeline, connection)
    }


def _lines(
    frame: FrameSeen,
    first_ns: int,
    found: tuple[Connection, WireCell] | None,
    painter: Painter,
    raw: bool,
) -> Iterator[str]:
    number = f"{frame.number:>6} "
    time = f"{milliseconds(frame.t_ns - first_ns):>10} {f'#{found[0].index}' if found else '':>4}  "
    ends = painter.words(_ends(frame, painter))
    parts = _segment(found[1], raw, painter) if found else _protocol(frame)
    words = _GAP.join(part.replace(" ", _UNBROKEN) for part in parts)  # no line ends in a part
    width, paint = painter.terminal.width, painter.terminal.paint
    head = paint("bold", number) + paint("dim", time)
    room = width - len(number) - len(time)
    below = width - len(_INDENT)
    if width_of(ends + _GAP + words) <= room:
        first, more = ends + _GAP + words, []
    elif width_of(ends) <= room:
        first, more = ends, wrap(words, below)
    else:
        first, more = "", [*wrap(ends, below), *wrap(words, below)]
    for line in (head + first, *(_INDENT + line for line in more)):
        yield line.replace(_UNBROKEN, " ").rstrip()


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
