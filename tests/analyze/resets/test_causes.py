"""Who sent an RST and why, with no more certainty than the evidence gives."""

import msgspec
import pytest
from hypothesis import given

from analyze.chance import chatter, nonsense
from fourtuple.analyze import connections
from fourtuple.analyze.model import Reset
from fourtuple.event.model import Endpoint, Verdict
from fourtuple.wire import MaximumSegmentSize, Timestamps, UnknownOption
from story import Story, exchange, opened, refused, unread

families = pytest.mark.parametrize("family", [4, 6])


def resets(story: Story) -> list[Reset]:
    return [reset for one in connections(story.timeline()) for reset in one.resets]


def only_reset(story: Story) -> Reset:
    (reset,) = resets(story)
    return reset


def verdict(story: Story) -> tuple[str, str, str]:
    reset = resets(story)[-1]
    return reset.sender, reset.cause, reset.confidence


# refused


def test_a_syn_answered_by_rst_and_ack_alone_met_a_closed_port_or_what_looks_like_one():
    assert only_reset(refused()) == Reset(2, "server", "port-closed", "likely", (1, 2))


def test_it_is_certain_where_the_host_s_table_has_no_listener():
    story = Story()
    story.server.table()
    story.client.syn()
    story.server.rst_ack(raw_seq=0)
    assert verdict(story) == ("server", "port-closed", "certain")


def test_a_listener_does_not_refuse_so_a_firewall_does():
    story = Story()
    story.server.table(story.server.listener())
    story.client.syn()
    story.server.rst_ack(raw_seq=0)
    assert verdict(story) == ("server", "firewall", "certain")


def test_a_listener_that_is_gone_at_the_next_look_may_have_gone_before_the_syn():
    """Its program ended, which no call tells."""
    story = Story()
    story.server.table(story.server.listener())
    story.client.syn()
    story.server.rst_ack(raw_seq=0)
    story.wait(1)
    story.server.table()
    assert verdict(story) == ("server", "port-closed", "likely")


def test_a_listener_on_the_unspecified_ipv6_address_may_not_take_ipv4():
    story = Story()
    row = story.server.listener()
    story.server.table(msgspec.structs.replace(row, local=Endpoint("::", row.local.port)))
    story.client.syn()
    story.server.rst_ack(raw_seq=0)
    assert verdict(story) == ("server", "port-closed", "likely")


def test_the_first_look_at_a_host_where_nothing_was_called_is_the_one_after_the_syn():
    story = refused()
    story.server.table()
    assert verdict(story) == ("server", "port-closed", "certain")


@families
def test_a_listener_that_refuses_to_join_connections_is_neither_closed_nor_a_firewall(family):
    story = Story(family)
    story.server.table(story.server.listener())
    story.client.syn(options=(UnknownOption(30, b"\x10\x01" + bytes(8)),))
    story.server.rst_ack(raw_seq=0)
    assert verdict(story) == ("server", "undetermined", "undetermined")


def test_each_refusal_of_a_repeated_syn_is_a_reset_of_its_own():
    story = refused()
    story.client.syn(seq=0)
    story.server.rst_ack(raw_seq=0)
    assert [r.evidence for r in resets(story)] == [(1, 2), (3, 4)]


# given up


def test_closing_with_unread_bytes_is_certain_where_table_and_call_were_seen():
    assert only_reset(unread()) == Reset(6, "server", "unread-data", "certain", (4, 6))


def test_the_same_frames_alone_make_it_likely():
    story = opened(complete=False)
    story.client.send(100)
    story.server.ack()
    story.server.rst_ack()
    assert only_reset(story) == Reset(6, "server", "unread-data", "likely", (4, 6))


def test_what_the_rst_does_not_acknowledge_had_not_come():
    story = opened(complete=False)
    story.server.send(7)
    story.client.send(100)
    story.server.rst_ack(ack=1)
    assert verdict(story) == ("server", "linger-zero", "likely")


def test_a_fin_in_the_buffer_counts_one_but_is_no_unread_byte():
    story = opened()
    story.client.send(100)
    story.server.ack()
    story.server.send(5)
    story.client.fin()
    story.server.ack()
    story.server.table(story.server.row("CLOSE_WAIT", recv_q=1))
    story.server.calls("close", result=0)
    story.server.rst_ack()
    assert only_reset(story).cause != "unread-data"


def test_a_client_that_got_one_answer_may_have_read_it():
    story = opened(complete=False)
    story.client.send(100)
    story.server.send(20)
    story.client.rst_ack()
    assert only_reset(story) == Reset(6, "client", "undetermined", "undetermined", (6,))


def test_of_many_segments_some_were_most_likely_not_read():
    story = opened(complete=False)
    story.client.send(100)
    for _ in range(3):
        story.server.send(1000)
    story.client.rst_ack()
    assert verdict(story) == ("client", "unread-data", "likely")


def test_a_window_that_went_down_to_half_shows_what_was_not_read():
    story = opened(complete=False, scale=None)
    story.server.send(40000)
    story.client.ack(window=24240)
    story.client.rst_ack()
    assert verdict(story) == ("client", "unread-data", "likely")


def test_who_has_closed_in_order_and_breaks_off_then_left_something_unread():
    story = opened(complete=False)
    story.client.send(1000)
    story.server.send(20)
    story.server.fin()
    story.server.rst_ack()
    assert verdict(story) == ("server", "unread-data", "likely")


def test_breaking_off_with_all_read_is_most_likely_done_on_purpose():
    story = opened(complete=False)
    story.client.send(100)
    story.server.send(20)
    story.client.send(10)
    story.client.rst_ack()
    assert verdict(story) == ("client", "linger-zero", "likely")


def test_who_breaks_off_out_of_a_silence_may_have_been_made_to():
    story = opened(complete=False)
    story.client.send(100)
    story.server.send(20)
    story.client.send(10)
    story.wait(1500)
    story.client.rst_ack()
    assert verdict(story) == ("client", "undetermined", "undetermined")


def test_so_linger_is_certain_where_the_calls_were_seen():
    story = opened()
    story.client.table(story.client.row("ESTABLISHED"))
    story.client.calls("setsockopt", "SOL_SOCKET", "SO_LINGER", "0 s", result=0)
    story.client.calls("close", result=0)
    story.client.rst_ack()
    assert verdict(story) == ("client", "linger-zero", "certain")


def test_a_program_that_closes_without_so_linger_did_not_break_off_by_it():
    story = opened()
    story.client.table(story.client.row("ESTABLISHED"))
    story.client.calls("close", result=0)
    story.client.rst_ack()
    assert verdict(story) == ("client", "undetermined", "undetermined")


def test_connecting_to_no_family_dissolves_the_connection():
    story = opened()
    story.client.table(story.client.row("ESTABLISHED"))
    story.client.calls("connect", "AF_UNSPEC", result=0)
    story.client.rst_ack()
    assert verdict(story) == ("client", "disconnected", "certain")


def test_what_an_earlier_connection_was_dissolved_by_ends_no_later_one():
    story = Story()
    story.client.calls("connect", "AF_UNSPEC", result=0)
    story.client.syn()
    story.server.syn_ack()
    story.client.ack()
    story.client.table(story.client.row("ESTABLISHED"))
    story.client.rst_ack()
    assert only_reset(story).cause != "disconnected"


def test_where_nobody_is_to_wait_for_a_fin_the_rst_is_not_so_linger():
    story = opened()
    story.client.table(story.client.row("ESTABLISHED"))
    story.client.calls("setsockopt", "IPPROTO_TCP", "TCP_LINGER2", -1, result=0)
    story.client.fin()
    story.server.ack()
    story.client.calls("close", result=0)
    story.client.rst_ack()
    assert verdict(story) == ("client", "undetermined", "undetermined")


def test_a_killed_program_calls_nothing_but_what_it_left_unread_was_counted():
    story = opened()
    story.client.calls("connect", "10.77.0.2:8888", result=0)
    story.server.send(10)
    story.client.ack()
    story.client.table(story.client.row("ESTABLISHED", recv_q=10))
    story.client.rst_ack()
    assert verdict(story) == ("client", "unread-data", "likely")


def test_a_silent_server_may_have_closed_its_socket_or_its_listener():
    story = opened(complete=False)
    story.server.rst_ack()
    assert verdict(story) == ("server", "undetermined", "undetermined")


def test_a_server_that_refuses_ever_after_had_closed_its_listener():
    story = opened(complete=False)
    story.server.rst_ack()
    story.reborn()
    story.client.syn()
    story.server.rst_ack(raw_seq=0)
    assert [r.cause for r in resets(story)] == ["listener-closed", "port-closed"]


def test_a_server_that_serves_others_later_still_had_its_listener():
    story = opened(complete=False)
    story.server.rst_ack()
    story.reborn()
    story.client.syn()
    story.server.syn_ack()
    story.client.ack()
    assert [r.cause for r in resets(story)] == ["linger-zero"]


@pytest.mark.parametrize("gone_before", [True, False])
def test_another_listener_on_the_port_is_not_the_one_whose_queue_it_was_in(gone_before):
    story = opened()
    story.client.send(7)
    story.server.table(story.server.listener(1), story.server.row("ESTABLISHED", inode=0, recv_q=7))
    if gone_before:  # its process had been killed when the table was looked at
        story.wait(1)
        story.server.table()
    story.server.rst_ack()
    story.wait(1)
    story.server.table(msgspec.structs.replace(story.server.listener(), cookie=99))
    assert verdict(story) == ("server", "listener-closed", "certain")


def test_a_listener_that_the_table_loses_takes_along_what_nobody_had_accepted():
    story = opened()
    story.server.table(story.server.listener(1), story.server.row("ESTABLISHED", inode=0))
    story.server.rst_ack()
    story.wait(1)
    story.server.table()
    assert verdict(story) == ("server", "listener-closed", "certain")


def test_what_comes_once_a_listener_has_reset_its_queue_finds_no_socket():
    story = opened()
    story.server.table(story.server.listener(1), story.server.row("ESTABLISHED", inode=0))
    story.server.rst_ack()
    story.client.send(14)
    story.server.rst()
    story.wait(1)
    story.server.table()
    found = [(one.cause, one.confidence) for one in resets(story)]
    assert found == [("listener-closed", "certain"), ("no-such-connection", "certain")]


def test_a_socket_that_was_destroyed_tells_its_program():
    story = opened()
    story.client.table(story.client.row("ESTABLISHED"))
    story.client.calls("send", 5, result=5)
    story.client.rst_ack()
    story.client.calls("recv", 100, errno="ECONNABORTED")
    assert verdict(story) == ("client", "destroyed", "certain")


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([], ("keepalive-timeout", "likely")),
        ([("SOL_SOCKET", "SO_KEEPALIVE", 1)], ("keepalive-timeout", "certain")),
        ([("IPPROTO_TCP", "TCP_USER_TIMEOUT", 2000)], ("user-timeout", "certain")),
    ],
)
def test_probes_without_an_answer_end_in_an_rst(calls, expected):
    story = opened(complete=bool(calls))
    story.client.table(story.client.row("ESTABLISHED"))
    for args in calls:
        story.client.calls("setsockopt", *args, result=0)
    story.client.send(10)
    story.server.ack()
    for _ in range(3):
        story.wait(1000)
        story.client.ack(seq=10)
    story.wait(1000)
    story.client.rst_ack()
    reset = only_reset(story)
    assert (reset.cause, reset.confidence) == expected
    assert reset.evidence == (6, 7, 8, 9)


# answers


@families
@pytest.mark.parametrize("complete", [True, False])
def test_data_for_a_closed_socket_draws_an_rst(family, complete):
    story = opened(family, complete=complete)
    story.client.fin()
    story.server.ack()
    data = story.server.send(50)
    story.client.rst(seq=2)
    expected = Reset(7, "client", "data-after-close", "certain", (4, data, 7))
    assert only_reset(story) == expected


def test_data_that_crossed_the_fin_on_its_way_came_after_it_all_the_same():
    story = opened(complete=False)  # captured at the server
    story.server.send(50)
    story.client.fin(ack=1)
    story.client.rst(seq=1)
    assert verdict(story) == ("client", "data-after-close", "certain")


def test_data_that_the_closer_had_acknowledged_is_no_reason():
    story = exchange(complete=False)
    story.client.send(14, seq=1, ack=1)
    story.server.rst(seq=1)
    assert verdict(story) == ("server", "no-such-connection", "certain")


def test_what_comes_later_meets_no_socket_for_the_same_reason():
    story = opened(complete=False)
    story.client.fin()
    story.server.ack()
    for _ in range(2):
        story.server.send(50)
        story.client.rst(seq=2)
    assert [(r.cause, r.confidence) for r in resets(story)] == [("data-after-close", "certain")] * 2


def test_after_an_rst_of_one_s_own_there_is_no_socket():
    story = opened(complete=False)
    story.client.send(100)
    story.server.rst_ack()
    story.client.send(100)
    story.server.rst(seq=1)
    assert verdict(story) == ("server", "no-such-connection", "certain")


def test_nor_is_there_one_after_an_rst_of_the_peer():
    story = opened(complete=False)
    story.client.send(100)
    story.server.rst_ack()
    story.server.send(10, seq=1)
    story.client.rst(seq=101)
    assert ("client", "no-such-connection", "certain") in [
        (r.sender, r.cause, r.confidence) for r in resets(story)
    ]


def test_an_rst_from_one_who_says_nothing_else_knows_no_such_connection():
    story = Story(complete=False)
    story.client.next, story.server.expects = 50, 50
    story.client.send(10, ack=70)
    story.server.rst(raw_seq=(story.server.isn + 70) % 2**32)
    assert verdict(story) == ("server", "no-such-connection", "likely")


def test_an_end_that_answers_as_if_it_had_never_known_has_forgotten():
    story = opened(complete=False)
    story.client.send(10)
    story.server.send(10)
    story.client.ack()
    story.server.send(10)
    story.client.rst(seq=11)
    assert verdict(story) == ("client", "no-such-connection", "likely")


def test_a_scanner_s_kernel_never_asked_for_the_connection():
    story = Story(complete=False)
    story.client.syn()
    story.server.syn_ack()
    story.client.rst()
    assert only_reset(story) == Reset(3, "client", "no-such-connection", "likely", (1, 2, 3))


def test_a_host_without_a_socket_in_its_table_certainly_has_none():
    story = Story()
    story.client.table()
    story.client.syn()
    story.server.syn_ack()
    story.client.rst()
    assert verdict(story) == ("client", "no-such-connection", "certain")


def test_a_syn_ack_for_another_number_is_reset_as_invalid():
    story = Story(complete=False)
    story.client.syn()
    story.server.syn_ack(ack=777)
    story.client.rst(seq=777)
    assert verdict(story) == ("client", "invalid-ack", "likely")
    story.wait(1000)
    story.client.syn(seq=0)  # so it still wants the connection
    assert verdict(story) == ("client", "invalid-ack", "certain")


def test_the_old_ack_of_a_time_wait_is_answered_with_rst():
    def stamps(value: int) -> tuple[Timestamps]:
        return (Timestamps(value, 1),)

    for again, confidence in ((9, "certain"), (5, "likely")):
        story = Story(complete=False)
        story.greeting = (MaximumSegmentSize(1460), Timestamps(1, 0))
        story.client.syn()
        story.server.syn_ack()
        story.client.ack(options=stamps(2))
        story.client.fin(options=stamps(3))
        story.server.ack(options=stamps(4))
        story.server.fin(options=stamps(4))
        story.client.ack(options=stamps(5))
        story.client.ack(options=stamps(again))
        story.server.rst(seq=2)
        assert verdict(story) == ("server", "time-wait", confidence)


def broken_handshake(**rows: int) -> Story:
    story = Story(complete=bool(rows))
    story.client.syn()
    story.server.syn_ack()
    if rows:
        story.server.table(story.server.listener(**rows))
    story.client.ack()
    story.server.rst(seq=1)
    return story


def test_a_full_accept_queue_is_certain_where_the_table_shows_it():
    assert verdict(broken_handshake(queued=3, limit=2))[1:] == ("backlog-overflow", "certain")


def test_a_third_step_that_was_held_back_is_answered_when_it_comes():
    story = Story()
    story.client.syn()
    story.server.syn_ack()
    story.client.ack(late_ms=500)
    story.wait(501)
    story.server.table(story.server.listener(queued=1, limit=0))
    story.server.rst(seq=1)
    assert verdict(story) == ("server", "backlog-overflow", "certain")


@pytest.mark.parametrize("slow_ms", [0, 800])
def test_who_was_let_in_is_not_refused_however_soon_the_rst_comes(slow_ms):
    """Soon on a fast machine; and on a slow one, where the handshake itself took its time."""
    story = Story()
    story.client.syn()
    story.wait(slow_ms)
    story.server.syn_ack()
    story.client.ack()
    story.wait(1)
    story.server.table(story.server.listener(queued=1), story.server.row("ESTABLISHED"))
    story.wait(slow_ms)
    story.server.table()  # it crashed, and came up again
    story.client.send(10)
    story.wait(1)
    story.server.rst(seq=1)
    assert verdict(story) == ("server", "no-such-connection", "certain")


def test_a_kernel_that_still_asks_has_not_forgotten_its_syn():
    story = Story()
    story.client.syn()
    story.client.table(story.client.row("SYN_SENT"))
    story.server.syn_ack(options=(Timestamps(1, 1),))
    story.client.rst(seq=1)
    assert verdict(story) == ("client", "invalid-ack", "certain")


def test_the_third_step_alone_does_not_tell_a_full_queue_from_a_listener_that_went():
    assert verdict(broken_handshake()) == ("server", "undetermined", "undetermined")


def test_what_the_port_does_next_tells():
    for agrees, cause in ((True, "backlog-overflow"), (False, "listener-closed")):
        story = broken_handshake()
        story.reborn()
        story.client.syn()
        if agrees:
            story.server.syn_ack()
        else:
            story.server.rst_ack(raw_seq=0)
        assert (resets(story)[0].cause, resets(story)[0].confidence) == (cause, "likely")


def test_long_after_the_third_step_it_is_something_else():
    story = Story(complete=False)
    story.client.syn()
    story.server.syn_ack()
    story.client.ack()
    story.wait(3000)
    story.client.send(10)
    story.server.rst(seq=1)
    assert verdict(story) == ("server", "no-such-connection", "likely")


# somebody else


def test_an_rst_that_the_wire_made_is_forged():
    story = opened()
    story.server.rst(seq=1, verdict=Verdict.INJECTED)
    assert only_reset(story) == Reset(4, "server", "forged", "certain", (4,))


def talking() -> Story:
    story = opened(complete=False)
    story.client.send(10)
    story.server.send(10)
    story.client.ack()
    story.server.send(10)
    story.client.ack()
    return story


@families
def test_another_hop_limit_is_another_sender(family):
    story = talking()
    story.server.rst_ack(hops=49)
    assert verdict(story) == ("server", "forged", "likely")


def test_it_is_certain_where_the_end_goes_on_as_if_there_were_none():
    story = talking()
    story.server.rst_ack(hops=49)
    story.wait(100)
    story.server.send(10)
    assert verdict(story) == ("server", "forged", "certain")


def test_what_an_answer_overtook_does_not_prove_a_forger():
    story = talking()
    story.client.send(30)
    story.server.rst(seq=21, window=512)
    story.server.send(10)  # a millisecond later: it may have been sent before
    assert verdict(story) == ("server", "forged", "likely")


def test_a_number_far_ahead_is_no_kernel_s():
    story = talking()
    story.server.rst_ack(seq=5000)
    assert verdict(story) == ("server", "forged", "likely")


def test_a_rule_that_rejects_answers_what_never_got_through():
    story = talking()
    story.client.send(30)
    story.server.rst(seq=21)
    story.wait(100)
    story.server.send(10, ack=11)
    assert verdict(story) == ("server", "firewall", "likely")


def test_what_got_through_was_not_rejected():
    story = talking()
    story.client.send(30)
    story.server.rst(seq=21, window=512)
    story.wait(100)
    story.server.send(10)
    assert verdict(story) == ("server", "forged", "certain")


def test_a_raw_syn_shows_no_habits_of_its_kernel():
    story = Story(complete=False)
    story.client.syn(hops=41)
    story.server.syn_ack()
    story.client.rst(hops=64)
    assert verdict(story) == ("client", "no-such-connection", "likely")


# never more certain than the evidence


@pytest.mark.parametrize("gaps", [True, False])
def test_no_reset_of_connections_left_to_chance_is_explained_for_certain(gaps):
    """make resets tries 20,000 of them."""
    stories = (chatter(seed, gaps=gaps) for seed in range(400))
    found = [reset for story in stories for reset in resets(story)]
    assert len(found) > 100
    assert [reset for reset in found if reset.confidence == "certain"] == []


@given(nonsense())
def test_nonsense_is_judged_without_an_exception_and_by_frames_that_there_are(story):
    timeline = story.timeline()
    for connection in connections(timeline):
        frames = set(connection.frames)
        for reset in connection.resets:
            assert set(reset.evidence) <= frames
            assert reset.evidence[-1] == reset.frame
            assert (reset.cause == "undetermined") == (reset.confidence == "undetermined")
