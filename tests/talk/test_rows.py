"""Each row of the documents about servers, with a program that is not ours on the other end.

`PROOFS` says which tests those are; what was missing elsewhere is below. The programs are as
textbooks print them: blocking calls, one thing after another.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fourtuple.talk.models import MODELS

from .served import Served, served

HERE = Path(__file__).parent
CLIENT = HERE / "textbook" / "client.py"
ALL = sorted(MODELS)
MANY = sorted(set(MODELS) - {"one-at-a-time"})

#: row -> the tests that show it: of our server with another's client, of our client with another's
#: server (dial), and what is on the other end
PROOFS = {
    "A2": (
        ("test_clients.py", "test_a_client_from_a_textbook", "Python, C, Java"),
        ("test_clients.py", "test_ncat_over_udp_tls_and_a_unix_socket", "ncat"),
        ("test_rows.py", "test_a_textbook_client_sends_raw_ip", "Python"),
        ("dial/test_conversation.py", "test_a_textbook_tcp_server_answers_in_capitals", "Python"),
        ("dial/test_conversation.py", "test_a_textbook_udp_server_answers_each_datagram", "Python"),
        (
            "dial/test_conversation.py",
            "test_a_raw_ip_server_answers_and_our_own_packet_is_not_taken_for_it",
            "Python",
        ),
    ),
    "A3": (
        ("test_clients.py", "test_twenty_textbook_clients_at_once", "Python"),
        ("test_rows.py", "test_a_silent_first_client_blocks_nobody", "Python"),
        ("dial/test_conversation.py", "test_clients_one_after_another", "Python"),
    ),
    "A14": (
        ("test_clients.py", "test_curl_gets_the_page_and_a_404", "curl"),
        ("test_browser.py", "test_a_browser_shows_the_greeting_and_the_404", "Chromium"),
        ("dial/test_conversation.py", "test_a_page_and_what_took_how_long", "http.server"),
    ),
    "A15": (
        ("test_clients.py", "test_the_websockets_library", "websockets"),
        ("test_clients.py", "test_aiohttp_is_another_implementation", "aiohttp"),
        ("test_browser.py", "test_two_browsers_and_a_terminal_in_one_room", "Chromium, ncat"),
        (
            "dial/test_conversation.py",
            "test_websocket_messages_are_lines_and_their_frames_are_shown",
            "websockets, aiohttp",
        ),
    ),
    "B1": (
        ("test_clients.py", "test_minimal_server_and_client_on_one_port_again", "Python"),
        ("dial/test_conversation.py", "test_a_textbook_tcp_server_answers_in_capitals", "Python"),
    ),
    "B4": (
        ("dial/test_conversation.py", "test_a_page_and_what_took_how_long", "http.server"),
        ("test_clients.py", "test_curl_over_tls_checks_the_name", "curl"),
    ),
    "C8": (
        ("test_clients.py", "test_ncat_half_closes_and_hears_the_rest", "ncat"),
        ("test_clients.py", "test_socat_carries_a_megabyte", "socat"),
    ),
    "E6": (
        ("test_clients.py", "test_a_client_from_a_textbook", "Python, C, Java"),
        ("dial/test_conversation.py", "test_a_textbook_tcp_server_answers_in_capitals", "Python"),
    ),
    "E7": (
        ("test_rows.py", "test_a_client_that_sends_nothing_waits_and_is_dropped_in_time", "Python"),
        ("dial/test_terminal.py", "test_an_empty_line_is_explained_and_nothing_is_sent", "Python"),
    ),
    "E8": (("test_rows.py", "test_a_killed_client_is_survived_and_the_next_one_served", "Python"),),
    "E9": (
        ("test_rows.py", "test_later_clients_wait_and_are_served_in_order", "Python"),
        ("dial/test_conversation.py", "test_clients_one_after_another", "Python"),
    ),
}


def test_every_row_has_its_tests() -> None:
    wanted = ["A2", "A3", "A14", "A15", "B1", "B4", "C8", "E6", "E7", "E8", "E9"]
    assert sorted(PROOFS) == sorted(wanted)
    for row, proofs in PROOFS.items():
        for file, name, _ in proofs:
            tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
            functions = {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}
            assert name in functions, (row, file, name)


@contextmanager
def client(server: Served, script: Path | str = CLIENT) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that has the server's host and port as arguments."""
    start = [str(script)] if isinstance(script, Path) else ["-c", script]
    process = subprocess.Popen(
        [sys.executable, "-u", "-S", *start, *map(str, server.address)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def says(process: "subprocess.Popen[bytes]", line: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(line)
    process.stdin.flush()


def hears(process: "subprocess.Popen[bytes]") -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


RAW = """
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
client.sendto(b"hello", (sys.argv[1], 0))
while True:
    packet, address = client.recvfrom(2048)
    data = packet[(packet[0] & 15) * 4:]
    if data.isupper():
        print(data.decode())
        break
"""


@pytest.mark.root
def test_a_textbook_client_sends_raw_ip() -> None:  # A2
    with served("raw://127.0.0.1:253", "--app", "upper") as server, client(server, RAW) as talker:
        assert hears(talker) == b"HELLO\n"


@pytest.mark.parametrize("model", MANY)
def test_a_silent_first_client_blocks_nobody(model: str) -> None:  # A3, cured
    with (
        served("tcp://127.0.0.1:0", "--app", "upper", "--model", model) as server,
        client(server) as silent,
    ):
        server.await_news("Client 1 has come")
        with client(server) as second:
            says(second, b"hello\n")
            assert hears(second) == b"HELLO\n"
        says(silent, b"at last\n")
        assert hears(silent) == b"AT LAST\n"


#: the textbook's client, which also says when connect() has returned, and leaves when it has heard
NAMED = """
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect((sys.argv[1], int(sys.argv[2])))
print("connected")
client.send(input().encode())
print(client.recv(1024).decode())
client.close()
"""


def test_later_clients_wait_and_are_served_in_order() -> None:  # E9; A3, shown
    one = ("--app", "upper", "--model", "one-at-a-time")
    with (
        served("tcp://127.0.0.1:0", *one) as server,
        client(server, NAMED) as first,
    ):
        server.await_news("Client 1 has come")
        with client(server, NAMED) as second:
            assert hears(second) == b"connected\n"  # by the kernel: nobody has accepted it
            with client(server, NAMED) as third:
                assert hears(third) == b"connected\n"
                for process, line in ((third, b"c\n"), (second, b"b\n"), (first, b"a\n")):
                    says(process, line)
                assert [hears(first), hears(first)] == [b"connected\n", b"A\n"]
                assert [hears(second), hears(third)] == [b"B\n", b"C\n"]
    told = [line for line in server.news if "has come from" in line or "has left" in line]
    assert [line.split()[:4] for line in told] == [
        ["Client", str(number), "has", word] for number in (1, 2, 3) for word in ("come", "left:")
    ]


def test_a_client_that_sends_nothing_waits_and_is_dropped_in_time() -> None:  # E7, shown, cured
    with (
        served("tcp://127.0.0.1:0", "--app", "upper", "--idle", "0.5") as server,
        client(server) as empty,
    ):
        says(empty, b"\n")  # send() of no bytes: no segment, so no answer
        server.await_news("it said nothing for 0.5 s")
        assert "0 bytes received, 0 sent" in server.await_news("Client 1 has left")


UNREAD = """
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect((sys.argv[1], int(sys.argv[2])))
client.send(b"hello")
client.recv(1, socket.MSG_PEEK)
print("ready")
input()
"""


@pytest.mark.parametrize("model", ALL)
def test_a_killed_client_is_survived_and_the_next_one_served(model: str) -> None:  # E8
    with served("tcp://127.0.0.1:0", "--app", "upper", "--model", model) as server:
        with client(server) as killed:
            says(killed, b"hello\n")
            assert hears(killed) == b"HELLO\n"
            killed.kill()  # its kernel sends FIN: recv() returns b""
            server.await_news("Client 1 has left")
        assert not any("was dropped" in line for line in server.news)
        with client(server, UNREAD) as killed:
            assert hears(killed) == b"ready\n"
            killed.kill()  # with data unread: its kernel sends RST
            assert "Connection reset by peer" in server.await_news("Client 2 was dropped")
        with client(server) as following:
            says(following, b"next\n")
            assert hears(following) == b"NEXT\n"
