"""Pictures without a frame: what calls alone tell."""

from typing import Any

from fourtuple.event.frames import FrameTableBuilder, Vantage
from fourtuple.event.model import Call, Endpoint, Event
from fourtuple.event.timeline import Timeline
from fourtuple.render.frameless import calls_view, frameless_connections, frameless_view

HERE, THERE = Endpoint("10.0.0.2", 8888), Endpoint("10.0.0.1", 40000)
OTHER = Endpoint("10.0.0.1", 40001)


def call(t_ns: int, name: str, inode: int = 7, **more: Any) -> Call:
    known = {"host": "server", "program": "serve", "pid": 1, "thread": 1, **more}
    return Call(t_ns=t_ns, end_ns=t_ns + 5, name=name, inode=inode, **known)


def timeline(*events: Event) -> Timeline:
    meta = {"file": "tcp://10.0.0.2:8888", "talk": True}
    return Timeline((Vantage("talk"),), FrameTableBuilder().table(), events, meta)


def test_each_pair_of_ends_is_a_connection_seen_from_the_side_that_called() -> None:
    found = frameless_connections(
        timeline(
            call(1, "recv", local=HERE, remote=THERE, result=3),
            call(9, "recv", inode=8, local=HERE, remote=OTHER, result=3),
            call(20, "close", local=HERE, remote=THERE, result=0),
        )
    )
    assert [(each.protocol, each.client, each.server) for each in found] == [
        ("tcp", THERE, HERE),
        ("tcp", OTHER, HERE),
    ]
    assert (found[0].start_ns, found[0].end_ns) == (1, 25)
    (ours,) = frameless_connections(
        timeline(call(1, "connect", host="client", local=THERE, remote=HERE, result=0))
    )
    assert (ours.client, ours.server) == (THERE, HERE)


def test_a_socket_of_datagrams_is_udp() -> None:
    (found,) = frameless_connections(
        timeline(
            call(1, "socket", args=("AF_INET", "SOCK_DGRAM"), result=3),
            call(9, "recvfrom", local=HERE, remote=THERE, result=5),
        )
    )
    assert found.protocol == "udp"


def test_a_connections_view_has_its_calls_and_no_others() -> None:
    told = timeline(
        call(1, "recv", local=HERE, remote=THERE, result=3),
        call(9, "recv", inode=8, local=HERE, remote=OTHER, result=4),
    )
    view = frameless_view(told, frameless_connections(told), 1)
    bars = [bar for row in view.rows for bar in row.server_program.bars]
    assert [bar.full for bar in bars] == ["recv()"]
    assert view.four_tuple == ("10.0.0.1:40001", "10.0.0.2:8888")
    assert [message.text for message in view.evidence][-1] == "frames: none recorded"


def test_calls_on_no_connection_have_a_picture_too() -> None:
    view = calls_view(timeline(call(1, "listen", args=(5,), result=0), call(9, "close", result=0)))
    bars = [bar for row in view.rows for bar in row.server_program.bars]
    assert [bar.full for bar in bars] == ["listen(5)", "close()"]
    assert view.four_tuple == ("?", "tcp://10.0.0.2:8888")
