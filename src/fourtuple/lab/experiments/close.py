"""How a connection is closed (rows A6, C9, E4)."""

import socket
import time

from fourtuple.errors import N_
from fourtuple.lab.evidence import Segments
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import PATIENT
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import fin

REQUEST, REPLY = b"the question", b"the answer"


@experiment(
    covers="A6 E4 E2",
    question="Why does closing take four segments, and which end waits afterwards?",
    background=(
        "Each direction is closed on its own: a FIN says that no more bytes come that way, and "
        "is acknowledged like a byte (RFC 9293, 3.6). The server's program closes only after its "
        "kernel has acknowledged the client's FIN; closing at once would put both into one segment."
    ),
    try_next=(
        N_("Close both ends at once: lab run close-three, lab run close-simultaneous."),
        N_("Let the server close first, and see which end waits: lab run restart."),
    ),
    tags="close",
    mutation=Mutation(N_("the server closes first"), values={"closes_first": "server"}),
)
def close(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    listener = server.socket().listen(8888)
    sock = client.socket().connect(server, 8888)
    lab.settle()
    peer = listener.accept()
    opening = len(lab.segments())

    first, second = sock, peer
    if lab.value("closes_first", "client") == "server":
        first, second = peer, sock
    first.close()
    lab.settle()
    lab.expect(lab.state(client), "FIN_WAIT2", "the client's state once its FIN is acknowledged")
    lab.expect(lab.state(server), "CLOSE_WAIT", "the server's state before its program closes")
    lab.expect(second.recv(), b"", "recv() at the server: the end of the client's bytes")
    second.close()
    lab.settle()

    steps = lab.segments()[opening:]
    lab.expect(steps.flags, ["FIN ACK", "ACK", "FIN ACK", "ACK"], "the four segments")
    senders = ["client" if step.from_client else "server" for step in steps]
    lab.expect(senders, ["client", "server", "server", "client"], "who sent them")
    lab.expect(steps.every("ack")[1], steps[0].seq + 1, "ack of the client's FIN: its seq + 1")
    lab.expect(steps.every("ack")[3], steps[2].seq + 1, "ack of the server's FIN: its seq + 1")
    lab.expect(
        lab.states(client)[2:],
        ["FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT"],
        "states of the client's socket, which closed first",
    )
    lab.expect(
        lab.states(server)[2:],
        ["CLOSE_WAIT", "LAST_ACK", "CLOSED"],
        "states of the server's socket",
    )

    waiting = lab.connection(client)
    lab.expect(waiting.timer, "time-wait", "the timer that runs at the client")
    seconds = round(waiting.timer_ms / 1000)
    lab.expect(50 <= seconds <= 60, True, "TIME_WAIT lasts 60 s on Linux: {s} s left", s=seconds)
    frames = steps.frames
    lab.claim(
        "close takes four segments",
        "when the other program closes: if at once, its FIN carries the ACK, and there are three",
        "here the server's kernel had acknowledged the FIN before its program closed",
        source="A",
        evidence=frames,
    )
    lab.claim(
        "the end that closes first waits",
        lab.state(client) == "TIME_WAIT" and not lab.sockets(server),
        "the client sent the first FIN and is in TIME_WAIT; the server has no socket left",
        source="E",
        evidence=[frames[0], frames[3]],
    )
    lab.claim(
        "TIME_WAIT lasts 2 MSL",
        False,
        "Linux waits 60 s whatever the MSL is (TCP_TIMEWAIT_LEN); its timer has {seconds} s left",
        source="E",
        evidence=[frames[3]],
        seconds=seconds,
    )
    lab.claim(
        "the server is CLOSED as soon as the last ACK arrives",
        lab.states(server).frames[-1] == frames[3],
        "its socket was gone once that segment had arrived",
        source="E",
        evidence=[frames[3]],
    )


def answer_until_the_end(address: str, wait_s: float) -> None:
    """A server's program: it answers, and closes (after a while) once the client has closed."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 8888), family=family) as listener:
        print("listening", flush=True)
        peer, _ = listener.accept()
        with peer:
            while peer.recv(1024):
                peer.sendall(REPLY)
            time.sleep(wait_s)


def _asked_and_closed(lab: Lab, client: Host, server: Host) -> Segments:
    """A request, its answer, and the segments with which the client's close() ends it."""
    program = server.run(answer_until_the_end, server.address, lab.value("wait_s", 0.0))
    lab.until(lambda: program.output, "The server's program does not listen yet.")
    sock = client.socket().connect(server, 8888)
    sock.send(REQUEST)
    lab.expect(sock.recv_exactly(len(REPLY)), REPLY, "the answer, as the client's program reads it")
    lab.settle()
    before = len(lab.segments())
    sock.close()
    program.wait()
    lab.settle()
    closing: Segments = lab.segments()[before:]
    return closing


@experiment(
    covers="C9",
    question="When do three segments close a connection?",
    background=(
        "A kernel that has just answered delays its next ACK by 40 ms (TCP_ATO_MIN), so that data "
        "may take it along. The program that reads the end of the stream and closes within that "
        "time makes its kernel send one segment: the FIN, which carries the ACK (RFC 9293, 3.6)."
    ),
    try_next=(
        N_("Give the server more to do between recv() and close(), and count again."),
        N_("Close both ends at the same moment: lab run close-simultaneous."),
    ),
    tags="close",
    mutation=Mutation(N_("the server's program closes 0.2 s later"), values={"wait_s": 0.2}),
)
def close_three(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    for _ in range(5):  # on a busy machine a program may get no processor for 40 ms
        steps = _asked_and_closed(lab, client, server)
        if len(steps) == 3:
            break
    lab.expect(steps.flags, ["FIN ACK", "FIN ACK", "ACK"], "the three segments")
    lab.expect(steps[1].ack, steps[0].next_seq, "the server's FIN acknowledges the client's")
    lab.expect(
        lab.states(client)[-2:],
        ["FIN_WAIT1", "TIME_WAIT"],
        "states of the client's socket: FIN_WAIT2 is passed over",
    )
    lab.expect(
        lab.states(server)[-3:],
        ["CLOSE_WAIT", "LAST_ACK", "CLOSED"],
        "states of the server's socket",
    )
    lab.claim(
        "close takes four segments",
        "when the other program closes: if at once, its FIN carries the ACK, and there are three",
        "the server's program closed before its kernel had sent the delayed ACK: one segment does "
        "what two did",
        source="C",
        evidence=steps.frames,
    )


@experiment(
    covers="C9 E1",
    question="Can the FIN carry data?",
    background=(
        "FIN is a bit in the header and takes the number after the segment's last byte: the two go "
        "together (RFC 9293, 3.4). Linux puts the FIN on data that has not left yet "
        "(tcp_send_fin); here TCP_CORK keeps the data back until close()."
    ),
    try_next=(N_("Leave TCP_CORK off: data and FIN leave in segments of their own."),),
    tags="close",
    mutation=Mutation(N_("TCP_CORK is off, so the data leaves at once"), values={"cork": 0}),
)
def close_with_data(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    sock, peer = lab.connected(client, server)
    before = len(lab.segments())
    sock.set_option(socket.IPPROTO_TCP, socket.TCP_CORK, lab.value("cork", 1))
    sock.send(REQUEST)
    sock.close()
    lab.settle()

    last = lab.segments()[before]
    size = len(REQUEST)
    lab.expect(last.flags, "FIN PSH ACK", "the flags of the one segment that the client sent")
    lab.expect(last.length, size, "its payload")
    answer = lab.segments(sent_by=server)[-1]
    lab.expect(answer.ack, last.seq + size + 1, "the server's ack: the data and one for the FIN")
    lab.expect(peer.recv(), REQUEST, "the first recv() at the server: the data")
    lab.expect(peer.recv(), b"", "the second recv(): the end")
    peer.close()
    lab.settle()
    lab.claim(
        "a FIN may carry data",
        last.length == size,
        "this one carries {bytes} bytes, and the ack of both is its seq + {bytes} + 1",
        source="C",
        evidence=[last.frame, answer.frame],
        bytes=size,
    )


@experiment(
    covers="E4 C9 A6",
    question="What may still flow once one direction is closed?",
    background=(
        "shutdown(SHUT_WR) closes one direction: the FIN says no more than that its sender has "
        "nothing to add. The other direction stays open as long as it is needed: the closer waits "
        "in FIN_WAIT2, reads, and acknowledges (RFC 9293, 3.6). That is why closing takes two FINs."
    ),
    try_next=(
        N_("Call close() instead of shutdown(): the first data then draws a RST."),
        N_("Let the client write after its shutdown(): send() fails with EPIPE."),
    ),
    tags="close",
    mutation=Mutation(N_("the client calls close() instead"), values={"call": "close"}),
)
def half_close(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    sock, peer = lab.connected(client, server)
    sock.send(REQUEST)
    lab.settle()
    if lab.value("call", "shutdown") == "close":
        sock.close()
    else:
        sock.shutdown("write")
    lab.settle()
    closing = lab.segments(sent_by=client)[-1]
    lab.expect(peer.recv(), REQUEST, "what the server reads first")
    lab.expect(peer.recv(), b"", "what it reads next: the end of the client's bytes")

    parts = [lab.bytes(4000) for _ in range(3)]
    for part in parts:
        peer.send(part)
        lab.settle()
        lab.expect(lab.state(client), "FIN_WAIT2", "the client's state while data comes")
        lab.expect(lab.state(server), "CLOSE_WAIT", "the server's state while it sends")
        lab.expect(sock.recv_exactly(len(part)), part, "what the client reads after its shutdown()")
    flowed = [s for s in lab.segments(sent_by=server, payload=True) if s.frame > closing.frame]
    lab.expect(sum(s.length for s in flowed), 12000, "bytes that came after the client's FIN")
    lab.expect_error("EPIPE", lambda: sock.send(REQUEST), "send() at the client after shutdown()")

    peer.close()
    lab.expect(sock.recv(), b"", "the end of the server's bytes, at last")
    lab.settle()
    fins = [s for s in lab.segments() if "FIN" in s.flags]
    lab.expect([s.from_client for s in fins], [True, False], "the two FINs: the client's is first")
    lab.expect(lab.state(client), "TIME_WAIT", "the client's state: it closed first")
    lab.claim(
        "close takes four segments",
        "when the other program closes: if at once, its FIN carries the ACK, and there are three",
        "between the two FINs the server sent {count} more segments of data",
        source="E",
        evidence=[s.frame for s in fins],
        count=len(flowed),
    )


@experiment(
    covers="C9 E2",
    question="What happens when both ends close at the same moment?",
    background=(
        "Each FIN meets an end that has sent its own and has no ACK of it: FIN_WAIT1 becomes "
        "CLOSING, and the ACK then brings TIME_WAIT, at both ends (RFC 9293, 3.6, figure 13). The "
        "wire holds the client's FIN until the server's has entered too: so they cross."
    ),
    try_next=(N_("Release the client's FIN later: only one end goes through CLOSING."),),
    tags="close",
    mutation=Mutation(N_("the server closes after the FIN has come"), values={"crossing": False}),
)
def close_simultaneous(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    sock, peer = lab.connected(client, server)
    before = len(lab.segments())
    crossing = lab.value("crossing", True)
    if crossing:
        lab.wire.hold(fin.sent_by(client).first(), until=fin.sent_by(server))
    sock.close()
    if not crossing:
        lab.settle()
    peer.close()
    lab.settle()

    fins = [s for s in lab.segments()[before:] if "FIN" in s.flags]
    lab.expect([s.from_client for s in fins], [True, False], "the two FINs")
    lab.expect([s.ack for s in fins], [1, 1], "their acks: neither has seen the other")
    course = ["FIN_WAIT1", "CLOSING", "TIME_WAIT"]
    lab.expect(lab.states(client)[2:], course, "states of the client's socket")
    lab.expect(lab.states(server)[2:], course, "states of the server's socket")
    lab.claim(
        "the end that closes first waits",
        N_("who is first: where both close before they hear of the other, both wait"),
        "the two FINs crossed, and both ends are in TIME_WAIT",
        source="E",
        evidence=[s.frame for s in fins],
    )
