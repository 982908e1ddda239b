"""The kernel's own states against the inferred ones: right ones pass, each false one is found."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourtuple.analyze import check, connections, disagreements
from fourtuple.analyze.model import Disagreement
from fourtuple.analyze.states import STATES
from fourtuple.event.model import Snapshot
from fourtuple.event.timeline import Timeline
from story import Story, exchange, opened, refused, unread

#: a row in LISTEN is no connection's
LIES = st.sampled_from([state for state in STATES if state != "LISTEN"])


def found(timeline: Timeline) -> tuple[Disagreement, ...]:
    return disagreements(timeline, connections(timeline))


def watched_exchange() -> Story:
    """The exchange, with both hosts' tables as a kernel shows them after each step."""
    story = Story()
    client, server = story.client, story.server

    def see(of_client: str, of_server: str) -> None:
        story.wait(0.5)
        client.table(*[client.row(of_client)] * bool(of_client))
        server.table(server.listener(), *[server.row(of_server)] * bool(of_server))

    see("", "")
    client.syn()
    see("SYN_SENT", "SYN_RECV")
    server.syn_ack()
    see("ESTABLISHED", "SYN_RECV")
    client.ack()
    see("ESTABLISHED", "ESTABLISHED")
    client.send(14)
    server.ack()
    client.fin()
    see("FIN_WAIT1", "CLOSE_WAIT")
    server.ack()
    see("FIN_WAIT2", "CLOSE_WAIT")
    server.fin()
    see("TIME_WAIT", "LAST_ACK")
    client.ack()
    see("TIME_WAIT", "")
    return story


def with_state(timeline: Timeline, snapshot: Snapshot, state: str) -> Timeline:
    """The timeline with one row of one snapshot edited."""
    rows = tuple(
        row if row.state == "LISTEN" else type(row)(*[*_values(row)[:3], state, *_values(row)[4:]])
        for row in snapshot.sockets
    )
    edited = type(snapshot)(
        t_ns=snapshot.t_ns,
        end_ns=snapshot.end_ns,
        host=snapshot.host,
        cause=snapshot.cause,
        frame=snapshot.frame,
        sockets=rows,
    )
    events = tuple(edited if event is snapshot else event for event in timeline.events)
    return replace(timeline, events=events)


def _values(row: object) -> list[object]:
    return [getattr(row, name) for name in row.__struct_fields__]  # type: ignore[attr-defined]


def test_a_kernel_that_does_what_the_frames_say_is_never_contradicted():
    assert found(watched_exchange().timeline()) == ()


def test_every_single_false_state_is_found_once():
    timeline = watched_exchange().timeline()
    snapshots = [s for s in timeline.of(Snapshot) if any(r.state != "LISTEN" for r in s.sockets)]
    assert len(snapshots) == 13
    for snapshot in snapshots:
        (false,) = found(with_state(timeline, snapshot, "CLOSING"))
        assert (false.kernel, false.host, false.t_ns) == ("CLOSING", snapshot.host, snapshot.t_ns)
        assert false.connection == 0
        assert "CLOSING" not in false.inferred


def test_a_missing_row_is_found_too():
    story = opened()
    story.wait(1)
    story.client.table()
    (false,) = found(story.timeline())
    assert (false.kernel, false.inferred) == ("CLOSED", ("ESTABLISHED",))


def test_where_the_frames_tell_nothing_nothing_is_contradicted():
    story = Story()
    story.server.table(story.server.listener())
    story.client.syn(lost=True)
    story.wait(1)
    story.server.table(story.server.listener())
    assert found(story.timeline()) == ()


def test_a_listener_s_row_is_not_the_connection_s_own():
    story = opened()
    story.wait(1)
    story.server.table(story.server.listener())
    (false,) = found(story.timeline())
    assert (false.inferred, false.kernel) == (("ESTABLISHED",), "LISTEN")


def test_a_refused_connection_has_no_row_anywhere():
    story = refused()
    story.wait(1)
    story.client.table()
    story.server.table()
    assert found(story.timeline()) == ()


def test_the_kernel_changes_state_before_it_sends():
    """close() has made it FIN_WAIT1; the FIN is on its way to the wire."""
    story = opened()
    story.wait(0.5)
    story.client.table(story.client.row("FIN_WAIT1"))
    story.client.fin()
    assert found(story.timeline()) == ()


def test_but_not_before_a_frame_that_had_to_reach_it_first():
    story = opened()
    story.wait(0.5)
    story.client.table(story.client.row("TIME_WAIT"))
    story.client.fin()
    story.server.fin()
    story.client.ack()
    (false,) = found(story.timeline())
    assert false.inferred == ("ESTABLISHED", "FIN_WAIT1")


def test_a_fin_may_wait_behind_data_once_the_program_has_closed():
    story = opened()
    story.client.send(1000)
    story.client.calls("close", result=0)
    story.client.table(story.client.row("FIN_WAIT1", send_q=5000))
    story.server.ack()
    story.client.send(1000)
    assert found(story.timeline()) == ()


@pytest.mark.parametrize(("closed", "wrong"), [(True, 0), (False, 3)])
def test_a_fin_that_comes_while_our_own_waits_behind_data_is_met_by_one(closed: bool, wrong: int):
    story = opened()
    client, server = story.client, story.server
    client.send(1000)
    if closed:
        client.calls("close", result=0)
    server.fin()
    story.wait(0.5)
    client.table(client.row("CLOSING"))
    client.ack()
    client.fin()
    story.wait(0.5)
    client.table(client.row("CLOSING"))
    server.ack()
    story.wait(0.5)
    client.table(client.row("TIME_WAIT"))
    assert len(found(story.timeline())) == wrong


def test_a_program_whose_calls_nobody_recorded_may_have_given_up_its_attempt():
    """As a scanner does: it closes a socket that waits in connect(), and nothing is sent."""
    story = Story()
    story.client.syn()
    story.client.table(story.client.row("SYN_SENT"))
    story.wait(3000)
    story.client.table()
    (given_up,) = found(story.timeline())
    assert (given_up.inferred, given_up.kernel) == (("SYN_SENT",), "CLOSED")
    story.note("program", host="client", params={"pid": 77, "program": "scanner"})
    assert found(story.timeline()) == ()


def test_a_snapshot_that_had_not_settled_may_lag_behind_what_was_delivered():
    story = opened()
    story.client.fin()
    story.wait(0.5)
    story.server.table(story.server.row("ESTABLISHED", recv_q=1))
    assert len(found(story.timeline())) == 1
    story.events.clear()
    story.server.table(story.server.row("ESTABLISHED", backlog_bytes=1), settled=False)
    assert found(story.timeline()) == ()


def test_a_snapshot_taken_for_a_frame_comes_after_it_whatever_the_stamps_say():
    story = opened()
    fin = story.client.fin()
    row = story.server.row("CLOSE_WAIT")
    story.server.table(row, cause="delivered", frame=fin)  # stamped before the frame left
    assert found(story.timeline()) == ()
    story.events.clear()
    story.server.table(row)
    assert len(found(story.timeline())) == 1


@pytest.mark.parametrize(("seconds", "wrong"), [(30, 1), (61, 0)])
def test_time_wait_goes_away_after_60_seconds(seconds, wrong):
    story = exchange()
    story.wait(seconds * 1000)
    story.client.table()
    assert len(found(story.timeline())) == wrong


def test_of_two_lives_the_later_one_counts():
    story = exchange()
    story.wait(1)
    story.client.table(story.client.row("TIME_WAIT"))
    story.reborn()
    story.client.table(story.client.row("SYN_SENT"))  # the kernel is ahead of its SYN
    story.client.syn()
    story.wait(1)
    story.client.table(story.client.row("SYN_SENT"))
    assert found(story.timeline()) == ()
    story.client.table(story.client.row("TIME_WAIT"))
    (false,) = found(story.timeline())
    assert (false.connection, false.kernel) == (1, "TIME_WAIT")


def test_a_dual_stack_row_is_the_ipv4_connection_s():
    story = opened()
    story.wait(1)
    row = story.client.row("CLOSE_WAIT")
    mapped = [type(row.local)(f"::ffff:{e.address}", e.port) for e in (row.local, row.remote)]
    story.client.table(type(row)(row.protocol, *mapped, *_values(row)[3:]))
    (false,) = found(story.timeline())
    assert false.kernel == "CLOSE_WAIT"


def test_closing_with_unread_data_agrees_with_the_kernel():
    story = unread()
    story.wait(1)
    story.server.table(story.server.listener())
    story.client.table()
    assert found(story.timeline()) == ()


def test_a_capture_has_nothing_to_compare():
    assert found(exchange(complete=False).timeline()) == ()


@given(st.lists(st.tuples(st.integers(0, 12), LIES), min_size=1, max_size=4))
def test_looking_only_where_something_may_be_new_misses_nothing(
    lies: list[tuple[int, str]],
) -> None:
    """Beside the obvious way: to compare every snapshot with every end."""
    timeline = watched_exchange().timeline()
    told = [s for s in timeline.of(Snapshot) if any(r.state != "LISTEN" for r in s.sockets)]
    for place, state in lies:
        timeline = with_state(timeline, told[place], state)
        told = [s for s in timeline.of(Snapshot) if any(r.state != "LISTEN" for r in s.sockets)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check, "_telling", lambda _, looks, __: range(len(looks.snapshots)))
        everywhere = found(timeline)
    chosen = found(timeline)
    assert set(chosen) <= set(everywhere)
    assert {(one.host, one.kernel) for one in chosen} == {
        (one.host, one.kernel) for one in everywhere
    }


def test_a_host_that_crashed_has_no_socket_and_no_frame_says_so():
    story = opened()
    story.wait(1)
    story.note("crash", host="server")
    story.server.table()
    assert found(story.timeline()) == ()
    story.client.table()
    (false,) = found(story.timeline())
    assert (false.host, false.kernel) == ("client", "CLOSED")


def routed(*rows: str) -> Story:
    """The server is behind a router: what its table says comes from a cable that is not seen."""
    story = opened()
    story.wait(1)
    story.server.table(*[story.server.row(state) for state in rows])
    return story


def test_what_a_router_carries_on_may_be_late():
    cables = {"wire": ["client", "router"], "other": ["router", "server"]}
    assert found(routed("SYN_RECV").timeline(cables=cables)) == ()
    assert found(routed("SYN_RECV").timeline()) != ()
    assert found(routed("CLOSING").timeline(cables=cables)) != ()


def test_an_end_behind_a_router_that_translates_addresses_has_no_row_of_that_name():
    cables = {"wire": ["client", "router"], "other": ["router", "server"]}
    assert found(routed().timeline(cables=cables)) == ()
    assert found(routed().timeline()) != ()


def test_an_end_keeps_its_old_socket_while_the_peer_alone_begins_anew():
    """A late SYN: the server answers it, the client is still in TIME_WAIT of the life before."""
    story = exchange()
    story.wait(1)
    story.reborn()
    story.server.syn_ack()
    story.wait(1)
    story.client.table(story.client.row("TIME_WAIT"))
    assert found(story.timeline()) == ()
    story.client.table(story.client.row("SYN_SENT"))
    (false,) = found(story.timeline())
    assert false.kernel == "SYN_SENT"


@pytest.mark.parametrize(("waited_ms", "wrong"), [(900, 1), (1100, 0)])
def test_a_timer_that_ran_out_may_have_ended_a_socket(waited_ms: float, wrong: int):
    story = Story()
    story.client.syn()
    story.wait(1)
    story.client.table(story.client.row("SYN_SENT", timer="retransmit", timer_ms=1000))
    story.wait(waited_ms)
    story.client.table()
    assert len(found(story.timeline())) == wrong


@pytest.mark.parametrize(("waiting", "wrong"), [(1, 2), (2, 0)])
def test_a_full_listener_drops_what_arrives(waiting: int, wrong: int):
    story = Story()
    server = story.server
    server.table(server.listener(queued=waiting, limit=1))
    story.client.syn()
    story.wait(1)
    server.table(server.listener(queued=waiting, limit=1))
    server.syn_ack()
    story.wait(1)
    story.client.ack()
    story.wait(1)
    server.table(server.listener(queued=waiting, limit=1), server.row("SYN_RECV"))
    assert len(found(story.timeline())) == wrong


def test_a_program_may_close_while_the_kernel_lists_its_sockets():
    story = Story()
    story.client.syn()
    story.wait(1)
    story.client.table(story.client.row("SYN_SENT"))
    begin_ns = story.now
    story.wait(1)
    story.client.calls("close")
    story.wait(1)
    story.client.table()
    look = story.events.pop()
    story.events.insert(-1, replace_begin(look, begin_ns))
    assert found(story.timeline()) == ()


def replace_begin(look: Snapshot, begin_ns: int) -> Snapshot:
    """The look, begun earlier."""
    return msgspec.structs.replace(look, t_ns=begin_ns)
