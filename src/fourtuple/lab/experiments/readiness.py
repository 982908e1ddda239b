"""Sockets that do not block, and read() and write() on them (row C8)."""

import os
import socket

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.recorded_socket import errno_symbol
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import syn

CLOSED_PORT = 9999


@experiment(
    covers="C8",
    question="What does each call return on a socket that does not block?",
    background=(
        "A call that would have to wait returns at once: accept(), recv() and send() with EAGAIN, "
        "connect() with EINPROGRESS, while the handshake goes on. select(), poll() and epoll say "
        "when to try again; how a connect() ended is read from SO_ERROR (connect(2))."
    ),
    try_next=(
        N_("Fill the buffers: what does send() return then? lab run full-buffer"),
        N_("See servers that are built upon this: lab run concurrency-models"),
    ),
    tags="programs",
    mutation=Mutation(N_("there is a listener at the other port too"), values={"closed": False}),
)
def non_blocking(lab: Lab) -> None:
    client, server = lab.pair()
    if not lab.value("closed", True):
        server.socket().listen(CLOSED_PORT)
    listener = server.socket().listen(8888).set_timeout(0)
    lab.expect_error("EAGAIN", listener.accept, "accept() with nobody there")
    sock, refused = (client.socket().set_timeout(0) for _ in range(2))
    held = lab.wire.hold(syn.to(server).port(8888).first())
    lab.expect_error("EINPROGRESS", lambda: sock.connect(server, 8888), "connect()")
    lab.expect(lab.state(client), "SYN_SENT", "the client's state, connect() having returned")
    lab.expect_error("EALREADY", lambda: sock.connect(server, 8888), "connect() once more")
    held.release()
    lab.settle()
    lab.expect(lab.state(client), "ESTABLISHED", "its state when the SYN has been let go")
    error = (socket.SOL_SOCKET, socket.SO_ERROR)
    lab.expect(sock.option(*error), 0, "SO_ERROR: how connect() ended")
    lab.expect(bool(sock.connect(server, 8888)), True, "connect() again says so once: success")
    lab.expect_error("EISCONN", lambda: sock.connect(server, 8888), "and after that")

    lab.expect_error(
        "EINPROGRESS", lambda: refused.connect(server, CLOSED_PORT), "connect() to a closed port"
    )
    lab.settle()
    number = refused.option(*error)
    lab.expect(errno_symbol(number), "ECONNREFUSED", "SO_ERROR: how that one ended")
    lab.expect(refused.option(*error), 0, "SO_ERROR read again: reading it clears it")

    peer = listener.accept().set_timeout(0)
    lab.expect_error("EAGAIN", peer.recv, "recv() with nothing there")
    sock.send(b"hello")
    lab.settle()
    lab.expect(peer.recv(), b"hello", "recv() once something is")
    lab.expect_error("EAGAIN", peer.recv, "recv() once more")
    sock.close()
    lab.settle()
    lab.expect(peer.recv(), b"", "recv() at the end of the stream: b'', not EAGAIN")
    lab.claim(
        "when connect() has returned, the connection is established or has failed",
        "whether the socket blocks: one that does not is in SYN_SENT then",
        "connect() returned with EINPROGRESS while the wire still held the SYN",
        source="C",
        evidence=held.frames,
    )


def read_and_write(address: str) -> None:
    """An answer in capitals, by the calls for any file."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 8888), family=family) as listener:
        sock, _ = listener.accept()
        with sock:
            while data := os.read(sock.fileno(), 1024):
                print("write() →", os.write(sock.fileno(), data.upper()), flush=True)
            print("read() → 0")


@experiment(
    covers="C8",
    question="Are read() and write() on a socket different from recv() and send()?",
    background=(
        "A socket is a file descriptor: read() and write() are recv() and send() without flags "
        "(read(2), recv(2), sock_read_iter, sock_write_iter). Flags - MSG_PEEK, MSG_DONTWAIT, "
        "MSG_OOB - and the sender's address need the calls of sockets."
    ),
    try_next=(
        N_("Write on after a RST: ECONNRESET at first, then SIGPIPE (in Python EPIPE instead)."),
        N_("Read with MSG_PEEK: what is read stays in the buffer."),
    ),
    tags="programs",
    mutation=Mutation(N_("the client sends twice"), values={"sends": 2}),
)
def read_write(lab: Lab) -> None:
    client, server = lab.pair()
    program = server.run(read_and_write, server.address)
    lab.settle()
    sock = client.socket().connect(server, 8888)
    for _ in range(lab.value("sends", 1)):
        sock.send(b"hello")
        lab.settle()
    lab.expect(sock.recv(), b"HELLO", "what the client reads")
    sock.send(b"again")
    lab.expect(sock.recv(), b"AGAIN", "what it reads after another send()")
    asked, answered = (lab.segments(sent_by=one, payload=True) for one in (client, server))
    lab.expect(asked.flags, ["PSH ACK"] * 2, "segments that send() makes")
    lab.expect(answered.flags, ["PSH ACK"] * 2, "segments that write() makes: the same")
    sock.close()
    lab.expect(program.wait(), 0, "the server's exit status")
    lab.expect(
        program.output.splitlines(),
        ["write() → 5", "write() → 5", "read() → 0"],
        "what the calls returned: bytes, and 0 at the end",
    )
    lab.settle()
    lab.claim(
        "a socket is read and written as any file",
        True,
        "read() and write() moved what send() and recv() moved at the other end, in segments of "
        "the same kind",
        source="C",
        evidence=[*asked.frames, *answered.frames],
    )
