"""`fourtuple serve`, a process of its own, seen through sockets."""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from fourtuple.talk.models import MODELS

from .served import WAIT_S, Served, served

MANY = sorted(set(MODELS) - {"one-at-a-time"})


def client(server: Served) -> socket.socket:
    return socket.create_connection(server.address, timeout=WAIT_S)


def all_of(sock: socket.socket) -> bytes:
    parts = []
    while part := sock.recv(65536):
        parts.append(part)
    return b"".join(parts)


def refusal(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "fourtuple", "serve", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)
    assert result.stdout == ""
    return result.returncode, result.stderr


def test_a_port_in_use_is_said_to_be_with_whom_and_what_to_do() -> None:
    with served("tcp://127.0.0.1:0") as server:
        status, words = refusal(server.urls[0])
    pid = server.process.pid
    assert status == 2
    assert f"Port {server.port()} of 127.0.0.1 is in use: process {pid} (" in words
    assert "in state LISTEN" in words
    assert f"kill {pid}" in words
    assert "choose another port" in words


def test_a_udp_port_in_use_is_said_to_be_with_whom() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        words = refusal(f"udp://127.0.0.1:{sock.getsockname()[1]}")[1]
    assert f"process {os.getpid()} (" in words


def test_only_loopback_without_a_word_of_authority() -> None:
    status, words = refusal("tcp://0.0.0.0:0")
    assert status == 2
    assert "--authorized" in words


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("http://127.0.0.1:0", "--app", "echo"), "has hello, files, chat"),
        (("tcp://127.0.0.1:0", "--app", "hello"), "over http:// and https:// only"),
        (("tcp://127.0.0.1:0", "--app", "cofee"), "no application cofee"),
        (("http://127.0.0.1:0", "--app", "files", "--directory", "/nix"), "/nix is no directory"),
        (("tcp://127.0.0.1:0", "--model", "fork"), "no model fork"),
        (("udp://127.0.0.1:0", "--exec", "cat"), "--exec serves tcp:// and unix:// only"),
        (("tcp://127.0.0.1:0", "--exec", "'"), "No closing quotation"),
        (("tcp://no-such-name.invalid:0",), "has no address here"),
        (("unix:///proc/x",), "No socket can be made at /proc/x"),
        (("tcp://192.0.2.1:0", "--authorized"), "cannot be bound"),
    ],
)
def test_what_cannot_be_served_is_refused_with_the_reason(
    arguments: tuple[str, ...], complaint: str
) -> None:
    status, words = refusal(*arguments)
    assert status == 2
    assert complaint in words


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_signal_ends_it_in_order(model: str, number: signal.Signals) -> None:
    with served("tcp://127.0.0.1:0", "--model", model) as server, client(server) as sock:
        sock.sendall(b"hello")
        assert sock.recv(100) == b"hello"
        ending = threading.Thread(target=server.stop, args=(number,))
        ending.start()
        assert sock.recv(100) == b""
        sock.close()
        ending.join(WAIT_S)
        assert server.stop() == 0
        assert server.news[-1] == "The server has ended."
        with pytest.raises(ConnectionRefusedError):
            client(server)


def test_a_signal_that_is_sent_twice_is_one_wish(tmp_path: Path) -> None:
    """As timeout(1) sends to the process and to its group: what was seen is kept all the same. Both
    wait for the process, so that it meets them together."""
    kept = tmp_path / "kept.pcapng"
    with served("tcp://127.0.0.1:0", "--save", str(kept)) as server, client(server) as sock:
        sock.sendall(b"hello")
        assert sock.recv(100) == b"hello"
        sock.close()
        for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
            server.process.send_signal(number)
        assert server.process.wait(WAIT_S) == 0
        assert server.stop() == 0
    assert kept.stat().st_size > 1000


@pytest.mark.parametrize("model", sorted(MODELS))
def test_clients_that_stay_do_not_keep_it_from_ending(model: str) -> None:
    """An idle client is told good-bye, and given two seconds to close."""
    with served("tcp://127.0.0.1:0", "--model", model) as server, client(server) as sock:
        sock.sendall(b"hello")
        assert sock.recv(100) == b"hello"
        assert server.stop() == 0
        assert sock.recv(100) == b""


@pytest.mark.parametrize("model", MANY)
def test_descriptors_run_out_and_it_goes_on(model: str) -> None:
    with (
        served("tcp://127.0.0.1:0", "--model", model, descriptors=32) as server,
        ExitStack() as stack,
    ):
        early = stack.enter_context(client(server))
        early.sendall(b"first")
        assert early.recv(100) == b"first"
        crowd = [stack.enter_context(client(server)) for _ in range(60)]
        early.sendall(b"still served")
        assert early.recv(100) == b"still served"
        assert "32 descriptors" in server.await_news("Clients are turned away")
        for sock in crowd:
            sock.close()
        late = _served_at_last(server, stack)
        assert late == b"at last"


def _served_at_last(server: Served, stack: ExitStack) -> bytes:
    """What a client hears that comes after the crowd: the server may take a while to see it go."""
    for _ in range(100):
        with suppress(OSError):
            sock = stack.enter_context(client(server))
            sock.sendall(b"at last")
            if heard := sock.recv(100):
                return heard
        time.sleep(0.1)
    return b""


def test_silent_clients_are_dropped_after_a_while() -> None:
    with served("tcp://127.0.0.1:0", "--idle", "0.3") as server, client(server) as sock:
        with suppress(ConnectionResetError):
            assert sock.recv(100) == b""
        assert "said nothing for 0.3 s" in server.await_news("was dropped")


def test_udp_answers_each_datagram_and_knows_its_sender_again() -> None:
    with (
        served("udp://127.0.0.1:0", "--app", "upper") as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        sock.settimeout(WAIT_S)
        sock.connect(server.address)
        for word in (b"one", b"", b"two"):  # an empty datagram is one, too
            sock.send(word)
            assert sock.recv(100) == word.upper()
        assert server.stop() == 0
        assert sum("has come" in line for line in server.news) == 1
        assert "6 bytes received, 6 sent" in server.await_news("has left")


@pytest.mark.parametrize("model", MANY)
def test_a_room_for_datagrams_lines_and_a_unix_socket(model: str, tmp_path: Path) -> None:
    path = tmp_path / "room"
    urls = ("tcp://127.0.0.1:0", "udp://127.0.0.1:0", f"unix://{path}")
    with (
        served(*urls, "--app", "chat", "--model", model) as server,
        client(server) as sock,
        sock.makefile("rwb", buffering=0) as lines,
        socket.socket(socket.AF_UNIX) as local,
        local.makefile("rwb", buffering=0) as file,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        local.connect(str(path))
        datagrams.settimeout(WAIT_S)
        datagrams.connect(("127.0.0.1", server.port(1)))
        assert lines.readline().startswith(b"Who are you?")
        lines.write(b"1 Stream\n")
        assert lines.readline().startswith(b"* Welcome, 1 Stream.")
        datagrams.send(b"2 Datagram")
        assert b"Who are you?" in datagrams.recv(1000)
        assert b"Here: 1 Stream." in datagrams.recv(1000)
        assert lines.readline() == b"* 2 Datagram has come.\n"
        file.readline()
        file.write(b"3 Local\n")
        assert b"Here: 1 Stream, 2 Datagram." in file.readline()
        assert lines.readline() == datagrams.recv(1000) == b"* 3 Local has come.\n"
        datagrams.send(b"no connection, and yet heard")
        assert lines.readline() == b"2 Datagram: no connection, and yet heard\n"
        assert file.readline() == b"2 Datagram: no connection, and yet heard\n"
    assert not path.exists()


def test_a_socket_file_that_was_left_behind_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "left"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with served(f"unix://{path}") as server:
        assert "a server listens there" in refusal(server.urls[0])[1]
    path.write_text("something of the user's")
    assert "is no socket" in refusal(f"unix://{path}")[1]
    assert path.read_text() == "something of the user's"


@pytest.mark.skipif(os.geteuid() != 0, reason="a raw socket needs CAP_NET_RAW")
def test_raw_packets_are_answered_once_though_all_are_at_one_address() -> None:
    with (
        served("raw://127.0.0.1:254", "--app", "upper") as server,
        socket.socket(socket.AF_INET, socket.SOCK_RAW, 254) as sock,
    ):
        sock.settimeout(WAIT_S)
        sock.connect(("127.0.0.1", 0))
        heard = []
        for word in (b"one", b"two"):
            sock.send(word)
            heard += [sock.recv(100)[20:] for _ in range(2)]  # our own packet comes back to us too
        assert heard == [b"one", b"ONE", b"two", b"TWO"]
        sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            sock.recv(100)
        assert server.stop() == 0
        assert "6 bytes received, 6 sent" in server.await_news("has left")


@pytest.mark.parametrize("model", ["asyncio", "epoll"])
def test_a_program_for_each_client(model: str) -> None:
    with served("tcp://127.0.0.1:0", "--exec", "cat -n", "--model", model) as server:
        with client(server) as first, client(server) as second:
            for sock in (first, second):
                sock.sendall(b"hello\n")
                sock.shutdown(socket.SHUT_WR)
            assert all_of(second) == all_of(first) == b"     1\thello\n"
        assert "bytes" not in server.await_news("has left")  # they did not come through here


def test_programs_end_with_the_server() -> None:
    command = f"{sys.executable} -c 'print(1, flush=True); import time; time.sleep(600)'"
    with served("tcp://127.0.0.1:0", "--exec", command) as server, client(server) as sock:
        assert sock.makefile("rb").readline() == b"1\n"
        assert server.stop() == 0
        assert sock.recv(100) == b""


def test_a_program_that_does_not_exist_is_told_to_the_one_who_runs_the_server() -> None:
    with served("tcp://127.0.0.1:0", "--exec", "/nowhere/at-all") as server, client(server) as sock:
        assert all_of(sock) == b""
        assert "No such file" in server.await_news("was dropped")


def test_the_limits_are_heard_of() -> None:
    limits = ("--max-clients", "1", "--max-message", "10")
    with (
        served("tcp://127.0.0.1:0", "--app", "chat", *limits) as server,
        client(server) as first,
        client(server) as second,
    ):
        with suppress(ConnectionResetError):
            assert second.recv(100) == b""
        server.await_news("was turned away")
        first.sendall(b"x" * 11)
        assert "longer than 10 bytes" in server.await_news("was dropped")


@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_reset_is_told_and_survived(model: str) -> None:
    with served("tcp://127.0.0.1:0", "--model", model) as server:
        with client(server) as sock:
            sock.sendall(b"x")
            sock.recv(1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert "Connection reset by peer" in server.await_news("was dropped")
        with client(server) as sock:
            sock.sendall(b"next")
            assert sock.recv(10) == b"next"
