"""The socket table as the kernel tells it."""

import os
import socket

import pytest

from fourtuple.system.sock_diag import DiagSocket, SockDiag, parse_row

pytestmark = pytest.mark.kernel

FAMILIES = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


def rows_at(port: int) -> list[DiagSocket]:
    return [row for row in SockDiag().dump() if port in (row.local[1], row.remote[1])]


@pytest.mark.parametrize(("family", "address"), FAMILIES)
def test_a_connection_is_seen_from_both_ends(family: int, address: str) -> None:
    with socket.socket(family) as listener, socket.socket(family) as client:
        listener.bind((address, 0))
        listener.listen(7)
        port = listener.getsockname()[1]
        (listening,) = rows_at(port)
        assert listening.state == "LISTEN"
        assert listening.local == (address, port)
        assert (listening.recv_q, listening.send_q) == (0, 7)
        assert listening.inode == os.fstat(listener.fileno()).st_ino

        client.connect((address, port))
        client.send(b"fourteen bytes")
        rows = {row.local[1]: row for row in rows_at(port) if row.state == "ESTABLISHED"}
        waiting, active = rows[port], rows[client.getsockname()[1]]
        assert waiting.inode == 0, "nobody has accepted it"
        assert waiting.recv_q == 14
        assert active.inode == os.fstat(client.fileno()).st_ino
        assert active.remote == (address, port)
        assert active.uid == os.geteuid()
        assert waiting.cookie != active.cookie

        accepted, _ = listener.accept()
        with accepted:
            (owned,) = [r for r in rows_at(port) if r.cookie == waiting.cookie]
            assert owned.inode == os.fstat(accepted.fileno()).st_ino


def test_who_closed_first_waits_with_a_timer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = listener.accept()
        client.close()
        assert accepted.recv(1) == b""
        accepted.close()
        (waiting,) = [row for row in rows_at(port) if row.state != "LISTEN"]
    assert waiting.state == "TIME_WAIT"
    assert waiting.timer == "time-wait"
    assert 0 < waiting.timer_ms <= 60_000


def test_many_sockets_come_in_several_messages_and_none_is_lost() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=600) as listener:
        port = listener.getsockname()[1]
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(500)]
        assert len({row.cookie for row in rows_at(port)}) == 1001
        for client in clients:
            client.close()


@pytest.mark.parametrize(("family", "address"), FAMILIES)
def test_one_socket_is_found_by_its_addresses_as_a_segment_finds_it(
    family: int, address: str
) -> None:
    diag = SockDiag()
    with socket.socket(family) as listener, socket.socket(family) as client:
        listener.bind((address, 0))
        listener.listen()
        here = (address, listener.getsockname()[1])
        client.connect(here)
        there = client.getsockname()[:2]
        connection = diag.find(family, here, there)
        for_others = diag.find(family, here, (address, 9))
        assert connection is not None
        assert for_others is not None
        assert parse_row(connection) in diag.dump()
        assert (parse_row(connection).state, parse_row(connection).remote) == ("ESTABLISHED", there)
        assert parse_row(for_others).state == "LISTEN"
    assert diag.find(family, (address, 9), (address, 10)) is None


def test_a_dump_of_many_sockets_has_each_of_them_once() -> None:
    """Messages of different lengths: listeners, connections, and those that wait."""
    with socket.create_server(("127.0.0.1", 0), backlog=300) as listener:
        port = listener.getsockname()[1]
        socks = [socket.create_connection(("127.0.0.1", port)) for _ in range(150)]
        accepted = [listener.accept()[0] for _ in socks]
        for one, other in list(zip(socks, accepted, strict=True))[::3]:
            one.close()
            other.recv(1)
            other.close()
        rows = rows_at(port)
        for sock in (*socks, *accepted):
            sock.close()
    ends = [(row.local, row.remote) for row in rows]
    assert len(set(ends)) == len(ends)
    states = [row.state for row in rows]
    assert (states.count("LISTEN"), states.count("ESTABLISHED")) == (1, 200)
    assert states.count("TIME_WAIT") == 50
