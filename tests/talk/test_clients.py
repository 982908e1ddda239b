"""Clients that are not ours: what people have, and what textbooks print."""

import asyncio
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.sync.client import connect

from fourtuple.talk.models import MODELS

from .served import WAIT_S, Served, served

Shared = Callable[..., Served]
ALL = sorted(MODELS)
MANY = sorted(set(MODELS) - {"one-at-a-time"})


@pytest.fixture(scope="module")
def shared() -> Iterator[Shared]:
    """Servers that several tests talk to, by their arguments: starting one takes longer than a
    conversation with it."""
    running: dict[tuple[str, ...], Served] = {}
    with ExitStack() as stack:

        def serving(*arguments: str) -> Served:
            if arguments not in running:
                running[arguments] = stack.enter_context(served(*arguments))
            return running[arguments]

        yield serving


def run(*words: str, given: bytes = b"") -> bytes:
    result = subprocess.run(words, input=given, capture_output=True, timeout=WAIT_S)
    assert result.returncode == 0, result.stderr
    return result.stdout


def where(server: Served) -> tuple[str, str]:
    host, port = server.address
    return host, str(port)


@pytest.mark.oracle("ncat")
@pytest.mark.parametrize("model", ALL)
def test_ncat_half_closes_and_hears_the_rest(model: str, shared: Shared) -> None:
    server = shared("tcp://127.0.0.1:0", "--app", "upper", "--model", model)
    assert run("ncat", *where(server), given=b"hello\nncat\n") == b"HELLO\nNCAT\n"


@pytest.mark.oracle("ncat")
def test_ncat_over_udp_tls_and_a_unix_socket(tmp_path: Path) -> None:
    with served(f"unix://{tmp_path}/s", "--app", "upper"):
        assert run("ncat", "-U", f"{tmp_path}/s", given=b"local") == b"LOCAL"
    with served("tls://127.0.0.1:0", "--app", "upper") as server:
        assert run("ncat", "--ssl", *where(server), given=b"sealed") == b"SEALED"
    with served("udp://127.0.0.1:0", "--app", "upper") as server:
        ncat = subprocess.Popen(
            ["ncat", "-u", *where(server)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with ncat:
            assert ncat.stdin is not None and ncat.stdout is not None
            ncat.stdin.write(b"alone\n")
            ncat.stdin.flush()
            assert ncat.stdout.readline() == b"ALONE\n"
            ncat.kill()


@pytest.mark.oracle("socat")
@pytest.mark.parametrize("model", ALL)
def test_socat_carries_a_megabyte(model: str, shared: Shared) -> None:
    data = bytes(range(128)) * 8192
    host, port = where(shared("tcp://127.0.0.1:0", "--app", "upper", "--model", model))
    assert run("socat", "-t", "10", "-", f"TCP:{host}:{port}", given=data) == data.upper()


@pytest.mark.oracle("socat")
def test_socat_over_ipv6_and_udp() -> None:
    with served("tcp://[::1]:0", "--app", "upper") as server:
        assert run("socat", "-t", "10", "-", f"TCP6:[::1]:{server.port()}", given=b"six") == b"SIX"
    with served("udp://127.0.0.1:0", "--app", "upper") as server:
        where_to = f"UDP:127.0.0.1:{server.port()}"
        assert run("socat", "-t", "5", "-", where_to, given=b"datagram") == b"DATAGRAM"


@pytest.mark.oracle("curl")
@pytest.mark.parametrize("model", ALL)
def test_curl_gets_the_page_and_a_404(model: str) -> None:
    with served("http://127.0.0.1:0", "--model", model) as server:
        url = server.urls[0]
        page = run("curl", "-si", url)
        assert page.startswith(b"HTTP/1.1 200 ")
        assert b"Hello, world!" in page
        assert run("curl", "-s", "-w", "%{http_code}", f"{url}nowhere").endswith(b"404")
        assert run("curl", "-sI", url).startswith(b"HTTP/1.1 200 ")
        twice = run("curl", "-s", "-w", "%{num_connects}", url, url)
        assert [part[:1] for part in twice.split(b"</h1>\n")[1:]] == [b"1", b"0"]


@pytest.mark.oracle("curl")
@pytest.mark.parametrize("model", MANY)
def test_curl_over_tls_checks_the_name(model: str, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 3_000_000)
    options = ("--app", "files", "--directory", str(tmp_path), "--model", model)
    with served("https://127.0.0.1:0", *options) as server:
        trusted = tmp_path / "certificate.pem"
        trusted.write_text(ssl.get_server_certificate(server.address))
        page = run("curl", "-s", "--cacert", str(trusted), f"{server.urls[0]}large")
        assert page == b"x" * 3_000_000
        assert "SHA-256 fingerprint" in server.await_news("The certificate of")


@pytest.mark.parametrize("compression", ["deflate", None])
@pytest.mark.parametrize("model", ALL)
def test_the_websockets_library(model: str, compression: str | None, shared: Shared) -> None:
    messages = ["short", "", "π" * 40, "x" * 125, "x" * 126, "y" * 65_535, "z" * 300_000]
    server = shared("ws://127.0.0.1:0", "--model", model)
    with connect(server.urls[0], compression=compression) as client:
        assert bool(client.protocol.extensions) == (compression is not None)
        for message in messages:
            client.send(message)
            assert client.recv(WAIT_S) == message
            client.send(message.encode())
            assert client.recv(WAIT_S) == message.encode()
        client.send(["in ", "three ", "parts"])
        assert client.recv(WAIT_S) == "in three parts"
        assert client.ping(b"x").wait(WAIT_S)


def test_the_websockets_library_over_tls() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with served("wss://127.0.0.1:0") as server, connect(server.urls[0], ssl=context) as client:
        for message in ("sealed", "x" * 200_000):
            client.send(message)
            assert client.recv(WAIT_S) == message


def test_aiohttp_is_another_implementation(shared: Shared) -> None:
    import aiohttp

    async def talk(url: str) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(url, compress=15) as ws:
            for message in ("one", "x" * 100_000):
                await ws.send_str(message)
                assert await ws.receive_str(timeout=WAIT_S) == message
            await ws.close(code=1000)
            assert ws.close_code == 1000

    asyncio.run(talk(shared("ws://127.0.0.1:0", "--model", "asyncio").urls[0]))


@pytest.mark.oracle("ncat")
@pytest.mark.parametrize("model", MANY)
def test_terminals_and_websockets_share_a_room(model: str) -> None:
    urls = ("tcp://127.0.0.1:0", "http://127.0.0.1:0")
    with served(*urls, "--app", "chat", "--model", model) as server:
        ncat = subprocess.Popen(
            ["ncat", *where(server)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert ncat.stdin is not None and ncat.stdout is not None
        with ncat, connect(f"ws://127.0.0.1:{server.port(1)}/chat") as browser:
            ncat.stdin.write(b"20231234 Wang Fang\n")
            ncat.stdin.flush()
            assert b"Who are you?" in ncat.stdout.readline()
            assert b"* Welcome, 20231234 Wang Fang." in ncat.stdout.readline()
            assert "Who are you?" in str(browser.recv(WAIT_S))
            browser.send("20235678 Li Na")
            assert "Here: 20231234 Wang Fang." in str(browser.recv(WAIT_S))
            assert ncat.stdout.readline() == b"* 20235678 Li Na has come.\n"
            ncat.stdin.write("你好\n".encode())
            ncat.stdin.flush()
            assert browser.recv(WAIT_S) == "20231234 Wang Fang: 你好\n"
            ncat.stdin.write(b"q\n")
            ncat.stdin.flush()
            assert browser.recv(WAIT_S) == "* 20231234 Wang Fang has left.\n"
            assert ncat.stdout.read() == b""


# Textbooks


@pytest.fixture(params=["python", "c", "java"])
def textbook(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """The command of a client as textbooks print it: it takes a host and a port, sends each line of
    its input and prints what comes back."""
    programs = Path(__file__).parent / "textbook"
    if request.param == "python":
        yield [sys.executable, str(programs / "client.py")]
    elif request.param == "c":
        if not shutil.which("cc"):
            pytest.skip("cc is not installed")
        run("cc", "-o", str(tmp_path / "client"), str(programs / "client.c"))
        yield [str(tmp_path / "client")]
    else:
        if not shutil.which("javac"):
            pytest.skip("javac is not installed")
        run("javac", "-d", str(tmp_path), str(programs / "Client.java"))
        yield ["java", "-cp", str(tmp_path), "Client"]


def test_a_client_from_a_textbook(textbook: list[str], shared: Shared) -> None:
    for model in ALL:
        server = shared("tcp://127.0.0.1:0", "--app", "upper", "--model", model)
        heard = run(*textbook, *where(server), given=b"hello\nhow are you\nq\n")
        assert heard.split() == b"HELLO HOW ARE YOU".split()


def test_twenty_textbook_clients_at_once() -> None:
    """Row A3: 20 clients, one after another and together."""
    command = [sys.executable, str(Path(__file__).parent / "textbook" / "client.py")]
    with served("tcp://127.0.0.1:0", "--app", "upper") as server:
        running = [
            subprocess.Popen(
                [*command, *where(server)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            for _ in range(20)
        ]
        for number, process in enumerate(running):
            heard = process.communicate(b"client %d\nq\n" % number, timeout=WAIT_S)[0]
            assert heard.strip() == b"CLIENT %d" % number
        server.await_news("Client 20 has come")


def test_minimal_server_and_client_on_one_port_again() -> None:
    """Row B1: a server that ended a moment ago, with a connection in TIME_WAIT on its side, starts
    again on the same port."""
    program = """
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect((sys.argv[1], int(sys.argv[2])))
while data := client.recv(1024):
    print(data.decode(), end="")
client.close()
"""
    with served("tcp://127.0.0.1:0", "--app", "time") as server:
        url, address = server.urls[0], server.address
        assert run(sys.executable, "-c", program, *where(server)).endswith(b" UTC\r\n")
    with served(url) as server:
        assert server.address == address
