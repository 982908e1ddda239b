"""Who sent an RST and why, with no more certainty than the evidence gives."""

from fourtuple.analyze import connections
from fourtuple.analyze.model import Reset
from fourtuple.event.model import Verdict
from story import Story, opened, refused, unread


def only_reset(story: Story) -> Reset:
    (connection,) = connections(story.timeline())
    (reset,) = connection.resets
    return reset


def test_a_syn_answered_by_rst_and_ack_alone_met_a_closed_port():
    assert only_reset(refused()) == Reset(2, "server", "port-closed", "certain", (1, 2))


def test_each_refusal_of_a_repeated_syn_is_a_reset_of_its_own():
    story = refused()
    story.client.syn(seq=0)
    story.server.rst_ack(raw_seq=0)
    (connection,) = connections(story.timeline())
    assert [r.evidence for r in connection.resets] == [(1, 2), (3, 4)]


def test_closing_with_unread_bytes_is_certain_where_table_and_call_were_seen():
    assert only_reset(unread()) == Reset(6, "server", "unread-data", "certain", (4, 6))


def test_the_same_frames_alone_make_it_likely():
    story = opened(complete=False)
    story.client.send(100)
    story.server.ack()
    story.server.rst_ack()
    assert only_reset(story) == Reset(6, "server", "unread-data", "likely", (4, 6))


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
    assert only_reset(story).cause == "undetermined"


def test_a_sender_that_had_answered_all_data_gives_no_reason():
    story = opened(complete=False)
    story.client.send(100)
    story.server.send(20)
    story.server.rst_ack()
    assert only_reset(story) == Reset(6, "server", "undetermined", "undetermined", (6,))


def test_data_for_a_closed_socket_draws_an_rst():
    for complete, confidence in ((True, "certain"), (False, "likely")):
        story = opened(complete=complete)
        story.client.fin()
        story.server.ack()
        data = story.server.send(50)
        story.client.rst(seq=2)
        expected = Reset(7, "client", "data-after-close", confidence, (4, data, 7))
        assert only_reset(story) == expected


def test_an_rst_from_one_who_says_nothing_else_knows_no_such_connection():
    story = Story(complete=False)
    story.client.next, story.server.expects = 50, 50
    story.client.send(10, ack=70)
    story.server.rst(raw_seq=(story.server.isn + 70) % 2**32)
    assert only_reset(story).cause == "no-such-connection"
    assert only_reset(story).confidence == "likely"


def test_a_scanner_s_kernel_never_asked_for_the_connection():
    story = Story(complete=False)
    story.client.syn()
    story.server.syn_ack()
    story.client.rst()
    assert only_reset(story) == Reset(3, "client", "no-such-connection", "likely", (1, 2, 3))


def test_a_syn_ack_for_another_number_is_reset_as_invalid():
    story = Story()
    story.client.syn()
    story.server.syn_ack(ack=777)
    story.client.rst(seq=777)
    assert only_reset(story).cause == "invalid-ack"


def test_an_rst_that_the_wire_made_is_forged():
    story = opened()
    story.server.rst(seq=1, verdict=Verdict.INJECTED)
    assert only_reset(story) == Reset(4, "server", "forged", "certain", (4,))
