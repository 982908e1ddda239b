"""Which calls belong to a connection, and how a call is written."""

import pytest

from fourtuple.analyze import connections
from fourtuple.event.model import Call, Endpoint
from fourtuple.explain.model import Message
from fourtuple.explain.text import Translator
from fourtuple.render.calls import brief, full, outcome, own_calls
from fourtuple.render.life import life_of
from story import Story, exchange, opened


def made(name: str, *args: str | int, **known: object) -> Call:
    facts = {"result": 0, "t_ns": 0, "end_ns": 1, "pid": 1, "thread": 1} | known
    return Call(host="client", program="p", name=name, args=args, **facts)


def names(story: Story, index: int = 0) -> tuple[list[str], list[str]]:
    timeline = story.timeline()
    found = connections(timeline)
    own = own_calls(timeline, life_of(found[index], found))
    return [call.name for call in own.client], [call.name for call in own.server]


def test_a_socket_is_known_by_its_inode_once_its_addresses_were_seen() -> None:
    story = opened()
    story.client.table(story.client.row("ESTABLISHED"))
    story.client.calls("send", 14, size=14)
    story.client.calls("send", 14, size=14, inode=12345)
    assert names(story) == (["send"], [])


def test_a_socket_is_known_by_both_addresses_of_a_call() -> None:
    story = opened()
    ends = {"local": story.server.endpoint, "remote": story.client.endpoint}
    story.server.calls("recv", size=10, **ends)
    assert names(story) == ([], ["recv"])


def test_the_listeners_calls_are_the_servers() -> None:
    story = Story()
    for name in ("socket", "bind", "listen"):
        story.server.calls(name, inode=99)
    story.client.syn()
    story.server.syn_ack()
    story.client.ack()
    story.server.calls("accept", inode=99, new_inode=22, result=5)
    story.server.table(story.server.row("ESTABLISHED"), story.server.listener())
    assert names(story) == ([], ["socket", "bind", "listen", "accept"])


def test_a_wait_is_whose_socket_it_reported() -> None:
    story = opened()
    story.server.table(story.server.row("ESTABLISHED"), story.server.listener())
    story.server.calls("poll", 5, inode=0, ready=(77, 22), result=2)
    story.server.calls("poll", 5, inode=0, ready=(77,), result=1)
    assert names(story) == ([], ["poll"])


def test_of_the_waits_for_a_listener_the_last_before_accept_told_of_the_connection() -> None:
    story = opened()
    story.server.table(story.server.row("ESTABLISHED"), story.server.listener())
    for new_inode in (77, 22, 78):
        story.server.calls("select", new_inode, inode=0, ready=(99,), result=1)
        story.server.calls("accept", inode=99, new_inode=new_inode, result=5)
    timeline = story.timeline()
    found = connections(timeline)
    own = own_calls(timeline, life_of(found[0], found))
    assert [(call.name, call.args) for call in own.server] == [("select", (22,)), ("accept", ())]


def test_an_accept_that_took_another_connection_is_not_shown() -> None:
    story = opened()
    story.server.table(story.server.row("ESTABLISHED"), story.server.listener())
    story.server.calls("accept", inode=99, new_inode=77, result=5)
    story.server.calls("accept", inode=99, new_inode=22, result=6)
    assert names(story) == ([], ["accept"])


def test_a_connection_that_nobody_accepted_shows_its_listener() -> None:
    story = Story()
    story.server.calls("listen", 5, inode=99)
    story.client.syn()
    story.server.table(story.server.listener())
    assert names(story) == ([], ["listen"])


def test_a_host_with_the_same_inode_is_another_one() -> None:
    story = opened()
    story.client.table(story.client.row("ESTABLISHED"))
    story.server.calls("send", size=1, inode=story.client.inode)
    assert names(story) == ([], [])


def test_a_second_life_of_the_addresses_has_its_own_calls() -> None:
    story = exchange()
    story.client.table(story.client.row("FIN_WAIT1"))
    story.client.calls("send", size=1)
    story.wait(1000)
    story.reborn()
    story.client.inode = 4242
    story.client.syn()
    story.server.syn_ack()
    story.client.table(story.client.row("ESTABLISHED"))
    story.client.calls("recv", size=1)
    assert names(story, 0)[0] == ["send"]
    assert names(story, 1)[0] == ["recv"]


def test_a_datagram_socket_need_not_have_a_peer() -> None:
    story = Story()
    anywhere = {"local": Endpoint("0.0.0.0", story.client.endpoint.port), "remote": None}
    here, elsewhere = str(story.server.endpoint), "10.77.0.9:53"
    story.client.calls("sendto", 9, here, size=9, inode=5, **anywhere)
    story.datagram(story.client, 9)
    story.client.calls("sendto", 9, elsewhere, size=9, inode=5, **anywhere)
    story.server.calls("recvfrom", 99, size=99, inode=6, local=story.server.endpoint, remote=None)
    assert names(story, 0) == (["sendto"], ["recvfrom"])


def test_a_listener_of_the_same_port_has_no_part_in_datagrams() -> None:
    story = Story()
    bound = {"local": story.server.endpoint, "remote": None}
    for name in ("bind", "listen"):
        story.server.calls(name, inode=99, **bound)
    story.server.calls("accept", inode=99, new_inode=22, result=5, **bound)
    story.server.table(story.server.listener())
    story.client.calls("sendto", 9, size=9, local=story.client.endpoint, remote=None)
    story.datagram(story.client, 9)
    story.server.calls("socket", "AF_INET", "SOCK_RAW", inode=7, **bound)
    story.server.calls("recvfrom", 99, size=99, inode=6, **bound)
    assert names(story, 0) == (["sendto"], ["recvfrom"])


@pytest.mark.parametrize(
    ("call", "long", "short"),
    [
        (made("connect", "10.77.0.2:8888"), "connect(10.77.0.2:8888)", "connect(:8888)"),
        (made("listen", 5), "listen(5)", "listen(5)"),
        (made("send", 14, size=14), "send(14)", "send(14)"),
        (made("recv", 4096, size=4096), "recv(4096)", "recv()"),
        (made("setsockopt", "SOL_SOCKET", "SO_REUSEADDR", 1), None, "setsockopt()"),
    ],
)
def test_a_call_is_written_as_its_reader_would(call: Call, long: str | None, short: str) -> None:
    assert full(call) == (long or "setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)")
    assert brief(call) == short


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (made("recv", size=9, result=14), "14 bytes"),
        (made("recv", size=9, result=1), "1 byte"),
        (made("recv", size=9, result=0), "0: the end"),
        (made("accept", result=9), "fd 9"),
        (made("poll", 5, ready=(22,), result=2), "2 ready"),
        (made("send", size=14, result=14), "14"),
        (made("connect", result=None, errno="ECONNREFUSED"), "ECONNREFUSED"),
        (made("recv", result=None, end_ns=None), "has not returned"),
        (made("close", result=None), "0"),
        (made("getsockname", result="10.77.0.1:40000"), "10.77.0.1:40000"),
    ],
)
def test_the_kernels_answer(call: Call, text: str) -> None:
    answer = outcome(call)
    assert (Translator().text(answer) if isinstance(answer, Message) else answer) == text


def test_an_endpoint_is_written_with_brackets_where_it_has_colons() -> None:
    assert full(made("connect", str(Endpoint("fd77::2", 8888)))) == "connect([fd77::2]:8888)"
