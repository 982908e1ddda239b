"""A client that goes without a word, and a server that must notice (row E8)."""

import socket
from typing import Any

from fourtuple.errors import N_
from fourtuple.event.model import Call
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import PATIENT
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.script import Lab


def upper_casing_server(address: str, cured: bool) -> None:
    """As the textbooks have it: one client at a time, "so that the server survives".

    Not cured, it waits for an exception that Linux never raises: recv() says the end by b"".
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 8888), family=family) as listener:
        while True:
            sock, _ = listener.accept()
            with sock:
                while True:
                    try:
                        data = sock.recv(1024)
                        if cured and not data:
                            break
                        sock.send(data.upper())
                    except ConnectionResetError:
                        break


def recv_calls(lab: Lab) -> list[Call]:
    """The recv() calls of the server's program that have returned."""
    calls = lab.timeline().of(Call)
    return [c for c in calls if c.host == "server" and c.name == "recv" and c.result is not None]


def queue_length(lab: Lab, server: Host) -> Any:
    """How many connections wait for the server's accept()."""
    return lab.sockets(server, listening=True)[0].recv_q


@experiment(
    covers="E8",
    question="A client is killed: what does the server's program get to know?",
    background=(
        "The kernel closes the sockets of a process that ends, however it ends: FIN goes out, as "
        "if the program had called close(), and recv() returns b''. Only with unread data in the "
        "killed client's buffer it is a RST, and recv() fails with ECONNRESET."
    ),
    try_next=(
        N_("See a server that only waits for an exception: lab run spinning-server"),
        N_("Let the whole host vanish, not only the program: then nothing is sent at all."),
    ),
    tags="program closing",
    mutation=Mutation(N_("the client is left alive"), values={"kill": False}),
)
def client_killed(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    listener = server.socket().listen(8888)
    for unread in (False, True):
        doomed = client.program("doomed")
        doomed.socket().connect(server, 8888)
        lab.settle()
        peer = listener.accept()
        if unread:
            peer.send(b"never read")
            lab.settle()
        before = len(lab.segments())
        if lab.value("kill", True):
            doomed.kill()
        lab.settle()
        last = lab.segments()[before:]
        if unread:
            lab.expect(last.flags, ["RST ACK"], "killed with unread data: what its kernel sends")
            lab.expect_error("ECONNRESET", peer.recv, "recv() at the server")
        else:
            lab.expect(last.flags, ["FIN ACK", "ACK"], "killed: what its kernel sends, the answer")
            lab.expect(peer.recv(), b"", "recv() at the server: an orderly end")
            plain = last
        peer.close()
        lab.settle()
    again = client.socket().connect(server, 8888)
    lab.settle()
    listener.accept().send(b"next, please")
    lab.expect(again.recv(), b"next, please", "the server survives and serves the next")
    lab.claim(
        "a client that is killed resets its connection",
        "unread data: with some in its buffer its kernel sends RST, else FIN as after close()",
        "the first sent FIN, the second, which had not read all, RST",
        source="E",
        evidence=[plain[0].frame, last[0].frame],
    )


@experiment(
    covers="E8",
    question="Why does a server that catches ConnectionResetError spin when its client is gone?",
    background=(
        "On Linux the end of a killed client is an orderly one: recv() returns b'' at once, again "
        "and again. A loop that ends on an exception only reads nothing and sends nothing for "
        "ever, one processor busy, the next client waiting. Testing for b'' is the cure."
    ),
    try_next=(
        N_("Watch a program spin in your own system: strace -c -p PID counts its calls."),
        N_("Serve each client in a thread: one that spins does not keep the others out."),
    ),
    tags="program closing",
    mutation=Mutation(N_("the first server is the cured one too"), values={"cured": True}),
)
def spinning_server(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    spinning = server.run(upper_casing_server, server.address, lab.value("cured", False))
    lab.settle()
    first, second = client.program("first client"), client.program("second client")
    sock = first.socket().connect(server, 8888)
    sock.send(b"hello")
    lab.expect(sock.recv(), b"HELLO", "the server's answer to the first client")
    waiting = second.socket().connect(server, 8888)
    waiting.send(b"and me?")
    lab.settle()
    first.kill()
    lab.until(
        lambda: len(recv_calls(lab)) > 20 or not queue_length(lab, server),
        N_("The server's program neither spins nor goes on."),
    )
    lab.expect(queue_length(lab, server), 1, "connections that wait while the program spins")
    spinning.kill()
    spinning.wait()
    results = [call.result for call in recv_calls(lab)]
    lab.expect(results[1:21], [0] * 20, "recv() after the client was killed: b'', 20 times and on")
    lab.expect_error("ECONNRESET", waiting.recv, "recv() of the second client: never accepted")

    cured = server.run(upper_casing_server, server.address, True)
    lab.settle()
    third = client.program("third client")
    third.socket().connect(server, 8888)
    lab.settle()
    third.kill()
    last = second.socket().connect(server, 8888)
    last.send(b"and me?")
    lab.expect(last.recv(), b"AND ME?", "the cured server serves the next client")
    lab.expect(cured.running, True, "it is still running")
    lab.claim(
        "recv() raises ConnectionResetError when the client is gone",
        False,
        "it returned b'' {count} times and raised nothing",
        source="E",
        count=len(results) - 1,
    )
