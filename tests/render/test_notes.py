"""Sentences between the rows."""

from fourtuple.explain.text import Translator
from fourtuple.render.view import RowKind
from render.shown import viewed
from story import Story, opened


def notes(story: Story) -> list[str]:
    rows = viewed(story.timeline()).rows
    return [Translator().text(row.note) for row in rows if row.kind == RowKind.NOTE and row.note]


def test_a_connection_before_accept_belongs_to_no_program() -> None:
    story = opened()
    story.server.table(story.server.row("ESTABLISHED", inode=0), story.server.listener(queued=1))
    assert notes(story) == ["no owner yet: accept queue 1 of 6 (backlog 5 + 1)"]


def test_what_waits_for_an_owner_is_counted() -> None:
    story = opened()
    row, listener = story.server.row, story.server.listener(queued=1)
    story.server.table(row("ESTABLISHED", inode=0), listener)
    story.server.table(row("ESTABLISHED", inode=0), listener)
    story.server.table(row("ESTABLISHED", inode=0, recv_q=14), listener)
    story.server.table(row("ESTABLISHED", inode=0, recv_q=1), listener)
    assert notes(story) == [
        "no owner yet: accept queue 1 of 6 (backlog 5 + 1)",
        "no owner yet: accept queue 1 of 6 (backlog 5 + 1), 14 bytes wait",
        "no owner yet: accept queue 1 of 6 (backlog 5 + 1), 1 byte waits",
    ]


def test_a_fin_that_waits_is_no_byte() -> None:
    story = opened()
    row = story.server.row("CLOSE_WAIT", inode=0, recv_q=1)
    story.server.table(row, story.server.listener(queued=1))
    assert notes(story) == ["no owner yet: accept queue 1 of 6 (backlog 5 + 1)"]


def test_a_connection_that_accept_is_waiting_for_is_not_said_to_lack_a_program() -> None:
    story = Story()
    story.server.calls("listen", 5, inode=99)
    story.server.calls("accept", inode=99, new_inode=22, took_ms=20)
    story.client.syn()
    story.server.syn_ack()
    story.client.ack()
    story.server.table(story.server.row("ESTABLISHED", inode=0), story.server.listener(queued=1))
    story.server.table(story.server.row("ESTABLISHED"), story.server.listener())
    assert notes(story) == []


def test_a_socket_whose_owner_has_gone_is_not_waiting_for_one() -> None:
    story = opened()
    story.server.table(story.server.row("ESTABLISHED"), story.server.listener())
    story.server.table(story.server.row("CLOSE_WAIT", inode=0), story.server.listener())
    assert notes(story) == []


def test_an_orphan_that_closes_is_not_waiting_for_an_owner() -> None:
    story = opened()
    story.server.table(story.server.row("FIN_WAIT1", inode=0), story.server.listener())
    assert notes(story) == []


def test_the_note_stands_after_the_frame_that_it_follows_from() -> None:
    story = opened()
    listener = story.server.listener(queued=1)
    story.server.table(story.server.row("ESTABLISHED", inode=0), listener, frame=2)
    kinds = [row.kind for row in viewed(story.timeline()).rows]
    assert kinds == [RowKind.MOMENT, RowKind.MOMENT, RowKind.NOTE, RowKind.MOMENT]


def test_the_script_and_the_clock_may_speak() -> None:
    story = opened()
    story.note("text", message="now {who} closes", params={"who": "the client"})
    story.note("clock", params={"step_ns": -1_500_000})
    story.note("claim", message="not here")
    assert notes(story) == ["now the client closes", "the wall clock stepped by -1.500 ms"]


def test_a_sentence_about_another_connections_frame_is_not_shown() -> None:
    story = opened()
    story.note("text", message="elsewhere", frames=(99,))
    assert notes(story) == []
