"""What a program gets out of a connection: a stream of bytes, queues, and waiting (rows E7, E10,
E12)."""

import errno
import socket

from fourtuple.errors import N_, CallFailed
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import PATIENT
from fourtuple.lab.hosts.sockets import HostSocket
from fourtuple.lab.script import Lab

HELLO, WORLD = b"Hello, ", b"world!"
#: the kernel doubles what SO_SNDBUF and SO_RCVBUF ask for
SMALL_BUFFER = 8192
#: more than both buffers hold
LARGE = 40_000


@experiment(
    covers="E12 E10",
    question="Does one recv() return what one send() sent?",
    background=(
        "TCP carries a stream of bytes and keeps no borders of messages (RFC 9293, 2.2). recv() "
        "returns what is there, at most as much as it was asked for: two sends at once, or a part "
        "of one. A program that needs messages marks them: by a length, or by an end."
    ),
    try_next=(
        N_("Read between the two sends: then each recv() gets one of them, by luck alone."),
        N_("Mark the end of a message with a line feed instead of a length before it."),
    ),
    tags="programs",
    mutation=Mutation(N_("the server reads after each send"), values={"read_between": True}),
)
def stream(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    sock, peer = lab.connected(client, server)

    sock.send(HELLO)
    lab.settle()
    early = peer.recv(100) if lab.value("read_between", False) else b""
    sock.send(WORLD)
    lab.settle()
    two = lab.segments(sent_by=client, payload=True)
    lab.expect(two.lengths, [len(HELLO), len(WORLD)], "two sends, two segments")
    together = early or peer.recv(100)
    lab.expect(together, HELLO + WORLD, "one recv() returns both")

    letter = lab.bytes(1000)
    sock.send(letter)
    lab.settle()
    parts = [peer.recv(400) for _ in range(3)]
    lab.expect([len(part) for part in parts], [400, 400, 200], "one send, three recv() calls")
    lab.expect(b"".join(parts), letter, "in order, they are what was sent")

    for message in (HELLO, WORLD):
        sock.send(len(message).to_bytes(2, "big") + message)
    lab.settle()
    for message in (HELLO, WORLD):
        size = int.from_bytes(peer.recv_exactly(2), "big")
        lab.expect(
            peer.recv_exactly(size), message, "a length before each message keeps them apart"
        )
    lab.claim(
        "one recv() returns what one send() sent",
        False,
        "one recv() returned two sends; another send took three recv() calls",
        source="E",
        evidence=two.frames,
    )


@experiment(
    covers="E10",
    question="What does send() do when the buffers are full?",
    background=(
        "send() copies into the socket's send queue; recv() copies out of the receive queue; the "
        "kernel moves bytes from one to the other as the window allows. With both full, a blocking "
        "send() waits, any other takes what fits and returns that number, and nothing is lost "
        "(send(2), tcp_sendmsg)."
    ),
    try_next=(
        N_("Use sendall(): it calls send() until all has been taken."),
        N_("See what the wire carries while the receiver has no room: lab run zero-window."),
    ),
    tags="programs window",
    mutation=Mutation(N_("the buffers hold all of it"), values={"buffer": 100_000}),
)
def full_buffer(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    buffer = lab.value("buffer", SMALL_BUFFER)
    listener = server.socket().set_option(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer).listen(8888)
    sock = client.socket().set_option(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    sock.connect(server, 8888)
    lab.settle()
    peer = listener.accept()
    message = lab.bytes(60_000)

    sock.set_timeout(0)
    counts: list[int] = []
    while count := _send_now(sock, message[sum(counts) :]):
        counts.append(count)
        lab.settle()
    taken = sum(counts)
    lab.expect(
        taken < len(message), True, "without waiting, send() took a part: {n} bytes", n=taken
    )
    full = lab.connection(client).send_q, lab.connection(server).recv_q
    lab.expect(sum(full), taken, "bytes in the two queues: all that send() took")

    sock.set_timeout(None)
    waiting = sock.begin.send(message[taken:])
    lab.settle()
    lab.expect(waiting.returned, False, "a blocking send() has returned")
    read = peer.recv_exactly(len(message))
    lab.expect(waiting.result(), len(message) - taken, "what it returns once the server has read")
    lab.expect(read, message, "what the server read: every byte, first in, first out")

    sock.set_timeout(20)  # a send() would now take what fits, and return
    looping = sock.call("sendall", message[:LARGE], background=True)
    lab.settle()
    lab.expect(looping.returned, False, "sendall() has returned")
    lab.expect(peer.recv_exactly(LARGE), message[:LARGE], "what the server reads of that: all")
    lab.expect(
        looping.result(), None, "what sendall() returns: it called send() until all was taken"
    )
    lab.settle()
    lab.claim(
        "send loses data when the buffer is full",
        False,
        "without waiting it took {taken} of {size} bytes and said so; a blocking send() waited "
        "until the rest was queued; every byte arrived",
        source="E",
        evidence=lab.segments(sent_by=client, payload=True).frames[-1:],
        taken=taken,
        size=len(message),
    )
    lab.claim(
        "send() takes at most 8 kB at a time",
        False,
        "one blocking send() took {count} bytes",
        source="E",
        count=len(message) - taken,
    )


def _send_now(sock: HostSocket, message: bytes) -> int:
    """What a send() that does not wait takes: 0 where it fails with EAGAIN."""
    try:
        return sock.send(message)
    except CallFailed as refused:
        if refused.errno != errno.EAGAIN:
            raise
        return 0


@experiment(
    covers="E7",
    question="What is sent when a program sends nothing?",
    background=(
        "send() of no bytes puts nothing into the stream, so there is no segment, and a recv() at "
        "the other end goes on waiting. A program that reads an empty line from its user, sends "
        "that and waits for an answer waits for ever: so does its server."
    ),
    try_next=(
        N_("Have the client refuse an empty line, as a cure at the other end."),
        N_("Close instead of sending nothing: recv() then returns 0 bytes, the end."),
    ),
    tags="programs",
    mutation=Mutation(N_("each message ends in a line feed"), values={"end": b"\n"}),
)
def empty_input(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    sock, peer = lab.connected(client, server)
    before = len(lab.segments())

    question = peer.begin.recv(1024)
    lab.expect(sock.send(b"" + lab.value("end", b"")), 0, "what send() of an empty line returns")
    answer = sock.begin.recv(1024)
    lab.settle()
    lab.expect(len(lab.segments()[before:]), 0, "segments that the empty message became")
    lab.expect(question.returned, False, "the server's recv() has returned")
    lab.expect(answer.returned, False, "the client's recv() has returned")
    waiting = [lab.connection(host) for host in (client, server)]
    lab.expect([one.timer for one in waiting], ["", ""], "timers that would end the wait: none")

    lab.expect(sock.send(b"\n"), 1, "the cure: every message ends in a line feed, an empty one too")
    lab.expect(question.result(), b"\n", "the server's recv(): an empty line")
    peer.send(b"\n")
    lab.expect(answer.result(), b"\n", "the client's recv(): the answer to it")
    lab.settle()
    sent = lab.segments(payload=True)
    lab.claim(
        "every send() makes a segment",
        False,
        "send() of 0 bytes returned 0 and no segment left; both programs waited, with no timer "
        "that would have ended it",
        source="E",
        evidence=sent.frames,
    )
