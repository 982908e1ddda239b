"""Figures side by side, and what a damaged recording has in their place."""

from typing import Any

import pytest

from fourtuple.explain.model import Message
from fourtuple.render.figures import figures
from fourtuple.render.text import width_of
from fourtuple.render.verdicts import measured_in
from fourtuple.render.view import Measured
from render.scene import Scene
from render.shown import painter

COSTS = Measured(
    Message("what {count} messages took", {"count": 3}),
    ("seconds", "bytes on the wire"),
    (("the long way", (15.04, 1395)), ("the short one", (3, 335)), ("none", (0, 0))),
)


def test_each_figure_has_a_bar_as_long_as_it_is_large_in_its_column() -> None:
    assert figures(COSTS, painter(60), 60) == [
        "  what 3 messages took",
        "                   seconds            bytes on the wire",
        "    the long way   15 ══════════════  1395 ══════════════",
        "    the short one   3 ═══              335 ═══",
        "    none            0                    0",
    ]


@pytest.mark.parametrize("width", range(40, 130))
def test_they_fit_into_the_terminal(width: int) -> None:
    names = ("a name that is longer than its column", "名字很长的一行的名字很长", "")
    several = Measured("x" * 100, ("column",) * 4, tuple((name, (1e14,) * 4) for name in names))
    for measured in (COSTS, several):
        lines = figures(measured, painter(width), width)
        assert max(map(width_of, lines)) <= width


def noted(**params: Any) -> tuple[Measured, ...]:
    scene = Scene()
    scene.note(50_000, "measured", **params)
    return measured_in(scene.exchange())


def test_what_a_run_measured_is_read_from_its_notes() -> None:
    rows = [["the long way", [15, 2.5]]]
    (found,) = noted(what="{n} times", values={"n": 2}, columns=["a", "b"], rows=rows)
    assert found.columns == (Message("a"), Message("b"))
    assert found.rows == ((Message("the long way"), (15, 2.5)),)
    assert found.what == Message("{n} times", {"n": 2})


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        ([], []),
        (["a"], []),
        (["a", 3], [["row", [1, 2]]]),
        ("ab", [["row", [1, 2]]]),
        (["a"], [["row", [1, 2]]]),
        (["a"], [["row"]]),
        (["a"], ["row"]),
        (["a"], [[3, [1]]]),
        (["a"], [["row", ["1"]]]),
        (["a"], [["row", [-1]]]),
        (["a"], [["row", [10**400]]]),
        (["a"], [["row", [float("nan")]]]),
        (None, None),
    ],
)
def test_what_makes_no_table_is_none(columns: Any, rows: Any) -> None:
    assert noted(what="x", columns=columns, rows=rows) == ()
