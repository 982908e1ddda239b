"""Whole tables, unpacked in runs: the same sockets as the lab's parser and as ss say."""

import os
import socket
import subprocess
from collections import Counter

import pytest

from fourtuple.sockets.model import address_of, endpoint, port_of, state_of
from fourtuple.system.inet_dump import (
    EVERY_STATE,
    INFO,
    LISTEN,
    MEMORY,
    InetRows,
    Tables,
    attributes_of,
    drops_of,
)
from fourtuple.system.sock_diag import SockDiag

pytestmark = pytest.mark.kernel


def crowd(family: int, count: int) -> list[socket.socket]:
    """A listener, and as many connections, of which every third is closed at both ends."""
    address = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    listener = socket.create_server((address, 0), family=family, backlog=count)
    held = [listener]
    for number in range(count):
        client = socket.create_connection(listener.getsockname()[:2])
        accepted, _ = listener.accept()
        if number % 3:
            held += [client, accepted]
        else:
            client.close()
            accepted.recv(1)
            accepted.close()
    return held


@pytest.mark.parametrize("extensions", [(), (MEMORY,), (INFO, MEMORY)])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_two_parsers_read_the_same_table(family: int, extensions: tuple[int, ...]) -> None:
    held = crowd(family, 150)
    port = held[0].getsockname()[1]
    with Tables() as tables:
        rows = tables.inet(socket.IPPROTO_TCP, EVERY_STATE, (family,), extensions)
    others = SockDiag().dump(families=(family,))
    for sock in held:
        sock.close()
    ours = Counter(
        (state_of("tcp", row.state), address_of(row), port_of(row), address_of(row, remote=True),
         port_of(row, remote=True), row.inode, row.cookie, row.uid, row.recv_q, row.send_q)
        for row in rows if port in (port_of(row), port_of(row, remote=True))
    )  # fmt: skip
    theirs = Counter(
        (row.state, *row.local, *row.remote, row.inode, row.cookie, row.uid, row.recv_q, row.send_q)
        for row in others
        if port in (row.local[1], row.remote[1])
    )
    assert ours == theirs
    assert sum(ours.values()) >= 1 + 2 * 100 + 50  # others may use the port at their end
    assert len(rows) == sum(1 for _ in rows)
    assert rows.families == {family}


def test_both_families_in_one_walk_are_those_of_two() -> None:
    held = [*crowd(socket.AF_INET, 9), *crowd(socket.AF_INET6, 9)]
    inodes = {os.fstat(sock.fileno()).st_ino for sock in held}
    with Tables() as tables:
        together = tables.inet(socket.IPPROTO_TCP)
        apart = tables.inet(socket.IPPROTO_TCP, families=(socket.AF_INET,))
        apart.extend(tables.inet(socket.IPPROTO_TCP, families=(socket.AF_INET6,)))
    for sock in held:
        sock.close()
    ours = [sorted(row for row in rows if row.inode in inodes) for rows in (together, apart)]
    assert ours[0] == ours[1]
    assert {row.inode for row in ours[0]} == inodes
    assert together.families == {socket.AF_INET, socket.AF_INET6}


def test_attributes_come_where_they_were_asked_for() -> None:
    with socket.create_server(("127.0.0.1", 0)), Tables() as tables:
        plain = next(iter(tables.inet(socket.IPPROTO_TCP, 1 << LISTEN)))
        full = next(iter(tables.inet(socket.IPPROTO_TCP, 1 << LISTEN, extensions=(INFO, MEMORY))))
    assert plain.attributes == b""
    assert drops_of(plain) is None
    assert drops_of(full) == 0
    assert len(attributes_of(full.attributes)[INFO]) > 100


def test_a_table_that_the_kernel_does_not_have_is_refused_in_its_words() -> None:
    with Tables() as tables, pytest.raises(OSError, match="sock_diag"):
        tables.inet(254)


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x03\0\x01\0", b"\0" * 8, b"\xff\xff\x07\0ab"])
def test_odd_attributes_are_left_out(data: bytes) -> None:
    assert set(attributes_of(data)) <= {7}


def test_nothing_is_no_rows() -> None:
    assert len(InetRows()) == 0
    assert list(InetRows()) == []


@pytest.mark.oracle("ss")
def test_ss_lists_the_same() -> None:
    held = crowd(socket.AF_INET, 30)
    port = held[0].getsockname()[1]
    said = subprocess.run(
        ["ss", "-tanH", "sport", "=", f":{port}"], capture_output=True, text=True, check=True
    ).stdout
    with Tables() as tables:
        rows = [row for row in tables.inet(socket.IPPROTO_TCP) if port_of(row) == port]
    for sock in held:
        sock.close()
    ends = sorted(tuple(line.split()[3:5]) for line in said.splitlines())
    ours = sorted((endpoint(row), endpoint(row, remote=True)) for row in rows)
    assert ours == ends
    assert len(ours) > 20
