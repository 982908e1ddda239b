"""The table of sockets: what is in it, and whose they are (rows D1, A16)."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fourtuple.errors import N_, CallFailed
from fourtuple.lab.evidence import ObservedSocket
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.baseline import PATIENT
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.hosts.owners import owners
from fourtuple.lab.hosts.recorded_socket import errno_symbol
from fourtuple.lab.script import Lab

#: include/net/tcp_states.h
STATES = {"01": "ESTABLISHED", "0A": "LISTEN"}


def netstat(host: Host, family: int) -> list[tuple[Any, ...]]:
    """What netstat -ant reads: local port, peer's port, state, Recv-Q, Send-Q, inode of each."""
    table = "tcp" if family == 4 else "tcp6"
    lines = Path(f"/proc/{host.programs[0].pid}/net/{table}").read_text().splitlines()[1:]
    found = []
    for words in map(str.split, lines):
        local, remote = (int(end.rpartition(":")[2], 16) for end in words[1:3])
        send_q, recv_q = (int(number, 16) for number in words[4].split(":"))
        found.append((local, remote, STATES[words[3]], recv_q, send_q, int(words[9])))
    return sorted(found)


def as_netstat_has_it(row: ObservedSocket) -> tuple[Any, ...]:
    """The same of a row of sock_diag, which has a listener's limit as its Send-Q: /proc has 0."""
    send_q = 0 if row.state == "LISTEN" else row.send_q
    return row.local.port, row.remote.port, row.state, row.recv_q, send_q, row.inode


@experiment(
    covers="D1",
    question="What does the kernel's table of sockets hold, and whose are they?",
    background=(
        "A row: protocol, both ends, state, Recv-Q and Send-Q (bytes; of a listener connections), "
        "an inode. netstat reads it from /proc/net/tcp, ss through sock_diag(7). The process is "
        "not in it: netstat -p, ss -p and lsof look through /proc/PID/fd for the inode."
    ),
    try_next=(
        N_("See your own machine's: ss -tanp, beside netstat -tanp and lsof -i"),
        N_("See the table before and after accept(): lab run before-accept"),
    ),
    tags="programs queues",
    mutation=Mutation(N_("the server reads what came"), values={"reads": True}),
)
def socket_table(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    program = server.program("server's program")
    listener = program.socket().listen(8888, 7)
    first, second = (client.socket().connect(server, 8888) for _ in range(2))
    lab.settle()
    peer = listener.accept()
    first.send(b"hello")
    second.send(b"anybody?")
    if lab.value("reads", False):
        peer.recv()
    lab.settle()

    (listening,) = lab.sockets(server, listening=True)
    lab.expect(listening.recv_q, 1, "Recv-Q of the listener: one connection waits")
    lab.expect(listening.send_q, 7, "Send-Q of the listener in sock_diag: the backlog")
    waiting, accepted = sorted(lab.sockets(server), key=lambda row: int(row.inode))
    lab.expect(accepted.recv_q, 5, "Recv-Q of the accepted connection: bytes not read")
    lab.expect(waiting.recv_q, 8, "Recv-Q of the one that waits")
    lab.expect([waiting.state, accepted.state], ["ESTABLISHED"] * 2, "their states")

    fds = [listener.call("fileno").result(), peer.call("fileno").result()]
    for row, fd, name in (
        (listening, fds[0], "the listener"),
        (accepted, fds[1], "the accepted connection"),
    ):
        held = [(one.pid, one.fd) for one in owners(server, row.inode)]
        lab.expect(held, [(program.pid, fd)], "{name}: pid and descriptor", name=name)
    lab.expect(owners(server, waiting.inode), [], "processes that hold the one that waits")
    rows = [*lab.sockets(server), listening]
    lab.expect(
        netstat(server, lab.family),
        sorted(map(as_netstat_has_it, rows)),
        "/proc/net/tcp has the same rows; the Send-Q of a listener is 0 there",
    )

    lab.wire.cut()
    first.send(b"lost on the way")
    lab.settle(unanswered=True)
    sent = [row.send_q for row in lab.sockets(client) if row.send_q]
    lab.expect(sent, [15], "Send-Q of the client, path cut: bytes not acknowledged")
    lab.claim(
        "every connection in the table belongs to a process",
        False,
        "port {port} of the client is ESTABLISHED at the server with inode 0, and no process has "
        "a descriptor of it before accept()",
        source="D",
        evidence=lab.segments(flags="SYN").frames[1:],
        port=int(waiting.remote.port),
    )


@experiment(
    covers="A16",
    question="Address already in use: who holds the port, and how does one get it back?",
    background=(
        "bind() fails with EADDRINUSE while another socket has the port: the table says which, "
        "/proc/PID/fd whose. Without its process a connection may still hold the port, until it "
        "is over: SO_REUSEADDR passes over all but listeners, where both have set it "
        "(inet_csk_bind_conflict)."
    ),
    try_next=(
        N_("Ask your own machine: ss -ltnp 'sport = :8888', or fuser 8888/tcp"),
        N_("Let the server close first: lab run restart"),
    ),
    tags="programs ports",
    mutation=Mutation(N_("the holder is left alive"), values={"kill": False}),
)
def port_in_use(lab: Lab) -> None:
    client, server = lab.pair(sysctls=PATIENT)
    reuse = (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder = server.program("holder")
    listener = holder.socket().set_option(*reuse).listen(8888)
    client.socket().connect(server, 8888)
    lab.settle()
    listener.accept()
    newcomer = server.program("newcomer")

    plain = newcomer.socket()
    lab.expect(outcome(lambda: plain.bind(8888)), "EADDRINUSE", "bind() of another program")
    row = lab.sockets(server, listening=True)[0]
    found = [(one.program, one.pid) for one in owners(server, row.inode)]
    lab.expect(found, [("holder", holder.pid)], "who holds the listener: from its inode")
    sharing = newcomer.socket().set_option(*reuse)
    lab.expect(
        outcome(lambda: sharing.bind(8888).listen()),
        "EADDRINUSE",
        "with SO_REUSEADDR, while the other one listens",
    )

    if lab.value("kill", True):
        holder.kill()
    lab.settle()
    lab.expect(lab.sockets(server, listening=True), [], "listeners once the holder is killed")
    left = lab.connection(server)
    lab.expect(left.state, "FIN_WAIT2", "its connection: the client has not closed yet")
    lab.expect(owners(server, left.inode), [], "processes that hold that one")
    lab.expect(
        outcome(lambda: plain.bind(8888)), "EADDRINUSE", "bind() again: it still has the port"
    )
    freed = newcomer.socket().set_option(*reuse)
    lab.expect(outcome(lambda: freed.bind(8888).listen()), "success", "with SO_REUSEADDR")
    sock = client.socket().connect(server, 8888)
    sock.send(b"hello")
    lab.expect(freed.accept().recv(), b"hello", "what the newcomer's connection reads")
    lab.settle()
    lab.claim(
        "a port that is in use belongs to a process",
        False,
        "the holder was killed, and its connection kept port 8888 in {state}, with no process",
        source="A",
        evidence=lab.segments(sent_by=server, flags="FIN ACK").frames,
        state=str(left.state),
    )


def outcome(call: Callable[[], object]) -> str:
    """How a call ends: "success", or the symbol of its error."""
    try:
        call()
    except CallFailed as error:
        return errno_symbol(error.errno or 0)
    return "success"
