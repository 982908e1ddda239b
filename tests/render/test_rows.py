"""Which things share a line, which calls are in progress, where nothing happened for long."""

import pytest
from msgspec.structs import replace

from fourtuple.event.model import Verdict
from fourtuple.render.calls import OwnCalls
from fourtuple.render.rows import rows_of
from fourtuple.render.states import Change
from fourtuple.render.view import RowKind, WireCell
from fourtuple.render.wires import Crossing
from render.scene import Scene
from render.shown import calls_shown, moments, viewed
from story import MS, Story, exchange, opened


def told() -> Story:
    """A handshake, after which both hosts' tables say whose sockets these are."""
    story = opened()
    story.client.table(story.client.row("ESTABLISHED"))
    story.server.table(story.server.row("ESTABLISHED"), story.server.listener())
    story.wait(0.5)
    return story


def halves(story: Story) -> list[tuple[int, str]]:
    rows = moments(viewed(story.timeline()))[3:]
    return [(row.wire.frame, row.wire.phase) for row in rows if row.wire]


def wires(story: Story) -> list[int | None]:
    view = viewed(story.timeline())
    return [row.wire.frame if row.wire else None for row in moments(view)]


def test_a_call_and_the_frame_it_sends_share_a_row() -> None:
    story = told()
    story.client.calls("send", 14, size=14, result=14, took_ms=2)
    story.client.send(14)
    view = viewed(story.timeline())
    assert calls_shown(view)[3] == ["whole send(14)"]
    assert moments(view)[3].wire is not None


def test_a_frame_after_a_calls_return_was_not_sent_by_it() -> None:
    story = told()
    story.client.calls("getsockname", result="10.77.0.1:40000", took_ms=0.1)
    story.client.fin()
    assert calls_shown(viewed(story.timeline()))[3:] == [["whole getsockname()"], []]


def test_a_call_that_waits_is_a_bar_until_a_frame_wakes_it() -> None:
    story = told()
    story.client.calls("recv", 4096, size=4096, result=14, took_ms=3.0)
    story.server.send(14)
    story.client.ack()
    assert calls_shown(viewed(story.timeline()))[3:] == [
        ["begin recv()"],
        ["going recv()"],
        ["end recv()"],
    ]


def test_a_call_that_nothing_interrupts_is_one_row() -> None:
    story = told()
    story.server.calls("accept", result=9, inode=99, new_inode=22)
    shown = calls_shown(viewed(story.timeline()), of_client=False)
    assert shown[-1] == ["whole accept()"]


def test_a_call_that_waits_for_long_without_anything_happening_has_a_silence_in_it() -> None:
    story = told()
    story.client.calls("recv", size=10, errno="timeout", took_ms=2000)
    rows = viewed(story.timeline()).rows[-3:]
    assert [row.kind for row in rows] == [RowKind.MOMENT, RowKind.SILENCE, RowKind.MOMENT]
    assert rows[1].t_ns == 2000 * MS
    assert [bar.phase for bar in rows[1].client_program.bars] == ["going"]


def test_calls_at_once_have_a_slot_each() -> None:
    story = told()
    story.client.calls("recv", size=1, result=0, took_ms=5)
    story.client.calls("send", size=2, result=2, took_ms=1)
    story.server.ack()
    story.server.ack()
    view = viewed(story.timeline())
    slots = [[(bar.slot, bar.phase) for bar in row.client_program.bars] for row in moments(view)]
    assert [(0, "begin")] in slots
    assert [(0, "going"), (1, "whole")] in slots


def test_a_call_that_never_returned_is_a_bar_to_the_end() -> None:
    story = told()
    story.client.calls("recv", size=1, took_ms=None)
    story.client.ack()
    story.server.ack()
    assert calls_shown(viewed(story.timeline()))[-1] == ["going recv()"]


def test_a_call_that_ends_before_it_begins_does_no_harm() -> None:
    story = told()
    story.client.calls("recv", size=1, result=0, took_ms=-5)
    assert ["whole recv()"] in calls_shown(viewed(story.timeline()))


def test_each_frame_has_a_row_of_its_own() -> None:
    assert wires(exchange()) == list(range(1, 12))


def test_an_overtaken_frame_leaves_in_one_row_and_arrives_in_another() -> None:
    story = opened()
    story.client.send(10, late_ms=5)
    story.client.send(10)
    assert halves(story) == [(4, "leaves"), (5, "whole"), (4, "arrives")]


def test_frames_that_arrive_in_order_are_whole_however_many_are_under_way() -> None:
    story = opened()
    for _ in range(3):
        story.client.send(10, late_ms=5, verdict=Verdict.DELIVERED)
    story.server.ack()
    assert halves(story) == [(4, "whole"), (5, "whole"), (6, "whole"), (7, "whole")]


def test_a_frame_that_the_wire_delayed_is_divided_where_others_entered_meanwhile() -> None:
    story = opened()
    story.client.send(10, late_ms=5)
    story.server.send(10)
    assert halves(story) == [(4, "leaves"), (5, "whole"), (4, "arrives")]


def test_a_frame_that_arrives_after_a_divided_one_is_divided_too() -> None:
    story = opened()
    story.client.send(10, late_ms=5)
    story.client.send(10, late_ms=5, verdict=Verdict.DELIVERED)
    assert halves(story) == [(4, "leaves"), (5, "leaves"), (4, "arrives"), (5, "arrives")]


def test_a_frame_that_was_delayed_alone_is_whole() -> None:
    story = opened()
    story.client.send(10, late_ms=5)
    assert halves(story) == [(4, "whole")]


def test_a_frame_that_was_delayed_while_a_call_began_or_for_long_is_divided() -> None:
    story = told()
    story.client.send(10, late_ms=5)
    story.wait(1)
    story.client.calls("getsockname", result="10.77.0.1:40000", took_ms=0.1)
    assert halves(story) == [(4, "leaves"), (4, "arrives")]
    story = opened()
    story.client.send(10, late_ms=50)
    assert halves(story) == [(4, "leaves"), (4, "arrives")]


def test_the_receivers_state_changes_where_an_overtaken_frame_arrives() -> None:
    scene = Scene(verdicts={8: Verdict.DELAYED}, left={8: 42_300})
    rows = moments(viewed(scene.exchange()))
    leaves = next(row for row in rows if row.wire and row.wire.phase == "leaves")
    arrives = next(row for row in rows if row.wire and row.wire.phase == "arrives")
    assert (leaves.client_kernel.state, leaves.client_kernel.changed) == ("FIN_WAIT1", True)
    assert leaves.server_kernel.state == "ESTABLISHED"
    assert (arrives.server_kernel.state, arrives.server_kernel.changed) == ("CLOSE_WAIT", True)


def test_a_pause_becomes_a_silence() -> None:
    story = opened()
    story.wait(1020)
    story.client.send(1)
    rows = viewed(story.timeline()).rows
    assert rows[3].kind == RowKind.SILENCE
    assert rows[3].t_ns == 1021 * MS


def test_a_capture_whose_gaps_are_all_long_has_no_silences() -> None:
    story = Story(complete=False)
    for party in (story.client.syn, story.server.syn_ack, story.client.ack, story.server.ack):
        story.wait(80)
        party()
    assert {row.kind for row in viewed(story.timeline()).rows} == {RowKind.MOMENT}


def test_a_state_continues_until_it_changes() -> None:
    rows = moments(viewed(Scene().exchange()))
    states = [(row.client_kernel.state, row.client_kernel.changed) for row in rows if row.wire]
    assert states[:4] == [
        ("SYN_SENT", True),
        ("ESTABLISHED", True),
        ("ESTABLISHED", False),
        ("ESTABLISHED", False),
    ]


def test_a_long_connection_keeps_its_beginning_and_its_end() -> None:
    story = opened()
    for _ in range(50):
        story.client.send(1)
        story.server.ack()
    view = viewed(story.timeline(), limit=12)
    kinds = [row.kind for row in view.rows]
    assert kinds.count(RowKind.ELIDED) == 1
    gap = view.rows[kinds.index(RowKind.ELIDED)]
    assert gap.count + kinds.count(RowKind.MOMENT) == 103
    assert [row.wire.frame for row in moments(view) if row.wire] == [*range(1, 9), *range(100, 104)]


def test_time_begins_with_the_first_row() -> None:
    view = viewed(Scene().exchange())
    assert view.rows[0].t_ns == 0
    assert view.rows[1].t_ns == 410_000


@pytest.mark.timeout(20)
def test_calls_that_never_return_are_bars_up_to_a_number() -> None:
    story = told()
    for _ in range(3000):
        story.client.calls("recv", 4096, size=4096, took_ms=None)
        story.wait(0.001)
    rows = moments(viewed(story.timeline()))
    assert max(len(row.client_program.bars) for row in rows) == 9
    assert max(bar.slot for row in rows for bar in row.client_program.bars) == 8
    assert calls_shown(viewed(story.timeline()))[-1][-1] == "begin recv()"


@pytest.mark.timeout(30)
def test_a_socket_that_changes_its_state_with_every_frame_takes_linear_time() -> None:
    changes = [Change(at, True, f"STATE {at}", 1 + at % 30_000) for at in range(60_000)]
    cell = WireCell(1, "ACK", True, "captured", 0)
    frames = [Crossing(at, at, replace(cell, frame=1 + at)) for at in range(30_000)]
    _, rows = rows_of(OwnCalls((), ()), changes, frames, [], 240)
    assert len(rows) == 241
    assert rows[-1].client_kernel.state == "STATE 59999"
