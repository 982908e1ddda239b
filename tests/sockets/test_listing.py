"""The table against sockets that this process has made."""

import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from fourtuple.errors import InputError
from fourtuple.sockets.choose import wanted
from fourtuple.sockets.listing import every_namespace, list_sockets, namespace_file
from fourtuple.sockets.model import endpoint, state_of, timer_of, unix_name, why_nobody
from fourtuple.sockets.records import inet_record
from fourtuple.system.inet_dump import InetRow, drops_of
from fourtuple.system.owners import Owner
from sockets.scenes import full_accept_queue, time_wait_at

pytestmark = pytest.mark.kernel


def rows_at(port: int, **how: str) -> list[tuple[str, InetRow]]:
    return list(list_sockets(wanted(port=str(port), **how)).rows())  # type: ignore[arg-type]


def states_at(port: int, **how: str) -> list[str]:
    return sorted(state_of(protocol, row.state) for protocol, row in rows_at(port, **how))


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_full_accept_queue_and_its_connections_without_an_owner(family: int) -> None:
    with full_accept_queue(family, limit=2) as queue:
        listing = list_sockets(wanted(port=str(queue.port)))
        ours = [row for _, row in listing.rows() if row.local_port == queue.port.to_bytes(2, "big")]
        (listener,) = (row for row in ours if state_of("tcp", row.state) == "LISTEN")
        assert (listener.recv_q, listener.send_q) == (3, 2)
        assert drops_of(listener), "the SYN for which there was no room"
        (owner,) = listing.owners[listener.inode]
        assert (owner.pid, owner.fd) == (os.getpid(), queue.listener.fileno())
        waiting = [row for row in ours if row != listener]
        assert {why_nobody("tcp", row) for row in waiting} == {"accept-queue"}
        assert len(waiting) == queue.waiting
    late = [row for _, row in rows_at(queue.port) if state_of("tcp", row.state) == "SYN_SENT"]
    assert not late


def test_a_syn_that_nobody_answers_is_sent_again_by_a_timer() -> None:
    with full_accept_queue() as queue:
        (late,) = (row for _, row in rows_at(queue.port, state="syn-sent"))
        assert timer_of(late) == "retransmit"
        assert 0 < late.expires_ms <= 120_000


def test_time_wait_has_a_timer_and_no_owner() -> None:
    port = time_wait_at(reuse=False)
    ((protocol, row),) = rows_at(port)
    assert (state_of(protocol, row.state), timer_of(row)) == ("TIME_WAIT", "time-wait")
    assert 0 < row.expires_ms <= 60_000
    assert why_nobody(protocol, row) == "time-wait"


def test_a_socket_that_is_bound_and_no_more_is_in_the_table() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 8):
            assert states_at(port) == []
        else:
            assert states_at(port) == ["BOUND"]


def test_datagram_sockets_and_what_they_dropped() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(50):
                sender.sendto(bytes(1000), sock.getsockname())
            sender.connect(sock.getsockname())
            port = sock.getsockname()[1]
            rows: dict[str, InetRow] = {}
            # others' sockets come and go: the kernel may leave one out of a look; and one of theirs
            # may have this very port in TCP
            for _ in range(10):
                found = [row for protocol, row in rows_at(port) if protocol == "udp"]
                rows |= {state_of("udp", row.state): row for row in found}
            assert set(rows) == {"UNCONNECTED", "ESTABLISHED"}
            assert drops_of(rows["UNCONNECTED"]) not in (0, None)
            assert rows["UNCONNECTED"].recv_q > 0


@pytest.mark.root
def test_raw_sockets_are_there_though_sock_diag_may_not_know_them() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, 253) as sock:
        listing = list_sockets(wanted(["raw"]))
        inode = os.fstat(sock.fileno()).st_ino
        (row,) = (row for row in listing.inet["raw"] if row.inode == inode)
        assert endpoint(row) == "0.0.0.0:253"
        assert listing.owners[inode][0].fd == sock.fileno()


def test_unix_sockets_that_listen() -> None:
    with socket.socket(socket.AF_UNIX) as sock, socket.socket(socket.AF_UNIX) as client:
        sock.bind("\0fourtuple\x1btest" + str(os.getpid()))
        sock.listen(3)
        client.connect(sock.getsockname())
        listing = list_sockets(wanted(["unix"]))
        inode = os.fstat(sock.fileno()).st_ino
        (row,) = (row for row in listing.unix if row.inode == inode)
        assert unix_name(row.name).startswith("@fourtuple\x1btest")
        assert (row.recv_q, row.limit) == (1, 3)


def test_filters_choose_and_may_match_nothing() -> None:
    with full_accept_queue() as queue:
        assert states_at(queue.port, state="listen") == ["LISTEN"]
        assert states_at(queue.port, state="established") == ["ESTABLISHED"] * 4
        assert states_at(queue.port, host="127.0.0.0/8") == states_at(queue.port)
        assert states_at(queue.port, host="10.0.0.0/8") == []
        text = str(queue.port)
        mine = list_sockets(wanted(port=text, pid=os.getpid()))
        assert all(mine.owners[row.inode] for _, row in mine.rows())
        with open("/proc/self/comm") as file:
            name = file.read().strip()
        assert len(list_sockets(wanted(port=text, process=name))) == len(mine)
        assert len(list_sockets(wanted(port=text, process="no such program"))) == 0


def test_a_v4_host_is_found_in_a_v6_socket() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            found = rows_at(port, host="127.0.0.1", state="established")
            assert {row.family for _, row in found} == {socket.AF_INET, socket.AF_INET6}


def test_two_holders_of_one_socket_are_both_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        script = "import sys; print('here', flush=True); sys.stdin.read()"
        child = subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[listener.fileno()],
        )  # fmt: skip
        assert child.stdout is not None
        child.stdout.readline()
        listing = list_sockets(wanted(port=str(listener.getsockname()[1])))
        owners = listing.owners[os.fstat(listener.fileno()).st_ino]
        child.communicate()
        assert sorted(owner.pid for owner in owners) == sorted((os.getpid(), child.pid))
        assert all(isinstance(owner, Owner) for owner in owners)


def test_sockets_that_come_and_go_meanwhile_do_no_harm() -> None:
    script = (
        "import socket, time\nend = time.monotonic() + 1\nwhile time.monotonic() < end:\n"
        "    s = [socket.socket() for _ in range(50)]\n    [one.close() for one in s]"
    )
    busy = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        inode = os.fstat(listener.fileno()).st_ino
        while any(one.poll() is None for one in busy):
            assert list_sockets(wanted()).owners[inode][0].pid == os.getpid()


def test_records_name_the_timer_in_seconds() -> None:
    port = time_wait_at(reuse=False)
    listing = list_sockets(wanted(port=str(port)))
    ((protocol, row),) = listing.rows()
    record = inet_record(listing, protocol, row)
    assert record["state"] == "TIME_WAIT"
    assert record["local"] == {"address": "127.0.0.1", "port": port}
    assert record["owners"] == []
    assert record["without_owner"] == "time-wait"
    assert 0 < record["timer"]["expires_s"] <= 60


@pytest.mark.root
def test_sockets_of_another_network_namespace_by_a_process_in_it() -> None:
    script = (
        "import os, socket, sys\nfrom fourtuple.system.links import bring_up\n"
        "from fourtuple.system.namespaces import CLONE_NEWNET, unshare\nunshare(CLONE_NEWNET)\n"
        "bring_up('lo')\ns = socket.create_server(('127.0.0.1', 4711))\n"
        "print('there', flush=True)\nsys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    file = namespace_file(str(child.pid))
    there = list_sockets(wanted(["tcp"]), namespace=file)
    inodes = set()
    for one in every_namespace():
        with suppress(FileNotFoundError):  # of a process that has ended meanwhile
            inodes.add(os.stat(one).st_ino)
    child.communicate()
    ((_, row),) = there.rows()
    assert endpoint(row) == "127.0.0.1:4711"
    assert there.owners[row.inode][0].pid == child.pid
    assert there.namespace in inodes
    assert there.namespace != os.stat("/proc/self/ns/net").st_ino


def test_a_file_that_is_no_namespace(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(InputError, match="not a network namespace"):
        list_sockets(wanted(), namespace=str(tmp_path / "x"))
    with pytest.raises(InputError, match="No such file"):
        list_sockets(wanted(), namespace=str(tmp_path / "y"))
