"""The captures that reading is measured with, made in network namespaces of their own.

A client, a router that drops one packet in a hundred, a server; nginx serves many short HTTP
connections and some of 40 kB, iperf3 bulk flows; ports are used again. tcpdump keeps 96 bytes of
each packet at the client. What is made is kept in build/bench, which git ignores; larger captures
repeat it with later times and other addresses.

As root, or in a user namespace that is root: needs ip, nft, tcpdump, nginx, wrk, iperf3, ethtool.
"""

import contextlib
import os
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

__all__ = ["NEEDS", "Missing", "first_frames", "million", "record", "repeated"]

NEEDS = ("ip", "nft", "tcpdump", "nginx", "wrk", "iperf3", "ethtool")
DIRECTORY = Path("build/bench")
MILLION = 1_000_000
FILE_HEADER, RECORD_HEADER, ETHERNET = 24, 16, 14

CLIENT, ROUTER, SERVER = (f"ftb-{os.getpid()}-{name}" for name in ("client", "router", "server"))
RULES = """table ip loss {
 chain way { type filter hook forward priority 0; numgen random mod 100 < 1 drop; }
}
"""
NGINX = """worker_processes 1; daemon off; user root;
pid {place}/nginx.pid; error_log {place}/nginx.log;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_timeout 0; sendfile on;
 server {{ listen 8080 backlog=4096; root {place}/www; }} }}
"""


class Missing(Exception):
    """A program that is needed is not installed."""


def million() -> Path:
    """The first million packets of such traffic, made at the first call."""
    path = DIRECTORY / "million.pcap"
    if not path.exists():
        lacking = [name for name in NEEDS if shutil.which(name) is None]
        if lacking:
            raise Missing(", ".join(lacking))
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        whole = DIRECTORY / "whole.pcap"
        record(whole, seconds=32)
        path.write_bytes(first_frames(whole, MILLION))
        whole.unlink()
    return path


def first_frames(path: Path, count: int) -> bytes:
    """The capture's first `count` frames as a file."""
    with path.open("rb") as file:
        found = [file.read(FILE_HEADER)]
        for _ in range(count):
            header = file.read(RECORD_HEADER)
            found += [header, file.read(struct.unpack_from("<I", header, 8)[0])]
    return b"".join(found)


def repeated(source: Path, target: Path, times: int) -> Path:
    """The capture again and again, each time later and with the next network of clients."""
    data = np.frombuffer(bytearray(source.read_bytes()), np.uint8)
    starts = _record_starts(data)
    seconds = data[starts[:, None] + np.arange(4)].view("<u4")[:, 0].astype(np.int64)
    step = int(seconds.max() - seconds.min()) + 1
    networks = _client_octets(data, starts)
    with target.open("wb") as file:
        file.write(data[:FILE_HEADER].data)
        for again in range(times):
            later = (seconds + again * step).astype("<u4").view(np.uint8).reshape(-1, 4)
            data[starts[:, None] + np.arange(4)] = later
            data[networks] = 77 + again % 150
            file.write(data[FILE_HEADER:].data)
    return target


def _record_starts(data: np.ndarray) -> np.ndarray:
    found, position, raw = [], FILE_HEADER, data.tobytes()
    while position + RECORD_HEADER <= len(raw):
        found.append(position)
        (captured,) = struct.unpack_from("<I", raw, position + 8)
        position += RECORD_HEADER + captured
    return np.array(found)


def _client_octets(data: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Where the second octet of each address is."""
    addresses = starts + RECORD_HEADER + ETHERNET + 12
    return np.concatenate([addresses + 1, addresses + 5])


def record(path: Path, seconds: int) -> None:
    """So many seconds of such traffic, as a file; what serves it stands beside the file."""
    place = path.parent.resolve()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_network())
        _site(place)
        for command in (["nginx", "-c", str(place / "nginx.conf")], ["iperf3", "-s", "-p", "5201"]):
            stack.enter_context(_running(SERVER, command, signal.SIGTERM))
        time.sleep(1)
        options = ["-i", "ftb0", "-s", "96", "-B", "200000", "-Z", "root"]
        capture = ["tcpdump", *options, "-w", str(path), "tcp"]
        stack.enter_context(_running(CLIENT, capture, signal.SIGINT))
        time.sleep(1)
        url = "http://10.77.2.1:8080"
        close = ["-H", "Connection: close"]
        loads = (
            ["iperf3", "-c", "10.77.2.1", "-p", "5201", "-t", str(seconds), "-P4", "-b", "15M"],
            ["wrk", "-t1", "-c48", "-d", f"{seconds}s", *close, f"{url}/small"],
            ["wrk", "-t1", "-c4", "-d", f"{seconds}s", *close, f"{url}/medium"],
        )
        begun = [_start(CLIENT, load) for load in loads]
        for load in begun:
            load.wait(timeout=seconds + 60)
        time.sleep(1)


def _site(place: Path) -> None:
    (place / "www").mkdir(exist_ok=True)
    (place / "www" / "small").write_bytes(b"x" * 3000)
    (place / "www" / "medium").write_bytes(os.urandom(40_000))
    (place / "nginx.conf").write_text(NGINX.format(place=place))


@contextlib.contextmanager
def _network() -> Iterator[None]:
    try:
        for name in (CLIENT, ROUTER, SERVER):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _link(CLIENT, "ftb0", "10.77.1.1/24", ROUTER, "ftb1", "10.77.1.254/24")
        _link(SERVER, "ftb2", "10.77.2.1/24", ROUTER, "ftb3", "10.77.2.254/24")
        _ip("-n", CLIENT, "route", "add", "default", "via", "10.77.1.254")
        _ip("-n", SERVER, "route", "add", "default", "via", "10.77.2.254")
        _set(ROUTER, "net.ipv4.ip_forward", "1")
        _set(CLIENT, "net.ipv4.ip_local_port_range", "1024 65535")
        _inside(ROUTER, ["nft", "-f", "-"], RULES)
        yield
    finally:
        for name in (CLIENT, ROUTER, SERVER):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def _link(one: str, here: str, address: str, other: str, there: str, far: str) -> None:
    _ip("link", "add", here, "netns", one, "type", "veth", "peer", "name", there, "netns", other)
    for name, device, own in ((one, here, address), (other, there, far)):
        _ip("-n", name, "addr", "add", own, "dev", device)
        _ip("-n", name, "link", "set", device, "mtu", "1500", "up")
        off = ("tso", "gso", "gro", "tx", "rx", "sg")
        words = [word for feature in off for word in (feature, "off")]
        _inside(name, ["ethtool", "-K", device, *words])


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _set(name: str, key: str, value: str) -> None:
    _inside(name, ["sysctl", "-qw", f"{key}={value}"])


def _inside(name: str, command: list[str], given: str = "") -> None:
    words = ["ip", "netns", "exec", name, *command]
    subprocess.run(words, check=True, input=given, text=True, stdout=subprocess.DEVNULL)


def _start(name: str, command: list[str]) -> "subprocess.Popen[bytes]":
    words = ["ip", "netns", "exec", name, *command]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def _running(name: str, command: list[str], end: signal.Signals) -> Iterator[None]:
    process = _start(name, command)
    try:
        yield
    finally:
        process.send_signal(end)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
