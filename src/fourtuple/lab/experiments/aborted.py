"""Connections that one end gives up with RST (row A12, SO_LINGER 0, and less common ways)."""

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import PATIENT
from fourtuple.lab.script import Lab

MESSAGE = b"still there?"


@experiment(
    covers="A12 cause:data-after-close reason:TCP_TIMEWAIT_SOCKET",
    question="The client has closed, the server still sends: what comes back?",
    background=(
        "After close() no program can read, so data that comes is answered with RST (RFC 9293, "
        "3.6.1). After shutdown(SHUT_WR) the program can still read: there is no RST. The first "
        "send() after the close succeeds, for it only hands bytes to the kernel."
    ),
    try_next=(
        N_("Close with unread data instead: lab run unread-data"),
        N_("See what else the kernel may have kept: lab run what-an-orphan-answers"),
    ),
    tags="reset closing",
    mutation=Mutation(N_("the client calls shutdown(SHUT_WR) instead"), values={"close": False}),
)
def data_after_close(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    listener = server.socket().listen(8888)
    sock = client.socket().connect(server, 8888)
    lab.settle()
    peer = listener.accept()
    if lab.value("close", True):
        sock.close()
    else:
        sock.shutdown("write")
    lab.settle()
    closed = lab.connection(client)
    lab.expect(closed.state, "FIN_WAIT2", "the client's state: it has closed, the server has not")
    lab.expect(peer.recv(), b"", "recv() at the server: the client sends no more")

    lab.expect(peer.send(MESSAGE), len(MESSAGE), "send() at the server succeeds")
    lab.settle()
    data = lab.segments(payload=True)[-1]
    lab.expect(lab.segments()[-1].flags, "RST", "what the client's kernel answers")
    reset = lab.segments()[-1]
    lab.expect(reset.seq, data.ack, "the RST's number is the one that the data acknowledged")
    lab.expect(reset.ack, None, "and it acknowledges nothing")
    lab.expect(lab.state(server), "CLOSED", "the server's socket after the RST")
    lab.expect_error("EPIPE", lambda: peer.send(MESSAGE), "the second send() at the server")
    lab.expect(peer.recv(), b"", "recv() still says that the client has ended")

    before = len(lab.segments())
    sock = client.socket().connect(server, 8888)
    lab.settle()
    peer = listener.accept()
    sock.shutdown("write")
    lab.settle()
    peer.send(MESSAGE)
    lab.settle()
    after = lab.segments()[before:]
    lab.expect([s.flags for s in after if "RST" in s.flags], [], "RSTs after shutdown(SHUT_WR)")
    lab.expect(sock.recv_exactly(len(MESSAGE)), MESSAGE, "the client reads what was sent")

    lab.claim(
        "a client that has closed answers data with RST",
        "on how it closed: after close() it does, after shutdown(SHUT_WR) it takes the data",
        "it did after close(); after shutdown(SHUT_WR) there is no RST, and the data was read",
        source="A",
        evidence=[reset.frame],
    )
    lab.claim(
        "the client that draws this RST is in TIME_WAIT",
        False,
        "its kernel had it in {state}: the server's FIN had not come",
        source="A",
        evidence=[data.frame],
        state=str(closed.state),
    )


@experiment(
    covers="beyond:linger-zero cause:linger-zero reason:TCP_STATE",
    question="What does close() do when SO_LINGER is set to 0 seconds?",
    background=(
        "SO_LINGER with a time of 0 makes close() give the connection up: what was not yet sent is "
        "thrown away, RST goes out instead of FIN, and there is no TIME_WAIT (socket(7); "
        "__tcp_close). On Linux 6.18 the reason of this RST is TCP_STATE."
    ),
    try_next=(
        N_("Compare the states with those of an orderly end: lab run close"),
        N_("Start the same server again at once: nothing is left in TIME_WAIT to forbid it."),
    ),
    tags="reset closing",
    mutation=Mutation(N_("SO_LINGER is left alone"), values={"linger": False}),
)
def linger_zero(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    sock, peer = lab.connected(client, server)
    peer.send(MESSAGE)
    lab.settle()
    sock.recv()
    if lab.value("linger", True):
        sock.linger(0)
    sock.close()
    lab.settle(unanswered=True)

    last = lab.segments()[-1]
    lab.expect(last.flags, "RST ACK", "what close() sends")
    lab.expect(last.from_client, True, "sent by the client")
    lab.expect(last.seq, 1, "its number: the next byte that the client would send")
    lab.expect(last.ack, 1 + len(MESSAGE), "it acknowledges all that came")
    lab.expect(lab.sockets(client), [], "sockets left at the client: no TIME_WAIT")
    lab.expect(lab.state(server), "CLOSED", "the server's socket")
    lab.expect_error("ECONNRESET", peer.recv, "recv() at the server")
    lab.expect(peer.recv(), b"", "the error is told once; recv() then says the end")
    lab.claim(
        "the end that closes first waits in TIME_WAIT",
        "SO_LINGER: with a time of 0 nobody waits",
        "the client closed first with a RST, and its kernel has no socket left",
        source="E",
        evidence=[last.frame],
    )


@experiment(
    covers="cause:disconnected reason:TCP_STATE",
    question="Can a connected socket be connected anew, and what does its peer see?",
    background=(
        "connect() with an address of family AF_UNSPEC dissolves a connection and leaves the "
        "socket usable (connect(2); tcp_disconnect). The peer is told by RST. Python's connect() "
        "has no such address; the lab calls the C library's."
    ),
    try_next=(
        N_("Let data wait unsent behind a closed window first: lab run disconnected-with-data"),
    ),
    tags="reset",
    mutation=Mutation(N_("the socket is left connected"), values={"disconnect": False}),
)
def disconnected(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    listener = server.socket().listen(8888)
    sock = client.socket().connect(server, 8888)
    lab.settle()
    peer = listener.accept()
    first = lab.connection(client)
    if lab.value("disconnect", True):
        sock.disconnect()
    lab.settle()

    last = lab.segments()[-1]
    lab.expect(last.flags, "RST ACK", "what the client's kernel sends")
    lab.expect_error("ECONNRESET", peer.recv, "recv() at the server")
    lab.expect(lab.sockets(client), [], "connections of the client")
    sock.connect(server, 8888)
    lab.settle()
    second = lab.connection(client)
    lab.expect(second.state, "ESTABLISHED", "the same socket, connected again")
    lab.expect(second.inode, first.inode, "its inode is the same")
    lab.claim(
        "a socket serves one connection only",
        False,
        "the socket with inode {inode} was connected, dissolved, and connected again",
        source="D",
        evidence=[last.frame],
        inode=first.inode,
    )


@experiment(
    covers="cause:destroyed reason:TCP_STATE",
    question="What do both programs see when the administrator destroys a socket?",
    background=(
        "The kernel aborts a socket when a process with CAP_NET_ADMIN asks for it through "
        "sock_diag (SOCK_DESTROY, CONFIG_INET_DIAG_DESTROY), as `ss --kill` does. The peer gets "
        "RST, the program that held the socket ECONNABORTED (tcp_abort)."
    ),
    try_next=(N_("Destroy the server's socket instead of the client's."),),
    tags="reset",
    mutation=Mutation(N_("the socket is not destroyed"), values={"destroy": False}),
)
def destroyed(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    sock, peer = lab.connected(client, server)
    if lab.value("destroy", True):
        lab.destroy(client, lab.connection(client))
    lab.settle()

    last = lab.segments()[-1]
    lab.expect(last.flags, "RST ACK", "what the client's kernel sends")
    lab.expect(last.from_client, True, "sent by the client")
    lab.expect_error("ECONNABORTED", sock.recv, "recv() at the client, which did nothing")
    lab.expect_error("ECONNRESET", peer.recv, "recv() at the server")
    lab.expect(lab.sockets(client), [], "sockets of the client")
    lab.claim(
        "only a program that holds a socket can end its connection",
        False,
        "the client's program made no call: its kernel was told to abort the socket",
        source="D",
        evidence=[last.frame],
    )
