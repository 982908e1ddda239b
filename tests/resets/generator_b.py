"""Generator B: resets as programs of every day bring them about, held out from all tuning.

Written apart from generator A: whole programs (http.server, curl, asyncio, nmap) in place of
single calls, killed processes in place of close(), a wire with a round trip of some 15 ms, other
numbers, options and firewall hooks. Programs run beside each other, each pair at a port of its own.
"""

import asyncio
import contextlib
import ctypes
import http.client
import http.server
import os
import signal
import socket
import socketserver
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fourtuple.event.timeline import Timeline
from fourtuple.lab.experiment import Experiment
from fourtuple.lab.hosts.host import Host, RunningProgram
from fourtuple.lab.runner import Options, run
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import segment
from fourtuple.system.sysctl import write_sysctl
from fourtuple.wire import (
    ACK,
    FIN,
    RST,
    SYN,
    Ethernet,
    EthernetView,
    Ipv4,
    Ipv6,
    Packet,
    Tcp,
    dissect,
    frame,
)
from resets.case import Truth

__all__ = ["TRUTHS", "provoke"]

BASE = 23100
BEAT_S = 0.25  # long against the round trip: what is to come later does
AT_ONCE = 8
_MOST_BEATS = 100

# programs of the server


def _serve(address: str, port: int, backlog: int = 16) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family, backlog=backlog)


class _Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = bytes(3_000_000)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)
        self.close_connection = True

    def do_POST(self) -> None:
        time.sleep(BEAT_S)
        self.send_error(403)  # whoever sends a form is refused before it is read
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class _Web(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: str, port: int, handler: Any) -> None:
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        super().__init__((address, port), handler)

    def handle_error(self, *_: Any) -> None:
        """What becomes of a broken connection is seen on the wire."""


def web_server(address: str, port: int) -> None:
    """The standard library's; it refuses a form without reading it."""
    _Web(address, port, _Pages).serve_forever()


def one_line_server(address: str, port: int) -> None:
    """Reads the first line and is done: the process ends with the rest unread."""
    with _serve(address, port) as listener:
        connection, _ = listener.accept()
        line = b""
        while not line.endswith(b"\n"):
            line += connection.recv(1)
        time.sleep(BEAT_S)
        os._exit(0)


class _Curt(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(self.rfile.readline().upper())
        time.sleep(BEAT_S)


def impatient_server(address: str, port: int) -> None:
    """Its listener's linger time is inherited by every socket that it accepts."""

    class Server(socketserver.ThreadingTCPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        allow_reuse_address = True
        daemon_threads = True

        def shutdown_request(self, request: Any) -> None:
            self.close_request(request)

    with Server((address, port), _Curt) as server:
        server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.serve_forever()


def slow_service(address: str, port: int) -> None:
    """asyncio: answers each line, but takes three beats for it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                await asyncio.sleep(3 * BEAT_S)
                writer.write(line.upper())
                await writer.drain()

    asyncio.run(_forever(answer, address, port))


def radio(address: str, port: int) -> None:
    """asyncio: sends a little all the time, whoever listens."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            for _ in range(400):
                writer.write(b"la " * 40)
                await asyncio.sleep(0.004)

    asyncio.run(_forever(talk, address, port))


def frugal_server(address: str, port: int) -> None:
    """asyncio: closes a connection that says nothing for two beats."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            while line := await asyncio.wait_for(reader.readline(), 2 * BEAT_S):
                writer.write(line)
        writer.close()

    asyncio.run(_forever(answer, address, port))


def paused_server(address: str, port: int) -> None:
    """asyncio: stops reading and gives the connection up a beat later."""

    class Paused(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            # before Python 3.11.4 the loop begins to read after this, whatever is said here
            asyncio.get_running_loop().call_soon(transport.pause_reading)
            asyncio.get_running_loop().call_later(BEAT_S, transport.abort)

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Paused, address, port)
        await server.serve_forever()

    asyncio.run(main())


async def _forever(answer: Any, address: str, port: int) -> None:
    server = await asyncio.start_server(answer, address, port)
    await server.serve_forever()


#: a user's capabilities will do, and the kernel finds the neighbour: on a busy machine nmap itself
#: gives up before its ARP request is answered
NMAP = ("nmap", "--privileged", "--send-ip", "--disable-arp-ping", "-n", "-Pn")


def deaf_server(address: str, port: int) -> None:
    """Listens, never accepts, and ends without closing anything itself."""
    with _serve(address, port, 8):
        time.sleep(9 * BEAT_S)
        os._exit(0)


def narrow_server(address: str, port: int) -> None:
    write_sysctl("net.ipv4.tcp_abort_on_overflow", "1")
    with _serve(address, port, 3):
        time.sleep(60)


def echo_server(address: str, port: int) -> None:
    with _serve(address, port) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_echo, args=(connection,), daemon=True).start()


def _echo(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        while data := connection.recv(1000):
            connection.sendall(data)


def unreliable_echo(address: str, port: int) -> None:
    """Answers once, then connects its socket to nowhere (AF_UNSPEC) instead of closing it."""
    with _serve(address, port) as listener:
        connection, _ = listener.accept()
        connection.sendall(connection.recv(1000))
        time.sleep(BEAT_S)
        ctypes.CDLL(None).connect(connection.fileno(), struct.pack("=H14x", 0), 16)
        time.sleep(60)


def probing_server(address: str, port: int, user_timeout_ms: int) -> None:
    """Finds out that its client is gone by keepalive, or by TCP_USER_TIMEOUT."""
    with _serve(address, port) as listener:
        connection, _ = listener.accept()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2)
        if user_timeout_ms:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 9)
            connection.setsockopt(socket.IPPROTO_TCP, 18, user_timeout_ms)
        connection.sendall(connection.recv(100))
        with contextlib.suppress(OSError):
            connection.recv(100)


def wrong_responder(address: str, port: int) -> None:
    """Answers each SYN with a SYN+ACK whose acknowledgment is off; its kernel must not hear it."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        socket.socket.bind(sock, ("eth0", 0x0003))
        while True:
            packet = dissect(socket.socket.recv(sock, 2000))
            tcp = packet.tcp
            if tcp and tcp.destination_port == port and tcp.flags == SYN:
                answer = _answer(packet, tcp.sequence - 77)
                socket.socket.send(sock, answer)


def _answer(packet: Packet, ack: int) -> bytes:
    ethernet, ip, tcp = packet.layer(EthernetView), packet.ip, packet.tcp
    assert ethernet and ip and tcp
    there = Ipv4 if isinstance(ip.source, str) and "." in ip.source else Ipv6
    layers = (Ethernet(ethernet.destination, ethernet.source), there(ip.destination, ip.source))
    ports = tcp.destination_port, tcp.source_port
    return frame(*layers, Tcp(*ports, 7_000_000, ack % 2**32, SYN | ACK, 29200))


# programs of the client


def _call(address: str, port: int) -> socket.socket:
    return socket.create_connection((address, port))


def poster(address: str, port: int) -> None:
    """http.client: a POST with a body that nobody reads."""
    connection = http.client.HTTPConnection(address, port)
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("POST", "/form", body=bytes(40_000))
        connection.getresponse().read()
    time.sleep(2 * BEAT_S)


def two_liner(address: str, port: int) -> None:
    with _call(address, port) as sock:
        sock.sendall(b"first line\nsecond line, nobody reads it\n")
        with contextlib.suppress(OSError):
            sock.recv(100)


def liner(address: str, port: int) -> None:
    """Sends a line and reads until the end."""
    with _call(address, port) as sock, contextlib.suppress(OSError):
        sock.sendall(b"a line\n")
        while sock.recv(1000):
            pass


def shouter(address: str, port: int) -> None:
    """Sends more than anybody reads."""
    with _call(address, port) as sock, contextlib.suppress(OSError):
        sock.sendall(bytes(20_000))
        sock.recv(100)


def hasty(address: str, port: int) -> None:
    """Asks, waits one beat, and hangs up before the answer is there."""
    with _call(address, port) as sock:
        sock.sendall(b"a question\n")
        time.sleep(BEAT_S)
    time.sleep(4 * BEAT_S)


def listener_for_a_while(address: str, port: int) -> None:
    """Listens for a beat and hangs up, both ways at once, while more is on its way."""
    with _call(address, port) as sock:
        until = time.monotonic() + BEAT_S
        while time.monotonic() < until:
            sock.recv(4000)
        sock.shutdown(socket.SHUT_RDWR)
        time.sleep(2 * BEAT_S)


def late_asker(address: str, port: int) -> None:
    """Keeps its connection and asks again after the server has hung up."""
    with _call(address, port) as sock, contextlib.suppress(OSError):
        sock.sendall(b"one\n")
        sock.recv(100)
        time.sleep(4 * BEAT_S)
        sock.sendall(b"two\n")
        time.sleep(BEAT_S)


def breaker(address: str, port: int) -> None:
    """asyncio: reads the answer, then breaks off with a linger time of 0."""

    async def main() -> None:
        reader, writer = await asyncio.open_connection(address, port)
        writer.write(b"hello\n")
        await reader.readline()
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()
        await asyncio.sleep(BEAT_S)

    asyncio.run(main())


def probe(address: str, port: int) -> None:
    """Non-blocking connect, and gone: what a health check does."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family)
    sock.settimeout(30)
    sock.connect((address, port))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def crowd(address: str, port: int) -> None:
    """Two that wait to be accepted, then four at once; none of them says anything."""

    async def visit() -> None:
        with contextlib.suppress(OSError, TimeoutError):
            reader, _ = await asyncio.wait_for(asyncio.open_connection(address, port), 2)
            await asyncio.wait_for(reader.read(1), 1)

    async def main() -> None:
        await asyncio.gather(*[visit() for _ in range(4)])

    with _call(address, port), _call(address, port):
        asyncio.run(main())


def hangers_on(address: str, port: int) -> None:
    """Three connections that wait to be accepted; two say something meanwhile."""
    socks = [_call(address, port) for _ in range(3)]
    for sock in socks[:2]:
        sock.sendall(b"anybody there?")
    for sock in socks:
        with contextlib.suppress(OSError):
            sock.recv(10)


def steady(address: str, port: int) -> None:
    """Says something and gets it back; a beat later again, and so on."""
    with _call(address, port) as sock, contextlib.suppress(OSError):
        for _ in range(100):
            sock.sendall(b"tick")
            sock.recv(100)
            time.sleep(BEAT_S)


def once(address: str, port: int) -> None:
    """Says something once, and waits for the end."""
    with _call(address, port) as sock, contextlib.suppress(OSError):
        sock.sendall(b"tick")
        while sock.recv(100):
            pass


def polite(address: str, port: int) -> None:
    """An orderly connection: the client closes first, the server after it."""
    with _call(address, port) as sock:
        sock.sendall(b"tick")
        sock.recv(100)


def asker(address: str, port: int) -> None:
    """connect() with a time-out."""
    with contextlib.suppress(OSError):
        socket.create_connection((address, port), timeout=1)


# what is done from outside


class Scene:
    """One truth on its way: where, and what has been started."""

    def __init__(self, lab: Lab, client: Host, server: Host, port: int) -> None:
        self.lab, self.client, self.server, self.port = lab, client, server, port

    def serve(self, program: Callable[..., Any], *more: Any) -> RunningProgram:
        return self.server.run(program, self.server.address, self.port, *more)

    def call(self, program: Callable[..., Any]) -> RunningProgram:
        return self.client.run(program, self.server.address, self.port)

    def rule(self, host: Host, hook: str, text: str) -> None:
        family = "ip" if self.lab.family == 4 else "ip6"
        chain = f"chain c {{\ntype filter hook {hook} priority 0;\n{text}\n}}"
        command = f"table {family} {hook}_{self.port} {{\n{chain}\n}}"
        done = host.run(["/usr/sbin/nft", command])
        assert done.wait() == 0, done.output

    def unrule(self, host: Host, hook: str) -> None:
        family = "ip" if self.lab.family == 4 else "ip6"
        done = host.run(["/usr/sbin/nft", f"delete table {family} {hook}_{self.port}"])
        assert done.wait() == 0, done.output

    def packets(self) -> list[Packet]:
        """The segments of this port so far."""
        timeline = self.lab.timeline()
        columns = timeline.columns
        ports = zip(columns.source_port.tolist(), columns.destination_port.tolist(), strict=True)
        rows = [row for row, pair in enumerate(ports) if self.port in pair]
        return [timeline.packet(row + 1) for row in rows]

    def emit(self, host: Host, *frames: bytes) -> None:
        done = host.run(_emit, frames)
        assert done.wait() == 0, done.output


def _emit(frames: tuple[bytes, ...]) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        socket.socket.bind(sock, ("eth0", 0))
        for data in frames:
            socket.socket.send(sock, data)


def _in_the_name_of(packet: Packet, offset: int, flags: int, hops: int) -> bytes:
    """An RST that pretends to follow a segment, `offset` numbers later."""
    ethernet, ip, tcp = packet.layer(EthernetView), packet.ip, packet.tcp
    assert ethernet and ip and tcp
    four = "." in ip.source
    names = ip.source, ip.destination
    layer: Any = (
        Ipv4(*names, ttl=hops, identification=offset + 301, dont_fragment=False)
        if four
        else Ipv6(*names, hop_limit=hops)
    )
    payload = len(packet.payload)
    seq = tcp.sequence + payload + offset
    header = Tcp(
        tcp.source_port,
        tcp.destination_port,
        seq % 2**32,
        tcp.acknowledgment if flags & ACK else 0,
        flags,
        0,
    )
    return frame(Ethernet(ethernet.source, ethernet.destination), layer, header)


Play = Iterator[None]  # a scenario rests for a beat wherever it yields


def _until(scene: Scene, is_so: Callable[[Scene], bool]) -> Play:
    """As many beats as that takes."""
    for _ in range(_MOST_BEATS):
        if is_so(scene):
            return
        yield
    raise TimeoutError(f"port {scene.port}: {is_so.__doc__}")


def _talking(scene: Scene) -> Play:
    return _until(scene, _has_said)


def _asked(scene: Scene) -> Play:
    return _until(scene, _has_acknowledged)


def _closed(scene: Scene) -> Play:
    return _until(scene, _has_closed)


def _has_said(scene: Scene) -> bool:
    """The server has said something."""
    return _said_by_server(scene) > 0


def _has_acknowledged(scene: Scene) -> bool:
    """The server has acknowledged what the client said."""
    said = False
    for tcp, payload in ((p.tcp, p.payload) for p in scene.packets() if p.tcp):
        if said and tcp.source_port == scene.port:
            return True
        said |= bool(payload) and tcp.destination_port == scene.port
    return False


def _has_closed(scene: Scene) -> bool:
    """Both have sent a FIN, and the last one was acknowledged."""
    kinds = [(p.tcp.source_port, p.tcp.has(FIN)) for p in scene.packets() if p.tcp]
    ends = [place for place, (_, fin) in enumerate(kinds) if fin]
    return len({kinds[place][0] for place in ends}) == 2 and kinds[-1] != kinds[ends[-1]]


def _said_by_server(scene: Scene) -> int:
    """How many segments with data it has sent."""
    ours = (p for p in scene.packets() if p.tcp and p.tcp.source_port == scene.port)
    return sum(bool(p.payload) for p in ours)


def nobody_home(scene: Scene) -> Play:
    url = f"http://[{scene.server.address}]" if scene.lab.family == 6 else scene.server.address
    scene.client.run(["curl", "-sg", f"{url}:{scene.port}/"])
    yield


def download_killed(scene: Scene) -> Play:
    scene.serve(web_server)
    yield
    host = f"[{scene.server.address}]" if scene.lab.family == 6 else scene.server.address
    url = f"http://{host}:{scene.port}/big"
    curl = scene.client.run(["curl", "-sg", "--limit-rate", "20k", "-o", "/dev/null", url])
    yield from _talking(scene)
    curl.kill(signal.SIGSTOP)  # what comes now, nobody reads
    heard = _said_by_server(scene)
    for _ in range(20):
        yield
        if _said_by_server(scene) > heard:
            break
    yield  # so that it arrives
    curl.kill()
    yield


def posted_in_vain(scene: Scene) -> Play:
    scene.serve(web_server)
    yield
    scene.call(poster)
    yield


def exit_unread(scene: Scene) -> Play:
    scene.serve(one_line_server)
    yield
    scene.call(two_liner)
    yield


def abort_unread(scene: Scene) -> Play:
    scene.serve(paused_server)
    yield
    scene.call(shouter)
    yield


def inherited_linger(scene: Scene) -> Play:
    scene.serve(impatient_server)
    yield
    scene.call(liner)
    yield


def asyncio_linger(scene: Scene) -> Play:
    scene.serve(echo_server)
    yield
    scene.call(breaker)
    yield


def checked(scene: Scene) -> Play:
    scene.serve(echo_server)
    yield
    scene.call(probe)
    yield


def hung_up(scene: Scene) -> Play:
    scene.serve(slow_service)
    yield
    scene.call(hasty)
    yield


def switched_off(scene: Scene) -> Play:
    scene.serve(radio)
    yield
    scene.call(listener_for_a_while)
    yield


def reused_too_late(scene: Scene) -> Play:
    scene.serve(frugal_server)
    yield
    scene.call(late_asker)
    yield


def scanned(scene: Scene) -> Play:
    scene.serve(echo_server)
    yield
    six = ["-6"] if scene.lab.family == 6 else []
    target = ["-p", str(scene.port), scene.server.address]
    scene.client.run([*NMAP, "-sS", *six, *target])
    yield


def crashed_server(scene: Scene) -> Play:
    """Its end is not heard: the firewall of its host is down first, and up again later."""
    server = scene.serve(echo_server)
    yield
    scene.call(steady)
    yield from _talking(scene)
    scene.rule(scene.server, "output", f"tcp sport {scene.port} drop")
    server.kill()
    killer = scene.server.run(["ss", "-K", "-n", "sport", "=", str(scene.port)])
    killer.wait()
    scene.unrule(scene.server, "output")
    yield


def queue_abandoned(scene: Scene) -> Play:
    scene.serve(deaf_server)
    yield
    scene.call(hangers_on)
    yield


def killed_by_administrator(scene: Scene) -> Play:
    scene.serve(echo_server)
    yield
    scene.call(once)
    yield from _talking(scene)
    scene.server.run(["ss", "-K", "-n", "state", "established", "sport", "=", str(scene.port)])
    yield


def nowhere(scene: Scene) -> Play:
    scene.serve(unreliable_echo)
    yield
    scene.call(once)
    yield


def _vanished(scene: Scene, user_timeout_ms: int) -> Play:
    scene.serve(probing_server, user_timeout_ms)
    yield
    scene.call(once)
    yield from _talking(scene)
    scene.rule(scene.client, "input", f"tcp sport {scene.port} drop")
    for _ in range(26):
        yield


def probed_in_vain(scene: Scene) -> Play:
    yield from _vanished(scene, 0)


def waited_in_vain(scene: Scene) -> Play:
    yield from _vanished(scene, 1500)


def turned_away(scene: Scene) -> Play:
    scene.serve(echo_server)
    scene.rule(scene.server, "prerouting", f"tcp dport {scene.port} reject with tcp reset")
    yield
    scene.call(asker)
    yield


def cut_off(scene: Scene) -> Play:
    """A rule of the client's host rejects what the server sends from now on."""
    scene.serve(echo_server)
    yield
    scene.call(steady)
    yield from _talking(scene)
    only = f"tcp sport {scene.port} tcp flags & (rst | fin) == 0"
    scene.rule(scene.client, "input", f"{only} reject with tcp reset")
    yield
    yield


def censored(scene: Scene) -> Play:
    """Three RSTs at once, as devices in between send them; the server goes on."""
    scene.serve(slow_service)
    yield
    scene.call(liner)
    yield from _asked(scene)
    last = [p for p in scene.packets() if p.tcp and p.tcp.source_port == scene.port][-1]
    scene.emit(scene.server, *[_in_the_name_of(last, n, RST, 57) for n in (0, 1460, 4380)])
    yield
    yield


def killed_like_tcpkill(scene: Scene) -> Play:
    """RST with ACK, the usual hop limit, but numbers that no kernel of this host uses."""
    scene.serve(slow_service)
    yield
    scene.call(liner)
    yield from _asked(scene)
    last = [p for p in scene.packets() if p.tcp and p.tcp.source_port == scene.port][-1]
    scene.emit(scene.server, *[_in_the_name_of(last, n, RST | ACK, 64) for n in (0, 502, 1506)])
    yield
    yield


def syn_twice(scene: Scene) -> Play:
    """The network kept a copy of the first SYN until the client is in TIME_WAIT."""
    scene.serve(echo_server)
    yield
    scene.call(polite)
    yield from _closed(scene)
    syn = scene.packets()[0]
    scene.emit(scene.client, syn.data)
    yield


def fin_twice(scene: Scene) -> Play:
    """The network kept a copy of the client's FIN; the server closed, and does not wait."""
    scene.serve(echo_server)
    yield
    scene.call(polite)
    yield from _closed(scene)
    fin = next(p for p in scene.packets() if p.tcp and p.tcp.has(FIN))
    scene.emit(scene.client, fin.data)
    yield


def overrun(scene: Scene) -> Play:
    scene.serve(narrow_server)
    yield
    scene.call(crowd)
    for _ in range(8):
        yield


def misunderstood(scene: Scene) -> Play:
    scene.rule(scene.server, "input", f"tcp dport {scene.port} drop")
    scene.serve(wrong_responder)
    yield
    scene.call(asker)
    yield


# scenes that were written when the rules stood; nothing was tuned on them


def sink(address: str, port: int) -> None:
    """Takes in what comes, slowly, and says nothing."""
    with _serve(address, port) as listener:
        connection, _ = listener.accept()
        with contextlib.suppress(OSError):
            while connection.recv(4000):
                time.sleep(0.02)


def broken_upload(address: str, port: int) -> None:
    """Gives up in the midst of an upload, with a linger time of 0."""
    sock = _call(address, port)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(bytes(10_000))
    time.sleep(BEAT_S)
    sock.close()


def cancelled(address: str, port: int) -> None:
    """asyncio: asks, and is cancelled before the answer comes."""

    async def main() -> None:
        reader, writer = await asyncio.open_connection(address, port)
        writer.write(b"a question\n")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.readline(), BEAT_S)
        writer.close()
        await asyncio.sleep(5 * BEAT_S)

    asyncio.run(main())


def rebooted(address: str, port: int) -> None:
    """Forgets its connection as a crash would, and asks for it anew from the same port."""
    sock = _call(address, port)
    sock.sendall(b"tick")
    sock.recv(100)
    own = sock.getsockname()
    sock.setsockopt(socket.IPPROTO_TCP, 19, 1)  # TCP_REPAIR
    sock.close()
    time.sleep(BEAT_S)
    again = socket.socket(sock.family)
    again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    again.bind(own)
    again.connect((address, port))
    again.sendall(b"tick")
    again.recv(100)


def _nmap(scene: Scene, *options: str) -> None:
    six = ["-6"] if scene.lab.family == 6 else []
    target = ["-p", str(scene.port), scene.server.address]
    scene.client.run([*NMAP, *options, *six, *target])


def scanned_by_connect(scene: Scene) -> Play:
    scene.serve(echo_server)
    yield
    _nmap(scene, "-sT")
    yield


def scanned_by_ack(scene: Scene) -> Play:
    scene.serve(echo_server)
    yield
    _nmap(scene, "-sA")
    yield


def scanned_by_fin(scene: Scene) -> Play:
    _nmap(scene, "-sF")
    yield


def download_abandoned(scene: Scene) -> Play:
    """As a user does it: stopped first (Ctrl-Z), killed later, with a full buffer."""
    scene.serve(web_server)
    yield
    host = f"[{scene.server.address}]" if scene.lab.family == 6 else scene.server.address
    curl = scene.client.run(["curl", "-sg", "-o", "/dev/null", f"http://{host}:{scene.port}/big"])
    yield from _talking(scene)
    curl.kill(signal.SIGSTOP)
    yield
    yield
    curl.kill()
    yield


def cancelled_question(scene: Scene) -> Play:
    scene.serve(slow_service)
    yield
    scene.call(cancelled)
    yield


def upload_broken_off(scene: Scene) -> Play:
    scene.serve(sink)
    yield
    scene.call(broken_upload)
    yield


def forged_for_the_server(scene: Scene) -> Play:
    """Somebody tells the server that its client gave up; the client goes on."""
    scene.serve(echo_server)
    yield
    scene.call(steady)
    yield from _talking(scene)
    last = [p for p in scene.packets() if p.tcp and p.tcp.destination_port == scene.port][-1]
    scene.emit(scene.client, _in_the_name_of(last, 0, RST, 43))
    yield
    yield


def client_destroyed(scene: Scene) -> Play:
    scene.serve(echo_server)
    yield
    scene.call(once)
    yield from _talking(scene)
    scene.client.run(["ss", "-K", "-n", "state", "established", "dport", "=", str(scene.port)])
    yield


def client_rebooted(scene: Scene) -> Play:
    scene.serve(echo_server)
    yield
    scene.call(rebooted)
    for _ in range(10):
        yield


LATER: tuple[tuple[Callable[[Scene], Play], str, str, str], ...] = (
    (scanned_by_connect, "client", "linger-zero", "no-such-connection"),
    (scanned_by_ack, "server", "no-such-connection", "no-such-connection"),
    (scanned_by_fin, "server", "port-closed", "port-closed"),
    (download_abandoned, "client", "unread-data", "no-such-connection"),
    (cancelled_question, "client", "data-after-close", "data-after-close"),
    (upload_broken_off, "client", "linger-zero", "no-such-connection"),
    (forged_for_the_server, "client", "forged", "no-such-connection"),
    (client_destroyed, "client", "destroyed", "no-such-connection"),
    (client_rebooted, "client", "no-such-connection", "no-such-connection"),
)

FIRST: tuple[tuple[Callable[[Scene], Play], str, str, str], ...] = (
    (probed_in_vain, "server", "keepalive-timeout", ""),
    (waited_in_vain, "server", "user-timeout", ""),
    (nobody_home, "server", "port-closed", ""),
    (download_killed, "client", "unread-data", "no-such-connection"),
    (posted_in_vain, "server", "unread-data", "no-such-connection"),
    (exit_unread, "server", "unread-data", "no-such-connection"),
    (abort_unread, "server", "unread-data", "no-such-connection"),
    (inherited_linger, "server", "linger-zero", "no-such-connection"),
    (asyncio_linger, "client", "linger-zero", "no-such-connection"),
    (checked, "client", "linger-zero", "no-such-connection"),
    (hung_up, "client", "data-after-close", "data-after-close"),
    (switched_off, "client", "data-after-close", "data-after-close"),
    (reused_too_late, "server", "data-after-close", "data-after-close"),
    (scanned, "client", "no-such-connection", "no-such-connection"),
    (crashed_server, "server", "no-such-connection", "no-such-connection"),
    (queue_abandoned, "server", "listener-closed", "no-such-connection"),
    (killed_by_administrator, "server", "destroyed", "no-such-connection"),
    (nowhere, "server", "disconnected", "no-such-connection"),
    (turned_away, "server", "firewall", "firewall"),
    (cut_off, "client", "firewall", "firewall"),
    (censored, "server", "forged", "forged"),
    (killed_like_tcpkill, "server", "forged", "forged"),
    (syn_twice, "server", "time-wait", ""),
    (fin_twice, "server", "no-such-connection", ""),
    (overrun, "server", "backlog-overflow", "backlog-overflow"),
    (misunderstood, "client", "invalid-ack", "invalid-ack"),
)
SCENES = (*FIRST, *LATER)
_SEEN_AT: Mapping[Any, tuple[str, ...]] = {
    censored: ("client",),
    killed_like_tcpkill: ("client",),
    forged_for_the_server: ("server",),
}

TRUTHS = tuple(
    Truth(
        BASE + 7 * number,
        scene.__name__,
        sender,
        cause,
        later,
        _SEEN_AT.get(scene, ("client", "server")),
        once=cause == "time-wait",
    )
    for number, (scene, sender, cause, later) in enumerate(SCENES)
)


def script(lab: Lab) -> None:
    """Some scenes beside each other: a round of each, a beat, and so on."""
    client, server = lab.pair()
    lab.wire.delay(segment.sent_by(server), 0.015)
    client.socket(), server.socket()
    scenes = [
        scene(Scene(lab, client, server, truth.port))
        for (scene, *_), truth in zip(SCENES, TRUTHS, strict=True)
    ]
    playing: list[Play] = []
    while scenes or playing:
        while scenes and len(playing) < AT_ONCE:
            playing.append(scenes.pop(0))
        playing = [one for one in playing if next(one, StopIteration) is not StopIteration]
        time.sleep(BEAT_S)
    time.sleep(BEAT_S)


def provoke(family: int) -> Timeline:
    """A run of all scenes."""
    options = Options(family, limit_s=200)
    return run(Experiment(name="resets-b", question="?", script=script), options)


if __name__ == "__main__":
    sys.exit("run: make resets")
