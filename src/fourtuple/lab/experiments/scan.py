"""What a port scan asks, and what it leaves behind (row A1)."""

import json
import socket
import sys
from collections.abc import Sequence
from typing import Any

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.hosts.sockets import HostSocket
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import segment

OPEN, CLOSED, FILTERED = 8080, 8081, 8082


def textbook_scanner(address: str, ports: Sequence[int]) -> None:
    """As the textbooks have it: connect() to one port after another, with a time-out."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in ports:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.settimeout(0.5)
            if sock.connect_ex((address, port)) == 0:
                print(f"{port} IS OPEN")


def run_scan(client: Host, server: Host, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """Have the client run fourtuple scan: its exit status, and the objects that it prints.

    Nothing is asked twice: else a probe whose answer is late, because the machine is busy, would be
    on the wire once more. The answer to each may take as long as a SYN of the kernel's own may.
    """
    command = [sys.executable, "-m", "fourtuple", "scan", server.address, "--json"]
    program = client.run([*command, "--timeout", "1", "--retries", "0", *options])
    status = program.wait()
    printed = [line for line in program.output.splitlines() if line.startswith("{")]
    return status, [json.loads(line) for line in printed]


def scan(
    client: Host, server: Host, methods: str, ports: Sequence[int] = (OPEN, CLOSED, FILTERED)
) -> dict[tuple[str, int], str]:
    """The same: (method, port) -> state."""
    listed = ",".join(map(str, ports))
    _, found = run_scan(client, server, "-p", listed, "--method", methods)
    return {(one["method"], one["port"]): one["state"] for one in found if one["kind"] == "port"}


def meet(lab: Lab, client: Host, server: Host, listener: HostSocket) -> None:
    """An ordinary connection afterwards: the scan left a listener that does its work."""
    sock = client.socket().connect(server, OPEN)
    listener.accept()
    sock.close()
    lab.settle()


@experiment(
    covers="A1",
    question="What does a scan with connect() leave on the wire, and at the server?",
    background=(
        "connect() sends a SYN and waits. SYN ACK: the port is open, and the handshake is already "
        "complete when connect() returns. RST ACK: no socket listens (ECONNREFUSED). Silence: a "
        "firewall drops the SYN, or the host is not there; only a time-out ends the wait."
    ),
    try_next=(
        N_("Open a second port, and have the scanner send a byte before it closes."),
        N_("Let the firewall answer: server.nft() with a reject rule, instead of lab.wire.drop()."),
    ),
    tags="scan",
    mutation=Mutation(
        "the firewall drops what goes to the open port, too",
        wire=lambda lab: lab.wire.drop(segment.port(OPEN)),
    ),
)
def scan_connect(lab: Lab) -> None:
    client, server = lab.pair()
    lab.wire.drop(segment.to(server).port(FILTERED))  # as a firewall does
    listener = server.socket().listen(OPEN)
    scanner = client.run(textbook_scanner, server.address, [OPEN, CLOSED, FILTERED])
    lab.expect(scanner.wait(), 0, "the scanner's exit status")
    lab.settle()
    lab.expect(scanner.output, f"{OPEN} IS OPEN\n", "what the scanner printed")

    asked = lab.segments(port=OPEN)
    lab.expect(
        asked.flags,
        ["SYN", "SYN ACK", "ACK", "FIN ACK", "ACK"],
        "the open port: a whole connection, closed by the scanner",
    )
    refused = lab.segments(port=CLOSED)
    lab.expect(refused.flags, ["SYN", "RST ACK"], "the closed port: refused by a RST")
    dropped = lab.segments(port=FILTERED)
    lab.expect(dropped.flags, ["SYN"], "the filtered port: a SYN, and silence")
    (waiting,) = lab.sockets(server, listening=True)
    lab.expect(waiting.recv_q, 1, "connections in the accept queue, after the scan has ended")
    peer = listener.accept()
    lab.expect(peer.recv(), b"", "recv() at the server: the scanner sent nothing and closed")

    lab.claim(
        "a connect scan is seen by the server's program",
        True,
        "accept() gave it a connection that carried 0 bytes",
        source="A",
        evidence=asked.frames,
    )
    lab.claim(
        "a closed port answers, a filtered one does not",
        refused.flags == ["SYN", "RST ACK"] and len(dropped) == 1,
        "RST ACK came from the closed port at once; from the filtered one nothing came in 0.5 s",
        source="A",
        evidence=[*refused.frames, *dropped.frames],
    )


@experiment(
    covers="A1",
    question="Why is a SYN scan called half-open, and who sends the RST that ends it?",
    background=(
        "The scanner sends a SYN of its own making: no socket of its kernel knows of it. The "
        "answer tells the state of the port, and nobody completes the handshake. To the scanner's "
        "kernel a SYN ACK is a segment for no connection, and gets RST (RFC 9293, 3.10.7.1)."
    ),
    try_next=(N_("Drop the scanner's RST (rst.sent_by(client)): the server repeats its SYN ACK."),),
    tags="scan",
    mutation=Mutation(
        "the firewall drops what goes to the open port, too",
        wire=lambda lab: lab.wire.drop(segment.port(OPEN)),
    ),
)
def scan_syn(lab: Lab) -> None:
    client, server = lab.pair()
    lab.wire.drop(segment.to(server).port(FILTERED))  # as a firewall does
    listener = server.socket().listen(OPEN)
    states = scan(client, server, "syn")
    lab.settle()
    lab.expect(states.get(("syn", OPEN)), "open", "what the scan says of the open port")
    lab.expect(states.get(("syn", CLOSED)), "closed", "what it says of the closed port")
    lab.expect(states.get(("syn", FILTERED)), "filtered", "what it says of the filtered port")

    asked = lab.segments(port=OPEN)
    lab.expect(asked.flags, ["SYN", "SYN ACK", "RST"], "the open port: half a handshake, then RST")
    refused = lab.segments(port=CLOSED)
    lab.expect(refused.flags, ["SYN", "RST ACK"], "the closed port: refused by a RST")
    dropped = lab.segments(port=FILTERED)
    lab.expect(dropped.flags, ["SYN"], "the filtered port: a SYN, and silence")
    (waiting,) = lab.sockets(server, listening=True)
    lab.expect(waiting.recv_q, 0, "connections in the accept queue")
    lab.expect(len(lab.sockets(server)), 0, "connections that the server's kernel still holds")

    lab.claim(
        "the server's program does not notice a SYN scan",
        True,
        "its accept queue stayed empty: the handshake was never complete",
        source="A",
        evidence=asked.frames,
    )
    lab.claim(
        "the scanner's program sends the RST that ends it",
        False,
        "the scanner's kernel does: no socket of its own has sent the SYN that is answered",
        source="A",
        evidence=[asked.frames[-1]],
    )
    meet(lab, client, server, listener)
    lab.expect(len(lab.segments(port=OPEN)) > 3, True, "an ordinary connection is still possible")


@experiment(
    covers="A1",
    question="What do FIN, NULL and XMAS scans learn, and why does an open port not answer?",
    background=(
        "A closed port answers any segment but RST with RST. A listener drops what carries neither "
        "SYN, ACK nor RST, without a word (RFC 9293, 3.10.7.2), and Linux does as the RFC says "
        "(tcp_rcv_state_process). So silence means open - or filtered: the two look alike."
    ),
    try_next=(
        N_("Scan the same ports with ACK, in the lab: fourtuple scan ADDRESS --method ack."),
    ),
    tags="scan",
    mutation=Mutation(
        "the firewall drops what goes to the closed port, too",
        wire=lambda lab: lab.wire.drop(segment.port(CLOSED)),
    ),
)
def scan_fin(lab: Lab) -> None:
    client, server = lab.pair()
    lab.wire.drop(segment.to(server).port(FILTERED))  # as a firewall does
    listener = server.socket().listen(OPEN)
    states = scan(client, server, "fin,null,xmas")
    lab.settle()
    methods = ("fin", "null", "xmas")
    of_closed = [states.get((method, CLOSED)) for method in methods]
    lab.expect(of_closed, ["closed"] * 3, "what the three scans say of the closed port")
    silent = [states.get((method, port)) for method in methods for port in (OPEN, FILTERED)]
    lab.expect(
        silent, ["open|filtered"] * 6, "what they say of the open and of the filtered port alike"
    )
    answers = lab.segments(sent_by=server)
    lab.expect(answers.flags, ["RST ACK"] * 3, "all that the server sent, one for each scan")
    closed_first = lab.segments(port=CLOSED, sent_by=client)[0]
    lab.expect(closed_first.flags, "FIN", "a probe of the FIN scan")
    (waiting,) = lab.sockets(server, listening=True)
    lab.expect(waiting.recv_q, 0, "connections in the accept queue")
    lab.claim(
        "a FIN scan tells open ports from filtered ones",
        False,
        "both were silent; only closed ports answered",
        source="A",
        evidence=answers.frames,
    )
    lab.claim(
        "a listener ignores a FIN that belongs to no connection",
        True,
        "the open port sent nothing, and its listener still accepts",
        source="A",
        evidence=lab.segments(port=OPEN).frames,
    )
    meet(lab, client, server, listener)


@experiment(
    covers="A1",
    question="Does a scan find what the server's own socket table has?",
    background=(
        "netstat and ss show, on the server, which sockets listen. A scan shows what answers "
        "from outside. Where the two differ, something is in between; fourtuple scan --verify "
        "compares them, because a program of the lab may look into the other host's table."
    ),
    try_next=(N_("Bind the second listener to 127.0.0.1: it listens, and no scan finds it."),),
    tags="scan",
    mutation=Mutation(
        "the firewall drops what goes to the open port, too",
        wire=lambda lab: lab.wire.drop(segment.port(OPEN)),
    ),
)
def scan_verified(lab: Lab) -> None:
    client, server = lab.pair()
    lab.wire.drop(segment.to(server).port(FILTERED))  # as a firewall does
    listeners = [server.socket().listen(port) for port in (OPEN, FILTERED)]
    ports = f"{OPEN}-{FILTERED}"
    status, found = run_scan(client, server, "-p", ports, "--method", "syn", "--verify")
    lab.settle()
    (compared,) = [one for one in found if one["kind"] == "comparison"]
    lab.expect(compared["agreed"], [OPEN], "found open, and a socket listens")
    lab.expect(compared["only_listening"], [FILTERED], "a socket listens, and the scan is silent")
    lab.expect(compared["only_found"], [], "found open, and no socket listens")
    lab.expect(status, 1, "the scan's exit status, because they differ")
    table = sorted(one.local.port for one in lab.sockets(server, listening=True))
    lab.expect(table, [OPEN, FILTERED], "the ports that listen in the server's socket table")
    dropped = lab.segments(port=FILTERED)
    lab.claim(
        "a port scan finds every port that listens",
        False,
        "port {port} listens too, but its SYN was dropped on the way",
        source="A",
        evidence=dropped.frames,
        port=FILTERED,
    )
    meet(lab, client, server, listeners[0])
