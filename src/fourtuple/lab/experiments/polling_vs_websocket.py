"""The same messages by HTTP polling and by WebSocket: what each costs on the wire (row A15)."""

import base64
import hashlib
import socket
from typing import BinaryIO

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import PATIENT
from fourtuple.lab.script import Lab

#: messages each way, and their length
COUNT, SIZE = 3, 20
#: the key of RFC 6455, section 1.3, and the answer that stands there
KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#: FIN and opcode 1, text; the bit of the mask (RFC 6455, section 5.2)
_TEXT, _MASKED = 0x81, 0x80
PORTS = FRESH, KEPT, WEBSOCKET = 8001, 8002, 8003
_WAYS = {
    FRESH: N_("polling, new connections"),
    KEPT: N_("polling, one connection"),
    WEBSOCKET: N_("WebSocket"),
}

#: as a browser's, without cookies
HEADERS = (
    "Host: server\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: */*\r\nAccept-Language: en\r\nAccept-Encoding: gzip\r\n"
)


def message(number: int) -> bytes:
    return b"message number %04d!" % number


def request(line: str, body: bytes = b"", more: str = "") -> bytes:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{line} HTTP/1.1\r\n{HEADERS}{length}{more}\r\n".encode() + body


def reply(body: bytes) -> bytes:
    status = "200 OK" if body else "204 No Content"
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\n{length}\r\n".encode() + body


def read_head(file: BinaryIO) -> list[str]:
    """The lines before the body; [] at the end of the stream."""
    lines = []
    while (line := file.readline().decode().strip()) != "":
        lines.append(line)
    return lines


def read_body(file: BinaryIO, head: list[str]) -> bytes:
    sizes = [int(line.partition(":")[2]) for line in head if line.startswith("Content-Length:")]
    return file.read(sizes[0]) if sizes else b""


def polling_server(address: str, port: int) -> None:
    """A message for who asks comes up now and then: every second poll finds one."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    polls = 0
    with socket.create_server((address, port), family=family) as listener:
        while True:
            sock, _ = listener.accept()
            with sock, sock.makefile("rb") as file:
                while head := read_head(file):
                    read_body(file, head)
                    polls += head[0].startswith("GET")
                    found = head[0].startswith("GET") and polls % 2 == 0
                    sock.sendall(reply(message(polls // 2) if found else b""))


def polling_client(address: str, port: int, fresh: bool) -> None:
    """Send a message, ask twice; each time on a connection of its own, or on one for all."""
    sock = socket.create_connection((address, port))
    file = sock.makefile("rb")
    for number in range(1, COUNT + 1):
        for asked in (request("POST /chat", message(number)), *[request("GET /chat")] * 2):
            if sock.fileno() < 0:
                sock = socket.create_connection((address, port))
                file = sock.makefile("rb")
            sock.sendall(asked)
            if text := read_body(file, read_head(file)):
                print(text.decode())
            if fresh:
                file.close()
                sock.close()
    file.close()
    sock.close()


def websocket_server(address: str) -> None:
    """A page by HTTP, then the upgrade on the same connection, then a message for each message."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, WEBSOCKET), family=family) as listener:
        sock, _ = listener.accept()
    with sock, sock.makefile("rb") as file:
        read_head(file)
        sock.sendall(reply(b"the page"))
        key = next(line for line in read_head(file) if line.startswith("Sec-WebSocket-Key:"))
        digest = hashlib.sha1((key.partition(": ")[2] + _MAGIC).encode()).digest()
        sock.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %s\r\n\r\n" % base64.b64encode(digest)
        )
        for number in range(1, COUNT + 1):
            if read_frame(file, must_be_masked=True) is None:
                return
            sock.sendall(bytes([_TEXT, SIZE]) + message(number))
        file.read()


def read_frame(file: BinaryIO, must_be_masked: bool) -> bytes | None:
    """The text of a frame (RFC 6455, section 5.2), here of less than 126 bytes; None where a
    client has not masked it: its server must close then (section 5.1)."""
    _, second = file.read(2)
    mask = file.read(4) if second & _MASKED else b""
    if must_be_masked and not mask:
        return None
    return masked(file.read(second & ~_MASKED), mask or bytes(4))


def masked(text: bytes, mask: bytes) -> bytes:
    return bytes(byte ^ mask[at % 4] for at, byte in enumerate(text))


def websocket_client(address: str, mask: bytes) -> None:
    with (
        socket.create_connection((address, WEBSOCKET)) as sock,
        sock.makefile("rb") as file,
    ):
        sock.sendall(request("GET /"))
        read_body(file, read_head(file))
        upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        sock.sendall(request("GET /chat", more=f"{upgrade}Sec-WebSocket-Key: {KEY}\r\n"))
        print(next(line for line in read_head(file) if line.startswith("Sec-WebSocket-Accept:")))
        for number in range(1, COUNT + 1):
            bit = _MASKED if mask else 0
            sock.sendall(
                bytes([_TEXT, bit | SIZE]) + mask + masked(message(number), mask or bytes(4))
            )
            print((read_frame(file, must_be_masked=False) or b"").decode())


@experiment(
    covers="A15",
    question="The same messages by HTTP polling and by WebSocket: what does each cost?",
    background=(
        "Polling: each message of the client is a request, and for those of the server it asks "
        "again and again; each carries headers both ways. WebSocket: one request is upgraded, and "
        "then both ends send when they want, a frame of 2 to 14 bytes around each message "
        "(RFC 6455, 1.3 and 5.2). Browsers usually open a connection for that request."
    ),
    try_next=(
        N_("Send cookies of 500 bytes: which of the three costs grow?"),
        N_("Send messages of 200 bytes: the length then takes 2 bytes more in a frame."),
    ),
    tags="http programs",
    mutation=Mutation(N_("the client does not mask its frames"), values={"mask": b""}),
)
def polling_vs_websocket(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    messages = [message(number).decode() for number in range(1, COUNT + 1)]
    for port, fresh in ((FRESH, True), (KEPT, False)):
        server.run(polling_server, server.address, port)
        lab.settle()
        polling = client.run(polling_client, server.address, port, fresh)
        lab.expect(polling.wait(), 0, "port {port}, polling: the client's exit status", port=port)
        lab.expect(polling.output.split("\n")[:-1], messages, "port {port}: what it got", port=port)
        lab.settle()
    server.run(websocket_server, server.address)
    lab.settle()
    mask = lab.value("mask", b"\x37\xfa\x21\x3d")
    chatting = client.run(websocket_client, server.address, mask)
    chatting.wait()
    lab.settle()
    first, *got = chatting.output.split("\n")[:-1]
    lab.expect(first, f"Sec-WebSocket-Accept: {ACCEPT}", "WebSocket: the answer to the key")
    lab.expect(got, messages, "WebSocket: what the client got")
    _costs(lab)


def _costs(lab: Lab) -> None:
    """Of 2 * COUNT messages: bytes above TCP, bytes and segments on the wire."""
    # a SYN that a busy machine has sent again bears the same number
    begun = [lab.segments(port=port, flags="SYN").every("raw_seq") for port in PORTS]
    connections = [len(set(numbers)) for numbers in begun]
    lab.expect(
        connections, [3 * COUNT, 1, 1], "connections: polling anew, polling on one, WebSocket"
    )
    polled = request("POST /chat", message(1)) + reply(b"") + request("GET /chat") * 2
    polled += reply(b"") + reply(message(1))
    for port in (FRESH, KEPT):
        above = sum(lab.segments(port=port, payload=True).lengths)
        lab.expect(above, COUNT * len(polled), "port {port}, polling: bytes above TCP", port=port)
    frames = lab.segments(port=WEBSOCKET, payload=True)[4:]
    lab.expect(
        frames.lengths, [2 + 4 + SIZE, 2 + SIZE] * COUNT, "WebSocket: frames, masked to the server"
    )
    segments, octets = _carried(lab)
    for counts, what in (
        (segments, N_("ports by segments, most first")),
        (octets, N_("ports by bytes on the wire, most first")),
    ):
        order = sorted(counts, key=lambda port: -counts[port])
        lab.expect(order, [FRESH, KEPT, WEBSOCKET], what)
    lab.claim(
        "WebSocket carries the same messages with fewer bytes than polling",
        True,
        "a message of {size} bytes took on average {fresh} bytes and {fresh_n} segments on the "
        "wire by polling on new connections, {kept} and {kept_n} on one, {web} and {web_n} by "
        "WebSocket, its page and upgrade included; above TCP {polled} by polling, {framed} in a "
        "frame",
        source="A",
        evidence=frames.frames,
        size=SIZE,
        fresh=octets[FRESH] // (2 * COUNT),
        kept=octets[KEPT] // (2 * COUNT),
        web=octets[WEBSOCKET] // (2 * COUNT),
        fresh_n=f"{segments[FRESH] / (2 * COUNT):.1f}",
        kept_n=f"{segments[KEPT] / (2 * COUNT):.1f}",
        web_n=f"{segments[WEBSOCKET] / (2 * COUNT):.1f}",
        polled=len(polled) // 2,
        framed=sum(frames.lengths) // (2 * COUNT),
    )
    lab.measured(
        N_("a message of {size} bytes, on average, everything included"),
        (N_("segments"), N_("bytes on the wire")),
        {
            name: (segments[port] / (2 * COUNT), octets[port] // (2 * COUNT))
            for port, name in _WAYS.items()
        },
        size=SIZE,
    )
    opening = lab.segments(port=WEBSOCKET, flags="SYN")
    lab.claim(
        "WebSocket opens a TCP connection of its own",
        False,
        "the page, the request for the upgrade and all messages went over one connection: the "
        "upgrade keeps the one of its HTTP request",
        source="A",
        evidence=[*opening.frames, *lab.segments(port=WEBSOCKET, payload=True).frames[:5]],
    )


def _carried(lab: Lab) -> tuple[dict[int, int], dict[int, int]]:
    """By port, how many segments the wire carried, and how many bytes in their frames."""
    segments, octets = dict.fromkeys(PORTS, 0), dict.fromkeys(PORTS, 0)
    for packet in (one.packet for one in lab.packets()):
        assert packet.tcp is not None
        ends = {packet.tcp.source_port, packet.tcp.destination_port}
        (port,) = ends & set(PORTS)
        segments[port] += 1
        octets[port] += len(packet.data)
    return segments, octets
