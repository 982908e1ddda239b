"""One lane of one row."""

import pytest

from fourtuple.explain.model import Message
from fourtuple.render.cells import CallForm, Cell
from fourtuple.render.terminal import ASCII, UNICODE
from fourtuple.render.text import width_of
from fourtuple.render.view import BarPhase, CallBar, KernelCell, ProgramCell, WireCell
from render.shown import painter


def texts(cell: Cell) -> list[str]:
    return ["".join(text for _, text in line).rstrip() for line in cell]


def bar(phase: str, slot: int = 0, outcome: str = "0") -> CallBar:
    return CallBar(phase, slot, "connect(10.77.0.2:8888)", "connect(:8888)", outcome)


def segment(**facts: object) -> WireCell:
    known = {"frame": 4, "flags": "PSH ACK", "from_client": True, "verdict": "delivered"}
    return WireCell(**known | {"length": 14, "seq": 1, "shows": ("seq", "len")} | facts)


@pytest.mark.parametrize(
    ("form", "width", "lines"),
    [
        (CallForm.FULL, 40, ["connect(10.77.0.2:8888) → 0"]),
        (CallForm.BRIEF, 20, ["connect(:8888) → 0"]),
        (CallForm.BRIEF, 16, ["┌ connect(:8888)", "└ → 0"]),
        (CallForm.BARE, 20, ["connect() → 0"]),
        (CallForm.BARE, 12, ["┌ connect()", "└ → 0"]),
    ],
)
def test_a_whole_call_that_is_too_long_for_a_line_takes_two(
    form: CallForm, width: int, lines: list[str]
) -> None:
    cell = ProgramCell((bar(BarPhase.WHOLE),))
    painting = painter()
    assert texts(painting.program(cell, width, form)) == lines
    assert painting.program_least(cell, form) <= width
    assert (painting.program_asks(cell, form) <= width) == (len(lines) == 1)


def test_only_a_port_is_left_out_in_the_shortest_form() -> None:
    sending = CallBar(BarPhase.WHOLE, 0, "send(14)", "send(14)", "14")
    line = texts(painter().program(ProgramCell((sending,)), 40, CallForm.BARE))
    assert line == ["send(14) → 14"]


def test_calls_in_progress_stand_beside_each_other() -> None:
    cell = ProgramCell((bar(BarPhase.GOING), bar(BarPhase.GOING, 1), bar(BarPhase.BEGIN, 2, "")))
    assert texts(painter().program(cell, 20, CallForm.BARE)) == ["│ │ ┌ connect()"]


def test_a_call_that_never_returns_says_so_where_it_begins_or_below() -> None:
    begun = CallBar(BarPhase.BEGIN, 0, "recv(9)", "recv()", Message("has not returned"))
    cell = ProgramCell((begun,))
    assert texts(painter().program(cell, 40)) == ["┌ recv(9) … has not returned"]
    assert texts(painter().program(cell, 13)) == ["┌ recv(9)", "│ … has not", "│ returned"]


def test_a_state_is_named_where_it_begins_and_dotted_where_it_goes_on() -> None:
    assert texts(painter().kernel(KernelCell("ESTABLISHED", True))) == ["ESTABLISHED"]
    assert texts(painter().kernel(KernelCell("ESTABLISHED"))) == ["·"]


def test_a_closed_socket_is_not_dotted() -> None:
    assert texts(painter().kernel(KernelCell("CLOSED", True))) == ["CLOSED"]
    assert painter().kernel(KernelCell("CLOSED")) == []


@pytest.mark.parametrize(
    ("facts", "arrow"),
    [
        ({}, "───────────▶"),
        ({"from_client": False}, "◀───────────"),
        ({"verdict": "dropped"}, "─ ─ ─ ✕     "),
        ({"verdict": "dropped", "from_client": False}, "     ✕ ─ ─ ─"),
        ({"verdict": "held"}, "───────⏸    "),
        ({"verdict": "delayed", "phase": "leaves"}, "┄┄┄┄┄┄┄⏸    "),
        ({"verdict": "delayed", "phase": "arrives"}, "⏸┄┄┄┄┄┄┄┄┄┄▶"),
        ({"verdict": "duplicated"}, "═══════════▶"),
        ({"verdict": "rewritten"}, "~~~~~~~~~~~▶"),
        ({"verdict": "injected"}, "⚡─────────▶"),
        ({"verdict": "injected", "from_client": False}, "◀─────────⚡"),
        ({"labels": (Message("keepalive"),)}, "───────────▶"),
    ],
)
def test_an_arrow_tells_the_way_and_the_fate(facts: dict[str, object], arrow: str) -> None:
    assert painter().arrow(segment(**facts), 12) == arrow


def test_a_label_stands_on_the_arrow_the_right_way_round() -> None:
    label = {"labels": (Message("keepalive"),)}
    assert painter().arrow(segment(**label), 20) == "──── keepalive ────▶"
    assert painter().arrow(segment(**label, from_client=False), 20) == "◀──── keepalive ────"


def test_where_two_labels_are_too_long_the_first_stays() -> None:
    labels = (Message("dropped"), Message("zero-window probe"))
    assert " dropped " in painter().arrow(segment(labels=labels), 20)


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (55, ["4 PSH ACK seq 1 len 14 ─── dropped, keepalive ─── ▶"]),
        (40, ["4 PSH ACK seq 1 len 14 ─── dropped ────▶", "  keepalive"]),
        (32, ["4 PSH ACK seq 1 len 14 ────────▶", "  dropped, keepalive"]),
        (28, ["4 PSH ACK seq 1 len 14 ────▶", "  dropped, keepalive"]),
    ],
)
def test_words_that_have_no_room_on_the_arrow_stand_below(width: int, lines: list[str]) -> None:
    cell = segment(labels=(Message("dropped"), Message("keepalive")))
    painting = painter()
    drawn = texts(painting.wire(cell, painting.wire_columns([cell]), width, False))
    assert drawn[1:] == lines[1:]
    assert ("dropped" in drawn[0], "keepalive" in drawn[0]) == (
        "dropped" in lines[0],
        "keepalive" in lines[0],
    )


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize("verdict", ["delivered", "dropped", "held", "injected", "duplicated"])
@pytest.mark.parametrize("width", range(5, 30))
def test_an_arrow_fills_its_cells(glyphs: object, verdict: str, width: int) -> None:
    for from_client in (True, False):
        cell = segment(verdict=verdict, from_client=from_client, labels=(Message(verdict),))
        assert width_of(painter(glyphs=glyphs).arrow(cell, width)) == width


def test_columns_align_from_segment_to_segment() -> None:
    cells = [segment(), segment(frame=10, flags="ACK", shows=("ack",), ack=15)]
    painting = painter()
    columns = painting.wire_columns(cells)
    assert [texts(painting.wire(cell, columns, 40, False))[0] for cell in cells] == [
        " 4 PSH ACK seq 1  len 14 ──────────────▶",
        "10 ACK     ack 15        ──────────────▶",
    ]


def test_a_narrow_wire_keeps_number_and_arrow() -> None:
    cell = segment(seq=123456789)
    painting = painter()
    (line,) = painting.wire(cell, painting.wire_columns([cell]), 16, False)
    assert "".join(text for _, text in line) == "4 PSH ACK~ ────▶"
