"""Sentences between the rows: who owns a socket, and what the script or the clock had to say."""

from collections.abc import Iterator

import msgspec

from fourtuple.analyze.evidence import end_of
from fourtuple.event.model import Note, Snapshot, SocketRow
from fourtuple.event.timeline import Timeline
from fourtuple.explain.model import Message
from fourtuple.render.calls import listens_for
from fourtuple.render.life import Life

__all__ = ["Inline", "inline_notes"]


class Inline(msgspec.Struct, frozen=True):
    """A sentence that belongs after `frame`, or where that is 0 at `t_ns`."""

    t_ns: int
    frame: int
    message: Message


def inline_notes(timeline: Timeline, life: Life) -> list[Inline]:
    """The sentences that belong between the rows of this connection."""
    return sorted([*_unowned(timeline, life), *_said(timeline, life)], key=lambda n: n.t_ns)


def _unowned(timeline: Timeline, life: Life) -> Iterator[Inline]:
    """A connection that its server's kernel has completed and no program waits for in accept()."""
    said = -1
    server = end_of(timeline, life.connection, client=False)
    for snapshot in timeline.of(Snapshot):
        if not life.spans(snapshot.t_ns, snapshot.t_ns):
            continue
        row = _server_row(snapshot, life)
        if row is not None and row.inode:
            return
        listener = next((r for r in snapshot.sockets if _is_listener(r, life)), None)
        if row is None or listener is None or row.state not in ("ESTABLISHED", "CLOSE_WAIT"):
            continue
        if server.called(("accept",), snapshot.t_ns):
            continue
        if row.recv_q != said:
            said = row.recv_q
            yield Inline(snapshot.t_ns, snapshot.frame, _ownerless(row, listener))


def _server_row(snapshot: Snapshot, life: Life) -> SocketRow | None:
    ends = (life.connection.server, life.connection.client)
    return next((row for row in snapshot.sockets if (row.local, row.remote) == ends), None)


def _is_listener(row: SocketRow, life: Life) -> bool:
    return listens_for(row, life.connection.server)


def _ownerless(row: SocketRow, listener: SocketRow) -> Message:
    # the kernel refuses only when the queue is longer than the limit (sk_acceptq_is_full): one
    # more than the limit fits
    # a FIN that has come counts one byte in the queue, and is none
    backlog, count = listener.send_q, row.recv_q - (row.state == "CLOSE_WAIT")
    params = {"queued": listener.recv_q, "backlog": backlog, "places": backlog + 1, "count": count}
    if count <= 0:
        return Message(
            "no owner yet: accept queue {queued} of {places} (backlog {backlog} + 1)", params
        )
    return Message(
        "no owner yet: accept queue {queued} of {places} (backlog {backlog} + 1), "
        "{count} byte waits",
        params,
        "no owner yet: accept queue {queued} of {places} (backlog {backlog} + 1), "
        "{count} bytes wait",
        count,
    )


def _said(timeline: Timeline, life: Life) -> Iterator[Inline]:
    frames = frozenset(life.connection.frames)
    for note in timeline.of(Note):
        message = _sentence(note)
        if message is None:
            continue
        own = [frame for frame in note.frames if frame in frames]
        if own or (not note.frames and life.spans(note.t_ns, note.t_ns)):
            yield Inline(note.t_ns, own[-1] if own else 0, message)


def _sentence(note: Note) -> Message | None:
    if note.kind == "text":
        return Message(note.message, note.params)
    if note.kind == "clock" and isinstance(step_ns := note.params.get("step_ns"), int):
        params = {"milliseconds": f"{step_ns / 1e6:+.3f}"}
        return Message("the wall clock stepped by {milliseconds} ms", params)
    return None
