"""Every socket call that the textbooks list: what it returns, and what follows from it
(row E11)."""

import socket
from typing import Any

from fourtuple.errors import N_
from fourtuple.event.model import Call
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import PATIENT
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.hosts.owners import owners
from fourtuple.lab.hosts.recorded_socket import errno_symbol
from fourtuple.lab.hosts.sockets import HostSocket
from fourtuple.lab.script import Lab

KEEPALIVE = (socket.SOL_SOCKET, socket.SO_KEEPALIVE)
CLOSED_PORT = 9999


def ask(sock: HostSocket, method: str, *args: Any) -> Any:
    """What any call of Python's socket returns."""
    return sock.call(method, *args).result()


@experiment(
    covers="E11 C1",
    question="bind, listen, connect, accept, close and their like: what does each return and do?",
    background=(
        "Calls about names and states. bind() gives the socket its own address, listen() makes it "
        "a listener, connect() opens a connection, accept() takes one out of the queue, close() "
        "gives the descriptor back. connect_ex() returns the error that connect() raises."
    ),
    try_next=(
        N_("The calls that move data: lab run calls-of-data"),
        N_("The calls that say how long to wait: lab run calls-that-wait"),
    ),
    tags="programs",
    mutation=Mutation(N_("the backlog is another one"), values={"backlog": 4}),
)
def calls_of_names(lab: Lab) -> None:
    client, server = lab.pair()
    listener = server.socket().bind(8888)
    local = ask(listener, "getsockname")[:2]
    lab.expect(local, [server.address, 8888], "bind(): getsockname() then gives")
    lab.expect(lab.sockets(server, listening=True), [], "bind(): listeners so far")
    lab.expect_error("EINVAL", lambda: listener.bind(8889), "bind() a second time")

    listener.listen(backlog=lab.value("backlog", 3))
    row = lab.sockets(server, listening=True)[0]
    lab.expect([row.state, row.send_q], ["LISTEN", 3], "listen(3): state and backlog in the table")

    sock = client.socket()
    lab.expect_error("ENOTCONN", lambda: ask(sock, "getpeername"), "getpeername() before connect()")
    sock.connect(server, 8888)
    lab.settle()
    lab.expect(lab.state(client), "ESTABLISHED", "connect(): the client's state")
    lab.expect(lab.segments().flags, ["SYN", "SYN ACK", "ACK"], "connect(): segments")

    peer = listener.accept()
    fd = ask(peer, "fileno")
    (held,) = owners(server, lab.connection(server).inode)
    lab.expect(held.fd, fd, "accept(): a descriptor of its own, which fileno() tells")
    lab.expect(fd != ask(listener, "fileno"), True, "it is not the listener's")
    lab.expect(ask(peer, "getpeername")[:2], ask(sock, "getsockname")[:2],
               "getpeername() at the server, getsockname() at the client: the same")  # fmt: skip
    lab.expect(ask(sock, "getpeername")[:2], local, "getpeername() at the client: the server's")

    second, refused = client.socket(), client.socket()
    lab.expect(ask(second, "connect_ex", [server.address, 8888]), 0, "connect_ex(): no error")
    number = ask(refused, "connect_ex", [server.address, CLOSED_PORT])
    lab.expect(errno_symbol(number), "ECONNREFUSED", "connect_ex() to a closed port: the error")

    sock.close()
    lab.settle()
    lab.expect(lab.segments(sent_by=client, flags="FIN ACK").frames != (), True, "close(): a FIN")
    lab.expect(ask(sock, "fileno"), -1, "close(): fileno() is -1 then")
    lab.expect_error("EBADF", lambda: sock.send(b"late"), "close(): send() on it")
    lab.expect(peer.recv(), b"", "close(): recv() at the other end")


@experiment(
    covers="E11",
    question="send, sendall, recv, sendto, recvfrom, makefile: what does each return and do?",
    background=(
        "send() returns how many bytes the kernel has taken, sendall() nothing, once it has taken "
        "all. recv() returns what is there, b'' at the end. sendto() names the destination of one "
        "datagram, recvfrom() gives its sender. makefile() reads and writes by lines."
    ),
    try_next=(
        N_("Give send() more than the buffers hold: lab run full-buffer"),
        N_("Read less than a datagram: what happens to the rest of it?"),
        N_("Read and write by one makefile('rw'): which bytes of the second line get lost?"),
    ),
    tags="programs data udp",
    mutation=Mutation(N_("recv() asks for all"), values={"asked": 100}),
)
def calls_of_data(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    sock, peer = lab.connected(client, server)
    lab.expect(ask(sock, "send", b"hello"), 5, "send() of 5 bytes: how many were taken")
    lab.expect(ask(sock, "sendall", b", world"), None, "sendall() of 7 bytes: nothing is returned")
    lab.settle()
    lab.expect(lab.segments(sent_by=client, payload=True).lengths, [5, 7], "segments with data")
    lab.expect(lab.connection(server).recv_q, 12, "bytes that wait for the server's program")
    lab.expect(ask(peer, "recv", lab.value("asked", 8)), b"hello, w", "recv(8): 8 bytes at most")
    lab.expect(lab.connection(server).recv_q, 4, "bytes that still wait")
    lab.expect(ask(peer, "recv", 100), b"orld", "recv(100): the rest, without waiting for 100")

    waiting = server.socket("datagram").bind(5353)
    sender = client.socket("datagram").bind(5354)
    sent = ask(sender, "sendto", b"a letter", [server.address, 5353])
    lab.expect(sent, 8, "sendto(): bytes of the one datagram")
    letter, origin = ask(waiting, "recvfrom", 100)
    lab.expect(letter, b"a letter", "recvfrom(): the datagram")
    lab.expect(origin[:2], [client.address, 5354], "recvfrom(): who sent it")
    _lines(lab, client, server)


def line_server(address: str) -> None:
    """It reads and writes lines, and closes the socket before its files."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 9000), family=family) as listener:
        sock, _ = listener.accept()
        # two files: one for both would, when it is written, forget what it has read ahead
        with sock.makefile("r") as reader, sock.makefile("w") as writer:
            sock.close()
            for line in reader:
                writer.write(line.upper())


def _lines(lab: Lab, client: Host, server: Host) -> None:
    program = server.run(line_server, server.address)
    lab.settle()
    sock = client.socket().connect(server, 9000)
    for part in (b"one\nt", b"wo\n"):
        sock.send(part)
        lab.settle()
    states = [row.state for row in lab.sockets(server) if row.local.port == 9000]
    lab.expect(states, ["ESTABLISHED"], "makefile(): close() of the socket waits for the files'")
    sock.shutdown("write")
    lab.expect(sock.recv_exactly(8), b"ONE\nTWO\n", "makefile(): lines, however they were sent")
    lab.expect(program.wait(), 0, "makefile(): the server's exit status")
    lab.settle()
    made = [c.name for c in lab.timeline().of(Call) if c.program == "line_server"]
    used = {"recv_into", "send"} <= set(made)
    lab.expect(used, True, "makefile(): it calls recv and send itself")


@experiment(
    covers="E11 C7",
    question="setblocking, settimeout, getsockopt, setsockopt: what does each return and do?",
    background=(
        "A socket blocks for ever at first. settimeout(t) has Python wait t seconds with poll() "
        "and raise TimeoutError; to the kernel the socket then does not block. settimeout(0) is "
        "setblocking(False), settimeout(None) setblocking(True). gettimeout() tells which."
    ),
    try_next=(
        N_("What does not block: lab run non-blocking"),
        N_("Use SO_RCVTIMEO instead: the kernel waits then, and recv() fails with EAGAIN."),
    ),
    tags="programs timer",
    mutation=Mutation(N_("SO_KEEPALIVE is set to 0"), values={"keepalive": 0}),
)
def calls_that_wait(lab: Lab) -> None:
    client, server = lab.pair()
    sock, peer = lab.connected(client, server)
    lab.expect(ask(sock, "gettimeout"), None, "gettimeout() of a new socket: for ever")
    ask(sock, "setblocking", False)
    lab.expect(ask(sock, "gettimeout"), 0.0, "gettimeout() after setblocking(False)")
    lab.expect_error("EAGAIN", sock.recv, "recv() with nothing there")
    sock.set_timeout(0.02)
    lab.expect(ask(sock, "gettimeout"), 0.02, "gettimeout() after settimeout(0.02)")
    pending = sock.begin.recv()
    lab.until(lambda: pending.returned, N_("recv() did not time out."))
    last = next(c for c in reversed(lab.timeline().of(Call)) if c.name == "recv")
    lab.expect(last.errno, "timeout", "recv() with nothing there: it ends with")
    lab.expect(lab.state(client), "ESTABLISHED", "the connection is none the worse for it")
    ask(sock, "setblocking", True)
    lab.expect(ask(sock, "gettimeout"), None, "gettimeout() after setblocking(True)")
    waiting = sock.begin.recv()
    lab.settle()
    lab.expect(waiting.returned, False, "recv() with nothing there has returned")
    peer.send(b"at last")
    lab.expect(waiting.result(), b"at last", "recv() when something comes")

    lab.expect(sock.option(*KEEPALIVE), 0, "getsockopt(SO_KEEPALIVE) of a new socket")
    lab.expect(lab.connection(client).timer, "", "timers of the connection")
    asked = ask(sock, "setsockopt", *KEEPALIVE, lab.value("keepalive", 1))
    lab.expect(asked, None, "setsockopt(): nothing is returned")
    lab.expect(sock.option(*KEEPALIVE), 1, "getsockopt(SO_KEEPALIVE) then")
    lab.settle()
    lab.expect(lab.connection(client).timer, "keepalive", "its timer in the kernel's table")
    lab.claim(
        "recv() that times out ends the connection",
        False,
        "it raised TimeoutError; the connection stayed ESTABLISHED, and a later recv() got what "
        "came",
        source="E",
        evidence=lab.segments(sent_by=server, payload=True).frames,
    )
