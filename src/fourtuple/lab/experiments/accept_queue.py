"""The accept queue: how many connections wait for accept(), and the ways in which it overflows
(rows C4, D2; claim about listen(20))."""

from fourtuple.errors import N_
from fourtuple.lab.experiment import Mutation, experiment
from fourtuple.lab.hosts.gauges import counters
from fourtuple.lab.hosts.host import Host
from fourtuple.lab.hosts.sockets import HostSocket
from fourtuple.lab.script import Lab
from fourtuple.lab.wire.select import pure_ack

FULL = ("TcpExtListenOverflows", "TcpExtListenDrops")


def fill(lab: Lab, client: Host, server: Host, count: int) -> list[HostSocket]:
    """That many connections that nobody accepts."""
    socks = [client.socket().connect(server, 8888) for _ in range(count)]
    lab.settle(unanswered=True)
    return socks


def try_connecting(lab: Lab, client: Host, server: Host) -> HostSocket:
    """A connect() that does not wait; at rest, its SYN has been answered or has not."""
    sock = client.socket().set_timeout(0)
    lab.expect_error(
        "EINPROGRESS", lambda: sock.connect(server, 8888), "connect() that does not wait"
    )
    lab.settle(unanswered=True)
    return sock


def overflows(server: Host) -> list[int]:
    """ListenOverflows and ListenDrops of the host."""
    counted = counters(server)
    return [counted[name] for name in FULL]


@experiment(
    covers="C4 D2 beyond:accept-queue-at-syn",
    question="How many connections can wait for accept(), and what happens to the next one?",
    background=(
        "A listener lets min(backlog, net.core.somaxconn) + 1 connections wait, for the kernel "
        "asks whether there are more than the limit (sk_acceptq_is_full). When the queue is full a "
        "SYN is dropped without a word, and counted in ListenOverflows and ListenDrops "
        "(tcp_conn_request)."
    ),
    try_next=(
        N_("Let the queue fill up between SYN and last ACK: lab run overflow-at-ack"),
        N_("Raise the limit while the server runs: lab run somaxconn"),
    ),
    tags="listening queues",
    mutation=Mutation(N_("the backlog is 5"), values={"backlog": 5}),
)
def accept_queue(lab: Lab) -> None:
    client, server = lab.pair()
    listener = server.socket().listen(8888, backlog=lab.value("backlog", 2))
    fill(lab, client, server, 3)
    lab.expect(lab.sockets(server, listening=True)[0].send_q, 2, "the limit that the table shows")
    lab.expect(lab.sockets(server, listening=True)[0].recv_q, 3, "connections that wait: one more")
    lab.expect(overflows(server), [0, 0], "ListenOverflows and ListenDrops so far")

    before = len(lab.segments())
    late = try_connecting(lab, client, server)
    steps = lab.segments()[before:]
    lab.expect(steps.flags, ["SYN"], "the fourth connection: a SYN, and no answer")
    lab.expect(overflows(server), [1, 1], "ListenOverflows and ListenDrops after it")
    lab.expect(len(lab.sockets(server)), 3, "connections in the server's table: the SYN left none")
    (asking,) = [row for row in lab.sockets(client) if row.state != "ESTABLISHED"]
    lab.expect(asking.state, "SYN_SENT", "the client's state: to it nobody has answered")
    lab.expect(asking.timer, "retransmit", "the timer with which it will ask again")

    late.close()
    listener.accept()
    lab.expect(lab.sockets(server, listening=True)[0].recv_q, 2, "accept() makes room")
    fill(lab, client, server, 1)
    lab.expect(lab.sockets(server, listening=True)[0].recv_q, 3, "which the next one takes")
    lab.expect(len(lab.sockets(server)), 4, "connections of a server with a backlog of 2")
    lab.claim(
        "listen(20) means at most 20 clients",
        False,
        "the backlog counts only those that wait: with 2, three could wait and a fourth was served",
        source="A",
        evidence=steps.frames,
    )


@experiment(
    covers="C4",
    question="When does net.core.somaxconn limit a backlog?",
    background=(
        "listen() cuts its argument to net.core.somaxconn of that moment and keeps the result; a "
        "later change concerns only later calls of listen() (__sys_listen). listen() may be called "
        "again on a listening socket."
    ),
    try_next=(N_("Look at Send-Q of your own servers: ss -tln"),),
    tags="listening queues",
    mutation=Mutation(N_("somaxconn is 4096"), values={"somaxconn": 4096}),
)
def somaxconn(lab: Lab) -> None:
    limit = lab.value("somaxconn", 1)
    client, server = lab.pair(sysctls={"net.core.somaxconn": limit})
    listener = server.socket().listen(8888, backlog=100)
    lab.expect(lab.sockets(server, listening=True)[0].send_q, 1, "backlog of listen(100)")
    server.sysctl("net.core.somaxconn", 50)
    lab.expect(
        lab.sockets(server, listening=True)[0].send_q, 1, "backlog after somaxconn was raised to 50"
    )
    fill(lab, client, server, 2)
    late = try_connecting(lab, client, server)
    late.close()
    lab.expect(overflows(server), [1, 1], "the third SYN is dropped: ListenOverflows, ListenDrops")

    listener.listen(backlog=100)
    lab.expect(
        lab.sockets(server, listening=True)[0].send_q, 50, "backlog after a second listen(100)"
    )
    fill(lab, client, server, 1)
    lab.expect(lab.sockets(server, listening=True)[0].recv_q, 3, "connections that wait now")
    lab.claim(
        "the backlog given to listen() is the length of the queue",
        "net.core.somaxconn: the lesser of the two, plus one, as listen() found it",
        "listen(100) let 2 wait with somaxconn 1, and more only when it was called again",
        source="C",
        evidence=lab.segments(flags="SYN").frames,
    )


@experiment(
    covers="C4 D2",
    question="A client waits in the accept queue and gives up: is its place free again?",
    background=(
        "The client's FIN moves the waiting connection to CLOSE_WAIT; it stays in the queue until "
        "accept() takes it out. A server may accept connections whose clients are long gone, and "
        "these keep others out."
    ),
    try_next=(
        N_("Let the client go with SO_LINGER 0: accept() then gives a socket that is closed."),
        N_("Look for CLOSE_WAIT without a process on your own server: ss -tanp state close-wait"),
    ),
    tags="listening queues",
    mutation=Mutation(N_("the client stays"), values={"leave": False}),
)
def gave_up_waiting(lab: Lab) -> None:
    client, server = lab.pair()
    listener = server.socket().listen(8888, backlog=0)
    (sock,) = fill(lab, client, server, 1)
    sock.send(b"hello?")
    if lab.value("leave", True):
        sock.close()
    lab.settle()
    gone = lab.connection(server)
    lab.expect(gone.state, "CLOSE_WAIT", "the server's connection: its client has closed")
    lab.expect(gone.inode, 0, "its owner")
    lab.expect(lab.sockets(server, listening=True)[0].recv_q, 1, "it still holds its place")

    before = len(lab.segments())
    late = try_connecting(lab, client, server)
    lab.expect(lab.segments()[before:].flags, ["SYN"], "the next client finds the queue full")
    late.close()
    peer = listener.accept()
    lab.expect(peer.recv(), b"hello?", "accept() and recv(): what the client said before it left")
    lab.expect(peer.recv(), b"", "then the end")
    lab.claim(
        "a client that gives up frees its place in the queue",
        False,
        "its connection stayed in the accept queue, in CLOSE_WAIT, and the next SYN was dropped",
        source="C",
        evidence=lab.segments()[before:].frames[:1],
    )


@experiment(
    covers="C4 beyond:accept-queue-at-ack",
    question="The accept queue fills up between SYN ACK and ACK: what do both ends believe?",
    background=(
        "The last ACK of a handshake for which there is no room is dropped and counted "
        "(tcp_v4_syn_recv_sock, ListenOverflows). The client has seen the SYN ACK and is "
        "ESTABLISHED; the server stays in SYN_RECV and will repeat its SYN ACK. The client's data "
        "completes the handshake as soon as there is room."
    ),
    try_next=(
        N_("Have the server answer with RST instead: lab run overflow-reset"),
        N_("Do not call accept(): the client's data is sent again and again."),
    ),
    tags="listening queues",
    mutation=Mutation(N_("there is room for one more"), values={"backlog": 1}),
)
def overflow_at_ack(lab: Lab) -> None:
    client, server = lab.pair()
    listener = server.socket().listen(8888, backlog=lab.value("backlog", 0))
    last_ack = lab.wire.hold(pure_ack.sent_by(client).first())
    early = client.socket().connect(server, 8888)
    fill(lab, client, server, 1)
    before = overflows(server)
    last_ack.release()
    lab.settle(unanswered=True)

    counted = [now - then for now, then in zip(overflows(server), before, strict=True)]
    lab.expect(counted, [1, 1], "ListenOverflows and ListenDrops when the held ACK arrives")
    states = sorted(row.state for row in lab.sockets(client))
    lab.expect(states, ["ESTABLISHED"] * 2, "states of the client's sockets: it suspects nothing")
    states = sorted(row.state for row in lab.sockets(server))
    lab.expect(states, ["ESTABLISHED", "SYN_RECV"], "states of the server's sockets")

    listener.accept()
    early.send(b"here I am")
    lab.settle()
    states = sorted(row.state for row in lab.sockets(server))
    lab.expect(states, ["ESTABLISHED"] * 2, "states after accept() made room and data came")
    lab.expect(listener.accept().recv(), b"here I am", "what the server's program reads")
    lab.claim(
        "both ends are ESTABLISHED when the third segment is sent",
        False,
        "it even arrived, found the accept queue full, and the server stayed SYN_RECV",
        source="A",
        evidence=last_ack.frames,
    )


@experiment(
    covers="C4 cause:backlog-overflow reason:INVALID_SYN",
    question="What does net.ipv4.tcp_abort_on_overflow change when the accept queue is full?",
    background=(
        "By default the last ACK is dropped, so that the client can try again by itself. With "
        "tcp_abort_on_overflow the server sends RST: the client, whose connect() had succeeded, "
        "gets ECONNRESET (tcp_check_req, tcp_v4_send_reset)."
    ),
    try_next=(
        N_("See the default: lab run overflow-at-ack"),
        N_("Let the queue be full when the SYN comes: no RST even then: lab run accept-queue"),
    ),
    tags="listening queues reset",
    mutation=Mutation(
        N_("net.ipv4.tcp_abort_on_overflow is 0"),
        sysctls={"net.ipv4.tcp_abort_on_overflow": 0},
    ),
)
def overflow_reset(lab: Lab) -> None:
    client, server = lab.pair(sysctls={"net.ipv4.tcp_abort_on_overflow": 1})
    server.socket().listen(8888, backlog=0)
    last_ack = lab.wire.hold(pure_ack.sent_by(client).first())
    early = client.socket().connect(server, 8888)
    fill(lab, client, server, 1)
    before = len(lab.segments())
    last_ack.release()
    lab.settle(unanswered=True)

    steps = lab.segments()[before:]
    lab.expect(steps.flags, ["RST"], "what the held ACK brings about")
    lab.expect(steps[0].from_client, False, "sent by the server")
    lab.expect_error("ECONNRESET", early.recv, "recv() at the client, whose connect() succeeded")
    lab.expect(len(lab.sockets(server)), 1, "connections of the server: the one that waits")

    late = try_connecting(lab, client, server)
    lab.expect(lab.segments()[-1].flags, "SYN", "a SYN is dropped as ever, without RST")
    late.close()
    lab.claim(
        "a full accept queue refuses connections",
        "net.ipv4.tcp_abort_on_overflow: with 1 the last ACK draws a RST; a SYN never does",
        "the ACK was answered with RST; the SYN that came later was not answered at all",
        source="C",
        evidence=steps.frames,
    )
