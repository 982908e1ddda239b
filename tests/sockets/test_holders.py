"""Who holds a port: every case, and that the way out which is named is one."""

import errno
import os
import socket

import pytest

from fourtuple.explain.text import Translator
from fourtuple.sockets.holders import answer, sentences, untold_sockets
from sockets.scenes import full_accept_queue, time_wait_at

pytestmark = pytest.mark.kernel


def told(port: int, protocol: str = "tcp") -> str:
    english = Translator("en")
    return " ".join(english.text(one) for one in sentences(answer(port, protocol)))


def binds(port: int, reuse: bool = False) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        try:
            sock.bind(("0.0.0.0", port))
        except OSError as error:
            assert error.errno == errno.EADDRINUSE
            return False
        return True


def test_a_listener_is_named_with_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        text = told(port)
        assert f"[{os.getpid()}]/{listener.fileno()}" in text
        assert f"listens: 127.0.0.1:{port}" in text
        assert f"kill {os.getpid()}" in text
        assert "SO_REUSEPORT" in text
        assert not binds(port, reuse=True)
    assert "Nobody holds" in told(port)
    assert binds(port)


def test_connections_that_nobody_accepted_are_counted() -> None:
    with full_accept_queue() as queue:
        assert f"wait for accept(): {queue.waiting}." in told(queue.port)


@pytest.mark.parametrize("reuse", [False, True])
def test_time_wait_and_whether_so_reuseaddr_helps_is_as_tried(reuse: bool) -> None:
    port = time_wait_at(reuse)
    text = told(port)
    assert "in TIME_WAIT: 1. No process holds them" in text
    assert "kill" not in text
    assert not binds(port)
    helps = binds(port, reuse=True)
    assert ("A new server can have the port now" in text) == helps
    assert ("SO_REUSEADDR does not help" in text) != helps


def test_a_socket_that_is_bound_and_no_more() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        text = told(sock.getsockname()[1])
        assert f"[{os.getpid()}]/{sock.fileno()}" in text
        assert "has bound the port" in text or "Such a socket may be one of these" in text


def test_an_outgoing_connection_holds_its_port_too() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
    ):
        text = told(client.getsockname()[1])
        assert "has a connection from this port, in state ESTABLISHED" in text
        assert f"]/{client.fileno()} " in text


def test_a_connection_that_its_program_closed_is_still_being_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        port = client.getsockname()[1]
        client.close()
        text = told(port)
        accepted.close()
    assert "No process can be ended for that" in text
    assert "FIN_WAIT" in text


def test_datagrams_are_asked_for_apart() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        assert "receives datagrams at this port" in told(port, "udp")
        assert f"[{os.getpid()}]/{sock.fileno()}" in told(port, "udp")


def test_trying_leaves_nothing_behind() -> None:
    with socket.socket() as sock:
        sock.bind(("0.0.0.0", 0))
        port = sock.getsockname()[1]
    assert not answer(port, "tcp").in_use
    assert not answer(port, "tcp").rows
    with socket.create_server(("0.0.0.0", port)):
        assert answer(port, "tcp").in_use


def test_descriptors_whose_socket_is_in_no_table_are_found() -> None:
    namespace = os.stat("/proc/self/ns/net").st_ino
    with socket.socket() as neither_bound_nor_connected, socket.socketpair()[0] as known:
        found = {one.fd for one in untold_sockets(namespace) if one.pid == os.getpid()}
        assert neither_bound_nor_connected.fileno() in found
        assert known.fileno() not in found
