"""Which calls and which rows of the socket tables belong to a connection."""

from fourtuple.analyze import connections
from fourtuple.analyze.evidence import end_of
from fourtuple.event.model import Endpoint
from story import Story, exchange, opened


def told() -> Story:
    """A client's whole program, and a server that closes a listener and another socket besides."""
    story = Story()
    client, server = story.client, story.server
    server.calls("listen", 5, inode=99)
    client.calls("socket")
    client.calls("connect", took_ms=3.0)
    client.syn()
    client.table(client.row("SYN_SENT"))
    server.syn_ack()
    client.ack()
    server.calls("accept", inode=99, new_inode=server.inode)
    server.table(server.row("ESTABLISHED"), server.listener())
    server.calls("recv", 100, took_ms=None)
    server.calls("send", 5, inode=77)
    return story


def test_calls_belong_to_the_end_whose_socket_they_are_made_on():
    story = told()
    timeline = story.timeline()
    (connection,) = connections(timeline)
    ours, theirs = (end_of(timeline, connection, client) for client in (True, False))
    assert [call.name for call in ours.calls] == ["socket", "connect"]
    assert [call.name for call in theirs.calls] == ["accept", "recv"]
    assert (ours.host, theirs.host) == ("client", "server")
    assert [row.state for _, row in ours.rows] == ["SYN_SENT"]


def test_a_call_that_knows_both_endpoints_needs_no_row():
    story = opened()
    ends = {"local": story.client.endpoint, "remote": story.server.endpoint}
    story.client.calls("send", 3, inode=0, **ends)
    story.client.calls("send", 4, inode=0, **ends | {"remote": Endpoint("10.9.9.9", 1)})
    timeline = story.timeline()
    (connection,) = connections(timeline)
    assert [c.args for c in end_of(timeline, connection, client=True).calls] == [(3,)]


def test_an_inode_that_is_used_again_brings_no_calls_of_its_earlier_socket():
    story = Story()
    story.server.calls("accept", inode=99, new_inode=story.server.inode)
    story.server.calls("recv", 7)
    story.server.calls("close")
    story.client.syn()
    story.server.syn_ack()
    story.client.ack()
    story.server.table(story.server.row("ESTABLISHED"))
    story.server.calls("send", 1)
    story.server.calls("close")
    story.server.calls("listen", 5)
    timeline = story.timeline()
    (connection,) = connections(timeline)
    end = end_of(timeline, connection, client=False)
    assert [call.name for call in end.calls] == ["send", "close"]


def test_what_is_seen_later_says_nothing_of_now():
    story = told()
    timeline = story.timeline()
    (connection,) = connections(timeline)
    end = end_of(timeline, connection, client=False)
    handshake_ns = connection.segments[2].t_ns
    assert end.before(handshake_ns) is None
    assert end.called(("recv",), handshake_ns) is None
    assert end.called(("recv",), story.now) is not None
    assert end.before(story.now) is not None


def test_a_capture_has_no_such_evidence():
    timeline = exchange(complete=False).timeline()
    (connection,) = connections(timeline)
    end = end_of(timeline, connection, client=True)
    assert (end.host, end.rows, end.calls) == (None, (), ())
