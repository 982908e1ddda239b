"""`fourtuple talk` and servers that are not ours: what goes in comes out, and words are true."""

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fourtuple.event.model import Call, State
from fourtuple.event.timeline import Segment
from fourtuple.source import read as read_capture

from .foreign import (
    BYE,
    ECHO,
    NAMES,
    SILENT,
    UDP_ECHO,
    UNREAD,
    WAIT_S,
    command,
    free_port,
    needs_root,
    talk,
    talking,
    textbook,
    words,
)

#: neither text nor short: every byte value, more than any socket buffer holds
BULK = bytes(range(256)) * 40_000


def test_a_textbook_tcp_server_answers_in_capitals() -> None:  # A2, B1, E6
    with textbook(ECHO) as server:
        result = talk(server.tcp, given=b"hello\nworld\n")
        assert (result.returncode, result.stdout, result.stderr) == (0, b"HELLO\nWORLD\n", b"")


def test_clients_one_after_another(  # A3, E9
) -> None:
    with textbook(ECHO) as server:
        answers = [talk(server.tcp, "--send", f"client {n}").stdout for n in range(3)]
    assert answers == [b"CLIENT 0\n", b"CLIENT 1\n", b"CLIENT 2\n"]


def test_a_textbook_udp_server_answers_each_datagram() -> None:  # A2
    thrice = ("--send", "hello", "--count", "3", "--interval", "0.01", "--wait", "600")
    with textbook(UDP_ECHO) as server, talking(server.udp, *thrice) as running:
        assert running.stdout is not None
        assert running.stdout.read(15) == b"HELLO" * 3


@needs_root
def test_a_raw_ip_server_answers_and_our_own_packet_is_not_taken_for_it() -> None:  # A2
    program = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_RAW, 252)
server.bind(("127.0.0.1", 0))
print(1, flush=True)
while True:
    packet, address = server.recvfrom(2048)
    data = packet[(packet[0] & 15) * 4:]
    if data.islower():
        server.sendto(data.upper(), address)
"""
    once = ("--send", "hello", "--wait", "600")
    with textbook(program), talking("raw://127.0.0.1:252", *once) as running:
        assert running.stdout is not None
        assert running.stdout.read(5) == b"HELLO"


def test_identity_and_name_are_exchanged() -> None:  # A4
    with textbook(NAMES) as server:
        result = talk(server.tcp, "--send", "CLIENT: Alice")
        assert result.stdout == b"SERVER: Bob\n"
        assert server.line() == "CLIENT: Alice"


def test_every_byte_comes_back_from_a_server_that_echoes() -> None:
    port = free_port()
    echo = ("socat", "-t", "20", f"TCP-LISTEN:{port},bind=127.0.0.1", "EXEC:cat")
    with command(*echo, port=port) as server:
        assert talk(server.tcp, given=BULK).stdout == BULK


def test_every_byte_arrives_at_ncat_and_every_byte_of_it_here(tmp_path: Path) -> None:
    # not with ncat's --exec: it leaves what the program still has to say when the input ends
    kept, port, other = tmp_path / "kept", free_port(), free_port()
    with command(
        "sh", "-c", f"ncat -l 127.0.0.1 {port} --recv-only >{kept}; echo", port=port
    ) as to:
        assert talk(to.tcp, given=BULK).returncode == 0
        to.line()
    assert kept.read_bytes() == BULK
    with command("sh", "-c", f"ncat -l 127.0.0.1 {other} --send-only <{kept}", port=other) as of:
        assert talk(of.tcp, given=b"").stdout == BULK


def test_the_end_of_input_is_told_and_the_answer_still_read() -> None:
    port = free_port()
    counter = ("socat", "-t", "20", f"TCP-LISTEN:{port},bind=127.0.0.1", "EXEC:wc -c")
    with command(*counter, port=port) as server:
        result = talk(server.tcp, given=b"x" * 1234)
    assert result.stdout.strip() == b"1234"


def test_the_other_sides_end_does_not_keep_us_from_sending() -> None:  # as ncat
    with textbook(BYE) as server:
        running = subprocess.Popen(
            [sys.executable, "-m", "fourtuple", "talk", server.tcp],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert running.stdin is not None and running.stdout is not None
        assert running.stdout.read(4) == b"bye\n"
        running.stdin.write(b"z" * 5000)
        running.stdin.close()
        assert server.line() == "5000"
        assert running.wait(WAIT_S) == 0
        running.stdout.close()


def test_no_shutdown_keeps_the_end_of_input_to_itself() -> None:
    program = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
connection, address = listener.accept()
connection.sendall(connection.recv(1).upper())
connection.settimeout(0.3)
try:
    connection.recv(1)
    print("it ended", flush=True)
except TimeoutError:
    print("no end came", flush=True)
connection.close()
input()
"""
    with textbook(program) as server:
        result = talk(server.tcp, "--no-shutdown", "--wait", "600", given=b"a")
        assert (result.returncode, result.stdout) == (0, b"A")
        assert server.line() == "no end came"


def test_a_file_and_a_size_go_out_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\0\r\n\xff")
    with textbook(ECHO) as server:
        assert talk(server.tcp, "--send", f"@{tmp_path / 'f'}").stdout == b"\0\r\n\xff"
        assert talk(server.tcp, "--size", "2950").stdout == b"0123456789" * 295
        assert talk(server.tcp, "--send", "a", "--eol", "crlf").stdout == b"A\r\n"
        assert talk(server.tcp, "--send", "a", "--eol", "none").stdout == b"A"


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with command("socat", "-t", "20", f"UNIX-LISTEN:{path}", "EXEC:cat"):
        result = talk(f"unix://{path}", "--retries", "9", given=b"hello\n")
    assert (result.returncode, result.stdout) == (0, b"hello\n")


def test_tls_by_fingerprint_and_not_by_chance(tmp_path: Path) -> None:
    port, other = free_port(), "00" * 32
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=localhost"],
        capture_output=True,
    )  # fmt: skip
    assert made.returncode == 0
    shown = subprocess.run(
        ["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"],
        capture_output=True,
        text=True,
    )
    fingerprint = shown.stdout.strip().partition("=")[2]
    options = f"bind=127.0.0.1,fork,key={key},cert={certificate},verify=0"
    with command("socat", f"OPENSSL-LISTEN:{port},{options}", "EXEC:cat", port=port):
        url = f"tls://127.0.0.1:{port}"
        refused = talk(url, given=b"secret")
        assert refused.returncode == 1
        assert "not to be trusted: self-signed certificate" in words(refused)
        assert "is another than --trust says" in words(talk(url, "--trust", other, given=b"x"))
        assert talk(url, "--trust", fingerprint, given=BULK[:300_000]).stdout == BULK[:300_000]
        assert talk(url, "--insecure", given=b"hello").stdout == b"hello"


def test_a_server_without_tls_is_told_from_one_with_it() -> None:
    with textbook(ECHO) as server:
        result = talk(f"tls://127.0.0.1:{server.port}", given=b"x")
    assert result.returncode == 1
    assert "The TLS handshake failed" in words(result)


def test_a_handshake_that_never_comes_is_given_up() -> None:
    with textbook(SILENT) as server:
        result = talk(f"tls://127.0.0.1:{server.port}", "--timeout", "0.3", given=b"x")
        assert result.returncode == 1
        assert "did not finish the handshake in time" in words(result)


def test_a_page_and_what_took_how_long(tmp_path: Path) -> None:  # B4, A14
    (tmp_path / "index.html").write_bytes(BULK)
    with command(sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1",
                 "--directory", str(tmp_path)) as server:  # fmt: skip
        port = int(server.line().split()[5])
        page = talk(f"http://localhost:{port}/")
        missing = talk(f"http://localhost:{port}/missing")
    assert (page.returncode, page.stdout) == (0, BULK)
    lines = page.stderr.decode().splitlines()
    assert lines[0] == "200 OK"
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "name look-up",
        "connect",
        "request, first byte",
        "page",
        "close",
    ]
    assert f"{len(BULK)} bytes" in lines[4]
    assert missing.stderr.startswith(b"404 ")


def test_a_page_that_breaks_off_is_no_page() -> None:
    program = BYE.replace('b"bye\\n"', 'b"HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nhalf"')
    with textbook(program) as server:
        result = talk(f"http://127.0.0.1:{server.port}/")
    assert (result.returncode, result.stdout) == (1, b"half")
    assert words(result)


def test_a_server_that_owes_a_page_and_says_nothing_is_given_up() -> None:
    with textbook(SILENT) as server:
        result = talk(f"http://127.0.0.1:{server.port}/", "--wait", "0.3")
    assert result.returncode == 1
    assert "has said nothing for 0.3 s" in words(result)


WEBSOCKET = """
import asyncio, websockets
async def answer(connection):
    async for message in connection:
        await connection.send(message.upper())
async def main():
    async with websockets.serve(answer, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()
asyncio.run(main())
"""

AIOHTTP = """
import asyncio
from aiohttp import web, WSMsgType
async def answer(request):
    connection = web.WebSocketResponse()
    await connection.prepare(request)
    async for message in connection:
        if message.type == WSMsgType.TEXT:
            await connection.send_str(message.data.upper())
    return connection
async def main():
    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().create_future()
asyncio.run(main())
"""


@pytest.mark.parametrize("program", [WEBSOCKET, AIOHTTP], ids=["websockets", "aiohttp"])
@pytest.mark.parametrize("compress", [True, False])
def test_websocket_messages_are_lines_and_their_frames_are_shown(
    program: str, compress: bool
) -> None:
    options = [] if compress else ["--no-compress"]
    with textbook(program) as server:
        url = f"ws://127.0.0.1:{server.port}/"
        with talking(url, "--explain", "--wait", "0.1", *options) as running:
            assert running.stdin and running.stdout and running.stderr
            running.stdin.write(b"hello\n\nyou there\n")
            running.stdin.flush()
            answers = [running.stdout.readline() for _ in range(3)]
            assert answers == [b"HELLO\n", b"\n", b"YOU THERE\n"]
            said = " ".join(running.communicate()[1].decode().split())
            assert running.returncode == 0
    assert "101 Switching Protocols" in said
    assert ("permessage-deflate" in said) == compress
    assert "received: text frame, 9 bytes" in said
    if not compress:  # two bytes of header, four of mask (RFC 6455, section 5.2)
        assert "sent: text frame, 5 bytes, 11 on the wire" in said
    assert "sent: close frame, 2 bytes, 8 on the wire" in said
    assert "received: close frame" in said


def test_no_websocket_there() -> None:
    program = BYE.replace(
        'b"bye\\n"', 'b"HTTP/1.1 404 Not Found\\r\\nContent-Length: 0\\r\\n\\r\\n"'
    )
    with textbook(program) as server:
        result = talk(f"ws://127.0.0.1:{server.port}/nothing", given=b"x\n")
    assert result.returncode == 1
    assert "answered 404 instead of 101: no WebSocket at /nothing" in words(result)


def test_refused_is_explained_by_the_rst() -> None:  # A10
    port = free_port()
    result = talk(f"tcp://127.0.0.1:{port}", "--explain")
    said = words(result)
    assert result.returncode == 1
    assert f"Refused: nobody listens on port {port} of 127.0.0.1," in said
    assert "answered the SYN with RST" in said or "the SYN was answered with RST" in said


@needs_root
def test_refused_names_the_frame() -> None:
    said = words(talk(f"tcp://127.0.0.1:{free_port()}", "--explain"))
    assert "The kernel of 127.0.0.1 answered the SYN with RST (frame 2)" in said


def test_a_port_unreachable_is_explained_by_its_icmp_message() -> None:  # A9
    port = free_port(socket.SOCK_DGRAM)
    result = talk(f"udp://127.0.0.1:{port}", "--send", "x", "--explain", "--wait", "0.3")
    assert result.returncode == 1
    said = words(result)
    assert f"Port unreachable: nobody has UDP port {port} of 127.0.0.1." in said
    assert "127.0.0.1 sent back ICMP type 3, code 3" in said


def test_silence_over_udp_is_not_taken_for_anything() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        url = f"udp://127.0.0.1:{deaf.getsockname()[1]}"
        result = talk(url, "--send", "x", "--wait", "0.2", "--explain")
        assert deaf.recv(10) == b"x"
    assert result.returncode == 0
    assert "No answer came and no ICMP error. UDP cannot know more" in words(result)


def test_a_datagram_that_is_too_large() -> None:
    with textbook(UDP_ECHO) as server:
        result = talk(server.udp, "--size", "70000", "--wait", "0.2")
    assert result.returncode == 1
    assert "at most 65,507 bytes" in words(result)


def test_a_reset_is_said_to_be_one() -> None:  # A13
    with textbook(UNREAD) as server:
        result = talk(server.tcp, "--send", "much more than one byte", "--explain")
        said = words(result)
    assert result.returncode == 1
    assert "The other side broke the connection off" in said
    assert "an RST came" in said


def test_a_full_backlog_is_silence_and_is_given_up() -> None:  # A11
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        where = listener.getsockname()
        with socket.create_connection(where):
            result = talk(f"tcp://127.0.0.1:{where[1]}", "--timeout", "0.3", "--explain")
    assert result.returncode == 1
    assert f"No answer from 127.0.0.1, port {where[1]}, within 0.3 s." in words(result)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("tcp://name.invalid:80", "The name name.invalid was not found"),
        ("tcp://" + "a" * 70 + ":80", "was not found"),
        ("unix:///nowhere/at/all", "There is no socket at /nowhere/at/all."),
        ("unix:///" + "a" * 200, "failed"),
        ("tcp://127.0.0.1:0", "port 0"),
    ],
)
def test_what_cannot_be_reached_is_said_without_a_traceback(url: str, said: str) -> None:
    result = talk(url, given=b"")
    assert result.returncode == 1
    assert said in words(result)
    assert "Traceback" not in words(result)


def test_trying_again_until_the_server_is_there() -> None:
    port = free_port()

    def late() -> None:
        with socket.create_server(("127.0.0.1", port)) as listener:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"at last")

    refused = talk(f"tcp://127.0.0.1:{port}", "--retries", "1", "--explain")
    assert "Trying again in 1 s (1 of 1)" in words(refused)
    threading.Timer(0.7, late).start()
    result = talk(f"tcp://127.0.0.1:{port}", "--retries", "20")
    assert (result.returncode, result.stdout) == (0, b"at last")


def test_a_reader_who_goes_away_is_no_error() -> None:
    with textbook(ECHO) as server:
        line = f"{sys.executable} -m fourtuple talk {server.tcp} --size 3000000 | head -c 5"
        result = subprocess.run(line, shell=True, capture_output=True, timeout=WAIT_S)
    assert (result.stdout, result.stderr) == (b"01234", b"")


def test_json_tells_everything_in_lines() -> None:
    with textbook(ECHO) as server:
        result = talk(server.tcp, "--json", "--explain", given=b"hello")
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    received, summary, explained = objects
    assert received == {"kind": "received", "bytes": 5, "text": "HELLO"}
    assert summary["kind"] == "talk"
    assert summary["sent"] == {"bytes": 5, "calls": 1}
    assert [step["step"] for step in summary["steps"]] == ["look-up", "connect", "close"]
    assert explained["kind"] == "explanation"


def test_a_conversation_is_kept_and_read_back_the_same(tmp_path: Path) -> None:
    kept = tmp_path / "kept.pcapng"
    with textbook(ECHO) as server:
        result = talk(server.tcp, "--send", "hello", "--save", str(kept), "--ladder")
    timeline = read_capture(str(kept))
    calls = [call for call in timeline.of(Call) if not call.reported]
    names = [call.name for call in calls]
    assert names == ["socket", "connect", "send", "recv", "shutdown", "recv", "close"] or (
        sorted(names) == sorted(["socket", "connect", "send", "shutdown", "recv", "recv", "close"])
    )
    assert calls[2].data == b"" and calls[2].result == 6
    own = [state.new for state in timeline.of(State) if state.host == "client"]
    assert own[0] == "ESTABLISHED"
    again = subprocess.run(
        [sys.executable, "-m", "fourtuple", "read", str(kept), "--width", "120"],
        capture_output=True,
    )
    assert again.stdout == result.stderr


def test_what_it_waited_in_comes_before_what_it_could_do_then(tmp_path: Path) -> None:  # C8
    kept = tmp_path / "kept.pcapng"
    with textbook(ECHO) as server:
        result = talk(server.tcp, "--save", str(kept), "--ladder", given=b"hello\n")
    calls = read_capture(str(kept)).of(Call)
    waits = [call for call in calls if call.name == "poll"]
    # its own socket, and its input as long as there is any
    assert {wait.args for wait in waits} <= {(1,), (2,)}
    moved = [call for call in calls if call.name in ("send", "recv")]
    assert [call.result for call in moved] == [6, 6, 0]
    for call in moved:
        before = [wait for wait in waits if wait.t_ns < call.t_ns]
        assert before and before[-1].reported == (call.inode,)
        assert before[-1].end_ns is not None and before[-1].end_ns <= call.t_ns
    assert "1 ready" in result.stderr.decode()


@needs_root
def test_2950_bytes_are_one_segment_over_loopback_and_the_frames_are_all_ours() -> None:  # A8
    with textbook(ECHO) as server:
        result = talk(server.tcp, "--size", "2950", "--explain")
    said = words(result)
    assert "SYN, SYN ACK and ACK are frames 1-3." in said
    assert "Bytes in each segment with data: sent 2950; received " in said
    assert "Sent 2950 bytes with 1 call of send()" in said


@needs_root
def test_ipv6_has_the_same_frames() -> None:
    program = ECHO.replace("AF_INET", "AF_INET6").replace("127.0.0.1", "::1")
    with textbook(program) as server:
        result = talk(f"tcp://[::1]:{server.port}", "--send", "hello", "--explain")
    assert (result.returncode, result.stdout) == (0, b"HELLO\n")
    assert "SYN, SYN ACK and ACK are frames 1-3." in words(result)
    assert "each segment with data: sent 6; received 6." in words(result)


@needs_root
def test_frames_of_others_are_left_out(tmp_path: Path) -> None:
    kept = tmp_path / "kept.pcapng"
    with textbook(ECHO) as server:
        other = socket.create_connection(("127.0.0.1", server.port))
        other.sendall(b"not yours")
        other.recv(100)
        other.close()
        talk(server.tcp, "--send", "mine", "--save", str(kept))
    timeline = read_capture(str(kept))
    segments = [timeline.frame(number) for number in range(1, len(timeline.frames) + 1)]
    payloads = {s.packet.payload for s in segments if isinstance(s, Segment)}
    assert payloads == {b"", b"mine\n", b"MINE\n"}


def test_a_file_that_cannot_be_written_is_told_before_the_conversation() -> None:
    with textbook(NAMES) as server:
        result = talk(server.tcp, "--send", "x", "--save", "/nowhere/at/all.pcapng")
        assert result.returncode == 1
        assert "cannot be written" in words(result)
        # the one conversation that this server has is still to be had
        assert talk(server.tcp, "--send", "x").stdout == b"SERVER: Bob\n"


def test_it_speaks_chinese() -> None:
    port = free_port()
    said = words(talk(f"tcp://127.0.0.1:{port}", "--explain", lang="zh"))
    for english in ("Refused", "listens", "what happened", "answered"):
        assert english not in said
