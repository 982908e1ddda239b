"""Servers that are not ours, each a process of its own, and `fourtuple talk` as its users run it.

The textbook programs are what textbooks print: blocking calls, one client at a time, recv(1024).
"""

import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

#: only what hangs takes so long
WAIT_S = 90.0

ECHO = """
import socket
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", 0))
listener.listen(1)
print(listener.getsockname()[1], flush=True)
while True:
    connection, address = listener.accept()
    while True:
        data = connection.recv(1024)
        if not data:
            break
        connection.sendall(data.upper())
    connection.close()
"""

UDP_ECHO = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
while True:
    data, address = server.recvfrom(2048)
    server.sendto(data.upper(), address)
"""

NAMES = """
import socket
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(5)
print(listener.getsockname()[1], flush=True)
connection, address = listener.accept()
name = connection.recv(1024)
connection.sendall(b"SERVER: Bob\\n")
connection.close()
print(name.decode().strip(), flush=True)
"""

#: closes with data unread in its receive buffer: its kernel sends RST (row A13)
UNREAD = """
import socket
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(5)
print(listener.getsockname()[1], flush=True)
connection, address = listener.accept()
connection.recv(1)
connection.close()
input()
"""

SILENT = """
import socket
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(5)
print(listener.getsockname()[1], flush=True)
input()
"""

BYE = """
import socket
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(5)
print(listener.getsockname()[1], flush=True)
connection, address = listener.accept()
connection.sendall(b"bye\\n")
connection.shutdown(socket.SHUT_WR)
rest = b""
while data := connection.recv(1024):
    rest += data
print(len(rest), flush=True)
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="packet sockets need CAP_NET_RAW")


class Foreign:
    """A running server; `port` is where it listens."""

    def __init__(self, process: "subprocess.Popen[str]", port: int = 0) -> None:
        self.process = process
        self.port = port

    def line(self) -> str:
        """What it prints next."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    @property
    def tcp(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def udp(self) -> str:
        return f"udp://127.0.0.1:{self.port}"


@contextmanager
def textbook(program: str) -> Iterator[Foreign]:
    """A Python program that prints its port first."""
    with _running([sys.executable, "-c", program]) as foreign:
        foreign.port = int(foreign.line())
        yield foreign


@contextmanager
def command(*arguments: str, port: int = 0) -> Iterator[Foreign]:
    """Another tool, listening at `port` of 127.0.0.1; 0 where it listens somewhere else."""
    if shutil.which(arguments[0]) is None:
        pytest.skip(f"{arguments[0]} is not installed")
    with _running(list(arguments)) as foreign:
        foreign.port = port
        if port:
            await_listener(port)
        yield foreign


@contextmanager
def _running(arguments: list[str]) -> Iterator[Foreign]:
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        yield Foreign(process)
    finally:
        process.kill()
        process.communicate()


def await_listener(port: int) -> None:
    """Until somebody listens there: the socket table tells, so no connection is made."""
    wanted = f"0100007F:{port:04X} 00000000:0000 0A"
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        with open("/proc/net/tcp", encoding="ascii") as file:
            if wanted in file.read():
                return
        time.sleep(0.02)
    raise AssertionError(f"nobody listens on {port}")


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port that nobody has, of those that the kernel gives to nobody who asks for any."""
    while True:
        with socket.socket(socket.AF_INET, kind) as sock, suppress(OSError):
            sock.bind(("127.0.0.1", random.randrange(10_000, 32_000)))
            return int(sock.getsockname()[1])


def talk(
    *arguments: str, given: bytes = b"", lang: str = "en"
) -> "subprocess.CompletedProcess[bytes]":
    """`fourtuple talk`, with `given` on its standard input."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "COLUMNS": "120"}
    return subprocess.run(
        [sys.executable, "-m", "fourtuple", "talk", *arguments, "--lang", lang],
        input=given,
        capture_output=True,
        timeout=WAIT_S,
        env=environment,
    )


@contextmanager
def talking(*arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`fourtuple talk` while it runs: what it prints can be waited for."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fourtuple", "talk", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "LC_ALL": "C.UTF-8", "COLUMNS": "120"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def words(result: "subprocess.CompletedProcess[bytes]") -> str:
    """What it said to people, on one line."""
    return " ".join(result.stderr.decode().split())
