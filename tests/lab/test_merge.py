"""The log of a run becomes its Timeline."""

import msgspec

from fourtuple.event.looks import LookWriter
from fourtuple.event.model import Call, Endpoint, Note, Snapshot, SocketRow, State, Verdict
from fourtuple.lab.log import ClockSampled, FrameEntered, FrameLeft
from fourtuple.lab.merge import merge, state_changes

A, B = Endpoint("10.77.0.1", 40000), Endpoint("10.77.0.2", 8888)


def row(state: str) -> SocketRow:
    return SocketRow("tcp", A, B, state, 0, 0, inode=7, cookie=1, uid=0)


def snapshot(t_ns: int, *rows: SocketRow, frame: int = 0) -> Snapshot:
    return Snapshot(
        t_ns=t_ns, end_ns=t_ns + 1, host="client", cause="call", frame=frame, sockets=rows
    )


def call(end_ns: int | None) -> Call:
    return Call(t_ns=5, end_ns=end_ns, host="client", program="p", pid=9, thread=9, name="recv")


def test_a_frame_gets_the_time_and_verdict_with_which_it_left() -> None:
    timeline = merge(
        [
            FrameEntered(1, 100, "client", b"abc"),
            FrameEntered(2, 110, "server", b"de"),
            FrameLeft(1, 105, Verdict.DELIVERED),
            FrameLeft(2, 0, Verdict.DROPPED),
            FrameEntered(3, 120, "client", b"held"),
        ]
    )
    assert list(timeline.frames) == [b"abc", b"de", b"held"]
    assert timeline.frames.t_ns.tolist() == [100, 110, 120]
    assert timeline.frames.left_ns.tolist() == [105, 0, 0]
    verdicts = [Verdict.DELIVERED, Verdict.DROPPED, Verdict.HELD]
    assert timeline.frames.verdict.tolist() == verdicts
    assert timeline.complete


def test_a_call_is_kept_once_with_its_end_and_without_where_it_never_returned() -> None:
    assert merge([call(None), call(8)]).of(Call) == [call(8)]
    assert merge([call(None)]).of(Call) == [call(None)]


def test_notes_about_the_run_become_its_meta() -> None:
    notes = [
        Note(t_ns=1, kind="meta", params={"seed": 1, "family": 4}),
        Note(t_ns=2, kind="meta", params={"seed": 2}),
        Note(t_ns=3, kind="check", params={"ok": True}),
    ]
    timeline = merge([*notes, ClockSampled(1_000_000, 50)])
    assert timeline.meta == {"seed": 2, "family": 4, "clock_error_ns": 50}
    assert timeline.of(Note) == [notes[2]]
    assert timeline.epoch_ns == 1_000_000


def part(t_ns: int, *rows: SocketRow, about: tuple[Endpoint, Endpoint]) -> Snapshot:
    return Snapshot(
        t_ns=t_ns, end_ns=t_ns + 1, host="client", cause="call", sockets=rows, about=about
    )


def test_a_look_at_part_of_a_table_leaves_the_rest_as_it_was() -> None:
    """Whoever looked at it last: each process of a host has its own observer."""
    other = msgspec.structs.replace(row("ESTABLISHED"), local=B, remote=A, cookie=2)
    listener = msgspec.structs.replace(row("LISTEN"), remote=Endpoint("0.0.0.0", 0), cookie=3)
    longer = msgspec.structs.replace(listener, recv_q=1)
    writers = LookWriter(1), LookWriter(2)
    records = [
        writers[0].look(snapshot(1, row("SYN_SENT"), other, listener)),
        part(2, row("ESTABLISHED"), longer, about=(A, B)),
        writers[1].look(snapshot(3, row("FIN_WAIT1"), other, longer)),
        part(4, longer, about=(A, B)),
        part(5, longer, row("SYN_SENT"), about=(A, B)),
    ]
    timeline = merge(records)
    tables = [set(one.sockets) for one in timeline.of(Snapshot)]
    assert tables == [
        {row("SYN_SENT"), other, listener},
        {row("ESTABLISHED"), other, longer},
        {row("FIN_WAIT1"), other, longer},
        {other, longer},
        {other, longer, row("SYN_SENT")},
    ]
    assert [state.new for state in timeline.of(State) if state.local == A] == [
        *("SYN_SENT", "LISTEN", "ESTABLISHED", "FIN_WAIT1", "CLOSED", "SYN_SENT")
    ]


def test_events_are_in_the_order_of_their_times() -> None:
    timeline = merge([snapshot(30, row("ESTABLISHED")), call(8), snapshot(10)])
    assert [event.t_ns for event in timeline.events] == sorted(e.t_ns for e in timeline.events)


def test_a_state_change_is_what_differs_between_two_looks() -> None:
    looks = [
        snapshot(1),
        snapshot(2, row("SYN_SENT"), frame=3),
        snapshot(3, row("SYN_SENT")),
        snapshot(4, row("ESTABLISHED"), frame=4),
        snapshot(5),
    ]
    changes = [(s.t_ns, s.old, s.new, s.frame) for s in state_changes(looks)]
    assert changes == [
        (3, "CLOSED", "SYN_SENT", 3),
        (5, "SYN_SENT", "ESTABLISHED", 4),
        (6, "ESTABLISHED", "CLOSED", 0),
    ]
    assert all(isinstance(s, State) and s.inode == 7 for s in state_changes(looks))
