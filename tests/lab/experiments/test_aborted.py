"""What the experiments about aborted connections rest on: destroying, disconnecting, lingering."""

import errno
import socket
from typing import Any

import pytest

from fourtuple.event.model import Call
from fourtuple.lab.script import Lab
from lab.running import held, run_script

pytestmark = pytest.mark.kernel


def calls(timeline: Any, name: str) -> list[tuple[Any, ...]]:
    return [call.args for call in timeline.of(Call) if call.name == name]


@pytest.mark.parametrize("family", [4, 6])
def test_a_socket_that_is_gone_cannot_be_destroyed(family: int) -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        lab.connected(client, server)
        row = lab.connection(client)
        lab.destroy(client, row)
        with pytest.raises(OSError, match="sock_diag: No such file or directory") as refused:
            lab.destroy(client, row)
        lab.expect(refused.value.errno, errno.ENOENT, "the kernel's answer the second time")

    held(run_script(script, family=family))


def test_only_the_socket_that_was_named_is_destroyed() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        server.socket().listen(8888)
        for _ in range(3):
            client.socket().connect(server, 8888)
        lab.settle()
        first, second, third = lab.sockets(client)
        lab.destroy(client, second)
        lab.settle()
        left = {row.local.port for row in lab.sockets(client)}
        lab.expect(left, {first.local.port, third.local.port}, "client ports that are left")

    held(run_script(script))


def test_a_disconnect_and_a_linger_are_recorded_as_a_reader_would_write_them() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        sock, _ = lab.connected(client, server)
        sock.linger(3).disconnect()
        sock.set_option(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")

    timeline = held(run_script(script))
    assert calls(timeline, "connect")[-1] == ("AF_UNSPEC",)
    assert calls(timeline, "setsockopt") == [
        ("SOL_SOCKET", "SO_LINGER", "3 s"),
        ("IPPROTO_TCP", "TCP_CONGESTION", "4 bytes"),
    ]


def test_rest_may_mean_that_nobody_answers() -> None:
    def script(lab: Lab) -> None:
        client, server = lab.pair()
        server.socket().listen(8888)
        lab.wire.cut()
        client.socket().set_timeout(0).call("connect_ex", [server.address, 8888]).result()
        lab.settle(unanswered=True)
        lab.expect(lab.state(client), "SYN_SENT", "the client's state")
        lab.expect(lab.connection(client).retransmits, 0, "SYNs sent again")

    held(run_script(script))
