"""Textbook programs, run as they stand: server and client over TCP, UDP and raw IP
(rows A2, B1, C1, E6)."""

import socket
from functools import partial

from fourtuple.errors import N_
from fourtuple.event.model import Call
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.experiments.client_gone import upper_casing_server
from fourtuple.lab.hosts.baseline import PATIENT
from fourtuple.lab.hosts.programs import RunningProgram
from fourtuple.lab.script import Lab

SERVER_CALLS = [
    "socket",
    "setsockopt",
    "bind",
    "listen",
    "accept",
    "recv",
    "sendall",
    "close",
    "close",
]
CLIENT_CALLS = ["socket", "connect", "sendall", "recv", "recv", "close"]
#: for experiments (RFC 3692); no kernel knows it
RAW_PROTOCOL = 253


def family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def minimal_server(address: str, reuse: int) -> None:
    with socket.socket(family_of(address), socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        listener.bind((address, 8080))
        listener.listen(1)
        sock, _ = listener.accept()
        with sock:
            name = sock.recv(1024)
            sock.sendall(b"Hello, " + name)


def minimal_client(address: str) -> None:
    with socket.socket(family_of(address), socket.SOCK_STREAM) as sock:
        sock.connect((address, 8080))
        sock.sendall(b"Alice")
        while part := sock.recv(1024):
            print(part.decode(), end="")


@experiment(
    covers="B1 C1",
    question="What is the least that a TCP server and its client call, and in which order?",
    background=(
        "Server: socket, bind, listen, accept, then recv and send, close. Client: socket, connect, "
        "send and recv, close. The server here closes first, so TIME_WAIT keeps its port: it sets "
        "SO_REUSEADDR, to be able to start again at once (RFC 9293, 3.6.1; socket(7))."
    ),
    try_next=(
        N_("Leave SO_REUSEADDR out: lab run restart"),
        N_("Start the client first: lab run closed-port"),
    ),
    tags="programs",
    mutation=Mutation(N_("SO_REUSEADDR is not set"), values={"reuse": 0}),
)
def minimal_programs(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    for run in (1, 2):
        waiting = server.run(minimal_server, server.address, lab.value("reuse", 1))
        lab.settle()
        listeners = lab.sockets(server, listening=True)
        lab.expect([row.local.port for row in listeners], [8080], "run {run}: ports that listen",
                   run=run)  # fmt: skip
        asking = client.run(minimal_client, server.address)
        lab.expect(asking.wait(), 0, "the client's exit status")
        lab.expect(waiting.wait(), 0, "the server's exit status")
        lab.expect(asking.output, "Hello, Alice", "what the client prints")
        lab.settle()
    calls = lab.timeline().of(Call)
    made = {
        host: [call.name for call in calls if call.host == host] for host in ("server", "client")
    }
    lab.expect(made["server"], SERVER_CALLS * 2, "the server's calls, in order")
    lab.expect(made["client"], CLIENT_CALLS * 2, "the client's calls, in order")
    fins = [segment for segment in lab.segments() if "FIN" in segment.flags]
    lab.expect(
        [fin.from_client for fin in fins], [False, True] * 2, "who sends FIN: the server first"
    )
    waits = [row.state for row in lab.sockets(server)]
    lab.expect(waits, ["TIME_WAIT"] * 2, "the server's sockets afterwards")


def line_client(address: str, lines: tuple[str, ...]) -> None:
    """Send each line, and print the answer."""
    with socket.create_connection((address, 8888)) as sock:
        for line in lines:
            sock.sendall(line.encode())
            print(sock.recv(1024).decode())


@experiment(
    covers="E6",
    question="An echo server in a loop, a client in a loop: what goes to and fro?",
    background=(
        "The server's inner loop answers one client until recv() returns b'', the outer one takes "
        "the next. Linux acknowledges the first data of a connection at once; later an answer that "
        "comes soon takes the acknowledgment along (RFC 9293, 3.8.6.3; tcp_event_data_recv)."
    ),
    try_next=(
        N_("Send an empty line: lab run empty-input"),
        N_("Kill the client instead of closing it: lab run client-killed"),
    ),
    tags="programs data",
    mutation=Mutation(N_("the client sends all lines at once"), values={"lines": ("onetwothree",)}),
)
def echo_loop(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    server.run(upper_casing_server, server.address, True)
    lab.settle()
    lines = lab.value("lines", ("one", "two", "three"))
    first = client.run(line_client, server.address, lines)
    lab.expect(first.wait(), 0, "the first client's exit status")
    lab.settle()
    data = lab.segments(payload=True)
    lab.expect(data.lengths, [3, 3, 3, 3, 5, 5], "bytes of each question and its answer")
    lab.expect(first.output.split(), ["ONE", "TWO", "THREE"], "what the first client prints")
    turns = [segment.from_client for segment in data]
    lab.expect(turns, [True, False] * 3, "they take turns", evidence=data.frames)
    acks = [segment.ack for segment in data if not segment.from_client]
    lab.expect(acks, [4, 7, 12], "each answer acknowledges its question", evidence=data.frames)

    second = client.run(line_client, server.address, ("next",))
    lab.expect(second.wait(), 0, "the second client's exit status")
    lab.expect(second.output.split(), ["NEXT"], "what it prints: the outer loop took it")
    lab.settle()


def tcp_server(address: str) -> None:
    with socket.create_server((address, 8888), family=family_of(address)) as listener:
        sock, _ = listener.accept()
        with sock:
            while data := sock.recv(1024):
                sock.sendall(data.upper())


def tcp_client(address: str, lines: tuple[str, ...]) -> None:
    with socket.socket(family_of(address), socket.SOCK_STREAM) as sock:
        sock.connect((address, 8888))
        for line in lines:
            if line == "q":
                return
            sock.sendall(line.encode())
            print(sock.recv(1024).decode())
        sock.recv(1024)


def udp_server(address: str) -> None:
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.bind((address, 8888))
        while True:
            data, client = sock.recvfrom(1024)
            sock.sendto(data.upper(), client)


def udp_client(address: str, lines: tuple[str, ...]) -> None:
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        for line in lines:
            if line == "q":
                return
            sock.sendto(line.encode(), (address, 8888))
            print(sock.recvfrom(1024)[0].decode())
        sock.recvfrom(1024)


def raw_server(address: str) -> None:
    with socket.socket(family_of(address), socket.SOCK_RAW, RAW_PROTOCOL) as sock:
        while True:
            packet, client = sock.recvfrom(1024)
            sock.sendto(without_header(packet, address).upper(), client)


def raw_client(address: str, lines: tuple[str, ...]) -> None:
    with socket.socket(family_of(address), socket.SOCK_RAW, RAW_PROTOCOL) as sock:
        for line in lines:
            if line == "q":
                return
            sock.sendto(line.encode(), (address, 0))
            print(without_header(sock.recvfrom(1024)[0], address).decode())
        sock.recvfrom(1024)


def without_header(packet: bytes, address: str) -> bytes:
    """A raw socket gives the IPv4 header too (raw(7)), but never IPv6's (RFC 3542, section 3)."""
    return packet if ":" in address else packet[(packet[0] & 0xF) * 4 :]


KINDS = {
    "TCP": (tcp_server, tcp_client),
    "UDP": (udp_server, udp_client),
    "RAW": (raw_server, raw_client),
}


@experiment(
    covers="A2",
    question="The same talk over TCP, UDP and raw IP: what does each need besides the data?",
    background=(
        "A stream socket opens and closes a connection; a datagram socket puts a header with two "
        "ports before the data; a raw socket gives them to IP as they are, without any port "
        "(tcp(7), udp(7), raw(7)). Opening a raw socket needs CAP_NET_RAW."
    ),
    try_next=(
        N_("Send 2934 bytes with each: lab run udp-fragments"),
        N_("Put SOCK_DGRAM into the TCP programs: at which call does each fail?"),
    ),
    tags="programs udp layers",
    mutation=Mutation(N_("the clients do not quit"), values={"lines": ("hello",)}),
)
def talk_over_each(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    lines = lab.value("lines", ("hello", "q"))
    before_data, further, running = {}, {}, {}
    for kind, (serving, asking) in KINDS.items():
        begin = len(lab.packets())
        listening = server.run(serving, server.address)
        lab.settle()
        talking = client.run(asking, server.address, lines)
        lab.until(partial(_has_printed, talking), "No answer came.")
        lab.settle()
        lab.expect(talking.output.strip(), "HELLO", "{kind}: what the client prints", kind=kind)
        lab.expect(talking.running, False, "{kind}: the client still runs after q", kind=kind)
        carried = [_carries(one.packet.data) for one in lab.packets()[begin:]]
        before_data[kind] = carried.index("hello")
        further[kind] = bool(carried[carried.index("HELLO") + 1 :])
        running[kind] = listening.running
    counts = list(before_data.values())
    lab.expect(counts, [3, 0, 0], "packets before the first data: TCP, UDP, RAW")
    ends = list(further.values())
    lab.expect(ends, [True, False, False], "packets after the last data: TCP, UDP, RAW")
    known = list(running.values())
    lab.expect(
        known, [False, True, True], "the server still runs: only TCP's learns that its client quit"
    )
    seen = lab.packets(sent_by=client)[-1].packet
    lab.expect(seen.payload, b"hello", "the raw client's packet: IP, and then the data at once")
    lab.claim(
        "a server learns that its client has quit",
        "the protocol: TCP's FIN says so; over UDP and raw IP nothing is sent",
        "after q the TCP server ended; the other two still wait",
        source="A",
        evidence=lab.segments(flags="FIN ACK").frames[:1],
    )


def _has_printed(program: RunningProgram) -> bool:
    return bool(program.output) or not program.running


def _carries(data: bytes) -> str:
    """Which of the two messages a frame carries, if any."""
    return next((word for word in ("hello", "HELLO") if word.encode() in data), "")
