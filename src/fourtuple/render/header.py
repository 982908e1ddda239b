"""The header view of one frame: every layer, every field and bit, and the bytes they come from.

It draws what the wire's views give and judges nothing: problems are the views' own codes in words.
"""

from collections.abc import Iterator, Sequence

from fourtuple.analyze.model import Arithmetic, Connection, SegmentFact
from fourtuple.event.timeline import FrameSeen, Timeline
from fourtuple.explain.model import Message
from fourtuple.explain.phrases import summed
from fourtuple.explain.segments import sentence
from fourtuple.explain.text import N_, Translator
from fourtuple.render.blocks import Blocks
from fourtuple.render.box import BOX_WIDTH, BOXED, box
from fourtuple.render.cells import Line, Painter
from fourtuple.render.numbers import milliseconds
from fourtuple.render.terminal import Terminal
from fourtuple.render.text import width_of, wrap
from fourtuple.render.wires import VERDICT_WORDS
from fourtuple.wire import FieldValue, View
from fourtuple.wire.link_types import link_name

__all__ = ["frame_report"]

_PROBLEMS = {
    "too-short": N_("the layer around it leaves less room than this header takes"),
    "cut": N_("the capture ends inside this header"),
    "bad-version": N_("the version is not this protocol's"),
    "bad-header-length": N_("the header length is impossible"),
    "length-too-small": N_("the length does not even cover the header"),
    "length-beyond-frame": N_("the length goes beyond the end of the frame"),
    "length-beyond-packet": N_("the length goes beyond the end of the packet"),
    "bad-option": N_("an option is malformed"),
    "bad-checksum": N_(
        "the checksum is wrong: damaged on the way or, if captured on the host that sent it, "
        "not yet filled in by the network card"
    ),
}
_HEADS = (N_("byte"), N_("bits"), N_("field"), N_("value"), N_("bytes"))
_SHOWN_BYTES = 8
#: what those take: two digits and a blank each, and the mark that there are more
_HEX_WIDTH = 26


def frame_report(
    timeline: Timeline,
    connections: Sequence[Connection],
    number: int,
    translator: Translator,
    terminal: Terminal,
) -> str:
    """Everything about frame `number` (from 1). IndexError where there is none."""
    painter = Painter(terminal, translator)
    frame = timeline.frame(number)
    blocks = [_head(frame, timeline, painter), _told(timeline, connections, number, painter)]
    for view in frame.packet.layers:
        blocks.append(list(_layer(view, painter)))
    if frame.packet.trailer:
        blocks.append(_trailer(frame.packet.trailer, painter))
    if not frame.packet.layers:
        blocks.append(list(_bytes(frame.packet.data, painter)))
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _head(frame: FrameSeen, timeline: Timeline, painter: Painter) -> list[str]:
    first_ns = int(timeline.frames.t_ns.min())
    packet = frame.packet
    about = Message(
        "frame {number}: {time} ms after the first one, {count} byte",
        {
            "number": frame.number,
            "time": milliseconds(frame.t_ns - first_ns),
            "count": packet.original_length,
        },
        "frame {number}: {time} ms after the first one, {count} bytes",
        packet.original_length,
    )
    lines = wrap(painter.words(about), painter.terminal.width)
    lines = [painter.terminal.paint("bold", line) for line in lines]
    extras = list(_circumstances(frame))
    return lines + [
        line for extra in extras for line in wrap(painter.words(extra), painter.terminal.width)
    ]


def _circumstances(frame: FrameSeen) -> Iterator[Message]:
    missing = frame.packet.original_length - len(frame.packet.data)
    if missing > 0:
        yield Message("the capture kept {kept} of them", {"kept": len(frame.packet.data)})
    if frame.verdict in VERDICT_WORDS:
        verdict = Message(VERDICT_WORDS[frame.verdict])
        yield Message("what the wire did with it: {verdict}", {"verdict": verdict})
    if "unknown-link-type" in frame.packet.problems():
        yield Message(
            "link type {name} ({number}) is not decoded: the bytes as they are",
            {"name": link_name(frame.packet.link_type), "number": frame.packet.link_type},
        )
    if "too-deep" in frame.packet.problems():
        yield Message("more headers are nested here than are looked at")


def _told(
    timeline: Timeline, connections: Sequence[Connection], number: int, painter: Painter
) -> list[str]:
    """The segment's sentence and how its numbers add up."""
    found = _segment(connections, number)
    if found is None:
        return []
    connection, segment = found
    lines = wrap(painter.words(sentence(connection, segment, timeline)), Blocks(painter).width)
    sums = [_arithmetic(arithmetic) for arithmetic in segment.arithmetic]
    return lines + Blocks(painter).bullets(sums)


def _segment(
    connections: Sequence[Connection], number: int
) -> tuple[Connection, SegmentFact] | None:
    for connection in connections:
        for segment in connection.segments:
            if segment.frame == number:
                return connection, segment
    return None


def _arithmetic(arithmetic: Arithmetic) -> Message:
    """``ack 1502 = 1001 + 500 + 1 (FIN counts one)``; what is there instead, if that is wrong."""
    if arithmetic.holds:
        return summed(arithmetic)
    params = {"sum": summed(arithmetic), "actual": arithmetic.actual}
    return Message("{sum} is expected, the header says {actual}", params)


def _layer(view: View, painter: Painter) -> Iterator[str]:
    """A layer: name and place, what is wrong, the drawing, the table of its fields."""
    begin = view.offset
    end = begin + len(view.header) - 1
    where = Message("bytes {begin}-{end} of the frame", {"begin": begin, "end": end})
    heading: Line = [("bold", painter.words(Message(view.name))), ("", "  " + painter.words(where))]
    yield painter.lay(heading, painter.terminal.width).rstrip()
    for code in view.problems():
        problem = "! " + painter.words(Message(_PROBLEMS.get(code, code)))
        for line in wrap(problem, painter.terminal.width):
            yield painter.terminal.paint("red", line)
    if view.name in BOXED and painter.terminal.width >= BOX_WIDTH:
        yield from box(view, painter)
    yield from _table(view, painter)


def _table(view: View, painter: Painter) -> Iterator[str]:
    """A line a field: where it begins (byte, bit), how many bits, label, value, bytes."""
    rows = [row for field in view.fields() for row in _rows(field, view, painter)]
    head = tuple(painter.words(Message(name)) for name in _HEADS)
    room = painter.terminal.width
    label = min(max(width_of(row[2]) for row in (head, *rows)), max(room // 3, 12))
    value = max(room - label - _HEX_WIDTH - 19, 12)
    for index, (place, bits, name, text, data) in enumerate((head, *rows)):
        pad = painter.terminal.pad
        line = f"{pad(place, 6, right=True)} {pad(bits, 5, right=True)}  {pad(name, label)}  "
        line = painter.terminal.clip(f"{line}{pad(text, value)}  {data}".rstrip(), room)
        yield painter.terminal.paint("dim" if index == 0 else "", line)


def _rows(
    field: FieldValue, view: View, painter: Painter, depth: int = 0
) -> Iterator[tuple[str, str, str, str, str]]:
    byte, bit = divmod(field.bit_offset, 8)
    place = str(byte) if bit == 0 and field.bits % 8 == 0 else f"{byte}.{bit}"
    cut = painter.words(Message("not captured"))
    text = cut if field.value is None else painter.words(field.text)
    label = "  " * depth + painter.words(Message(field.label))
    yield place, str(field.bits), label, text, "" if depth else _hexadecimal(field, view)
    for child in field.children:
        yield from _rows(child, view, painter, depth + 1)


def _hexadecimal(field: FieldValue, view: View) -> str:
    """The bytes that the field lies in, the first eight of them."""
    first, last = field.bit_offset // 8, (field.bit_offset + field.bits + 7) // 8
    data = view.header[first:last]
    return data[:_SHOWN_BYTES].hex(" ") + (" .." if len(data) > _SHOWN_BYTES else "")


def _trailer(data: bytes, painter: Painter) -> list[str]:
    about = Message(
        "{count} byte after the end of the packet (Ethernet's padding)",
        {"count": len(data)},
        "{count} bytes after the end of the packet (Ethernet's padding)",
        len(data),
    )
    return [*wrap(painter.words(about), painter.terminal.width), *_bytes(data, painter)]


def _bytes(data: bytes, painter: Painter) -> Iterator[str]:
    """A dump in the form of hexdump -C, as wide as the terminal allows."""
    # a line: six digits of offset, two blanks, three columns a byte, a blank, a column a byte
    count = next((n for n in (16, 8) if 9 + 4 * n <= painter.terminal.width), 4)
    for at in range(0, len(data), count):
        row = data[at : at + count]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"{at:06x}  {row.hex(' ').ljust(count * 3)} {text}".rstrip()
